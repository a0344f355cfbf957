"""The double itself: image builders on a clock, the operations on them, and the calls seen. No HTTP."""

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local.fake_appstream.builders import (
    DEFAULT_IMAGE,
    Durations,
    ImageBuilder,
    Life,
    LifeSettings,
    agent,
    image_builder_members,
    new_image_builder,
)
from local.fake_appstream.clock import Clock
from local.fake_appstream.faults import Answer, Drop, Error, Faults
from local.fake_appstream.model import (
    ServiceError,
    ShapeError,
    conform,
    input_shape,
    service_model,
    validation_error,
    violation,
    violations,
)
from local.fake_appstream.validation import Refused, must

DEFAULT_REGION = "us-east-1"
NOT_PERMITTED = "OperationNotPermittedException"
DELETABLE = ("STOPPED", "FAILED")
"""The guide says Stopped. A FAILED builder could otherwise never go, and Packer's AppStream plugin deletes it too."""
PAGE_SIZE = 25
"""Not documented for DescribeImageBuilders; it is what DescribeImages has."""
MOST_TAGS = 50
LONGEST_VALIDITY = 604_800
"""Seconds."""
ORDINARY_INSTANCE = "stream.standard.medium"
# The members of a builder that CreateImageBuilder does not require and that a plausible one has.
_ORDINARY = {
    "ImageName": DEFAULT_IMAGE,
    "VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]},
}


