"""Schedules of EventBridge Scheduler: their settings, and their expressions (cron, rate and at).

Source: EventBridge Scheduler user guide, Schedule types.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from infra.config import Name, Rule, Strict, TrueOrFalse, broken, problem, written
from lambdas.image_builder.fleet import parse_whole_fleet_request
from lambdas.image_builder.request import InvalidRequest, parse_request, parse_stop_request

RULE = (
    "cron(minutes hours day-of-month month day-of-week year), such as cron(0 22 ? * MON-FRI *), rate(value unit), "
    "such as rate(12 hours), or at(yyyy-mm-ddThh:mm:ss)"
)

_MAX_EXPRESSION = 256
"""Characters. Source: EventBridge Scheduler API reference, CreateSchedule, ScheduleExpression."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY = rf"(?:[1-7]|{'|'.join(_DAYS)})"

_RATE = r"rate\((?:(1) (minute|hour|day)|([2-9]|[1-9][0-9]{1,5}) (minute|hour|day)s)\)"
"""Scheduler's user guide names the plural units only, its API reference both, and neither says whether rate(5 minute)
is refused. EventBridge rules refuse it (EventBridge user guide, Rate expressions reference), so it is refused here."""

_AT = r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)"


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"
    """A pattern of what else it may be, alone: `#` is not allowed beside others, and L and W are documented alone."""
    steps: bool = True
    """Whether / is among its wildcards."""

    def values(self, text: str) -> set[int]:
        """The values that a list of numbers, names, ranges and steps stands for; empty when it is none."""
        found: set[int] = set()
        for part in text.split(","):
            values = self._part(part)
            if not values:
                return set()
            found |= values
        return found

    def _part(self, part: str) -> set[int]:
        span, slash, step = part.partition("/")
        if slash and not (self.steps and step.isdigit() and 1 <= int(step) <= self.most):
            return set()
        first, dash, last = span.partition("-")
        begin = self.least if span == "*" else self.number(first)
        end = self.most if span == "*" or (slash and not dash) else self.number(last if dash else first)
        if begin is None or end is None:
            return set()
        if begin > end and self.name == "year":
            return set()
        # From FRI to MON is four days.
        circle = self.most - self.least + 1
        steps = range(0, (end - begin) % circle + 1, int(step or 1))
        return {self.least + (begin - self.least + at) % circle for at in steps}

    def number(self, text: str) -> int | None:
        """The value of a number or a name; None: it has none."""
        if text in self.names:
            return self.names.index(text) + 1
        return int(text) if text.isdigit() and self.least <= int(text) <= self.most else None


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L(?:-(?:[1-9]|[12][0-9]|30))?|LW|(?:[1-9]|[12][0-9]|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, special=rf"\?|{_DAY}?L|{_DAY}#[1-5]", steps=False),
    _Field("year", 1970, 2199),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression: when it fires, by the clock in its zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: Callable[[int, int], set[int]]
    """The days of a month, by year and month."""
    months: frozenset[int]
    years: frozenset[int]

    def fires(self, moment: datetime) -> bool:
        """Whether it fires in this minute."""
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.year in self.years
            and moment.month in self.months
            and moment.day in self.days(moment.year, moment.month)
        )

    def last(self) -> datetime | None:
        """The last time that it fires; None: it never does."""
        for year in sorted(self.years, reverse=True):
            for month in sorted(self.months, reverse=True):
                if days := self.days(year, month):
                    return datetime(year, month, max(days), max(self.hours), max(self.minutes))
        return None


def parse(expression: str) -> Cron | timedelta | datetime:
    """What an expression says: of a rate the interval, of an at the time of the clock in its zone.

    Raises:
        ValueError: it is none, or Scheduler refuses it; the message says what is wrong with it.
    """
    if not expression.isascii() or len(expression) > _MAX_EXPRESSION:
        raise ValueError(f"has other characters than ASCII, or more than {_MAX_EXPRESSION}")
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return _cron(cron[1].split(" "))
    if expression.startswith("rate("):
        if not (rate := re.fullmatch(_RATE, expression)):
            raise ValueError(
                "rate has a whole number from 1 to 999999 and a unit: minute, hour or day after 1, else minutes, hours "
                "or days"
            )
        return timedelta(**{f"{rate[2] or rate[4]}s": int(rate[1] or rate[3])})
    if at := re.fullmatch(_AT, expression):
        try:
            return datetime.fromisoformat(at[1])
        except ValueError as error:
            raise ValueError(f"at has a time that there is not: {error}") from None
    if expression.startswith("at("):
        raise ValueError("at has a time like 2026-12-01T22:00:00; the time zone is a key of its own")
    raise ValueError("is none of these")


