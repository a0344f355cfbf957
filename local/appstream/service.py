"""The service itself: its builders, its operations with their preconditions, and the calls it has seen."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from local.appstream.builder import DELETE_SECONDS, STOP_SECONDS, ImageBuilder, Stage
from local.appstream.clock import Clock
from local.appstream.faults import Fault
from local.appstream.model import http_status, image_builder_shape, service_model, violations

ACCOUNT = "000000000000"
PAGE_SIZE = 50
IMAGE = "AppStream-WinServer2022-06-17-2024"


class ServiceError(Exception):
    """An error that the service answers."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = http_status(code)


class Dropped(Exception):
    """The connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One API call that the service has seen.

    Attributes:
        time: simulated seconds since the epoch.
        outcome: "ok", "dropped" or an error code.
        effective: whether it changed a builder.
        before: the state of the builder it names when it came; None where there is none.
        after: the state when it was done.
    """

    time: float
    operation: str
    parameters: Mapping[str, Any]
    outcome: str
    effective: bool
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation gives back, and after how many real seconds."""

    members: dict[str, Any]
    delay: float = 0.0


class AppStream:
    """AppStream's image builders on a clock. Every call is atomic."""

    def __init__(self, clock: Clock, *, not_stopped: str = "OperationNotPermittedException") -> None:
        """Args: not_stopped: what a start of a builder that is not STOPPED is answered; AWS does not document it."""
        self.clock = clock
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self._not_stopped = not_stopped
        self._builders: dict[str, ImageBuilder] = {}
        self._lock = threading.RLock()
        self._operations: Mapping[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "CreateImageBuilder": self._create,
            "CreateImageBuilderStreamingURL": self._streaming_url,
            "DeleteImageBuilder": self._delete,
            "DescribeImageBuilders": self._describe,
            "ListTagsForResource": self._list_tags,
            "StartImageBuilder": self._start,
            "StopImageBuilder": self._stop,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def reset(self) -> None:
        """Forget every builder, fault and call."""
        with self._lock:
            self.faults.clear()
            self.calls.clear()
            self._builders.clear()

    def put_builder(
        self,
        name: str,
        *,
        state: str = "STOPPED",
        region: str = "us-east-1",
        seconds: float | None = None,
        then: str | None = None,
        **script: Any,
    ) -> ImageBuilder:
        """Set a builder into a state, creating it where there is none.

        Args:
            name: of the builder.
            state: the state; one that AppStream does not have is allowed.
            region: where it is.
            seconds: how long the state lasts; for ever where nothing is said.
            then: the state after that.
            script: `fields`, members to add or replace; `next_start`, a list of (state, seconds), what the next start
                leads to; `at_end`, members that show at its end; `start_seconds`, `eni_seconds`.
        """
        with self._lock:
            builder = self._existing(name) or self._new(name, {"InstanceType": "stream.standard.medium"}, region)
            builder.fields.update(script.pop("fields", {}))
            if next_start := script.pop("next_start", None):
                script["next_start"] = [Stage(*stage) for stage in next_start]
            for member, value in script.items():
                if member not in ("next_start", "at_end", "start_seconds", "eni_seconds"):
                    raise ValueError(f"{member}: a builder has no such setting")
                setattr(builder, member, value)
            builder.live(self.clock.now(), Stage(state, seconds), *([Stage(then, None)] if then else []))
            self._builders[name] = builder
            return builder

    def remove_builder(self, name: str) -> None:
        """Take a builder away at once."""
        with self._lock:
            self._builders.pop(name, None)

    def state(self, name: str) -> str | None:
        """The state of a builder; None where there is none."""
        with self._lock:
            builder = self._existing(name)
            return builder.state(self.clock.now()) if builder else None

    def call(self, operation: str, parameters: dict[str, Any], region: str = "us-east-1") -> Answer:
        """Make one API call.

        Raises:
            ServiceError: the service answers an error.
            Dropped: the connection closes.
        """
        with self._lock:
            names = parameters.get("Names")
            name = parameters.get("Name") or (names[0] if isinstance(names, list) and names else None)
            before = self.state(name) if isinstance(name, str) else None
            life = self._life(name)
            outcome = "ok"
            try:
                return self._answer(operation, parameters, region, name)
            except ServiceError as error:
                outcome = error.code
                raise
            except Dropped:
                outcome = "dropped"
                raise
            finally:
                after = self.state(name) if isinstance(name, str) else None
                effective = self._life(name) != life
                now = self.clock.now()
                self.calls.append(Call(now, operation, parameters, outcome, effective, before, after))

    def seen(self) -> list[dict[str, Any]]:
        """The calls so far, as JSON."""
        with self._lock:
            return [asdict(call) for call in self.calls]

    def _answer(self, operation: str, parameters: dict[str, Any], region: str, name: str | None) -> Answer:
        if operation not in service_model().operation_names:
            raise ServiceError("UnknownOperationException", f"AppStream has no operation {operation}.")
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"This double of AppStream does not offer {operation}.")
        fault = next((fault for fault in self.faults if fault.befalls(operation, name)), None)
        if fault and fault.error:
            raise ServiceError(fault.error, fault.message)
        if fault and fault.drop == "before":
            raise Dropped
        if problems := violations(operation, parameters):
            count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
            raise ServiceError("ValidationException", count + "; ".join(problems))
        members = self._operations[operation](parameters, region)
        if fault and fault.drop == "after":
            raise Dropped
        if fault and fault.answer is not None:
            members = {**members, **fault.answer}
        return Answer(members, fault.delay or 0.0 if fault else 0.0)

    def _existing(self, name: str | None) -> ImageBuilder | None:
        builder = self._builders.get(name or "")
        if builder and builder.state(self.clock.now()) is None:
            del self._builders[name or ""]
            return None
        return builder

    def _life(self, name: str | None) -> tuple[float, Any] | None:
        """Changes when something is done to the builder, not by the mere passing of time."""
        builder = self._builders.get(name or "")
        return (builder.since, builder.stages) if builder else None

    def _found(self, name: str) -> ImageBuilder:
        builder = self._existing(name)
        if builder is None:
            raise ServiceError("ResourceNotFoundException", f"The image builder {name} was not found.")
        return builder

    def _in_state(self, name: str, states: tuple[str, ...], code: str, action: str) -> ImageBuilder:
        builder = self._found(name)
        state = builder.state(self.clock.now())
        if state not in states:
            raise ServiceError(
                code, f"The image builder {name} is {state}; to be {action} it has to be {' or '.join(states)}."
            )
        return builder

    def _new(self, name: str, parameters: dict[str, Any], region: str) -> ImageBuilder:
        partition = "aws-us-gov" if region.startswith("us-gov-") else "aws"
        image = parameters.get("ImageName", IMAGE)
        members = image_builder_shape().members
        fields = {
            "Name": name,
            "Arn": f"arn:{partition}:appstream:{region}:{ACCOUNT}:image-builder/{name}",
            "ImageArn": f"arn:{partition}:appstream:{region}::image/{image}",
            "DisplayName": name,
            "Platform": "WINDOWS_SERVER_2022",
            "EnableDefaultInternetAccess": False,
            "AppstreamAgentVersion": "05-08-2025",
            "LatestAppstreamAgentVersion": "TRUE",
            "VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]},
            "CreatedTime": datetime.fromtimestamp(self.clock.now(), UTC),
            "ImageBuilderErrors": [],
            **{key: value for key, value in parameters.items() if key in members},
        }
        return ImageBuilder(fields, [], self.clock.now(), tags=dict(parameters.get("Tags", {})))

    def _create(self, parameters: dict[str, Any], region: str) -> dict[str, Any]:
        name = parameters["Name"]
        if self._existing(name):
            raise ServiceError("ResourceAlreadyExistsException", f"The image builder {name} exists already.")
        if ("ImageName" in parameters) == ("ImageArn" in parameters):
            raise ServiceError("InvalidParameterCombinationException", "Give either ImageName or ImageArn.")
        builder = self._new(name, parameters, region)
        builder.start(self.clock.now(), None)
        self._builders[name] = builder
        return self._shown(builder)

    def _start(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        builder = self._in_state(parameters["Name"], ("STOPPED",), self._not_stopped, "started")
        builder.start(self.clock.now(), parameters.get("AppstreamAgentVersion"))
        return self._shown(builder)

    def _stop(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        builder = self._in_state(parameters["Name"], ("RUNNING",), "OperationNotPermittedException", "stopped")
        builder.live(self.clock.now(), Stage("STOPPING", STOP_SECONDS), Stage("STOPPED", None))
        return self._shown(builder)

    def _delete(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        builder = self._in_state(parameters["Name"], ("STOPPED", "FAILED"), "OperationNotPermittedException", "deleted")
        builder.live(self.clock.now(), Stage("DELETING", DELETE_SECONDS))
        return self._shown(builder)

    def _describe(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        names = parameters.get("Names")
        if names:
            # A name twice is one builder; one that is not there fails the whole call.
            return {"ImageBuilders": [self._found(name).describe(self.clock.now()) for name in dict.fromkeys(names)]}
        everything = sorted(name for name in list(self._builders) if self._existing(name))
        rest = [name for name in everything if name >= parameters.get("NextToken", "")]
        size = parameters.get("MaxResults") or PAGE_SIZE
        page = {"ImageBuilders": [self._found(name).describe(self.clock.now()) for name in rest[:size]]}
        return {**page, "NextToken": rest[size]} if rest[size:] else page

    def _streaming_url(self, parameters: dict[str, Any], region: str) -> dict[str, Any]:
        self._in_state(parameters["Name"], ("RUNNING",), "OperationNotPermittedException", "connected to")
        validity = parameters.get("Validity", 3600)
        if not 1 <= validity <= 604_800:
            raise ServiceError("ValidationException", f"Validity: must be from 1 to 604800 seconds, not {validity}")
        expires = datetime.fromtimestamp(self.clock.now() + validity, UTC)
        return {
            "StreamingURL": f"https://appstream2.{region}.aws.amazon.com/authenticate?parameters=e30",
            "Expires": expires,
        }

    def _tagged(self, parameters: dict[str, Any]) -> ImageBuilder:
        return self._found(parameters["ResourceArn"].rpartition("/")[2])

    def _tag(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        self._tagged(parameters).tags.update(parameters["Tags"])
        return {}

    def _untag(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        tags = self._tagged(parameters).tags
        for key in parameters["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, parameters: dict[str, Any], _: str) -> dict[str, Any]:
        return {"Tags": dict(self._tagged(parameters).tags)}

    def _shown(self, builder: ImageBuilder) -> dict[str, Any]:
        return {"ImageBuilder": builder.describe(self.clock.now())}
