"""What starts a workflow by itself: the schedules and triggers of the configuration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from image_builder.fleet import parse_whole_fleet_request
from image_builder.request import InvalidRequest, parse_request, parse_stop_request
from infra import schedule_expression
from infra.rules import InvalidConfiguration, boolean, listed, table, text

CONTRACTS: Mapping[str, Callable[[object], object]] = {
    "start": parse_request,
    "stop": parse_stop_request,
    "fleet": parse_whole_fleet_request,
}
"""The workflows that can be started so, each with what holds its requests against its contract."""

_NAME = (r"[0-9A-Za-z_.-]{1,64}", "a name of 1 to 64 letters, digits, '-', '_' or '.'")


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
        start: before which it does not fire, in UTC as CloudFormation takes it; None: from now on.
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


def schedules(where: str, value: Any) -> tuple[Schedule, ...]:
    """Read the schedules. Raises InvalidConfiguration, naming the schedule and the field."""
    found = tuple(_schedule(*entry) for entry in _named(where, value))
    _must_be_unique(where, [schedule.name for schedule in found])
    return found


def triggers(where: str, value: Any) -> tuple[Trigger, ...]:
    """Read the triggers. Raises InvalidConfiguration, naming the trigger and the field."""
    found = tuple(_trigger(*entry) for entry in _named(where, value))
    _must_be_unique(where, [trigger.name for trigger in found])
    return found


def event_bus(where: str, value: Any) -> str:
    """Read the name or the ARN of an event bus."""
    # Source: EventBridge API reference, PutRule, EventBusName.
    pattern = r"(arn:[a-z-]+:events:[a-z0-9-]+:\d{12}:event-bus/)?[/.\w-]{1,256}"
    return text(where, value, pattern, "the name or the ARN of an event bus")


def _named(where: str, value: Any) -> list[tuple[str, Any]]:
    """Each entry with where it stands, by its name if it has one."""
    entries = []
    for index, entry in enumerate(listed(where, value)):
        name = entry.get("name") if isinstance(entry, dict) else None
        entries.append((f"{where}[{index}]" + (f" ({name})" if isinstance(name, str) else ""), entry))
    return entries


def _must_be_unique(where: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidConfiguration(f"{where}: two have the name {name!r}")


def _schedule(where: str, value: Any) -> Schedule:
    optional = ("timezone", "flexibleWindowMinutes", "workflow", "enabled", "start", "end")
    entry = table(where, value, required=("name", "expression", "request"), optional=optional)
    expression = text(f"{where}.expression", entry["expression"], r".*", schedule_expression.RULE)
    problem = schedule_expression.problem(expression)
    if problem:
        rule = schedule_expression.RULE
        raise InvalidConfiguration(f"{where}.expression: must be {rule}, not {expression!r}: {problem}")
    zone = entry.get("timezone", "UTC")
    if not isinstance(zone, str) or zone not in available_timezones():
        raise InvalidConfiguration(f"{where}.timezone: must be an IANA time zone, such as Europe/Berlin, not {zone!r}")
    window = entry.get("flexibleWindowMinutes", 0)
    # Source: EventBridge Scheduler API reference, FlexibleTimeWindow.
    if not isinstance(window, int) or isinstance(window, bool) or not 0 <= window <= 1440:
        raise InvalidConfiguration(f"{where}.flexibleWindowMinutes: must be an integer from 0 to 1440, not {window!r}")
    workflow = _workflow(where, entry)
    start, end = (_moment(f"{where}.{key}", entry.get(key)) for key in ("start", "end"))
    if start and end and start >= end:
        raise InvalidConfiguration(f"{where}.end: must be after start")
    try:
        CONTRACTS[workflow](entry["request"])
    except InvalidRequest as problems:
        raise InvalidConfiguration(f"{where}.request: {problems}") from None
    return Schedule(
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


def _trigger(where: str, value: Any) -> Trigger:
    entry = table(where, value, required=("name", "pattern"), optional=("eventBus", "workflow", "enabled"))
    pattern = entry["pattern"]
    keys = ("source", "detail-type", "account", "region", "resources", "detail", "time", "version", "id", "$or")
    if not isinstance(pattern, dict) or not pattern or not set(pattern) <= set(keys):
        rule = 'an event pattern, such as {"source": ["my.app"], "detail-type": ["Start Image Builder"]}'
        raise InvalidConfiguration(f"{where}.pattern: must be {rule}, not {pattern!r}")
    for key, matched in pattern.items():
        if not isinstance(matched, dict if key == "detail" else list) or not matched:
            kind = "an object" if key == "detail" else "a list of what matches"
            raise InvalidConfiguration(f"{where}.pattern.{key}: must be {kind}, not {matched!r}")
    return Trigger(
        name=text(f"{where}.name", entry["name"], *_NAME),
        event_bus=event_bus(f"{where}.eventBus", entry.get("eventBus", "default")),
        pattern=pattern,
        workflow=_workflow(where, entry),
        enabled=boolean(f"{where}.enabled", entry.get("enabled", True)),
    )


def _workflow(where: str, entry: Mapping[str, Any]) -> str:
    workflow = entry.get("workflow", "start")
    if workflow not in CONTRACTS:
        raise InvalidConfiguration(f"{where}.workflow: must be one of {', '.join(CONTRACTS)}, not {workflow!r}")
    return str(workflow)


def _moment(where: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        rule = "a date and time with an offset, such as 2026-12-01T00:00:00Z"
        raise InvalidConfiguration(f"{where}: must be {rule}, not {value!r}")
    return moment


def _utc(moment: datetime | None) -> str | None:
    # Source: AWS CloudFormation template reference, AWS::Scheduler::Schedule, StartDate.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
