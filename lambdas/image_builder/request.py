"""The request contract: what an execution input may contain, validated before any AWS call."""

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Step Functions adds this key to the input of a nested execution; it is not part of the request.
STARTED_BY_EXECUTION = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
# On average RUNNING is detected half an interval late; docs/performance.md has the curve.
POLL_INTERVAL_SECONDS = 23
_MAX_QUOTED = 60  # characters of a wrong value or key
_MAX_SHORT_NAME = 73  # characters: EventBridge names its executions with as many


class InvalidRequest(Exception):
    """The execution input breaks the request contract. The message names every problem, by field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request."""

    rule: str  # what a value must be, in words: ends up in error messages and in the documentation
    accepts: Callable[[object], bool]
    default: object = None  # of a request without the field; None when there is no such value
    required: bool = False


def is_builder_name(value: object) -> bool:
    """Whether an image builder can have this name."""
    # StartImageBuilder takes any string of at least one character, but only names that CreateImageBuilder accepts can
    # exist; this is its pattern. Source: AppStream 2.0 API reference, CreateImageBuilder, Name.
    return isinstance(value, str) and re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}", value) is not None


def _is_agent_version(value: object) -> bool:
    # Length: AppStream 2.0 API reference, StartImageBuilder. Control characters and lone surrogates cannot be sent.
    return isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable()


def _is_tag_key(value: object) -> bool:
    # Source: AppStream 2.0 API reference, TagResource.
    return isinstance(value, str) and re.fullmatch(r"(?!aws:)[\w .:/=+@-]{1,128}", value) is not None


def integer(least: int, most: int, default: int | None = None) -> Field:
    """A field with an integer within bounds. As in JSON Schema, 60.0 is an integer; true is not."""

    def accepts(value: object) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and least <= value <= most and value == int(value)  # type: ignore[operator, call-overload]  # a number

    return Field(f"an integer from {least} to {most}", accepts, default)


_FLAG = Field("true or false", lambda value: isinstance(value, bool), default=False)
_NAME = Field(
    "the name of an image builder: 1 to 101 letters, digits, '_', '.' or '-', the first a letter or digit",
    is_builder_name,
    required=True,
)
_SKIP_TAG = Field("a tag key of 1 to 128 characters", _is_tag_key, default="Skip_Stop")

FIELDS: Mapping[str, Field] = {
    "Name": _NAME,
    "AppstreamAgentVersion": Field("a string of 1 to 100 printable characters, such as LATEST", _is_agent_version),
    "TimeoutMinutes": integer(5, 720, default=60),
    "PollIntervalSeconds": integer(10, 300, default=POLL_INTERVAL_SECONDS),
    "NotifyOnSuccess": _FLAG,
    "RequireNetworkInterface": _FLAG,
    "StopAfterMinutes": integer(1, 10_080),
    "StopOnFailure": _FLAG,
    "SkipTag": _SKIP_TAG,
    "DryRun": _FLAG,
}
"""Of a request for a start."""

STOP_FIELDS: Mapping[str, Field] = {
    "Name": _NAME,
    "StopAfterMinutes": integer(0, 10_080, default=0),
    "TimeoutMinutes": integer(5, 720, default=60),
    "SkipTag": _SKIP_TAG,
}
"""Of a request for a stop."""


def parse_request(execution_input: object) -> dict[str, Any]:
    """A request for a start: see `parse`."""
    return parse(execution_input, FIELDS)


def parse_stop_request(execution_input: object) -> dict[str, Any]:
    """A request for a stop: see `parse`."""
    return parse(execution_input, STOP_FIELDS)


def parse(execution_input: object, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Check an execution input against a contract and fill in the defaults.

    Args:
        execution_input: the request itself, or an EventBridge event whose `detail` is the request.
        fields: of the contract.

    Raises:
        InvalidRequest: the input breaks the contract; the message lists every problem.
    """
    request = _unwrap(execution_input, fields)
    if problems := "; ".join(_problems(request, fields)):
        raise InvalidRequest(problems)
    values = {name: request.get(name, field.default) for name, field in fields.items()}
    # Integers may come as 60.0.
    return {
        name: int(value) if isinstance(value, float) else value for name, value in values.items() if value is not None
    }


def _unwrap(execution_input: object, fields: Mapping[str, Field]) -> dict[str, object]:
    """The request inside an input: EventBridge puts it under `detail`, beside `detail-type`."""
    rule = f"a JSON object with at least {next(iter(fields))}"
    if not isinstance(execution_input, dict):
        raise InvalidRequest(f"the input must be {rule}, not {_quote(execution_input)}")
    if "detail-type" not in execution_input:
        return execution_input
    detail = execution_input.get("detail")
    if not isinstance(detail, dict):
        raise InvalidRequest(f"detail: must be the request, {rule}, not {_quote(detail)}")
    if beside := [name for name in fields if name in execution_input]:
        raise InvalidRequest(f"{', '.join(beside)}: must be inside detail, where detail-type makes the input an event")
    return detail


def _problems(request: dict[str, object], fields: Mapping[str, Field]) -> Iterator[str]:
    for name, field in fields.items():
        if name not in request:
            if field.required:
                yield f"{name}: is required: {field.rule}"
        elif not field.accepts(request[name]):
            yield f"{name}: must be {field.rule}, not {_quote(request[name])}"
    lower = {name.lower(): name for name in fields}
    for key in (key for key in request if key not in (*fields, STARTED_BY_EXECUTION)):
        close = difflib.get_close_matches(key[:_MAX_QUOTED].lower(), lower, n=1)
        hint = f"did you mean {lower[close[0]]}?" if close else f"the fields are {', '.join(fields)}"
        yield f"{_quote(key)}: is not a field of the request: {hint}"


def _quote(value: object) -> str:
    """A wrong value in a message. What is nested is not repeated: an unknown key may hold a secret."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."


def short_name(execution_arn: str) -> str:
    """The name of an execution in at most 73 characters, so that `NAME-stop-1` has 80; two names never become one.

    Source: AWS Step Functions API reference, StartExecution, name.
    """
    name = execution_arn.rpartition(":")[2]
    if len(name) <= _MAX_SHORT_NAME:
        return name
    return f"{name[: _MAX_SHORT_NAME - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
