"""Schedules of EventBridge Scheduler: their settings, and their expressions (cron, rate and at).

Source: EventBridge Scheduler user guide, Schedule types.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple
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

_RATE = r"rate\((?:1 (minute|hour|day)|([2-9]|[1-9][0-9]{1,5}) (minutes|hours|days))\)"
"""Scheduler's user guide names the plural units only, its API reference both, and neither says whether rate(5 minute)
is refused. EventBridge rules refuse it (EventBridge user guide, Rate expressions reference), so it is refused here."""


class _Field(NamedTuple):
    """A field of cron. special: a pattern of what else it may be, alone: L, W and # are documented alone."""

    name: str
    least: int
    most: int
    names: str = ""
    special: str = r"(?!)"

    def numbered(self, text: str) -> str:
        """The text with numbers in place of names, such as 6L of FRIL."""
        for number, name in enumerate(self.names.split(), 1):
            text = re.sub(rf"\b{name}(?=L?\b)", str(number), text)
        return text

    def values(self, text: str) -> set[int]:
        """The values that a list of numbers, ranges and steps stands for; none of what is special.

        Raises:
            ValueError: it is neither.
        """
        if re.fullmatch(self.special, self.numbered(text)):
            return set()
        found: set[int] = set()
        span = range(self.least, self.most + 1)
        for part in self.numbered(text).split(","):
            match = re.fullmatch(r"(?:\*|([0-9]+)(?:-([0-9]+))?)(?:/([0-9]+))?", part)
            first, last, step = match.groups() if match else ("", "", "")
            begin = int(first or self.least)
            end = int(last or (self.most if step or not first else begin))
            is_wrong = not match or {begin, end} - {*span} or (step and not 1 <= int(step) <= self.most)
            if is_wrong or (self.name == "year" and begin > end) or (self.name == "day-of-week" and step):
                raise ValueError(f"{self.name}: {text!r} is outside of {self.least} to {self.most}, or no value of it")
            # From FRI to MON is four days.
            steps = range(0, (end - begin) % len(span) + 1, int(step or 1))
            found |= {span[(begin - self.least + at) % len(span)] for at in steps}
        return found


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L(-([1-9]|[12][0-9]|30))?|LW|([1-9]|[12][0-9]|3[01])W"),
    _Field("month", 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"),
    _Field("day-of-week", 1, 7, "SUN MON TUE WED THU FRI SAT", special=r"\?|[1-7]?L|[1-7]#[1-5]"),
    _Field("year", 1970, 2199),
)


class Cron:
    """When a cron expression fires, by the clock in its zone.

    Attributes:
        last: the last time.

    Raises:
        ValueError: the expression is none; the message names the field.
    """

    def __init__(self, expression: str) -> None:
        texts = expression.upper().split(" ")
        if len(texts) != len(_FIELDS):
            raise ValueError(f"cron has six fields, {', '.join(field.name for field in _FIELDS)}, not {len(texts)}")
        values = (field.values(text) for field, text in zip(_FIELDS, texts, strict=True))
        self.minutes, self.hours, self._days, self.months, self._weekdays, self.years = values
        self._in_month, self._in_week = texts[2], _FIELDS[4].numbered(texts[4])
        if (self._in_month, self._in_week).count("?") != 1:
            raise ValueError("one of day-of-month and day-of-week must be '?', and only one")
        self.last = self._last()

    def fires(self, moment: datetime) -> bool:
        """Whether it fires in this minute."""
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.year in self.years
            and moment.month in self.months
            and moment.day in self._days_of(moment.year, moment.month)
        )

    def _last(self) -> datetime:
        for year in sorted(self.years, reverse=True):
            for month in sorted(self.months, reverse=True):
                if days := self._days_of(year, month):
                    return datetime(year, month, max(days), max(self.hours), max(self.minutes))
        # Scheduler's documentation does not say what it does with one; a schedule that never fires is a mistake.
        raise ValueError("there is no such day: it would never fire")

    def _days_of(self, year: int, month: int) -> set[int]:
        """The days of a month on which it fires."""
        length = monthrange(year, month)[1]
        weekdays = {day: date(year, month, day).isoweekday() % 7 + 1 for day in range(1, length + 1)}
        if self._days or self._weekdays:
            return {day for day, weekday in weekdays.items() if day in self._days or weekday in self._weekdays}
        if self._in_month.endswith("W"):
            day = length if self._in_month == "LW" else int(self._in_month[:-1])
            near = [other for other in (day, day - 1, day + 1, day - 2, day + 2) if 2 <= weekdays.get(other, 1) <= 6]
            return set(near[:1]) if day <= length else set()
        if self._in_month != "?":
            return {length - int(self._in_month[2:] or 0)} & weekdays.keys()
        # L alone is every Saturday, 6L the last Friday, 6#3 the third.
        number, _, count = self._in_week.rstrip("L").partition("#")
        found = [day for day, weekday in weekdays.items() if weekday == int(number or 7)]
        if count:
            return set(found[int(count) - 1 : int(count)])
        return set(found[-1:] if number else found)


