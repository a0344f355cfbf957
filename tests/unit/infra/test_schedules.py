"""Schedule expressions, and what a wrong schedule says at synth: its place and name, the key, and the rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.config.schedules import Cron, Schedule, parse, utc
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
        ("cron(0 22 ? * FRI-MON *)", [1, 2, 6, 7, 8, 9, 13, 14, 15, 16, 20, 21, 22, 23, 27, 28, 29, 30]),
        ("cron(0 22 ? * MON-WED,fri *)", [2, 3, 4, 6, 9, 10, 11, 13, 16, 17, 18, 20, 23, 24, 25, 27, 30, 31]),
        ("cron(0 10 L * ? *)", [31]),
        ("cron(0 10 L-3 * ? *)", [28]),
        ("cron(0 10 L-30 * ? *)", [1]),
        ("cron(0 10 LW * ? *)", [31]),
        # A Sunday, and a Saturday: the nearest weekday of the same month.
        ("cron(0 10 15W * ? *)", [16]),
        ("cron(0 10 1W * ? *)", [2]),
        ("cron(0 10 28W * ? *)", [27]),
        ("cron(0 10 ? * 6#3 *)", [20]),
        ("cron(0 10 ? * FRI#1 *)", [6]),
        ("cron(0 10 ? * SUN#5 *)", [29]),
        ("cron(0 10 ? * 2L *)", [30]),
        ("cron(0 10 ? * L *)", [7, 14, 21, 28]),
        ("cron(0 10 1,15 1-12/2 ? *)", [1, 15]),
        ("cron(0 10 1/10 JAN,mar ? 2026-2030)", [1, 11, 21, 31]),
        ("cron(0 10 */15 * ? 2025/2)", []),
    ],
)
def test_a_cron_expression_fires_on_its_days(expression: str, days: list[int]) -> None:
    """In March 2026, of which the first day is a Sunday."""
    cron = parse(expression)
    assert isinstance(cron, Cron)
    fires = datetime(2026, 3, 1, max(cron.hours), max(cron.minutes))
    assert [day + 1 for day in range(31) if cron.fires(fires + timedelta(days=day))] == (
        days if 2026 in cron.years else []
    )


def test_hours_and_minutes_have_steps_and_ranges() -> None:
    cron = parse("cron(0/15,5 22-2 * * ? *)")
    assert isinstance(cron, Cron)
    assert (sorted(cron.minutes), sorted(cron.hours)) == ([0, 5, 15, 30, 45], [0, 1, 2, 22, 23])
    assert cron.last == datetime(2199, 12, 31, 23, 45)


def test_a_rate_is_an_interval_and_an_at_a_moment() -> None:
    assert parse("rate(1 day)") == timedelta(days=1)
    assert parse("rate(90 minutes)") == timedelta(minutes=90)
    assert parse("at(2026-12-01T22:00:00)") == datetime(2026, 12, 1, 22)


WRONG_EXPRESSIONS = {
    "is none of these": ["", "5 minutes", "cron(0 1 ? * * *)\n"],
    "six fields": ["cron(0 22 * *)", "cron(0  1 ? * * *)"],
    "minutes: ": [f"cron({text} 1 ? * * *)" for text in ("60", "*/0", "0/60", "1-2-3", "?", "0,", "-5", "L")],
    "hours: '24'": ["cron(0 24 ? * * *)"],
    "day-of-month: ": [f"cron(0 1 {day} * ? *)" for day in ("32", "32W", "L,15", "LW,1", "1,15W", "L-0", "L-31")],
    "month: '13'": ["cron(0 1 ? 13 * *)"],
    "day-of-week: ": [
        f"cron(0 1 ? * {day} *)"
        for day in ("0", "MONDAY", "MON#6", "XYZL", "3#1,6#3", "MON,6L", "MON/2", "*/2", "?,MON")
    ],
    "year: ": ["cron(0 1 ? * * 1969)", "cron(0 1 ? * * 2030-2026)"],
    "'?', and only one": ["cron(0 10 * * * *)", "cron(0 10 ? * ? *)"],
    "it would never fire": ["cron(0 18 30 2 ? *)", "cron(0 18 L-30 4,6 ? *)", "cron(0 18 29 2 ? 2027)"],
    "ASCII": ["cron(\u00b2 1 ? * * *)", "cron(\uff10 1 ? * * *)", "cron(0 1 ? * \u017fun *)", "rate(\uff15 minutes)"],
    "more than 256": [f"cron({'0,' * 120}0 1 ? * * *)", f"cron({'9' * 5000} 1 ? * * *)"],
    "whole number from 1 to 999999": [
        f"rate({text})"
        for text in ("0 minutes", "1 week", "1.5 hours", "1000000 days", "1 minutes", "5 minute", "01 day")
    ],
    "there is not": ["at(2026-13-01T22:00:00)"],
    "2026-12-01T22:00:00": ["at(2026-12-01 22:00)", "at(2026-12-01T22:00:00Z)"],
}


@pytest.mark.parametrize(
    ("why", "expression"), [(why, expression) for why, several in WRONG_EXPRESSIONS.items() for expression in several]
)
def test_an_expression_that_scheduler_refuses_is_refused_with_the_part(why: str, expression: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(expression)
    assert why in str(caught.value)
    (problem,) = refused({"expression": expression})
    assert problem.startswith("schedules[0] (night).expression: must be cron(minutes hours")
    assert problem.endswith(str(caught.value))


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
        ("at(2027-03-28T02:30:10)", "Europe/Berlin", datetime(2027, 3, 28, 2, 30)),
    ],
)
def test_a_time_in_a_daylight_saving_gap_is_warned_of(expression: str, timezone: str, moment: datetime | None) -> None:
    settings = {"stackName": "Night", "schedules": [SCHEDULE | {"expression": expression, "timezone": timezone}]}
    warnings = Settings.load(settings, now=NOW).warnings(NOW)
    assert len(warnings) == (moment is not None)
    assert all(f"(night): EventBridge Scheduler skips {moment:%Y-%m-%d %H:%M}" in warning for warning in warnings)


@pytest.mark.parametrize("change", [{"enabled": False}, {"end": "2027-03-28T00:59:59Z"}])
def test_a_schedule_that_does_not_fire_then_is_not_warned_of(change: dict[str, Any]) -> None:
    schedule = {**SCHEDULE, "expression": "cron(30 2 * * ? *)", "timezone": "Europe/Berlin"}
    assert len(Settings.load({"stackName": "Night", "schedules": [schedule]}, now=NOW).warnings(NOW)) == 1
    assert Settings.load({"stackName": "Night", "schedules": [schedule | change]}, now=NOW).warnings(NOW) == []


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
        ({"expression": "cron(0 18 1 1 ? 2027)", "start": "2027-02-01T00:00:00Z"}, True),
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
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: float("nan")}}, "request: must be what JSON can hold"),
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: "\ud800"}}, "request: must be what JSON can hold"),
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: "a" * 261_844}}, "request: must be at most 261844 bytes"),
        # Six times as long once it is escaped, as the template has it.
        ({"request": {"Name": "a", STARTED_BY_EXECUTION: "\u00e4" * 44_000}}, "request: must be at most 261844 bytes"),
        ({"workflow": "fleet", "request": {"ImageBuilders": []}}, "request: ImageBuilders: must be"),
        ({"workflow": "fleet", "request": {"ImageBuilders": [[]]}}, "request: ImageBuilders[0]: Name: must be"),
        ({"workflow": "stop", "request": {"Name": "gold", "DryRun": True}}, 'request: "DryRun": is not a field'),
        ({"expression": "at(2026-12-01T22:00:00)", "start": "2026-11-30T00:00:00Z"}, "start: Scheduler ignores it"),
        ({"expression": "at(2026-12-01T22:00:00)", "end": "2026-12-30T00:00:00Z"}, "end: Scheduler ignores it for at"),
        ({"start": "2026-12-02T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "end: must be after start"),
        ({"start": "2026-12-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"}, "end: must be after start"),
    ],
)
def test_a_wrong_request_and_keys_that_do_not_go_together_are_refused(change: dict[str, Any], problem: str) -> None:
    (found,) = refused(change)
    assert found.startswith(f"schedules[0] (night).{problem}")
