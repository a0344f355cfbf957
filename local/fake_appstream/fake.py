"""The fake itself: image builders on a clock, the operations on them, and the calls seen.

It speaks AWS JSON 1.1, which botocore prefers of the two protocols that its model of AppStream names
(`botocore.utils.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS`).
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local.fake_appstream.builders import ARN, DURATIONS, ORDINARY, ImageBuilder, Timeline, TimelineSettings
from local.fake_appstream.clock import Clock
from local.fake_appstream.faults import Fault
from local.fake_appstream.model import ServiceError, input_shape, violations

PAGE_SIZE = 25
"""Not documented for DescribeImageBuilders; it is that of DescribeImages."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call seen.

    Attributes:
        time: simulated seconds since the epoch.
        outcome: "ok", an error code, or "dropped".
        effective: whether it changed an image builder.
        state_before: of the one image builder that it is about; None: there is none.
    """

    time: float
    operation: str
    parameters: Mapping[str, Any]
    outcome: str
    effective: bool
    state_before: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client gets for one call.

    Attributes:
        members: of the answer.
        error: instead of the answer.
        dropped: the connection closes with neither.
        delay: real seconds until then.
    """

    members: Mapping[str, Any] = field(default_factory=dict)
    error: ServiceError | None = None
    dropped: bool = False
    delay: float = 0.0

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.error.status if self.error else 200

    @property
    def body(self) -> bytes:
        """The HTTP body."""
        error = self.error and {"__type": self.error.code, "Message": self.error.message}
        return json.dumps(error or self.members).encode()


