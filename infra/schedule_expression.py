"""EventBridge Scheduler's schedule expressions: cron, rate and at, checked before anything is deployed.

Source: EventBridge Scheduler user guide, Schedule types.
"""

import re
from dataclasses import dataclass
from datetime import datetime

RULE = (
    "cron(minutes hours day-of-month month day-of-week year), such as cron(0 22 ? * MON-FRI *), rate(value unit), "
    "such as rate(12 hours), or at(yyyy-mm-ddThh:mm:ss)"
)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"
    """A pattern of what else one of its parts may be."""


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"L(?:-[12]?\d)?|LW|(?:[1-9]|[12]\d|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, special=r"(?:[1-7]|[A-Z]{3})?L|(?:[1-7]|[A-Z]{3})#[1-5]"),
    _Field("year", 1970, 2199),
)


def problem(expression: str) -> str:
    """What is wrong with an expression, in words; empty when nothing is."""
    kind = re.fullmatch(r"(cron|rate|at)\((.*)\)", expression)
    if not kind:
        return "is none of these"
    return {"cron": _cron, "rate": _rate, "at": _at}[kind[1]](kind[2])


def _cron(fields: str) -> str:
    values = fields.split()
    if len(values) != len(_FIELDS):
        return f"cron has six fields, {', '.join(field.name for field in _FIELDS)}, not {len(values)}"
    for field, value in zip(_FIELDS, values, strict=True):
        if value == "?" and field.name.startswith("day-of-"):
            continue
        if not all(_is_part(field, part) for part in value.upper().split(",")):
            return f"{field.name}: {value!r} is outside of {field.least} to {field.most}, or no value of that field"
    days = (values[2], values[4])
    if days.count("?") != 1:
        return "one of day-of-month and day-of-week has to be '?', and only one"
    return ""


def _is_part(field: _Field, part: str) -> bool:
    span, _, step = part.partition("/")
    if "/" in part and not (step.isdigit() and 1 <= int(step) <= field.most):
        return False
    if span == "*":
        return True
    if "/" not in part and re.fullmatch(field.special, span):
        names = re.findall(r"[A-Z]{3}", span)
        return all(name in field.names for name in names)
    ends = [_number(field, end) for end in span.split("-")]
    return len(ends) <= 2 and all(end is not None for end in ends)


def _number(field: _Field, text: str) -> int | None:
    if text in field.names:
        return field.names.index(text) + 1
    return int(text) if text.isdigit() and field.least <= int(text) <= field.most else None


def _rate(text: str) -> str:
    value = re.fullmatch(r"([1-9]\d{0,9}) (minute|minutes|hour|hours|day|days)", text)
    return "" if value else "rate has a positive whole number and minutes, hours or days"


def _at(text: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
            datetime.fromisoformat(text)
            return ""
    except ValueError:
        pass
    return "at has a date and time like 2026-12-01T22:00:00; the time zone is a field of its own"
