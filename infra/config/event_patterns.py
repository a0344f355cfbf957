"""Triggers: their settings, and the event patterns of EventBridge that they match.

EventBridge refuses a pattern with a wrong operand when it is deployed. What is checked here are the keys, since a
pattern with a misspelt one matches nothing, the kinds of values, and the sources.

Source: Amazon EventBridge user guide, Creating event patterns, and Comparison operators for use in event patterns.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from infra.config import Name, Strict, must_be, quoted
from infra.config.schedules import Workflow

OWN_SOURCE = "start-image-builder"
"""The source of the events that announce execution results (statemachine/start_image_builder.asl.json)."""

_KEYS = ("source", "detail-type", "account", "region", "resources", "detail", "time", "version", "id")

_OPERATORS: Mapping[str, type | tuple[type, ...]] = {
    "prefix": (str, dict),
    "suffix": (str, dict),
    "equals-ignore-case": str,
    "wildcard": str,
    "anything-but": (str, int, float, list, dict),
    "numeric": list,
    "cidr": str,
    "exists": bool,
}
"""By operator, what its value is."""

# Source: EventBridge API reference, PutRule, EventBusName.
_BUS = r"(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[/.A-Za-z0-9_-]{1,256}"
Bus = Annotated[str, Field(pattern=f"^{_BUS}$"), must_be("the name or the ARN of an event bus")]


def _wrong_parts(path: str, part: object) -> Iterator[str]:
    """What is wrong with a part of a pattern: an object of such parts, or a list of values that match."""
    if isinstance(part, dict):
        for key, member in part.items():
            alternatives = member if key == "$or" and isinstance(member, list) else [member]
            for each in alternatives:
                yield from _wrong_parts(f"{path}.{key}", each)
    elif isinstance(part, list):
        for value in part:
            if isinstance(value, dict) and not _is_operator(value):
                yield f"{path}: must be a value, or one of {', '.join(_OPERATORS)} with its value, not {quoted(value)}"
    else:
        yield f"{path}: must be a list of values that match, or an object of such lists, not {quoted(part)}"


def _is_operator(value: dict[str, Any]) -> bool:
    return len(value) == 1 and all(isinstance(value[key], _OPERATORS.get(key, ())) for key in value)


def _is_your_own(source: object) -> bool:
    """Whether no execution brings about an event of this source.

    Such an event is no request: the execution that it starts fails, which brings about the next event, and so on. A
    partner's events can be requests; those of AWS's services have details of their own.
    """
    is_of_aws = isinstance(source, str) and source.startswith("aws.") and not source.startswith("aws.partner/")
    return isinstance(source, str) and source != OWN_SOURCE and not is_of_aws


def _pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    problems = []
    sources = pattern.get("source")
    if not isinstance(sources, list) or not sources or not all(map(_is_your_own, sources)):
        problems.append(
            f'source: must be a list of sources of your own, such as ["my.app"], not {quoted(sources)}: executions '
            "bring about events of this project and of AWS services, and would start each other for ever"
        )
    for key, part in pattern.items():
        if key not in _KEYS:
            problems.append(f"{key}: there is no such key; there are {', '.join(_KEYS)}")
        elif key != "source":
            problems += _wrong_parts(key, part)
    if problems:
        raise ValueError("; ".join(problems))
    return pattern


Pattern = Annotated[
    dict[str, Any],
    must_be('an event pattern, such as {"source": ["my.app"], "detail-type": ["Start Image Builder"]}'),
    AfterValidator(_pattern),
]


class Trigger(Strict):
    """Starts a workflow for each event that matches; the event's `detail` is the request."""

    name: Name = Field(description="unique among the triggers")
    pattern: Pattern = Field(description="an EventBridge event pattern with a `source`, a list of plain strings")
    event_bus: Bus = Field("default", description="name or ARN of the bus, which must exist in this account and Region")
    workflow: Workflow = Field("start", description="the workflow that it starts: `start`, `stop` or `fleet`")
    enabled: bool = Field(True, description="whether it fires")
