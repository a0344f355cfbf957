"""What a wrong schedule or trigger says at synth: its place and name, the field, and the rule."""

from typing import Any

import pytest

from infra.config import Config
from infra.rules import InvalidConfiguration
from infra.trigger_config import Schedule, Trigger

SCHEDULE: dict[str, Any] = {"name": "night", "expression": "rate(1 day)", "request": {"Name": "gold"}}
TRIGGER: dict[str, Any] = {"name": "asked", "pattern": {"source": ["my.app"]}}


def read(**context: Any) -> Config:
    return Config.from_context({"stackName": "Night", **context}.get)


def test_a_schedule_has_the_defaults_that_nobody_wonders_about() -> None:
    (schedule,) = read(schedules=[SCHEDULE]).schedules
    assert schedule == Schedule("night", "rate(1 day)", "UTC", 0, "start", {"Name": "gold"}, True, None, None)


def test_a_schedule_has_what_was_chosen() -> None:
    chosen = {
        **SCHEDULE,
        "timezone": "Europe/Berlin",
        "flexibleWindowMinutes": 15,
        "workflow": "stop",
        "enabled": False,
        "start": "2026-12-01T00:00:00+01:00",
        "end": "2027-01-01T00:00:00Z",
    }
    (schedule,) = read(schedules=[chosen]).schedules
    assert (schedule.timezone, schedule.flexible_window_minutes, schedule.enabled) == ("Europe/Berlin", 15, False)
    assert (schedule.start, schedule.end) == ("2026-11-30T23:00:00Z", "2027-01-01T00:00:00Z")


def test_a_trigger_is_read() -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/images"
    (trigger,) = read(triggers=[{**TRIGGER, "eventBus": bus}]).triggers
    assert trigger == Trigger("asked", bus, {"source": ["my.app"]}, "start", True)


WRONG_SCHEDULES = [
    ({"expression": "cron(0 25 ? * * *)"}, "schedules[0] (night).expression: must be cron("),
    ({"expression": "cron(0 25 ? * * *)"}, "hours: '25'"),
    ({"expression": 5}, "schedules[0] (night).expression: must be cron("),
    ({"timezone": "Berlin"}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": ["UTC"]}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"request": {"name": "gold"}}, "schedules[0] (night).request: Name: is required"),
    ({"request": {"Name": "gold", "StopAfterMinutes": 0}}, "schedules[0] (night).request: StopAfterMinutes: must be"),
    ({"request": "gold"}, "schedules[0] (night).request: the input must be a JSON object"),
    ({"workflow": "stop", "request": {"Name": "gold", "DryRun": True}}, 'request: "DryRun": is not a field'),
    ({"workflow": "begin"}, "schedules[0] (night).workflow: must be one of start, stop"),
    ({"flexibleWindowMinutes": 1441}, "schedules[0] (night).flexibleWindowMinutes: must be an integer from 0 to 1440"),
    ({"flexibleWindowMinutes": True}, "schedules[0] (night).flexibleWindowMinutes: must be an integer"),
    ({"enabled": "maybe"}, "schedules[0] (night).enabled: must be true or false"),
    ({"start": "2026-12-01"}, "schedules[0] (night).start: must be a date and time with an offset"),
    ({"end": 5}, "schedules[0] (night).end: must be a date and time with an offset"),
    ({"start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "schedules[0] (night).end: must be after start"),
    ({"name": "a b"}, "schedules[0] (a b).name: must be a name of 1 to 64"),
    ({"zone": "UTC"}, "schedules[0] (night).zone: there is no such key; there are name, expression, request"),
]


@pytest.mark.parametrize(("change", "said"), WRONG_SCHEDULES)
def test_a_wrong_schedule_is_refused_by_name_and_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read(schedules=[{**SCHEDULE, **change}])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"schedules": SCHEDULE}, "schedules: must be a list"),
        ({"schedules": ["night"]}, "schedules[0]: must be an object"),
        ({"schedules": [{"name": "night"}]}, "schedules[0] (night).expression: is required"),
        ({"schedules": [SCHEDULE, SCHEDULE]}, "schedules: two have the name 'night'"),
        ({"triggers": [TRIGGER, TRIGGER]}, "triggers: two have the name 'asked'"),
        ({"triggers": [{"name": "asked"}]}, "triggers[0] (asked).pattern: is required"),
        ({"triggers": [{**TRIGGER, "pattern": {}}]}, "triggers[0] (asked).pattern: must be an event pattern"),
        ({"triggers": [{**TRIGGER, "pattern": {"Source": ["x"]}}]}, "triggers[0] (asked).pattern: must be an event"),
        ({"triggers": [{**TRIGGER, "pattern": {"source": "x"}}]}, "triggers[0] (asked).pattern.source: must be a list"),
        ({"triggers": [{**TRIGGER, "pattern": {"detail": ["x"]}}]}, "(asked).pattern.detail: must be an object"),
        ({"triggers": [{**TRIGGER, "eventBus": "a bus"}]}, "triggers[0] (asked).eventBus: must be the name or the ARN"),
    ],
)
def test_what_is_wrong_otherwise_is_refused_with_its_place(context: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read(**context)
    assert said in str(refused.value)