class Dropped(Exception):
    """The connection was closed with no answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One API call seen.

    Attributes:
        sequence: 1 for the first.
        time: simulated seconds since the epoch.
        operation: its name.
        parameters: the members that the operation has; empty where they could not be read.
        region: that the request was signed for.
        outcome: "ok", an error code, or "dropped".
        effective: whether it changed an image builder.
        state_before: of the one image builder that it is about; None: there is none.
        state_after: likewise.
    """

    sequence: int
    time: float
    operation: str
    parameters: Mapping[str, Any]
    region: str
    outcome: str
    effective: bool = False
    state_before: str | None = None
    state_after: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of one call.

    Attributes:
        sequence: of the call, as in `Call`.
        members: of the answer.
        error: instead of the answer.
        dropped: there is neither.
        delay: real seconds until then.
    """

    sequence: int = 0
    members: Mapping[str, Any] = field(default_factory=dict)
    error: ServiceError | None = None
    dropped: bool = False
    delay: float = 0.0


class FakeAppStream:
    """AppStream's image builders. Thread-safe; every call is atomic and happens at one moment of the clock.

    Args:
        clock: that the builders live by.
        durations: of builders that have none of their own.
        start_refusal: what StartImageBuilder answers for a builder that is not STOPPED. AWS does not document it;
            ResourceInUseException is the other likely one.
        region: of builders that the control interface makes, unless it says otherwise.

    Attributes:
        faults: the scripted trouble.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        durations: Durations | None = None,
        start_refusal: str = NOT_PERMITTED,
        region: str = DEFAULT_REGION,
    ) -> None:
        self.clock = clock
        self.faults = Faults()
        self._durations = durations or Durations()
        self._start_refusal = start_refusal
        self._region = region
        self._lock = threading.RLock()
        self._calls: list[Call] = []
        self._sequence = 0
        self._builders: dict[tuple[str, str], ImageBuilder] = {}
        self._operations: Mapping[str, Callable[[dict[str, Any], str, float], dict[str, Any]]] = {
            "CreateImageBuilder": self._create,
            "CreateImageBuilderStreamingURL": self._create_streaming_url,
            "DeleteImageBuilder": self._delete,
            "DescribeImageBuilders": self._describe,
            # Of the Resource Groups Tagging API.
            "GetResources": self._get_resources,
            "ListTagsForResource": self._list_tags,
            "StartImageBuilder": self._start,
            "StopImageBuilder": self._stop,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    # The API.

    def call(
        self, operation: str, parameters: Mapping[str, Any] | None = None, region: str | None = None
    ) -> Mapping[str, Any]:
        """Make one API call with no protocol between. Timestamps are seconds since the epoch; delays are not waited.

        Returns:
            The members of the answer.

        Raises:
            ServiceError: the service answers an error.
            Dropped: a fault closes the connection.
        """
        reply = self.reply(operation, dict(parameters or {}), region or self._region)
        if reply.dropped:
            raise Dropped
        if reply.error:
            raise reply.error
        return reply.members

    def reply(self, operation: str, content: Any, region: str, refusal: ServiceError | None = None) -> Reply:
        """What becomes of one call, as every transport asks.

        Args:
            operation: its name.
            content: its parameters, not yet checked.
            region: that it is signed for.
            refusal: why the transport cannot hand it on; it is answered and recorded.
        """
        with self._lock:
            now = self.clock.now()
            self._sequence += 1
            call = Call(self._sequence, now, operation, {}, region, "ok")
            try:
                if refusal:
                    raise refusal
                parameters = self._parameters(operation, content)
            except ServiceError as error:
                self._calls.append(replace(call, outcome=error.code))
                return Reply(call.sequence, error=error)
            names = _names(parameters)
            key = (region, names[0] if len(names) == 1 else "")
            before = self._builders.get(key)
            befallen = self.faults.befall(operation, names)
            reply = self._reply(befallen.action, operation, parameters, region, now)
            after = self._builders.get(key)
            self._calls.append(
                replace(
                    call,
                    parameters=parameters,
                    outcome="dropped" if reply.dropped else reply.error.code if reply.error else "ok",
                    effective=after is not before,
                    state_before=before.state(now) if before else None,
                    state_after=after.state(now) if after else None,
                )
            )
            return replace(reply, sequence=call.sequence, delay=befallen.delay)

    def _reply(
        self, action: Error | Drop | Answer | None, operation: str, parameters: dict[str, Any], region: str, now: float
    ) -> Reply:
        if action == Drop("before"):
            return Reply(dropped=True)
        try:
            if isinstance(action, Error):
                raise ServiceError(action.code, action.message, action.status)
            if problems := violations(parameters, input_shape(operation)):
                raise validation_error(problems)
            members = self._operations[operation](parameters, region, now)
        except ServiceError as error:
            reply = Reply(error=error)
        else:
            if isinstance(action, Answer):
                members = {**members, **action.members}
            reply = Reply(members={member: value for member, value in members.items() if value is not None})
        return Reply(dropped=True) if action == Drop("after") else reply

    # The control interface.

    @property
    def calls(self) -> list[Call]:
        """Every API call seen since the last `clear_calls`, in order."""
        with self._lock:
            return list(self._calls)

    def clear_calls(self) -> None:
        """Forget the calls seen."""
        with self._lock:
            self._calls.clear()

    def reset(self) -> None:
        """Forget every builder, rule and call."""
        with self._lock:
            self._builders.clear()
            self._calls.clear()
            self._sequence = 0
            self.faults.clear()

    def put_builder(
        self,
        name: str,
        *,
        state: LifeSettings = "STOPPED",
        region: str | None = None,
        members: Mapping[str, Any] | None = None,
        durations: Mapping[str, float] | None = None,
        next_start: LifeSettings | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Make a builder, in place of any of that name, without an API call.

        Args:
            name: of the builder.
            state: what it lives from now on, as `Life.parse` takes it: a state, which sticks, or stages.
            region: where it is.
            members: of the ImageBuilder shape, over those of an ordinary builder.
            durations: over those of the double, by the names of `Durations`.
            next_start: what the next start leads to, as `Life.parse` takes it.
            tags: by key.

        Returns:
            The ImageBuilder that DescribeImageBuilders would answer now.

        Raises:
            Refused: naming the field and the rule.
        """
        region = self._placed(region)
        given = image_builder_members("members", members)
        if "AppstreamAgentVersion" in given:
            given = {**agent(given["AppstreamAgentVersion"]), **given}
        # A name and tags that the API would refuse are refused here too; members may lie.
        identity = {"Name": name, "InstanceType": "any", **({"Tags": tags} if tags else {})}
        try:
            problems = violations(_conformed("CreateImageBuilder", identity), input_shape("CreateImageBuilder"))
        except ShapeError as problem:
            raise Refused(str(problem)) from None
        if problems:
            raise Refused("; ".join(problems))
        request = {**_ORDINARY, **given, **identity, "InstanceType": given.get("InstanceType", ORDINARY_INSTANCE)}
        settings = self._durations.changed(durations)
        script = None if next_start is None else Life.parse(next_start)
        life = Life.parse(state)
        with self._lock:
            now = self.clock.now()
            builder = new_image_builder(name, region, now, request, settings)
            builder = replace(builder, members={**builder.members, **given}, life=life, next_start=script)
            self._builders[region, name] = builder
            return builder.describe(now)

    def patch_builder(
        self,
        name: str,
        *,
        state: LifeSettings | None = None,
        region: str | None = None,
        members: Mapping[str, Any] | None = None,
        durations: Mapping[str, float] | None = None,
        next_start: LifeSettings | None = None,
    ) -> dict[str, Any]:
        """Change a builder, without an API call. The arguments are those of `put_builder`.

        Raises:
            Refused: naming the field and the rule, or there is no such builder.
        """
        given = image_builder_members("members", members)
        life = None if state is None else Life.parse(state)
        script = None if next_start is None else Life.parse(next_start)
        with self._lock:
            now = self.clock.now()
            builder = self._known(name, region, now)
            if life:
                builder = builder.lives(now, life)
            builder = replace(
                builder,
                members={**builder.members, **given},
                durations=builder.durations.changed(durations),
                next_start=script or builder.next_start,
            )
            self._builders[self._placed(region), name] = builder
            return builder.describe(now)

    def builder(self, name: str, *, region: str | None = None) -> dict[str, Any]:
        """The ImageBuilder that DescribeImageBuilders would answer now, without an API call.

        Raises:
            Refused: there is no such builder.
        """
        with self._lock:
            now = self.clock.now()
            return self._known(name, region, now).describe(now)

    def delete_builder(self, name: str, *, region: str | None = None) -> None:
        """Take a builder away at once, if there is one."""
        with self._lock:
            self._builders.pop((self._placed(region), name), None)

    def _placed(self, region: str | None) -> str:
        must(region is None or isinstance(region, str), "region", "a string", region)
        return region or self._region

    def _known(self, name: str, region: str | None, now: float) -> ImageBuilder:
        region = self._placed(region)
        builder = self._living(region, name, now)
        if builder is None:
            raise Refused(f"name: must be that of an image builder in {region}, not {name!r}")
        return builder

    # The operations: parameters, region and moment to the members of the answer.

    def _parameters(self, operation: str, content: Any) -> dict[str, Any]:
        if operation not in (*service_model().operation_names, "GetResources"):
            raise ServiceError("UnknownOperationException", f"AppStream has no operation {operation!r}.")
        if operation not in self._operations:
            raise ServiceError("UnknownOperationException", f"{operation} is not offered by this double.")
        try:
            return _conformed(operation, content)
        except ShapeError as problem:
            raise ServiceError("SerializationException", str(problem)) from None

    def _create(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        name = parameters["Name"]
        if self._living(region, name, now):
            raise ServiceError("ResourceAlreadyExistsException", f"The image builder {name} already exists.")
        if ("ImageName" in parameters) == ("ImageArn" in parameters):
            raise _bad_combination("Specify either ImageName or ImageArn.")
        if len(parameters.get("VpcConfig", {}).get("SubnetIds", [])) > 1:
            raise _bad_combination("Specify only one subnet for an image builder.")
        builder = new_image_builder(name, region, now, parameters, self._durations)
        return self._store(builder.start(now, parameters.get("AppstreamAgentVersion")), region, now)

    def _start(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        builder = self._in_state(("STOPPED",), "start", parameters, region, now, self._start_refusal)
        return self._store(builder.start(now, parameters.get("AppstreamAgentVersion")), region, now)

    def _stop(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        return self._store(self._in_state(("RUNNING",), "stop", parameters, region, now).stop(now), region, now)

    def _delete(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        return self._store(self._in_state(DELETABLE, "delete", parameters, region, now).delete(now), region, now)

    def _describe(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        size = parameters.get("MaxResults", PAGE_SIZE)
        if size < 1:
            raise validation_error([violation(size, "maxResults", "have value greater than or equal to 1")])
        last = _name(parameters.get("NextToken", ""))
        if parameters.get("Names"):
            asked = [self._found(region, name, now) for name in parameters["Names"]]
        else:
            living = (self._living(place, name, now) for place, name in self._builders if place == region)
            asked = [builder for builder in living if builder]
        # The order is not documented. By name, the last name of a page can be its token, so that who comes or goes
        # between two pages shifts nothing.
        by_name = {builder.members["Name"]: builder for builder in asked}
        rest = sorted(name for name in by_name if name > last)
        page = [by_name[name].describe(now) for name in rest[:size]]
        more = {"NextToken": _token(rest[size - 1])} if rest[size:] else {}
        return {"ImageBuilders": page, **more}

    def _create_streaming_url(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        self._in_state(("RUNNING",), "connect to", parameters, region, now)
        validity = parameters.get("Validity", 3600)
        if validity < 1:
            raise validation_error([violation(validity, "validity", "have value greater than or equal to 1")])
        if validity > LONGEST_VALIDITY:
            rule = f"have value less than or equal to {LONGEST_VALIDITY}"
            raise validation_error([violation(validity, "validity", rule)])
        url = f"https://appstream2.{region}.aws.amazon.com/authenticate?parameters={_token(parameters['Name'])}"
        return {"StreamingURL": url, "Expires": now + validity}

    def _tag(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        builder = self._tagged(parameters, region, now)
        tags = {**builder.tags, **parameters["Tags"]}
        if len(tags) > MOST_TAGS:
            raise ServiceError("LimitExceededException", f"A resource has at most {MOST_TAGS} tags.")
        self._store(replace(builder, tags=tags), region, now)
        return {}

    def _untag(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        builder = self._tagged(parameters, region, now)
        kept = {key: value for key, value in builder.tags.items() if key not in parameters["TagKeys"]}
        self._store(replace(builder, tags=kept), region, now)
        return {}

    def _list_tags(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        return {"Tags": dict(self._tagged(parameters, region, now).tags)}

    def _get_resources(self, parameters: dict[str, Any], region: str, now: float) -> dict[str, Any]:
        types = parameters.get("ResourceTypeFilters", ["appstream"])
        wanted = not {"appstream", "appstream:image-builder"}.isdisjoint(types)
        living = (self._living(place, name, now) for place, name in self._builders if place == region)
        found = {
            builder.members["Arn"]: dict(builder.tags)
            for builder in living
            if builder and wanted and all(_carries(builder.tags, tag) for tag in parameters.get("TagFilters", []))
        }
        last, size = _name(parameters.get("PaginationToken", "")), parameters.get("ResourcesPerPage", 100)
        rest = sorted(arn for arn in found if arn > last)
        return {
            "ResourceTagMappingList": [
                {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in found[arn].items()]}
                for arn in rest[:size]
            ],
            "PaginationToken": _token(rest[size - 1]) if rest[size:] else "",
        }

    def _living(self, region: str, name: str, now: float) -> ImageBuilder | None:
        builder = self._builders.get((region, name))
        return builder if builder and builder.state(now) else None

    def _found(self, region: str, name: str, now: float) -> ImageBuilder:
        if builder := self._living(region, name, now):
            return builder
        raise ServiceError("ResourceNotFoundException", f"The image builder {name} does not exist.")

    def _in_state(
        self,
        states: tuple[str, ...],
        action: str,
        parameters: dict[str, Any],
        region: str,
        now: float,
        refusal: str = NOT_PERMITTED,
    ) -> ImageBuilder:
        builder = self._found(region, parameters["Name"], now)
        if (state := builder.state(now)) not in states:
            needed = " or ".join(states)
            raise ServiceError(
                refusal, f"Cannot {action} the image builder {parameters['Name']}: it is {state}, not {needed}."
            )
        return builder

    def _tagged(self, parameters: dict[str, Any], region: str, now: float) -> ImageBuilder:
        arn = parameters["ResourceArn"]
        builder = self._living(region, _arn_name(arn), now)
        if builder is None or builder.members["Arn"] != arn:
            raise ServiceError("ResourceNotFoundException", f"The resource {arn} does not exist.")
        return builder

    def _store(self, builder: ImageBuilder, region: str, now: float) -> dict[str, Any]:
        self._builders[region, builder.members["Name"]] = builder
        return {"ImageBuilder": builder.describe(now)}


def _conformed(operation: str, content: Any) -> dict[str, Any]:
    conformed: dict[str, Any] = conform(content, input_shape(operation))
    return conformed


def _names(parameters: Mapping[str, Any]) -> list[str]:
    """The image builders that a call is about."""
    if "ResourceArn" in parameters:
        return [_arn_name(parameters["ResourceArn"])]
    return [parameters["Name"]] if "Name" in parameters else list(dict.fromkeys(parameters.get("Names", [])))


def _arn_name(arn: str) -> str:
    return arn.rpartition(":image-builder/")[2]


def _carries(tags: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    """Whether tags match a TagFilter: the key, and any of the values if it names some."""
    key, values = wanted["Key"], wanted.get("Values", [])
    return key in tags and (not values or tags[key] in values)


def _bad_combination(message: str) -> ServiceError:
    return ServiceError("InvalidParameterCombinationException", message)


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name(token: str) -> str:
    try:
        return base64.b64decode(token, altchars="-_", validate=True).decode()
    except ValueError:
        raise _bad_combination("The NextToken is not valid.") from None
