"""What a wrong schedule or trigger says at synth: its place and name, the field, and the rule."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.config.event_patterns import MOST_TRIGGERS, OWN_SOURCE, Schedule, Trigger
from infra.config.rules import InvalidConfiguration
from infra.config.settings import Config

SCHEDULE: dict[str, Any] = {"name": "night", "expression": "rate(1 day)", "request": {"Name": "gold"}}
TRIGGER: dict[str, Any] = {"name": "asked", "pattern": {"source": ["my.app"]}}
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def read(**context: Any) -> Config:
    return Config.from_context({"stackName": "Night", **context}.get, NOW)


def with_pattern(**pattern: Any) -> dict[str, Any]:
    return {**TRIGGER, "pattern": {"source": ["my.app"], **pattern}}


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
    assert (schedule.start, schedule.end) == ("2026-11-30T23:00:00.000Z", "2027-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("expression", "start", "deployed"),
    [
        ("cron(0 2 ? * TUE *)", "2026-11-25T12:00:01Z", "2026-11-25T12:00:01.000Z"),
        # It begins at the next time anyway.
        ("cron(0 2 ? * TUE *)", "2026-11-25T12:00:00Z", None),
        ("cron(0 2 ? * TUE *)", "0001-01-01T00:00:00Z", None),
        # Without a start it would fire at once, and then by that time of the day.
        ("rate(1 day)", "2026-11-20T02:00:00Z", "2026-11-26T02:00:00.000Z"),
        ("rate(2 days)", "2026-11-20T02:00:00Z", "2026-11-26T02:00:00.000Z"),
        ("rate(5 hours)", "2026-11-25T02:00:00Z", "2026-11-25T12:00:00.000Z"),
        ("rate(1 day)", "2026-11-26T02:00:00Z", "2026-11-26T02:00:00.000Z"),
    ],
)
def test_a_start_that_is_past_is_never_deployed(expression: str, start: str, deployed: str | None) -> None:
    (schedule,) = read(schedules=[{**SCHEDULE, "expression": expression, "start": start}]).schedules
    assert schedule.start == deployed


@pytest.mark.parametrize(
    ("change", "is_over"),
    [
        ({"end": "2026-11-25T11:00:00Z"}, False),
        ({"end": "2026-11-25T10:59:59Z"}, True),
        ({"end": "2026-11-25T10:59:59Z", "flexibleWindowMinutes": 1}, False),
        ({"expression": "at(2026-11-25T11:00:00)"}, False),
        ({"expression": "at(2026-11-25T10:59:59)"}, True),
        ({"expression": "at(2026-11-25T12:00:00)", "timezone": "Europe/Berlin"}, False),
        ({"expression": "at(2026-11-25T11:59:59)", "timezone": "Europe/Berlin"}, True),
        ({"expression": "at(2026-11-25T10:59:59)", "flexibleWindowMinutes": 1}, False),
        ({"expression": "at(0001-01-01T00:00:00)", "timezone": "Asia/Tokyo"}, True),
        ({"expression": "at(9999-12-31T23:59:59)", "timezone": "America/New_York"}, False),
        # No time of the rate is left before the end.
        ({"expression": "rate(7 days)", "start": "2026-11-24T02:00:00Z", "end": "2026-11-30T00:00:00Z"}, True),
    ],
)
def test_a_schedule_that_is_over_is_left_out_and_fails_no_deployment(change: dict[str, Any], is_over: bool) -> None:
    assert (read(schedules=[{**SCHEDULE, **change}]).schedules == ()) is is_over


def test_a_schedule_that_is_over_is_checked_as_any_other() -> None:
    over = {**SCHEDULE, "end": "2020-01-01T00:00:00Z"}
    with pytest.raises(InvalidConfiguration, match=r"schedules\[0\] \(night\)\.timezone"):
        read(schedules=[{**over, "timezone": "Berlin"}])
    with pytest.raises(InvalidConfiguration, match="there are two of 'night'"):
        read(schedules=[over, SCHEDULE])


def test_a_trigger_is_read() -> None:
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/images"
    (trigger,) = read(triggers=[{**TRIGGER, "eventBus": bus}]).triggers
    assert trigger == Trigger("asked", bus, {"source": ["my.app"]}, "start", True)


WRONG_SCHEDULES = [
    ({"expression": "cron(0 25 ? * * *)"}, "schedules[0] (night).expression: must be cron("),
    ({"expression": "cron(0 25 ? * * *)"}, "hours: '25'"),
    ({"expression": 5}, "schedules[0] (night).expression: must be cron("),
    ({"expression": None}, "schedules[0] (night).expression: must not be null"),
    ({"expression": ["rate(1 day)"]}, "schedules[0] (night).expression: must be cron("),
    ({"expression": "rate(1 day)\n"}, "schedules[0] (night).expression: must be cron("),
    ({"expression": "cron(\u00b2 1 ? * * *)"}, "schedules[0] (night).expression: must be cron("),
    ({"expression": f"cron({'9' * 5000} 1 ? * * *)"}, "more than 256"),
    ({"timezone": "Berlin"}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": ["UTC"]}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": ""}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": None}, "schedules[0] (night).timezone: must not be null"),
    ({"timezone": "localtime"}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": "Factory"}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"timezone": "../etc/passwd"}, "schedules[0] (night).timezone: must be an IANA time zone"),
    ({"request": {"name": "gold"}}, "schedules[0] (night).request: Name: is required"),
    ({"request": {"Name": "gold", "StopAfterMinutes": 0}}, "schedules[0] (night).request: StopAfterMinutes: must be"),
    ({"request": "gold"}, "schedules[0] (night).request: the input must be a JSON object"),
    ({"request": None}, "schedules[0] (night).request: must not be null"),
    ({"request": []}, "schedules[0] (night).request: the input must be a JSON object"),
    ({"request": {"Name": None}}, "schedules[0] (night).request: Name: must be"),
    ({"request": {"Name": "gold", "TimeoutMinutes": float("nan")}}, "schedules[0] (night).request: TimeoutMinutes"),
    (
        {"request": {"detail-type": float("nan"), "detail": {"Name": "a"}}},
        "schedules[0] (night).request: must be what JSON",
    ),
    ({"request": {"detail-type": "a" * 262_144, "detail": {"Name": "a"}}}, "request: must be at most 262144 bytes"),
    ({"workflow": "fleet", "request": {"ImageBuilders": []}}, "schedules[0] (night).request: ImageBuilders: must be"),
    ({"workflow": "fleet", "request": {"ImageBuilders": [[]]}}, "(night).request: ImageBuilders[0]: Name: must be"),
    ({"workflow": "stop", "request": {"Name": "gold", "DryRun": True}}, 'request: "DryRun": is not a field'),
    ({"workflow": "begin"}, "schedules[0] (night).workflow: must be one of start, stop"),
    ({"workflow": ["start"]}, "schedules[0] (night).workflow: must be one of start, stop"),
    ({"workflow": {}}, "schedules[0] (night).workflow: must be one of start, stop"),
    ({"workflow": None}, "schedules[0] (night).workflow: must not be null"),
    ({"flexibleWindowMinutes": 1441}, "schedules[0] (night).flexibleWindowMinutes: must be an integer from 0 to 1440"),
    ({"flexibleWindowMinutes": True}, "schedules[0] (night).flexibleWindowMinutes: must be an integer"),
    ({"flexibleWindowMinutes": -1}, "schedules[0] (night).flexibleWindowMinutes: must be an integer"),
    ({"flexibleWindowMinutes": 1.5}, "schedules[0] (night).flexibleWindowMinutes: must be an integer"),
    ({"flexibleWindowMinutes": "15"}, "schedules[0] (night).flexibleWindowMinutes: must be an integer"),
    ({"flexibleWindowMinutes": None}, "schedules[0] (night).flexibleWindowMinutes: must not be null"),
    ({"enabled": "maybe"}, "schedules[0] (night).enabled: must be true or false"),
    ({"enabled": None}, "schedules[0] (night).enabled: must not be null"),
    ({"enabled": 0}, "schedules[0] (night).enabled: must be true or false"),
    ({"enabled": []}, "schedules[0] (night).enabled: must be true or false"),
    ({"start": "2026-12-01"}, "schedules[0] (night).start: must be a date and time with an offset"),
    ({"start": "2026-12-01T00:00:00"}, "schedules[0] (night).start: must be a date and time with an offset"),
    ({"start": "0001-01-01T00:00:00+14:00"}, "schedules[0] (night).start: must be a date and time with an offset"),
    ({"start": None}, "schedules[0] (night).start: must not be null"),
    ({"end": 5}, "schedules[0] (night).end: must be a date and time with an offset"),
    ({"end": ""}, "schedules[0] (night).end: must be a date and time with an offset"),
    ({"end": "9999-12-31T23:59:59-14:00"}, "schedules[0] (night).end: must be a date and time with an offset"),
    (
        {"expression": "at(2026-12-01T22:00:00)", "start": "2026-11-30T00:00:00Z"},
        "schedules[0] (night).start: Scheduler ignores it for at(...)",
    ),
    (
        {"expression": "at(2026-12-01T22:00:00)", "end": "2026-12-30T00:00:00Z"},
        "schedules[0] (night).end: Scheduler ignores it for at(...)",
    ),
    ({"start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "schedules[0] (night).end: must be after start"),
    ({"name": "a b"}, "schedules[0] (a b).name: must be a name of 1 to 64"),
    ({"name": ""}, "schedules[0] ().name: must be a name of 1 to 64"),
    ({"name": "n\u00e4chtlich"}, ".name: must be a name of 1 to 64"),
    ({"name": "a" * 65}, ".name: must be a name of 1 to 64"),
    ({"name": 5}, "schedules[0].name: must be a name of 1 to 64"),
    ({"name": None}, "schedules[0].name: must not be null"),
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
        ({"schedules": {}}, "schedules: must be a list"),
        ({"schedules": 0}, "schedules: must be a list"),
        ({"schedules": False}, "schedules: must be a list"),
        ({"schedules": ""}, "schedules: must be a list"),
        ({"schedules": "[{"}, "schedules: must be a list"),
        ({"schedules": "[" * 100_000}, "schedules: must be a list"),
        ({"schedules": json.dumps([{**SCHEDULE, "enabled": None}])}, "schedules[0] (night).enabled: must not be null"),
        ({"schedules": [None]}, "schedules[0]: must be an object"),
        ({"schedules": [json.dumps(SCHEDULE)]}, "schedules[0]: must be an object"),
        ({"schedules": [{**SCHEDULE, "name": str(index)} for index in range(301)]}, "schedules, triggers: must fit"),
        ({"schedules": [SCHEDULE, SCHEDULE]}, "schedules: there are two of 'night'"),
        ({"triggers": [TRIGGER, TRIGGER]}, "triggers: there are two of 'asked'"),
        (
            {"triggers": [{**TRIGGER, "name": str(index)} for index in range(MOST_TRIGGERS + 1)]},
            "triggers: must be at most 9",
        ),
        ({"triggers": "null"}, "triggers: must be a list"),
        ({"triggers": [[]]}, "triggers[0]: must be an object"),
        ({"triggers": [{**TRIGGER, "request": {"Name": "a"}}]}, "triggers[0] (asked).request: there is no such key"),
        ({"triggers": [{**TRIGGER, "name": "a/b"}]}, "triggers[0] (a/b).name: must be a name"),
        ({"triggers": [{**TRIGGER, "workflow": ["start"]}]}, "triggers[0] (asked).workflow: must be one of"),
        ({"triggers": [{**TRIGGER, "enabled": None}]}, "triggers[0] (asked).enabled: must not be null"),
        ({"triggers": [{**TRIGGER, "enabled": 1}]}, "triggers[0] (asked).enabled: must be true or false"),
        ({"triggers": [{**TRIGGER, "eventBus": None}]}, "triggers[0] (asked).eventBus: must not be null"),
        ({"triggers": [{**TRIGGER, "eventBus": ""}]}, "triggers[0] (asked).eventBus: must be the name or the ARN"),
        (
            {"triggers": [{**TRIGGER, "eventBus": "b\u00fcs"}]},
            "triggers[0] (asked).eventBus: must be the name or the ARN",
        ),
        (
            {"triggers": [{**TRIGGER, "eventBus": "arn:aws:sqs:us-east-1:123456789012:ops"}]},
            "triggers[0] (asked).eventBus: must be the name or the ARN",
        ),
        ({"eventBus": "a bus"}, "eventBus: must be the name or the ARN"),
        ({"eventBus": []}, "eventBus: must be the name or the ARN"),
        ({"eventBus": ""}, "eventBus: must be the name or the ARN"),
        ({"triggers": [{"name": "asked"}]}, "triggers[0] (asked).pattern: is required"),
        ({"triggers": [{**TRIGGER, "pattern": {}}]}, "triggers[0] (asked).pattern.source: must be a list of sources"),
        ({"triggers": [{**TRIGGER, "pattern": None}]}, "triggers[0] (asked).pattern: must not be null"),
        ({"triggers": [{**TRIGGER, "pattern": ["my.app"]}]}, "triggers[0] (asked).pattern: must be an event pattern"),
        ({"triggers": [{**TRIGGER, "pattern": {"Source": ["x"]}}]}, "triggers[0] (asked).pattern: must be an event"),
        ({"triggers": [{**TRIGGER, "pattern": {"source": "x"}}]}, "triggers[0] (asked).pattern.source: must be a list"),
        ({"triggers": [with_pattern(detail=["x"])]}, "(asked).pattern.detail: must be an object"),
        ({"triggers": [with_pattern(detail={})]}, "(asked).pattern.detail: must be a list of what matches, or"),
        (
            {"triggers": [with_pattern(detail={"Name": "a"})]},
            "(asked).pattern.detail.Name: must be a list of what matches",
        ),
        ({"triggers": [with_pattern(detail={"a": {"b": []}})]}, "(asked).pattern.detail.a.b: must be a list of what"),
        ({"triggers": [with_pattern(detail={"a": [["b"]]})]}, "(asked).pattern.detail.a[0]: must be a text, a number"),
        ({"triggers": [with_pattern(detail={"a": [{}]})]}, "(asked).pattern.detail.a[0]: must be a text, a number"),
        ({"triggers": [with_pattern(detail={"a": [{"Prefix": "b"}]})]}, "(asked).pattern.detail.a[0]: must be a text"),
        ({"triggers": [with_pattern(detail={"$or": [{"a": ["b"]}]})]}, "(asked).pattern.detail.$or[0]: must be a text"),
        (
            {"triggers": [with_pattern(detail={"$or": [{"a": ["b"]}, 5]})]},
            "(asked).pattern.detail.$or[1]: must be an obj",
        ),
        ({"triggers": [with_pattern(detail={"$or": [{"a": ["b"]}, {"c": 5}]})]}, "detail.$or[1].c: must be a list"),
        ({"triggers": [with_pattern(detail={"a": ["b" * 2048]})]}, "(asked).pattern: must be at most 2048 bytes long"),
        ({"triggers": [with_pattern(detail={"a": [float("inf")]})]}, "(asked).pattern: must be what JSON can hold"),
        ({"triggers": [with_pattern(detail={"a": ["\ud800"]})]}, "(asked).pattern: must be what JSON can hold"),
        ({"triggers": [with_pattern(**{"detail-type": "x"})]}, "(asked).pattern.detail-type: must be a list"),
        ({"triggers": [with_pattern(**{"detail-type": []})]}, "(asked).pattern.detail-type: must be a list"),
        (
            {"triggers": [with_pattern(**{"$or": [{"source": ["a"]}, {"id": ["b"]}]})]},
            "pattern: must be an event pattern",
        ),
        ({"triggers": [{**TRIGGER, "eventBus": "a bus"}]}, "triggers[0] (asked).eventBus: must be the name or the ARN"),
    ],
)
def test_what_is_wrong_otherwise_is_refused_with_its_place(context: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read(**context)
    assert said in str(refused.value)


LOOPS = [
    None,
    [],
    "my.app",
    [OWN_SOURCE],
    ["my.app", OWN_SOURCE],
    [{"prefix": "start"}],
    [{"prefix": ""}],
    [{"wildcard": "*"}],
    [{"anything-but": "my.app"}],
    [{"equals-ignore-case": "START-IMAGE-BUILDER"}],
    [{"exists": True}],
    [None],
    [5],
    # Step Functions tells there of each run that fails.
    ["aws.states"],
]


@pytest.mark.parametrize("source", LOOPS)
def test_a_trigger_cannot_start_runs_by_what_runs_bring_about(source: object) -> None:
    pattern = {"detail-type": ["Image Builder Start Failed"]} | ({} if source is None else {"source": source})
    with pytest.raises(InvalidConfiguration) as refused:
        read(triggers=[{**TRIGGER, "pattern": pattern}])
    assert str(refused.value).startswith("triggers[0] (asked).pattern.source: must be a list of sources")


def test_the_source_that_a_trigger_refuses_is_the_one_that_is_announced() -> None:
    schema = json.loads((Path(__file__).parents[3] / "docs" / "events.schema.json").read_text("utf-8"))
    assert schema["properties"]["source"]["const"] == OWN_SOURCE


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["my.app", "aws.partner/example.com/orders"]},
        {"detail-type": [{"prefix": "Start"}], "detail": {"Name": [{"wildcard": "gold-*"}], "DryRun": [True, None, 1]}},
        {"detail": {"$or": [{"Name": ["a"]}, {"StopAfterMinutes": [{"numeric": ["<", 60]}]}]}},
    ],
)
def test_a_pattern_may_say_what_event_patterns_can(pattern: dict[str, Any]) -> None:
    (trigger,) = read(triggers=[with_pattern(**pattern)]).triggers
    assert trigger.pattern == {"source": ["my.app"], **pattern}
