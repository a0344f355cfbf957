"""Schedules of EventBridge Scheduler: their settings, and their expressions (cron, rate and at).

Source: EventBridge Scheduler user guide, Schedule types.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationInfo, field_validator

from infra.config import Name, Strict, must_be, quoted, written
from lambdas.image_builder.fleet import parse_whole_fleet_request
from lambdas.image_builder.request import InvalidRequest, parse_request, parse_stop_request

RULE = (
    "cron(minutes hours day-of-month month day-of-week year), such as cron(0 22 ? * MON-FRI *), rate(1 day), "
    "rate(12 hours) or at(yyyy-mm-ddThh:mm:ss)"
)

_RATE = r"rate\((?:1 (minute|hour|day)|([2-9]|[1-9][0-9]{1,5}) (minutes|hours|days))\)"
"""Scheduler's user guide names the plural units only, its API reference both, and neither says whether rate(5 minute)
is refused. EventBridge rules refuse it (EventBridge user guide, Rate expressions reference), so it is refused here."""


class Cron(NamedTuple):
    """The values of the fields of a cron expression. No days or weekdays: any, or those of L, W or #."""

    minutes: set[int]
    hours: set[int]
    days: set[int]
    months: set[int]
    weekdays: set[int]
    years: set[int]

    def may_fire_on(self, day: date) -> bool:
        """Whether it fires on this day; with L, W or #, whether it can."""
        return (
            day.year in self.years
            and day.month in self.months
            and (not self.days or day.day in self.days)
            and (not self.weekdays or day.isoweekday() % 7 + 1 in self.weekdays)
        )


def _values(text: str, field: str, least: int, most: int, *, names: str = "", special: str = r"(?!)") -> set[int]:
    """The values of a field of cron: a list of numbers, ranges and steps; none of what is special.

    Raises:
        ValueError: it is neither.
    """
    numbers = text
    for number, name in enumerate(names.split(), 1):
        numbers = re.sub(rf"\b{name}(?=L?\b)", str(number), numbers)
    if re.fullmatch(special, numbers):
        return set()
    found: set[int] = set()
    span = range(least, most + 1)
    for part in numbers.split(","):
        match = re.fullmatch(r"(?:\*|([0-9]+)(?:-([0-9]+))?)(?:/([1-9][0-9]*))?", part)
        first, last, step = match.groups() if match else ("", "", "")
        begin = int(first or least)
        end = int(last or (most if step or not first else begin))
        is_wrong = not match or {begin, end} - {*span} or int(step or 1) > most
        if is_wrong or (field == "year" and begin > end) or (field == "day-of-week" and step):
            raise ValueError(f"{field}: must be from {least} to {most}, not {text!r}")
        # From FRI to MON is four days.
        steps = range(0, (end - begin) % len(span) + 1, int(step or 1))
        found |= {span[(begin - least + at) % len(span)] for at in steps}
    return found


_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT"
# L, W and # are documented alone, not in a list.
_SPECIAL_DAY = r"\?|L(-([1-9]|[12][0-9]|30))?|LW|([1-9]|[12][0-9]|3[01])W"
_SPECIAL_WEEKDAY = r"\?|[1-7]?L|[1-7]#[1-5]"


def _cron(expression: str) -> Cron:
    fields = expression.upper().split(" ")
    if len(fields) != 6:
        raise ValueError(f"must have six fields, not {len(fields)}: {RULE}")
    cron = Cron(
        _values(fields[0], "minutes", 0, 59),
        _values(fields[1], "hours", 0, 23),
        _values(fields[2], "day-of-month", 1, 31, special=_SPECIAL_DAY),
        _values(fields[3], "month", 1, 12, names=_MONTHS),
        _values(fields[4], "day-of-week", 1, 7, names=_WEEKDAYS, special=_SPECIAL_WEEKDAY),
        _values(fields[5], "year", 1970, 2199),
    )
    if (fields[2], fields[4]).count("?") != 1:
        raise ValueError("must have '?' as day-of-month or as day-of-week, and not as both")
    # In a leap year. Scheduler's documentation does not say what it does with a day that never comes.
    if cron.days and min(cron.days) > max(monthrange(2024, month)[1] for month in cron.months):
        raise ValueError("must have a day that exists: it would never fire")
    return cron


def parse(expression: str) -> Cron | timedelta | datetime:
    """What an expression says: of a rate the interval, of an at the time of the clock in its zone.

    Raises:
        ValueError: it is none, or Scheduler refuses it; the message says what is wrong with it.
    """
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        return _cron(cron[1])
    if rate := re.fullmatch(_RATE, expression):
        return timedelta(**{rate[3] or f"{rate[1]}s": int(rate[2] or 1)})
    if at := re.fullmatch(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)", expression):
        return datetime.fromisoformat(at[1])
    raise ValueError(f"must be {RULE}")


