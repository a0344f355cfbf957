from datetime import datetime, timedelta

import pytest

from infra.config.schedules import interval, moment, problem

RIGHT = [
    "cron(0 22 ? * MON-FRI *)",
    "cron(0/15 8-18 * * ? 2026-2030)",
    "cron(0 10 L * ? *)",
    "cron(0 10 L-3 * ? *)",
    "cron(0 10 L-30 * ? *)",
    "cron(0 10 LW * ? *)",
    "cron(0 10 15W * ? *)",
    "cron(0 10 ? * 6#3 *)",
    "cron(0 10 ? * FRI#1 *)",
    "cron(0 10 ? * 2L *)",
    "cron(0 10 ? * L *)",
    "cron(0 10 ? * MON-WED,fri *)",
    "cron(0 10 ? JAN,jul sun *)",
    "cron(0,30 */2 1,15 1-12/3 ? *)",
    "rate(1 minute)",
    "rate(12 hours)",
    "at(2026-12-01T22:00:00)",
]

WRONG = [
    ("", "none of these"),
    ("5 minutes", "none of these"),
    ("cron(0 22 * *)", "six fields"),
    ("cron(60 1 ? * * *)", "minutes: '60'"),
    ("cron(0 24 ? * * *)", "hours: '24'"),
    ("cron(0 1 32 * ? *)", "day-of-month: '32'"),
    ("cron(0 1 32W * ? *)", "day-of-month: '32W'"),
    ("cron(0 1 ? 13 * *)", "month: '13'"),
    ("cron(0 1 ? * 0 *)", "day-of-week: '0'"),
    ("cron(0 1 ? * MONDAY *)", "day-of-week: 'MONDAY'"),
    ("cron(0 1 ? * MON#6 *)", "day-of-week: 'MON#6'"),
    ("cron(0 1 ? * XYZL *)", "day-of-week: 'XYZL'"),
    ("cron(0 1 ? * 3#1,6#3 *)", "day-of-week: '3#1,6#3'"),
    ("cron(0 1 ? * MON,6L *)", "day-of-week: 'MON,6L'"),
    ("cron(0 1 ? * MON/2 *)", "day-of-week: 'MON/2'"),
    ("cron(0 1 ? * */2 *)", "day-of-week: '*/2'"),
    ("cron(0 1 ? * ?,MON *)", "day-of-week: '?,MON'"),
    ("cron(0 1 L,15 * ? *)", "day-of-month: 'L,15'"),
    ("cron(0 1 LW,1 * ? *)", "day-of-month: 'LW,1'"),
    ("cron(0 1 1,15W * ? *)", "day-of-month: '1,15W'"),
    ("cron(0 1 L-0 * ? *)", "day-of-month: 'L-0'"),
    ("cron(0 1 L-31 * ? *)", "day-of-month: 'L-31'"),
    ("cron(0  1 ? * * *)", "six fields"),
    ("cron(\u00b2 1 ? * * *)", "ASCII"),
    ("cron(\uff10 1 ? * * *)", "ASCII"),
    ("cron(0 1 ? * \u017fun *)", "ASCII"),
    ("rate(\uff15 minutes)", "ASCII"),
    (f"cron({'0,' * 120}0 1 ? * * *)", "more than 256"),
    ("rate(1000000 days)", "whole number from 1 to 999999"),
    ("cron(0 1 ? * * 1969)", "year: '1969'"),
    ("cron(*/0 1 ? * * *)", "minutes: '*/0'"),
    ("cron(1-2-3 1 ? * * *)", "minutes: '1-2-3'"),
    ("cron(? 1 ? * * *)", "minutes: '?'"),
    ("cron(0, 1 ? * * *)", "minutes: '0,'"),
    ("cron(0 10 * * * *)", "'?', and only one"),
    ("cron(0 10 ? * ? *)", "'?', and only one"),
    ("rate(0 minutes)", "whole number from 1"),
    ("rate(1 week)", "whole number from 1"),
    ("rate(1.5 hours)", "whole number from 1"),
    ("at(2026-13-01T22:00:00)", "2026-12-01T22:00:00"),
    ("at(2026-12-01 22:00)", "2026-12-01T22:00:00"),
    ("at(2026-12-01T22:00:00Z)", "time zone"),
]


@pytest.mark.parametrize("expression", RIGHT)
def test_an_expression_that_scheduler_takes_is_taken(expression: str) -> None:
    assert problem(expression) == ""


@pytest.mark.parametrize(("expression", "said"), WRONG)
def test_an_expression_that_scheduler_refuses_is_refused_with_the_part(expression: str, said: str) -> None:
    assert said in problem(expression)


def test_a_rate_has_an_interval() -> None:
    assert interval("rate(1 day)") == timedelta(days=1)
    assert interval("rate(90 minutes)") == timedelta(minutes=90)
    assert interval("cron(0 10 L * ? *)") is None


def test_an_at_has_a_moment() -> None:
    assert moment("at(2026-12-01T22:00:00)") == datetime(2026, 12, 1, 22)
    assert moment("rate(1 day)") is None