class FakeAppStream:
    """The image builders of one account and Region. Thread-safe; each call happens at one moment of the clock.

    Attributes:
        clock: the simulated time.
        faults: the scripted ones. The first that applies to a call happens to it.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.faults: list[Fault] = []
        self._lock = threading.RLock()
        self._calls: list[Call] = []
        self._builders: dict[str, ImageBuilder] = {}
        self._operations: Mapping[str, Callable[[Mapping[str, Any], float], dict[str, Any]]] = {
            "DescribeImageBuilders": self._describe,
            "GetResources": self._get_resources,  # of the Resource Groups Tagging API
            "ListTagsForResource": self._list_tags,
            "StartImageBuilder": self._start,
            "StopImageBuilder": self._stop,
        }

    @property
    def calls(self) -> list[Call]:
        """Every API call seen, in order."""
        with self._lock:
            return list(self._calls)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The members of the answer to one API call, with no protocol between; or ServiceError is raised."""
        reply = self.reply(operation, parameters)
        if reply.error:
            raise reply.error
        return reply.members

    def respond(self, target: str, body: str | bytes) -> Reply:
        """Answer one HTTP request: its header X-Amz-Target, which names service and operation, and its JSON."""
        return self.reply(target.rpartition(".")[2], json.loads(body))

    def reply(self, operation: str, parameters: Mapping[str, Any]) -> Reply:
        """Answer and record one call.

        Args:
            operation: its name.
            parameters: as botocore sends them: it has refused wrong types and missing members.
        """
        with self._lock:
            now, names = self.clock.now(), _names(parameters)
            one = names[0] if len(names) == 1 else ""
            before = self._builders.get(one)
            fault = next((fault for fault in self.faults if fault.applies(operation, names)), Fault())
            reply = self._reply(fault, operation, parameters, now)
            effective = self._builders.get(one) is not before
            outcome = "dropped" if reply.dropped else reply.error.code if reply.error else "ok"
            state = before.state(now) if before else None
            self._calls.append(Call(now, operation, parameters, outcome, effective, state))
            return reply

    def _reply(self, fault: Fault, operation: str, parameters: Mapping[str, Any], now: float) -> Reply:
        if fault.error or fault.drop == "before":
            return Reply(error=fault.error, dropped=fault.drop is not None, delay=fault.delay)
        members, error = dict[str, Any](), None
        try:
            if operation not in self._operations:
                raise ServiceError("UnknownOperationException", f"The fake has no {operation}.")
            if problems := violations(parameters, input_shape(operation)):
                raise ServiceError("ValidationException", "; ".join(problems))
            members = {**self._operations[operation](parameters, now), **fault.answer}
        except ServiceError as refusal:
            error = refusal
        return Reply(members, error, fault.drop is not None, fault.delay)

    # What the API cannot do: tests and the demo set up and inspect image builders.

    def put_builder(
        self,
        name: str,
        *,
        state: TimelineSettings = "STOPPED",
        durations: Mapping[str, float] | None = None,
        next_start: TimelineSettings | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Create an image builder, or replace the one of that name.

        Args:
            name: its name.
            state: its timeline from now on, as `Timeline.parse` takes it: one state without end, or stages.
            durations: over `DURATIONS`.
            next_start: the timeline that the next start leads to, instead of the ordinary one.
            tags: by key.
        """
        script = None if next_start is None else Timeline.parse(next_start)
        with self._lock:
            now = self.clock.now()
            self._builders[name] = ImageBuilder(
                members={**ORDINARY, "CreatedTime": now, "Name": name, "Arn": f"{ARN}{name}"},
                timeline=Timeline.parse(state),
                since=now,
                durations={**DURATIONS, **(durations or {})},
                next_start=script,
                tags=tags or {},
            )

    def builder(self, name: str) -> dict[str, Any]:
        """The ImageBuilder that DescribeImageBuilders would answer now, without an API call."""
        with self._lock:
            now = self.clock.now()
            return self._builders[name].describe(now)

    def delete_builder(self, name: str) -> None:
        """Remove an image builder at once."""
        with self._lock:
            del self._builders[name]

    # The operations: from parameters and time to the members of the answer.

    def _start(self, parameters: Mapping[str, Any], now: float) -> dict[str, Any]:
        builder = self._in_state("STOPPED", "start", parameters["Name"], now)
        return self._store(builder.start(now, parameters.get("AppstreamAgentVersion")), now)

    def _stop(self, parameters: Mapping[str, Any], now: float) -> dict[str, Any]:
        return self._store(self._in_state("RUNNING", "stop", parameters["Name"], now).stop(now), now)

    def _describe(self, parameters: Mapping[str, Any], now: float) -> dict[str, Any]:
        builders = [self._found(name, now) for name in _names(parameters)] or self._existing(now)
        page, token = _page(builders, PAGE_SIZE, parameters.get("NextToken"))
        return {"ImageBuilders": [builder.describe(now) for builder in page], "NextToken": token or None}

    def _list_tags(self, parameters: Mapping[str, Any], now: float) -> dict[str, Any]:
        return {"Tags": dict(self._found(_names(parameters)[0], now).tags)}

    def _get_resources(self, parameters: Mapping[str, Any], now: float) -> dict[str, Any]:
        wanted = {tag["Key"]: tag["Values"] for tag in parameters["TagFilters"]}
        found = [
            {"ResourceARN": each.members["Arn"], "Tags": [{"Key": key, "Value": each.tags[key]} for key in each.tags]}
            for each in self._existing(now)
            if all(each.tags.get(key) in values for key, values in wanted.items())
        ]
        page, token = _page(found, parameters["ResourcesPerPage"], parameters.get("PaginationToken"))
        return {"ResourceTagMappingList": page, "PaginationToken": token}

    def _existing(self, now: float) -> list[ImageBuilder]:
        """All image builders, by name; the API's order is not documented."""
        return [builder for _, builder in sorted(self._builders.items()) if builder.state(now)]

    def _found(self, name: str, now: float) -> ImageBuilder:
        builder = self._builders.get(name)
        if builder and builder.state(now):
            return builder
        raise ServiceError("ResourceNotFoundException", f"The image builder {name} does not exist.")

    def _in_state(self, needed: str, action: str, name: str, now: float) -> ImageBuilder:
        builder = self._found(name, now)
        if (state := builder.state(now)) != needed:
            # AWS does not document the code; ResourceInUseException is the other likely one.
            message = f"Cannot {action} the image builder {name}: it is {state}, not {needed}."
            raise ServiceError("OperationNotPermittedException", message)
        return builder

    def _store(self, builder: ImageBuilder, now: float) -> dict[str, Any]:
        self._builders[builder.members["Name"]] = builder
        return {"ImageBuilder": builder.describe(now)}


def _names(parameters: Mapping[str, Any]) -> list[str]:
    """The image builders that a call is about."""
    if "ResourceArn" in parameters:
        return [parameters["ResourceArn"].removeprefix(ARN)]
    return [parameters["Name"]] if "Name" in parameters else parameters.get("Names", [])


def _page(items: list[Item], size: int, token: str | None) -> tuple[list[Item], str]:
    """One page and the token of the next, which is empty after the last page."""
    begin = int(token or 0)
    end = begin + size
    return items[begin:end], str(end) if items[end:] else ""