def parse(expression: str) -> Cron | timedelta | datetime:
    """What an expression says: of a rate the interval, of an at the time of the clock in its zone.

    Raises:
        ValueError: it is none, or Scheduler refuses it; the message says what is wrong with it.
    """
    if not expression.isascii() or len(expression) > _MAX_EXPRESSION:
        raise ValueError(f"has other characters than ASCII, or more than {_MAX_EXPRESSION}")
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return Cron(cron[1])
    if rate := re.fullmatch(_RATE, expression):
        return timedelta(**{rate[3] or f"{rate[1]}s": int(rate[2] or 1)})
    if at := re.fullmatch(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)", expression):
        try:
            return datetime.fromisoformat(at[1])
        except ValueError as error:
            raise ValueError(f"at has a time that there is not: {error}") from None
    if expression.startswith("rate("):
        raise ValueError(
            "rate has a whole number from 1 to 999999 and a unit: minute, hour or day after 1, else minutes, hours "
            "or days"
        )
    if expression.startswith("at("):
        raise ValueError("at has a time like 2026-12-01T22:00:00; the time zone is a key of its own")
    raise ValueError("is none of these")


def _gap(moment: datetime, zone: ZoneInfo) -> timedelta:
    """How long the gap of daylight saving time is that a time by the clock falls into; else at most 0.

    Source: PEP 495: in a gap, fold 0 has the offset before it, and fold 1 the offset after it.
    """
    before, after = (moment.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return after - before


def _on_days_of_change(zone: ZoneInfo, now: datetime) -> Iterable[datetime]:
    """Each minute by the clock, within ten years, of the days on which the offset of a zone changes."""
    midnights = [datetime(now.year, now.month, now.day) + timedelta(days=day) for day in range(10 * 366)]
    for day in midnights:
        if day.replace(tzinfo=zone).utcoffset() != (day + timedelta(days=1)).replace(tzinfo=zone).utcoffset():
            yield from (day + timedelta(minutes=minute) for minute in range(24 * 60))


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

_timezones = cache(available_timezones)


def _expression(value: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        raise broken(RULE, str(error)) from None
    return value


def _timezone(value: str) -> str:
    # Those two are files beside the zones.
    if value not in _timezones() or value in ("Factory", "localtime"):
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
        schedule, start, last = parse(self.expression), self.start, self.end
        if isinstance(schedule, timedelta):
            if start and start <= now:
                # A rate counts from its start, and without one fires at once: the next time that it fires. Source:
                # EventBridge Scheduler user guide, Rate-based schedules.
                start -= (start - now) // schedule * schedule
        else:
            start = start if start and start > now else None
            fires = (schedule.last if isinstance(schedule, Cron) else schedule).replace(tzinfo=ZoneInfo(self.timezone))
            last = min(fires, last or fires)
        # Scheduler tries a start for an hour (infra/triggers.py): until then a schedule is not over.
        late = timedelta(hours=1, minutes=self.flexible_window_minutes)
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
        if isinstance(schedule, datetime):
            return schedule if _gap(schedule, zone) > timedelta() else None
        for moment in filter(schedule.fires, _on_days_of_change(zone, now)):
            if self.end and moment.replace(tzinfo=zone) > self.end:
                return None
            gap = _gap(moment, zone)
            # The same instant has two names: what fires every hour misses nothing.
            if gap > timedelta() and not schedule.fires(moment + gap):
                return moment
        return None


def utc(moment: datetime | None) -> str | None:
    """A moment as CloudFormation takes it: with milliseconds ("EndDate needs to follow the format ...ss.SSSZ")."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" if moment else None