def _cron(texts: list[str]) -> Cron:
    if len(texts) != len(_FIELDS):
        raise ValueError(f"cron has six fields, {', '.join(field.name for field in _FIELDS)}, not {len(texts)}")
    texts = [text.upper() for text in texts]
    values = []
    for field, text in zip(_FIELDS, texts, strict=True):
        values.append(frozenset(field.values(text)))
        if not values[-1] and not re.fullmatch(field.special, text):
            raise ValueError(f"{field.name}: {text!r} is outside of {field.least} to {field.most}, or no value of it")
    if (texts[2], texts[4]).count("?") != 1:
        raise ValueError("one of day-of-month and day-of-week must be '?', and only one")
    minutes, hours, in_month, months, in_week, years = values

    def days(year: int, month: int) -> set[int]:
        length = monthrange(year, month)[1]
        weekdays = {day: date(year, month, day).isoweekday() % 7 + 1 for day in range(1, length + 1)}
        if in_month or in_week:
            return {day for day, weekday in weekdays.items() if day in in_month or weekday in in_week}
        return _special_days(texts[2], texts[4], weekdays)

    cron = Cron(minutes, hours, days, months, years)
    if cron.last() is None:
        # Scheduler's documentation does not say what it does with one; a schedule that never fires is a mistake.
        raise ValueError("there is no such day: it would never fire")
    return cron


def _special_days(in_month: str, in_week: str, weekdays: dict[int, int]) -> set[int]:
    """Of L, L-3, LW or 15W in a month, and of L, 2L or FRI#3 in its weeks. Args: weekdays: 1 to 7, of each day."""
    length = len(weekdays)
    if in_month.endswith("W"):
        day = length if in_month == "LW" else int(in_month[:-1])
        near = [other for other in (day, day - 1, day + 1, day - 2, day + 2) if 2 <= weekdays.get(other, 1) <= 6]
        return set(near[:1]) if day <= length else set()
    if in_month != "?":
        return {length - int(in_month[2:] or 0)} & weekdays.keys()
    name, _, count = in_week.rstrip("L").partition("#")
    number = _FIELDS[4].number(name) if name else 7
    found = [day for day, weekday in weekdays.items() if weekday == number]
    last = found[-1:] if name else found
    return set(found[int(count) - 1 : int(count)] if count else last)


def _gaps(zone: ZoneInfo, now: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """By the clock: when each gap begins, and how long it is."""

    def offset(moment: datetime) -> timedelta:
        return moment.astimezone(zone).utcoffset() or timedelta()

    for day in range(10 * 366):
        begin = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day)
        if offset(begin) < offset(begin + timedelta(days=1)):
            minutes = range(24 * 60)
            before = max(minute for minute in minutes if offset(begin + timedelta(minutes=minute)) == offset(begin))
            gap = begin + timedelta(minutes=before + 1)
            yield (gap + offset(begin)).replace(tzinfo=None), offset(gap) - offset(begin)


CONTRACTS: Mapping[str, Callable[[object], object]] = {
    "start": parse_request,
    "stop": parse_stop_request,
    "fleet": parse_whole_fleet_request,
}
"""What checks the requests of each workflow that schedules and triggers can start."""

Workflow = Annotated[Literal["start", "stop", "fleet"], Rule(f"one of {', '.join(CONTRACTS)}")]

_MAX_INPUT_BYTES = 261_844
"""Of the 262,144 of an execution's input, 300 less for what Scheduler puts in the place of its keywords. Source: AWS
Step Functions developer guide, Service quotas."""

_NO_TIMEZONES = {"Factory", "localtime", "posixrules"}
"""Files beside the IANA time zones that are none."""

_LATE = timedelta(hours=1)
"""How long Scheduler tries a start (infra/triggers.py): until then a schedule is not over."""


