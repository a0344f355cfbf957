"""EventBridge Scheduler's schedule expressions: cron, rate and at, checked before anything is deployed.

Source: EventBridge Scheduler user guide, Schedule types.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

RULE = (
    "cron(minutes hours day-of-month month day-of-week year), such as cron(0 22 ? * MON-FRI *), rate(value unit), "
    "such as rate(12 hours), or at(yyyy-mm-ddThh:mm:ss)"
)

_LONGEST = 256
"""Source: EventBridge Scheduler API reference, CreateSchedule, ScheduleExpression."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY = rf"(?:[1-7]|{'|'.join(_DAYS)})"

_RATE = r"rate\(([1-9][0-9]{0,5}) (minute|hour|day)s?\)"
_AT = r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"
    """A pattern of what else it may be, alone: `#` is not allowed beside others, and what L and W mean there nobody
    says."""
    steps: bool = True
    """Whether / is among its wildcards."""


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L(?:-(?:[1-9]|[12][0-9]|30))?|LW|(?:[1-9]|[12][0-9]|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, special=rf"\?|{_DAY}?L|{_DAY}#[1-5]", steps=False),
    _Field("year", 1970, 2199),
)


def problem(expression: str) -> str:
    """What is wrong with an expression, in words; empty when nothing is."""
    if not expression.isascii() or len(expression) > _LONGEST:
        return f"has other characters than ASCII, or more than {_LONGEST}"
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return _cron(cron[1].split(" "))
    if expression.startswith("rate("):
        return "" if interval(expression) else "rate has a whole number from 1 to 999999 and minutes, hours or days"
    if expression.startswith("at("):
        return (
            "" if moment(expression) else "at has a time like 2026-12-01T22:00:00; the time zone is a field of its own"
        )
    return "is none of these"


def interval(expression: str) -> timedelta | None:
    """Of a rate, the time from one to the next; None of anything else."""
    rate = re.fullmatch(_RATE, expression)
    return timedelta(**{f"{rate[2]}s": int(rate[1])}) if rate else None


def moment(expression: str) -> datetime | None:
    """Of an at, the time of the clock in its zone; None of anything else."""
    at = re.fullmatch(_AT, expression)
    try:
        return datetime.fromisoformat(at[1]) if at else None
    except ValueError:
        return None


def _cron(values: list[str]) -> str:
    if len(values) != len(_FIELDS):
        return f"cron has six fields, {', '.join(field.name for field in _FIELDS)}, not {len(values)}"
    for field, value in zip(_FIELDS, values, strict=True):
        parts = value.upper()
        if not re.fullmatch(field.special, parts) and not all(_is_part(field, part) for part in parts.split(",")):
            return f"{field.name}: {value!r} is outside of {field.least} to {field.most}, or no value of that field"
    if (values[2], values[4]).count("?") != 1:
        return "one of day-of-month and day-of-week has to be '?', and only one"
    return ""


def _is_part(field: _Field, part: str) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (field.steps and step.isdigit() and 1 <= int(step) <= field.most):
        return False
    if span == "*":
        return True
    ends = [_number(field, end) for end in span.split("-")]
    return len(ends) <= 2 and all(end is not None for end in ends)


def _number(field: _Field, text: str) -> int | None:
    if text in field.names:
        return field.names.index(text) + 1
    return int(text) if text.isdigit() and field.least <= int(text) <= field.most else None
