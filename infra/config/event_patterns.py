"""What starts a workflow by itself: the schedules and triggers of the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from infra.config import schedules as schedule_expression
from infra.config.rules import InvalidConfiguration, boolean, json_length, listed, one_of, table, text, unique
from lambdas.image_builder.fleet import parse_whole_fleet_request
from lambdas.image_builder.request import InvalidRequest, parse_request, parse_stop_request

CONTRACTS: Mapping[str, Callable[[object], object]] = {
    "start": parse_request,
    "stop": parse_stop_request,
    "fleet": parse_whole_fleet_request,
}
"""The workflows that can be started so, each with what holds its requests against its contract."""

OWN_SOURCE = "start-image-builder"
"""The source of the events that announce how a run ended (statemachine/start_image_builder.asl.json)."""

MOST_TRIGGERS = 9
"""Each adds a condition to the policy of the queue for dead letters, which has one and may have 10. Source: Amazon SQS
developer guide, Policy quotas."""

_NAME = (r"[0-9A-Za-z_.-]{1,64}", "a name of 1 to 64 letters, digits, '-', '_' or '.'")

_LONGEST_REQUEST = 262_144
"""Bytes. Source: AWS Step Functions developer guide, Service quotas, input of an execution."""

_LONGEST_PATTERN = 2_048
"""Bytes. Source: Amazon EventBridge user guide, Quotas."""

_NO_TIMEZONES = {"Factory", "localtime", "posixrules"}
"""Files beside the IANA time zones that are none."""

_LATE = timedelta(hours=1)
"""How long Scheduler tries a start (infra/triggers.py): until then a schedule is not over."""

_MATCHERS = ("anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard")
"""Source: Amazon EventBridge user guide, Comparison operators for use in event patterns."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Starts a workflow at a time or times.

    Attributes:
        name: unique in the deployment.
        expression: cron(...), rate(...) or at(...), in `timezone`.
        timezone: its IANA name.
        flexible_window_minutes: within which EventBridge Scheduler may choose the moment; 0: at the time itself.
        workflow: one of `CONTRACTS`.
        request: the execution input.
        enabled: whether it fires.
        start: before which it does not fire, in UTC as CloudFormation takes it; None: from now on. Never past.
        end: after which it no longer fires; None: for ever.
    """

    name: str
    expression: str
    timezone: str
    flexible_window_minutes: int
    workflow: str
    request: Mapping[str, Any]
    enabled: bool
    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """Starts a workflow for each event that matches; the event's `detail` is the request.

    Attributes:
        name: unique in the deployment.
        event_bus: name or ARN of the bus.
        pattern: an EventBridge event pattern.
        workflow: one of `CONTRACTS`.
        enabled: whether it fires.
    """

    name: str
    event_bus: str
    pattern: Mapping[str, Any]
    workflow: str
    enabled: bool


def schedules(where: str, value: Any, now: datetime) -> tuple[Schedule, ...]:
    """Read the schedules: those that are not over.

    Scheduler refuses a date that is past, and fires an `at` that is past at once, when a schedule is created or edited.
    A deployment must not depend on the day on which it is made.

    Raises:
        InvalidConfiguration: naming the schedule and the field.
    """
    found = [_schedule(*entry, now) for entry in _named(where, value)]
    unique(where, (schedule.name for schedule, _ in found))
    return tuple(schedule for schedule, is_over in found if not is_over)


def triggers(where: str, value: Any) -> tuple[Trigger, ...]:
    """Read the triggers. Raises InvalidConfiguration, naming the trigger and the field."""
    found = tuple(_trigger(*entry) for entry in _named(where, value))
    unique(where, (trigger.name for trigger in found))
    if len(found) > MOST_TRIGGERS:
        raise InvalidConfiguration(f"{where}: must be at most {MOST_TRIGGERS}; one can name several sources")
    return found


def event_bus(where: str, value: Any) -> str:
    """Read the name or the ARN of an event bus."""
    # Source: EventBridge API reference, PutRule, EventBusName.
    pattern = r"(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[/.A-Za-z0-9_-]{1,256}"
    return text(where, value, pattern, "the name or the ARN of an event bus")


def _named(where: str, value: Any) -> list[tuple[str, Any]]:
    """Each entry with where it stands, by its name if it has one."""
    entries = []
    for index, entry in enumerate(listed(where, value)):
        name = entry.get("name") if isinstance(entry, dict) else None
        entries.append((f"{where}[{index}]" + (f" ({name})" if isinstance(name, str) else ""), entry))
    return entries


def _schedule(where: str, value: Any, now: datetime) -> tuple[Schedule, bool]:
    """A schedule, and whether it is over."""
    optional = ("timezone", "flexibleWindowMinutes", "workflow", "enabled", "start", "end")
    entry = table(where, value, required=("name", "expression", "request"), optional=optional)
    expression = text(f"{where}.expression", entry["expression"], r".*", schedule_expression.RULE)
    problem = schedule_expression.problem(expression)
    if problem:
        rule = schedule_expression.RULE
        raise InvalidConfiguration(f"{where}.expression: must be {rule}, not {expression!r}: {problem}")
    zone = entry.get("timezone", "UTC")
    if not isinstance(zone, str) or zone not in available_timezones() - _NO_TIMEZONES:
        raise InvalidConfiguration(f"{where}.timezone: must be an IANA time zone, such as Europe/Berlin, not {zone!r}")
    window = entry.get("flexibleWindowMinutes", 0)
    # Source: EventBridge Scheduler API reference, FlexibleTimeWindow.
    if not isinstance(window, int) or isinstance(window, bool) or not 0 <= window <= 1440:
        raise InvalidConfiguration(f"{where}.flexibleWindowMinutes: must be an integer from 0 to 1440, not {window!r}")
    workflow = one_of(f"{where}.workflow", entry.get("workflow", "start"), CONTRACTS)
    start, end = (_moment(f"{where}.{key}", entry.get(key)) for key in ("start", "end"))
    if start and end and start >= end:
        raise InvalidConfiguration(f"{where}.end: must be after start")
    once = schedule_expression.moment(expression)
    if once and (start or end):
        # Source: EventBridge Scheduler API reference, CreateSchedule, StartDate and EndDate.
        raise InvalidConfiguration(f"{where}.{'start' if start else 'end'}: Scheduler ignores it for at(...)")
    try:
        CONTRACTS[workflow](entry["request"])
    except InvalidRequest as problems:
        raise InvalidConfiguration(f"{where}.request: {problems}") from None
    if json_length(f"{where}.request", entry["request"]) > _LONGEST_REQUEST:
        raise InvalidConfiguration(f"{where}.request: must be at most {_LONGEST_REQUEST} bytes long")
    start = _still_to_come(start, schedule_expression.interval(expression), now)
    last = once.replace(tzinfo=ZoneInfo(zone)) if once else end
    over = last and last < now - timedelta(minutes=window) - _LATE
    schedule = Schedule(
        name=text(f"{where}.name", entry["name"], *_NAME),
        expression=expression,
        timezone=zone,
        flexible_window_minutes=window,
        workflow=workflow,
        request=entry["request"],
        enabled=boolean(f"{where}.enabled", entry.get("enabled", True)),
        start=_utc(start),
        end=_utc(end),
    )
    return schedule, bool(over or (start and end and start >= end))


def _trigger(where: str, value: Any) -> Trigger:
    entry = table(where, value, required=("name", "pattern"), optional=("eventBus", "workflow", "enabled"))
    pattern = entry["pattern"]
    keys = ("source", "detail-type", "account", "region", "resources", "detail", "time", "version", "id")
    if not isinstance(pattern, dict) or not set(pattern) <= set(keys):
        rule = 'an event pattern, such as {"source": ["my.app"], "detail-type": ["Start Image Builder"]}'
        raise InvalidConfiguration(f"{where}.pattern: must be {rule}, not {pattern!r}")
    if json_length(f"{where}.pattern", pattern) > _LONGEST_PATTERN:
        raise InvalidConfiguration(f"{where}.pattern: must be at most {_LONGEST_PATTERN} bytes long")
    _no_loop(f"{where}.pattern.source", pattern.get("source"))
    for key, matched in pattern.items():
        if not isinstance(matched, dict if key == "detail" else list):
            kind = "an object" if key == "detail" else "a list of what matches"
            raise InvalidConfiguration(f"{where}.pattern.{key}: must be {kind}, not {matched!r}")
        _matched(f"{where}.pattern.{key}", matched)
    return Trigger(
        name=text(f"{where}.name", entry["name"], *_NAME),
        event_bus=event_bus(f"{where}.eventBus", entry.get("eventBus", "default")),
        pattern=pattern,
        workflow=one_of(f"{where}.workflow", entry.get("workflow", "start"), CONTRACTS),
        enabled=boolean(f"{where}.enabled", entry.get("enabled", True)),
    )


def _no_loop(where: str, sources: Any) -> None:
    """The sources are given, and none can be what a run itself brings about.

    Such an event is no request: the run that it starts fails, which brings about the next event, and so on.
    """
    rule = 'a list of sources, such as ["my.app"]: plain texts'
    if not isinstance(sources, list) or not sources or not all(isinstance(source, str) for source in sources):
        raise InvalidConfiguration(f"{where}: must be {rule}, not {sources!r}")
    for source in sources:
        # A partner's events can be requests; those of AWS's services have details of their own.
        if source == OWN_SOURCE or (source.startswith("aws.") and not source.startswith("aws.partner/")):
            raise InvalidConfiguration(
                f"{where}: must be {rule}, of your own; {source!r} tells of what runs do, and would start them for ever"
            )


def _matched(where: str, value: Any) -> None:
    """A part of an event pattern: an object of such, or a list of what matches.

    Source: Amazon EventBridge user guide, Creating event patterns.
    """
    if isinstance(value, dict) and value:
        for key, member in value.items():
            if key == "$or" and isinstance(member, list) and len(member) > 1:
                for index, branch in enumerate(member):
                    if not isinstance(branch, dict):
                        raise InvalidConfiguration(f"{where}.$or[{index}]: must be an object, not {branch!r}")
                    _matched(f"{where}.$or[{index}]", branch)
            else:
                _matched(f"{where}.{key}", member)
    elif not isinstance(value, list) or not value:
        raise InvalidConfiguration(f"{where}: must be a list of what matches, or an object of such, not {value!r}")
    else:
        for index, matcher in enumerate(value):
            is_matcher = isinstance(matcher, dict) and len(matcher) == 1 and set(matcher) <= set(_MATCHERS)
            if isinstance(matcher, list) or (isinstance(matcher, dict) and not is_matcher):
                rule = f"a text, a number, true, false, null, or an object with one of {', '.join(_MATCHERS)}"
                raise InvalidConfiguration(f"{where}[{index}]: must be {rule}, not {matcher!r}")


def _moment(where: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    rule = "a date and time with an offset, such as 2026-12-01T00:00:00Z"
    raise InvalidConfiguration(f"{where}: must be {rule}, not {value!r}")


def _still_to_come(start: datetime | None, interval: timedelta | None, now: datetime) -> datetime | None:
    """A start that is not past: of a rate, which counts from its start, the next time that it fires; else none.

    Without a start, a rate fires at once. Source: EventBridge Scheduler user guide, Rate-based schedules.
    """
    if start is None or start > now:
        return start
    return start - (start - now) // interval * interval if interval else None


def _utc(moment: datetime | None) -> str | None:
    # CloudFormation wants the milliseconds, which the API does not: "EndDate needs to follow the format
    # yyyy-MM-ddTHH:mm:ss.SSSZ".
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" if moment else None
