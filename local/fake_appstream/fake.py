"""The fake itself: image builders on a clock, the operations on them, and the calls seen.

It speaks AWS JSON 1.1, which botocore prefers of the two protocols that its model of AppStream names
(`botocore.utils.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS`).
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from local.fake_appstream.builders import (
    ARN,
    DURATIONS,
    IMAGE_AGENT,
    ORDINARY,
    ImageBuilder,
    Timeline,
    TimelineSettings,
    agent,
    check_members,
)
from local.fake_appstream.clock import Clock
from local.fake_appstream.faults import Fault, Faults
from local.fake_appstream.model import ServiceError, input_shape, service_model, violations
from local.fake_appstream.validation import Refused, is_number, must

PAGE_SIZE = 25
"""Not documented for DescribeImageBuilders; it is that of DescribeImages."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call seen.

    Attributes:
        time: simulated seconds since the epoch.
        operation: its name.
        parameters: the members that the operation has; empty where they could not be read.
        outcome: "ok", an error code, or "dropped".
        effective: whether it changed an image builder.
        state_before: of the one image builder that it is about; None: there is none.
        state_after: likewise.
    """

    time: float
    operation: str
    parameters: Mapping[str, Any]
    outcome: str
    effective: bool = False
    state_before: str | None = None
    state_after: str | None = None


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
        faults: the scripted faults.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.faults = Faults()
        self._lock = threading.RLock()
        self._calls: list[Call] = []
        self._builders: dict[str, ImageBuilder] = {}
        self._operations: Mapping[str, Callable[[dict[str, Any], float], dict[str, Any]]] = {
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
        """Make one API call with no protocol between; a delay is not waited for.

        Returns:
            The members of the answer; timestamps in seconds since the epoch.

        Raises:
            ServiceError: the service answers an error.
        """
        reply = self.reply(operation, parameters)
        if reply.error:
            raise reply.error
        return reply.members

    def respond(self, target: str, body: str | bytes) -> Reply:
        """Answer one HTTP request.

        Args:
            target: its header X-Amz-Target: service and operation.
            body: JSON.
        """
        prefix, _, operation = target.rpartition(".")
        if prefix != service_model(operation).metadata["targetPrefix"]:
            operation = target
        try:
            return self.reply(operation, json.loads(body))
        except (ValueError, RecursionError) as problem:
            return self.reply(operation, {}, ServiceError("SerializationException", f"The body is not JSON: {problem}"))

    def reply(self, operation: str, content: Any, refusal: ServiceError | None = None) -> Reply:
        """Answer and record one call.

        Args:
            operation: its name.
            content: its parameters, not yet checked.
            refusal: an error to answer before anything else.
        """
        with self._lock:
            now = self.clock.now()
            call = Call(now, operation, {}, "ok")
            try:
                if refusal or operation not in self._operations:
                    raise refusal or ServiceError("UnknownOperationException", f"There is no {operation!r} here.")
                shape = input_shape(operation)
                problems = violations(content, shape)
            except ServiceError as error:
                self._calls.append(replace(call, outcome=error.code))
                return Reply(error=error)
            parameters = {name: content[name] for name in shape.members if content.get(name) is not None}
            names = _names(parameters)
            one = names[0] if len(names) == 1 else ""
            before = self._builders.get(one)
            fault, delay = self.faults.next_for(operation, names)
            reply = self._reply(fault, operation, parameters, problems, now)
            after = self._builders.get(one)
            call = replace(
                call,
                parameters=parameters,
                outcome="dropped" if reply.dropped else reply.error.code if reply.error else "ok",
                effective=after is not before,
                state_before=before.state(now) if before else None,
                state_after=after.state(now) if after else None,
            )
            self._calls.append(call)
            return replace(reply, delay=delay)

    def _reply(
        self, fault: Fault | None, operation: str, parameters: dict[str, Any], problems: list[str], now: float
    ) -> Reply:
        if fault and (fault.error or fault.drop == "before"):
            return Reply(error=fault.error, dropped=fault.error is None)
        members, error = dict[str, Any](), None
        try:
            if problems:
                detected = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
                raise ServiceError("ValidationException", f"{detected}: {'; '.join(problems)}")
            members = {**self._operations[operation](parameters, now), **((fault and fault.answer) or {})}
        except ServiceError as refusal:
            error = refusal
        if fault and fault.drop:
            return Reply(dropped=True)
        return Reply({name: value for name, value in members.items() if value is not None}, error)

    # What the API cannot do: tests and the demo set up and inspect image builders.

    def put_builder(
        self,
        name: str,
        *,
        state: TimelineSettings = "STOPPED",
        members: Mapping[str, Any] | None = None,
        durations: Mapping[str, float] | None = None,
        next_start: TimelineSettings | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Create an image builder, or replace the one of that name.

        Args:
            name: of the builder.
            state: its timeline from now on, as `Timeline.parse` takes it: one state without end, or stages.
            members: of the ImageBuilder shape, over those of an ordinary builder.
            durations: in simulated seconds, over `DURATIONS`.
            next_start: the timeline that the next start leads to, instead of the ordinary one.
            tags: by key.

        Returns:
            The ImageBuilder that DescribeImageBuilders would answer now.

        Raises:
            Refused: an argument is wrong.
        """
        members, durations = members or {}, durations or {}
        check_members("members", members)
        for key, seconds in durations.items():
            must(key in DURATIONS, "durations", f"of {', '.join(DURATIONS)}", key)
            least = {} if key == "network_interface" else {"least": 0}
            must(is_number(seconds, **least), f"durations.{key}", "a number, of at least 0 for a state", seconds)
        must(isinstance(name, str), "name", "a string", name)
        if problems := violations(name, input_shape("CreateImageBuilder").members["Name"], "name"):
            raise Refused("; ".join(problems))
        version = agent(members.get("AppstreamAgentVersion", IMAGE_AGENT))
        with self._lock:
            now = self.clock.now()
            builder = ImageBuilder(
                {**ORDINARY, "CreatedTime": now, **version, **members, "Name": name, "Arn": f"{ARN}{name}"},
                Timeline.parse(state),
                now,
                {**DURATIONS, **durations},
                None if next_start is None else Timeline.parse(next_start),
                tags or {},
            )
            self._builders[name] = builder
            return builder.describe(now)

    def patch_builder(self, name: str, *, next_start: TimelineSettings) -> None:
        """Change what the next start of an image builder leads to.

        Raises:
            Refused: an argument is wrong, or there is no such builder.
        """
        script = Timeline.parse(next_start)
        with self._lock:
            self._builders[name] = replace(self._found(name, self.clock.now(), Refused), next_start=script)

    def builder(self, name: str) -> dict[str, Any]:
        """The ImageBuilder that DescribeImageBuilders would answer now, without an API call.

        Raises:
            Refused: there is no such builder.
        """
        with self._lock:
            now = self.clock.now()
            return self._found(name, now, Refused).describe(now)

    def delete_builder(self, name: str) -> None:
        """Remove an image builder at once, if there is one."""
        with self._lock:
            self._builders.pop(name, None)

    # The operations: from parameters and time to the members of the answer.

    def _start(self, parameters: dict[str, Any], now: float) -> dict[str, Any]:
        builder = self._in_state("STOPPED", "start", parameters["Name"], now)
        return self._store(builder.start(now, parameters.get("AppstreamAgentVersion")), now)

    def _stop(self, parameters: dict[str, Any], now: float) -> dict[str, Any]:
        return self._store(self._in_state("RUNNING", "stop", parameters["Name"], now).stop(now), now)

    def _describe(self, parameters: dict[str, Any], now: float) -> dict[str, Any]:
        builders = [self._found(name, now) for name in _names(parameters)] or self._existing(now)
        page, token = _page(builders, parameters.get("MaxResults", PAGE_SIZE), parameters.get("NextToken"))
        return {"ImageBuilders": [builder.describe(now) for builder in page], "NextToken": token or None}

    def _list_tags(self, parameters: dict[str, Any], now: float) -> dict[str, Any]:
        return {"Tags": dict(self._found(_names(parameters)[0], now).tags)}

    def _get_resources(self, parameters: dict[str, Any], now: float) -> dict[str, Any]:
        types, filters = parameters.get("ResourceTypeFilters"), parameters.get("TagFilters", [])
        wanted = not types or not {"appstream", "appstream:image-builder"}.isdisjoint(types)
        found = [
            builder
            for builder in self._existing(now)
            if wanted and all(_carries(builder.tags, tag["Key"], tag.get("Values")) for tag in filters)
        ]
        page, token = _page(found, parameters.get("ResourcesPerPage", 100), parameters.get("PaginationToken"))
        tags = [[{"Key": key, "Value": value} for key, value in builder.tags.items()] for builder in page]
        mappings = [{"ResourceARN": each.members["Arn"], "Tags": own} for each, own in zip(page, tags, strict=True)]
        return {"ResourceTagMappingList": mappings, "PaginationToken": token}

    def _existing(self, now: float) -> list[ImageBuilder]:
        """All image builders, by name; the API's order is not documented."""
        return [builder for _, builder in sorted(self._builders.items()) if builder.state(now)]

    def _found(self, name: str, now: float, refusal: type[Refused] | None = None) -> ImageBuilder:
        builder = self._builders.get(name)
        if builder and builder.state(now):
            return builder
        if refusal:
            raise refusal(f"name: must be that of an image builder, not {name!r}")
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
    return [parameters["Name"]] if "Name" in parameters else list(dict.fromkeys(parameters.get("Names", [])))


def _carries(tags: Mapping[str, str], key: str, values: Sequence[str] | None) -> bool:
    """Whether tags match a TagFilter: the key, and any of the values if it names some."""
    return key in tags and (not values or tags[key] in values)


def _page(items: list[Item], size: int, token: str | None) -> tuple[list[Item], str]:
    """One page and the token of the next, which is empty after the last page."""
    if token and not token.isdecimal():
        raise ServiceError("InvalidParameterCombinationException", f"The token {token!r} is not valid.")
    begin = int(token or 0)
    end = begin + size
    return items[begin:end], str(end) if items[end:] else ""
