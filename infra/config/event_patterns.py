"""Triggers: their settings, and the event patterns of EventBridge that they match.

Source: Amazon EventBridge user guide, Creating event patterns, and Comparison operators for use in event patterns; how
each operator is parsed: github.com/aws/event-ruler, JsonRuleCompiler and CIDR.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from infra.config import Name, Rule, Strict, TrueOrFalse, broken, problem, written
from infra.config.schedules import Workflow

OWN_SOURCE = "start-image-builder"
"""The source of the events that announce execution results (statemachine/start_image_builder.asl.json)."""

_MAX_PATTERN_BYTES = 2_048
"""Bytes. Source: Amazon EventBridge user guide, Quotas."""

_KEYS = ("source", "detail-type", "account", "region", "resources", "detail", "time", "version", "id")

_IGNORE = "equals-ignore-case"

_SOURCES = 'a list of sources of your own, such as ["my.app"], as plain strings'

# Source: EventBridge API reference, PutRule, EventBusName.
_BUS = r"(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[/.A-Za-z0-9_-]{1,256}"
Bus = Annotated[str, Rule("the name or the ARN of an event bus", _BUS)]

Found = Iterator[tuple[tuple[str | int, ...], PydanticCustomError, object]]
"""Problems, each with its path and the value there."""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # The range that EventBridge compares.
    return isinstance(value, int | float) and not isinstance(value, bool) and -5e9 <= value <= 5e9


def _is_numeric(value: object) -> bool:
    """One comparison, or a lower bound and then an upper one."""
    if not isinstance(value, list) or not all(_is_number(number) for number in value[1::2]):
        return False
    operators = value[::2]
    if len(value) == 2:
        return operators[0] in ("=", "<", "<=", ">", ">=")
    return len(value) == 4 and operators[0] in (">", ">=") and operators[1] in ("<", "<=")


def _is_wildcard(value: object) -> bool:
    # A backslash escapes an asterisk or itself only.
    return isinstance(value, str) and "**" not in value and bool(re.fullmatch(r"([^\\]|\\[*\\])*", value))


def _is_cidr(value: object) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", value):
        return False
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen < network.max_prefixlen


def _is_affix(value: object) -> bool:
    return _is_text(value) or (isinstance(value, dict) and [*value] == [_IGNORE] and _is_text(value[_IGNORE]))


def _is_one_or_several(value: object, is_one: Callable[[object], bool]) -> bool:
    return all(map(is_one, value)) and bool(value) if isinstance(value, list) else is_one(value)


def _is_anything_but(value: object) -> bool:
    if isinstance(value, dict) and len(value) == 1:
        ((operator, operand),) = value.items()
        takes: Mapping[str, Callable[[object], bool]]
        takes = {"wildcard": _is_wildcard, "prefix": bool, "suffix": bool, _IGNORE: _is_text}
        return operator in takes and _is_one_or_several(operand, lambda text: _is_text(text) and takes[operator](text))
    return _is_one_or_several(value, _is_text) or _is_one_or_several(value, _is_number)


_OPERATORS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "prefix": (f'a string, or {{"{_IGNORE}": a string}}', _is_affix),
    "suffix": (f'a string, or {{"{_IGNORE}": a string}}', _is_affix),
    _IGNORE: ("a string", _is_text),
    "wildcard": (r"a string with * for any characters, no two in a row, and \* for an asterisk", _is_wildcard),
    "anything-but": (
        "a string, a number, a list of strings or of numbers, or an object with prefix, suffix, wildcard or "
        f"{_IGNORE} and a string or a list of strings",
        _is_anything_but,
    ),
    "numeric": ('one comparison or two, such as ["<", 60] or [">", 0, "<=", 5], from -5e9 to 5e9', _is_numeric),
    "cidr": ("a range of IP addresses, such as 10.0.0.0/24", _is_cidr),
    "exists": ("true or false", lambda value: isinstance(value, bool)),
}


def _matches(path: tuple[str | int, ...], value: object) -> Found:
    """The problems of a part of a pattern: an object of such parts, or a list of values that match."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            if key == "$or" and isinstance(member, list) and len(member) > 1:
                for index, branch in enumerate(member):
                    place = (*path, key, index)
                    if isinstance(branch, dict):
                        yield from _matches(place, branch)
                    else:
                        yield place, broken("an object"), branch
            else:
                yield from _matches((*path, key), member)
    elif not isinstance(value, list) or not value:
        yield path, broken("a list of values that match, or an object of such lists"), value
    else:
        for index, matcher in enumerate(value):
            yield from _matcher((*path, index), matcher)


def _matcher(path: tuple[str | int, ...], matcher: object) -> Found:
    if isinstance(matcher, dict) and len(matcher) == 1 and set(matcher) <= set(_OPERATORS):
        ((operator, operand),) = matcher.items()
        rule, takes = _OPERATORS[operator]
        if not takes(operand):
            yield (*path, operator), broken(rule), operand
    elif isinstance(matcher, dict | list):
        operators = ", ".join(_OPERATORS)
        yield path, broken(f"a string, a number, true, false, null, or an object with one of {operators}"), matcher


def _sources(value: object) -> Found:
    """Sources are given, and none can be that of an event which an execution brings about.

    Such an event is no request: the execution that it starts fails, which brings about the next event, and so on.
    """
    if not isinstance(value, list) or not value or not all(isinstance(source, str) for source in value):
        yield ("source",), broken(_SOURCES), value
        return
    for index, source in enumerate(value):
        # A partner's events can be requests; those of AWS's services have details of their own.
        if source == OWN_SOURCE or (source.startswith("aws.") and not source.startswith("aws.partner/")):
            why = "executions bring such events about, and would start each other for ever"
            yield ("source", index), broken("a source of your own", why), source


def _pattern(pattern: dict[str, Any]) -> dict[str, Any]:
    def problems() -> Found:
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

    if len(written(pattern)) > _MAX_PATTERN_BYTES:
        raise problem(f"must be at most {_MAX_PATTERN_BYTES} bytes long as JSON")
    details = [InitErrorDetails(type=error, loc=path, input=value) for path, error, value in problems()]
    if details:
        raise ValidationError.from_exception_data("pattern", details)
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