def _exists(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks in a zone show this time: for daylight saving time, they skip some."""
    return moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment


CONTRACTS: Mapping[str, Callable[[object], object]] = {
    "start": parse_request,
    "stop": parse_stop_request,
    "fleet": parse_whole_fleet_request,
}
"""What checks the requests of each workflow that schedules and triggers can start."""

Workflow = Literal["start", "stop", "fleet"]

_MAX_INPUT_BYTES = 261_844
"""Of the 262,144 of an execution's input, 300 less for what Scheduler puts in the place of its keywords. Source: AWS
Step Functions developer guide, Service quotas."""

_timezones = cache(available_timezones)


def _expression(value: str) -> str:
    try:
        parse(value)
    except ValueError as error:
        raise ValueError(f"{error}: {quoted(value)}") from None
    return value


def _timezone(value: str) -> str:
    if value not in _timezones():
        raise ValueError
    return value


def _request(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    if "workflow" in info.data:
        try:
            CONTRACTS[info.data["workflow"]](value)
        except InvalidRequest as problems:
            raise ValueError(str(problems)) from None
    if len(_event(value)) > _MAX_INPUT_BYTES:
        raise ValueError(f"must be at most {_MAX_INPUT_BYTES} bytes long as JSON, with \\u.... for what is not ASCII")
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


Expression = Annotated[str, AfterValidator(_expression)]
Timezone = Annotated[str, AfterValidator(_timezone), must_be("an IANA time zone, such as Europe/Berlin")]
Request = Annotated[dict[str, Any], must_be("a request, as a JSON object"), AfterValidator(_request)]
# Source: EventBridge Scheduler API reference, FlexibleTimeWindow.
WindowMinutes = Annotated[int, Field(ge=0, le=1440), must_be("an integer from 0 to 1440")]
Moment = Annotated[
    AwareDatetime,
    # pydantic would also take a number of seconds.
    BeforeValidator(lambda value: datetime.fromisoformat(str(value))),
    must_be("a date and time with an offset, such as 2026-12-01T00:00:00Z"),
]


class Schedule(Strict):
    """Starts a workflow at a time or times."""

    name: Name = Field(description="unique among the schedules")
    expression: Expression = Field(description="`cron(...)`, `rate(...)` or, once, `at(...)`, as Scheduler takes it")
    timezone: Timezone = Field("UTC", description="an IANA name; cron and at follow its daylight saving time")
    workflow: Workflow = Field("start", description="the workflow that it starts: `start`, `stop` or `fleet`")
    request: Request = Field(description="the execution input, checked against the contract of the workflow")
    flexible_window_minutes: WindowMinutes = Field(0, description="Scheduler may choose the moment within this window")
    enabled: bool = Field(True, description="whether it fires")
    start: Moment | None = Field(None, description="a date and time with an offset, before which it does not fire")
    end: Moment | None = Field(None, description="a date and time with an offset, after which it does not fire")

    @field_validator("end")
    @classmethod
    def _is_after_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start")
        if value and start and start >= value:
            raise ValueError("must be after start")
        return value

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
            # A cron expression is over with its last year.
            fires = datetime(max(schedule.years), 12, 31, 23, 59) if isinstance(schedule, Cron) else schedule
            fires = fires.replace(tzinfo=ZoneInfo(self.timezone))
            last = min(fires, last or fires)
        # Scheduler tries a start for an hour (infra/triggers.py): until then a schedule is not over.
        late = timedelta(hours=1, minutes=self.flexible_window_minutes)
        if last and (last < now - late or (start and start >= last)):
            return None
        return self.model_copy(update={"start": start})

    def skipped(self, now: datetime) -> datetime | None:
        """The first time of a cron expression within a year that clocks skip; None: none is.

        "When the time shifts forward in Spring, your schedule invocation gets skipped if the cron expression falls on
        a non-existent date and time." Source: AWS Knowledge Center, Adjust an EventBridge rule for DST.
        """
        cron, zone = parse(self.expression), ZoneInfo(self.timezone)
        # The same instant has two names: what fires every hour misses nothing.
        if not isinstance(cron, Cron) or len(cron.hours) == 24:
            return None
        times = sorted(time(hour, minute) for hour in cron.hours for minute in cron.minutes)
        for day in (now.date() + timedelta(days=number) for number in range(366)):
            for moment in (datetime.combine(day, each) for each in times if cron.may_fire_on(day)):
                if not _exists(moment, zone):
                    return moment
        return None


def utc(moment: datetime | None) -> str | None:
    """A moment as CloudFormation takes it: with milliseconds ("EndDate needs to follow the format ...ss.SSSZ")."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z" if moment else None