def _expression(value: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        raise broken(RULE, str(error)) from None
    return value


@cache
def _timezones() -> set[str]:
    return available_timezones() - _NO_TIMEZONES


def _timezone(value: str) -> str:
    if value not in _timezones():
        raise ValueError
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo:
            return moment.astimezone(UTC)
    except (TypeError, OverflowError):
        pass
    raise ValueError


def _request(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    if "workflow" in info.data:
        try:
            CONTRACTS[info.data["workflow"]](value)
        except InvalidRequest as problems:
            raise problem(str(problems)) from None
    if len(_event(value)) > _MAX_INPUT_BYTES:
        raise problem(f"must be at most {_MAX_INPUT_BYTES} bytes long as JSON, with \\u.... for what is not ASCII")
    return value


def _event(request: dict[str, Any]) -> str:
    """The input of a schedule's executions: an event that names the schedule, so that notifications can.

    Scheduler replaces the keywords. Source: EventBridge Scheduler user guide, Adding context attributes.
    """
    return written(
        {
            "detail-type": "Scheduled start",
            "source": "start-image-builder.schedule",
            "resources": ["<aws.scheduler.schedule-arn>"],
            "time": "<aws.scheduler.scheduled-time>",
            # A request may be such an event itself.
            "detail": request.get("detail") if "detail-type" in request else request,
        }
    )


def _no_moment_of_once(value: datetime, info: ValidationInfo) -> datetime:
    if info.data.get("expression", "").startswith("at("):
        # Source: EventBridge Scheduler API reference, CreateSchedule, StartDate and EndDate.
        raise problem("Scheduler ignores it for at(...): leave it out")
    start = info.data.get("start")
    if info.field_name == "end" and start and start >= value:
        raise problem("must be after start")
    return value


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    Rule("a date and time with an offset, such as 2026-12-01T00:00:00Z"),
    AfterValidator(_no_moment_of_once),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


Expression = Annotated[str, Rule(RULE), AfterValidator(_expression)]
Timezone = Annotated[str, AfterValidator(_timezone), Rule("an IANA time zone, such as Europe/Berlin")]
Request = Annotated[dict[str, Any], Rule("a request, as a JSON object"), AfterValidator(_request)]
# Source: EventBridge Scheduler API reference, FlexibleTimeWindow.
WindowMinutes = Annotated[int, Field(ge=0, le=1440), Rule("an integer from 0 to 1440")]


class Schedule(Strict):
    """Starts a workflow at a time or times."""

    name: Name = Field(description="unique among the schedules")
    expression: Expression = Field(description="`cron(...)`, `rate(...)` or, once, `at(...)`, as Scheduler takes it")
    timezone: Timezone = Field("UTC", description="an IANA name; cron and at follow its daylight saving time")
    workflow: Workflow = Field("start", description="the workflow that it starts: `start`, `stop` or `fleet`")
    request: Request = Field(description="the execution input, checked against the contract of the workflow")
    flexible_window_minutes: WindowMinutes = Field(0, description="Scheduler may choose the moment within this window")
    enabled: TrueOrFalse = Field(True, description="whether it fires")
    start: Moment | None = Field(None, description="a date and time with an offset, before which it does not fire")
    end: Moment | None = Field(None, description="a date and time with an offset, after which it does not fire")

    @property
    def input(self) -> str:
        """The input of its executions, as the template holds it."""
        return _event(self.request)

    def still_to_come(self, now: datetime) -> "Schedule | None":
        """The schedule with a start that is not past; None: it is over.

        Scheduler refuses a date that is past, and fires an `at` that is past at once, when a schedule is created or
        edited. A deployment must not depend on the day on which it is made.
        """
        schedule, start = parse(self.expression), self.start
        if start and start <= now:
            # A rate counts from its start, and without one fires at once: the next time that it fires. Source:
            # EventBridge Scheduler user guide, Rate-based schedules.
            start = start - (start - now) // schedule * schedule if isinstance(schedule, timedelta) else None
        last = self.end
        if not isinstance(schedule, timedelta):
            by_the_clock = schedule.last() if isinstance(schedule, Cron) else schedule
            fires = cast(datetime, by_the_clock).replace(tzinfo=ZoneInfo(self.timezone))
            last = min(fires, last or fires)
        late = timedelta(minutes=self.flexible_window_minutes) + _LATE
        if last and (last < now - late or (start and (start > last or start == self.end))):
            return None
        return self.model_copy(update={"start": start})

    def skipped(self, now: datetime) -> datetime | None:
        """The first time within ten years that daylight saving time skips, with nothing in its place; None: none is.

        "When the time shifts forward in Spring, your schedule invocation gets skipped if the cron expression falls on
        a non-existent date and time." Source: AWS Knowledge Center, Adjust an EventBridge rule for DST. What becomes of
        an `at` there is not documented.
        """
        schedule, zone = parse(self.expression), ZoneInfo(self.timezone)
        if isinstance(schedule, timedelta) or not self.enabled:
            return None
        for begin, length in _gaps(zone, now):
            for minute in range(length // timedelta(minutes=1)):
                moment = begin + timedelta(minutes=minute)
                if self.end and moment.replace(tzinfo=zone) > self.end:
                    return None
                if isinstance(schedule, datetime):
                    if moment == schedule.replace(second=0):
                        return moment
                # The same instant has two names: what fires every hour misses nothing.
                elif schedule.fires(moment) and not schedule.fires(moment + length):
                    return moment
        return None


def utc(moment: datetime | None) -> str | None:
    """A moment as CloudFormation takes it: with the milliseconds, which the API does without.

    "EndDate needs to follow the format yyyy-MM-ddTHH:mm:ss.SSSZ".
    """
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" if moment else None
