"""Triggers: their settings, and the event patterns of EventBridge that they match.

Source: Amazon EventBridge user guide, Creating event patterns, and Comparison operators for use in event patterns; how
each operator is parsed: github.com/aws/event-ruler, JsonRuleCompiler and CIDR.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.config import Name, Rule, Strict, TrueOrFalse, broken, problem, written
from infra.config.schedules import Workflow

OWN_SOURCE = "start-image-builder"
"""The source of the events that announce execution results (statemachine/start_image_builder.asl.json)."""

_MAX_PATTERN_BYTES = 2_048
"""Bytes. Source: Amazon EventBridge user guide, Quotas."""

_KEYS = ("source", "detail-type", "account", "region", "resources", "detail", "time", "version", "id")

# Source: EventBridge API reference, PutRule, EventBusName.
_BUS = r"(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[/.A-Za-z0-9_-]{1,256}"
Bus = Annotated[str, Rule("the name or the ARN of an event bus", _BUS)]

Found = Iterator[tuple[tuple[str | int, ...], PydanticCustomError, object]]
"""Problems, each with its path and the value there."""


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _cidr(value: str) -> str:
    network = ipaddress.ip_network(value, strict=False)
    if network.prefixlen == network.max_prefixlen:
        raise ValueError
    return value


_K = TypeVar("_K")
_V = TypeVar("_V")
_One = Annotated[dict[_K, _V], Field(min_length=1, max_length=1)]
_Several = Annotated[list[_V], BeforeValidator(_listed), Field(min_length=1)]
_IgnoreCase = Literal["equals-ignore-case"]
_Affix = str | _One[_IgnoreCase, str]
# No two asterisks in a row; a backslash escapes an asterisk or itself only.
_Wildcard = Annotated[str, Field(pattern=r"^(\*?([^*\\]|\\[*\\]))*\*?$")]
# The range that EventBridge compares.
_Number = Annotated[float, Field(ge=-5e9, le=5e9)]
_Not = (
    _Several[str]
    | _Several[_Number]
    | _One[Literal["prefix", "suffix"], _Several[Annotated[str, Field(min_length=1)]]]
    | _One[Literal["wildcard"], _Several[_Wildcard]]
    | _One[_IgnoreCase, _Several[str]]
)
_Numeric = (
    Annotated[tuple[Literal["=", "<", "<=", ">", ">="], _Number], Field(strict=False)]
    | Annotated[tuple[Literal[">", ">="], _Number, Literal["<", "<="], _Number], Field(strict=False)]
)
_Network = Annotated[str, Field(pattern="^[0-9A-Fa-f.:]+/[0-9]{1,3}$"), AfterValidator(_cidr)]

_OPERATORS: Mapping[str, tuple[str, Any]] = {
    "prefix": ('a string, or {"equals-ignore-case": a string}', _Affix),
    "suffix": ('a string, or {"equals-ignore-case": a string}', _Affix),
    "equals-ignore-case": ("a string", str),
    "wildcard": (r"a string with * for any characters, no two in a row, and \* for an asterisk", _Wildcard),
    "anything-but": (
        "a string, a number, a list of strings or of numbers, or an object with prefix, suffix, wildcard or "
        "equals-ignore-case and a string or a list of strings",
        _Not,
    ),
    "numeric": ('one comparison or two, such as ["<", 60] or [">", 0, "<=", 5], from -5e9 to 5e9', _Numeric),
    "cidr": ("a range of IP addresses, such as 10.0.0.0/24", _Network),
    "exists": ("true or false", bool),
}
"""What each operator takes, in words and as a type."""


def _matches(path: tuple[str | int, ...], value: object) -> Found:
    """The problems of a part of a pattern: an object of such parts, or a list of values that match."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            if key != "$or" or not isinstance(member, list) or len(member) < 2:
                yield from _matches((*path, key), member)
                continue
            for index, branch in enumerate(member):
                if isinstance(branch, dict):
                    yield from _matches((*path, key, index), branch)
                else:
                    yield (*path, key, index), broken("an object"), branch
    elif isinstance(value, list) and value:
        for index, matcher in enumerate(value):
            yield from _matcher((*path, index), matcher)
    else:
        yield path, broken("a list of values that match, or an object of such lists"), value


def _matcher(path: tuple[str | int, ...], matcher: object) -> Found:
    if isinstance(matcher, dict) and len(matcher) == 1 and set(matcher) <= set(_OPERATORS):
        ((operator, operand),) = matcher.items()
        rule, takes = _OPERATORS[operator]
        try:
            TypeAdapter(takes, config=ConfigDict(strict=True)).validate_python(operand)
        except ValidationError:
            yield (*path, operator), broken(rule), operand
    elif isinstance(matcher, dict | list):
        operators = ", ".join(_OPERATORS)
        yield path, broken(f"a string, a number, true, false, null, or an object with one of {operators}"), matcher


def _sources(value: object) -> Found:
    """Sources are given, and none can be that of an event which an execution brings about.

    Such an event is no request: the execution that it starts fails, which brings about the next event, and so on.
    """
    if not isinstance(value, list) or not value or not all(isinstance(source, str) for source in value):
        yield ("source",), broken('a list of sources of your own, such as ["my.app"], as plain strings'), value
        return
    for index, source in enumerate(value):
        # A partner's events can be requests; those of AWS's services have details of their own.
        if source == OWN_SOURCE or (source.startswith("aws.") and not source.startswith("aws.partner/")):
            why = "executions bring such events about, and would start each other for ever"
            yield ("source", index), broken("a source of your own", why), source


def _problems(pattern: dict[str, Any]) -> Found:
    yield from _sources(pattern.get("source"))
    for key, value in pattern.items():
        if key not in _KEYS:
            yield (key,), problem(f"there is no such key; there are {', '.join(_KEYS)}"), value
        elif key == "detail" and not isinstance(value, dict):
            yield (key,), broken("an object"), value
        elif key not in ("detail", "source") and not isinstance(value, list):
            yield (key,), broken("a list of values that match"), value
        elif key != "source":
            yield from _matches((key,), value)


def _pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    if len(written(pattern)) > _MAX_PATTERN_BYTES:
        raise problem(f"must be at most {_MAX_PATTERN_BYTES} bytes long as JSON")
    if problems := [InitErrorDetails(type=error, loc=path, input=value) for path, error, value in _problems(pattern)]:
        raise ValidationError.from_exception_data("pattern", problems)
    return pattern


Pattern = Annotated[
    dict[str, Any],
    Rule('an event pattern, such as {"source": ["my.app"], "detail-type": ["Start Image Builder"]}'),
    AfterValidator(_pattern),
]


class Trigger(Strict):
    """Starts a workflow for each event that matches; the event's `detail` is the request."""

    name: Name = Field(description="unique among the triggers")
    pattern: Pattern = Field(description="an EventBridge event pattern with a `source`, a list of plain strings")
    event_bus: Bus = Field("default", description="name or ARN of the bus, which must exist in this account and Region")
    workflow: Workflow = Field("start", description="the workflow that it starts: `start`, `stop` or `fleet`")
    enabled: TrueOrFalse = Field(True, description="whether it fires")
