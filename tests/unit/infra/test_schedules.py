"""Schedule expressions, and what a wrong schedule says at synth: its place and name, the key, and the rule."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from infra.config.schedules import CONTRACTS, Cron, Schedule, parse, utc
from infra.config.settings import InvalidSettings, Settings
from lambdas.image_builder.request import STARTED_BY_EXECUTION

SCHEDULE: dict[str, Any] = {"name": "night", "expression": "rate(1 day)", "request": {"Name": "gold"}}
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def load(*schedules: object) -> list[Schedule]:
    return Settings.load({"stackName": "Night", "schedules": [*schedules]}, now=NOW).schedules


def refused(change: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        load(SCHEDULE | change)
    return caught.value.problems


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("cron(0 22 ? * FRI-MON *)", [1, 2, 6, 7, 8]),
        ("cron(0 22 ? * MON-TUE,fri *)", [2, 3, 6]),
        ("cron(0 10 1/3 JAN,mar ? 2026-2030)", [1, 4, 7]),
        ("cron(0 10 2 1-12/2 ? *)", [2]),
        ("cron(0 10 2 2-12/2 ? *)", []),
        ("cron(0 10 */5 * ? 2025/2)", []),
        # These may be any day: only Scheduler works them out.
        *((f"cron(0 10 {day} * ? *)", [*range(1, 9)]) for day in ("L", "L-3", "LW", "15W")),
        *((f"cron(0 10 ? * {day} *)", [*range(1, 9)]) for day in ("L", "2L", "FRIL", "6#3", "FRI#1")),
    ],
)
def test_a_cron_expression_fires_on_its_days(expression: str, days: list[int]) -> None:
    """In the first eight days of March 2026; the first is a Sunday."""
    cron = parse(expression)
    assert isinstance(cron, Cron)
    assert [day for day in range(1, 9) if cron.may_fire_on(date(2026, 3, day))] == days


def test_hours_and_minutes_have_steps_and_ranges() -> None:
    cron = parse("cron(0/15,5 22-2 * * ? *)")
    assert isinstance(cron, Cron)
    assert (sorted(cron.minutes), sorted(cron.hours)) == ([0, 5, 15, 30, 45], [0, 1, 2, 22, 23])


WRONG_EXPRESSIONS = {
    "cron(minutes hours": ["", "5 minutes", "cron(0 1 ? * * *)\n", "at(2026-12-01 22:00)", "at(2026-12-01T22:00:00Z)"],
    "rate(12 hours)": ["rate(0 minutes)", "rate(1 week)", "rate(1.5 hours)", "rate(1 minutes)", "rate(5 minute)"],
    "six fields": ["cron(0 22 * *)", "cron(0  1 ? * * *)"],
    "minutes: must be from": [
        f"cron({text} 1 ? * * *)" for text in ("60", "*/0", "0/60", "1-2-3", "?", "0,", "-5", "L", "\uff10")
    ],
    "hours: must be from 0 to 23, not '24'": ["cron(0 24 ? * * *)"],
    "day-of-month: must be from": [
        f"cron(0 1 {day} * ? *)" for day in ("32", "32W", "L,15", "LW,1", "1,15W", "L-0", "L-31")
    ],
    "month: must be from 1 to 12, not '13'": ["cron(0 1 ? 13 * *)"],
    "day-of-week: must be from": [
        f"cron(0 1 ? * {day} *)"
        for day in ("0", "MONDAY", "MON#6", "XYZL", "3#1,6#3", "MON,6L", "MON/2", "*/2", "?,MON")
    ],
    "year: must be from": ["cron(0 1 ? * * 1969)", "cron(0 1 ? * * 2030-2026)"],
    "'?' as day-of-month or as day-of-week": ["cron(0 10 * * * *)", "cron(0 10 ? * ? *)"],
    "it would never fire": ["cron(0 18 30 2 ? *)", "cron(0 18 31 4,6 ? *)"],
    "month must be in 1..12": ["at(2026-13-01T22:00:00)"],
}


@pytest.mark.parametrize(
    ("rule", "expression"),
    [(rule, expression) for rule, several in WRONG_EXPRESSIONS.items() for expression in several],
)
def test_an_expression_that_scheduler_refuses_is_refused_with_the_part(rule: str, expression: str) -> None:
    (problem,) = refused({"expression": expression})
    assert problem.startswith("schedules[0] (night).expression: ")
    assert rule in problem


@pytest.mark.parametrize(
    ("expression", "timezone", "moment"),
    [
        ("cron(30 2 * * ? *)", "Europe/Berlin", datetime(2027, 3, 28, 2, 30)),
        ("cron(0 2 ? * TUE *)", "Europe/Berlin", None),
        ("cron(0 2 ? * SUN *)", "America/New_York", datetime(2027, 3, 14, 2)),
        ("cron(0 3 * * ? *)", "Europe/Berlin", None),
        ("cron(0 2 * * ? *)", "UTC", None),
        # At 2 there it is 3 already, when it fires anyway; at 3 it does not.
        ("cron(0/15 * * * ? *)", "Europe/Berlin", None),
        ("cron(15 0,2 * * ? *)", "Europe/Berlin", datetime(2027, 3, 28, 2, 15)),
        # By half an hour only.
        ("cron(15 2 * * ? *)", "Australia/Lord_Howe", datetime(2027, 10, 3, 2, 15)),
        ("cron(45 2 * * ? *)", "Australia/Lord_Howe", None),
        ("rate(1 day)", "Europe/Berlin", None),
        ("cron(30 2 1 1 ? *)", "Europe/Berlin", None),
    ],
)
def test_a_time_in_a_daylight_saving_gap_is_warned_of(expression: str, timezone: str, moment: datetime | None) -> None:
    settings = {"stackName": "Night", "schedules": [SCHEDULE | {"expression": expression, "timezone": timezone}]}
    warnings = Settings.load(settings, now=NOW).warnings(NOW)
    assert len(warnings) == (moment is not None)
    assert all(f"(night): EventBridge Scheduler skips {moment:%Y-%m-%d %H:%M}" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("expression", "start", "deployed"),
    [
        ("cron(0 2 ? * TUE *)", "2026-11-25T12:00:01Z", "2026-11-25T12:00:01.000Z"),
        ("cron(0 2 ? * TUE *)", "2026-12-01T00:00:00+01:00", "2026-11-30T23:00:00.000Z"),
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
    (schedule,) = load(SCHEDULE | {"expression": expression, "start": start})
    assert utc(schedule.start) == deployed


@pytest.mark.parametrize(
    ("change", "expired"),
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
        ({"expression": "cron(0 18 1 1 ? 2020)"}, True),
        ({"expression": "cron(0 11 25 11 ? 2026)"}, False),
        ({"expression": "cron(0 18 1 1 ? 2020-2027)"}, False),
        ({"expression": "cron(0 18 1 1 ? 2027)", "start": "2028-01-01T00:00:00Z"}, True),
        # No time of the rate is left before the end.
        ({"expression": "rate(7 days)", "start": "2026-11-24T02:00:00Z", "end": "2026-11-30T00:00:00Z"}, True),
        ({"expression": "rate(7 days)", "start": "2026-11-24T02:00:00Z", "end": "2026-12-02T00:00:00Z"}, False),
    ],
)
def test_an_expired_schedule_is_left_out_and_fails_no_deployment(change: dict[str, Any], expired: bool) -> None:
    assert (load(SCHEDULE | change) == []) is expired


def test_an_expired_schedule_is_checked_as_any_other() -> None:
    expired = {"end": "2020-01-01T00:00:00Z"}
    assert refused({**expired, "timezone": "Berlin"})
    with pytest.raises(InvalidSettings, match='there are two of "night"'):
        load(SCHEDULE | expired, SCHEDULE)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"request": {"name": "gold"}}, "request: Name: is required"),
        ({"request": {"Name": "gold", "StopAfterMinutes": 0}}, "request: StopAfterMinutes: must be an integer"),
        ({"request": {"Name": "gold", "TimeoutMinutes": float("nan")}}, "request: TimeoutMinutes: must be"),
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: float("nan")}}, "request: Out of range float values"),
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: "a" * 261_844}}, "request: must be at most 261844 bytes"),
        # Six times as long once it is escaped, as the template has it.
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: "\u00e4" * 44_000}}, "request: must be at most 261844 bytes"),
        ({"workflow": "fleet", "request": {"ImageBuilders": []}}, "request: ImageBuilders: must be"),
        ({"workflow": "fleet", "request": {"ImageBuilders": [[]]}}, "request: ImageBuilders[0]: Name: must be"),
        ({"workflow": "stop", "request": {"Name": "gold", "DryRun": True}}, 'request: "DryRun": is not a field'),
        ({"start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "end: must be after start"),
        ({"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "end: must be after start"),
    ],
)
def test_a_wrong_request_and_keys_that_do_not_go_together_are_refused(change: dict[str, Any], problem: str) -> None:
    (found,) = refused(change)
    assert found.startswith(f"schedules[0] (night).{problem}")


@pytest.mark.parametrize(
    ("workflow", "request_"),
    [
        ("start", {"Name": "gold", "StopAfterMinutes": 240}),
        ("start", {"detail-type": "Start", "detail": {"Name": "gold"}}),
        ("stop", {"Name": "gold"}),
        ("fleet", {"ImageBuilders": ["a", "b"]}),
    ],
)
def test_each_workflow_accepts_a_scheduled_request_in_its_event(workflow: str, request_: dict[str, Any]) -> None:
    (schedule,) = load(SCHEDULE | {"workflow": workflow, "request": request_})
    # An emulator delivers the keywords as they are.
    assert CONTRACTS[workflow](json.loads(schedule.input)) == CONTRACTS[workflow](request_)
