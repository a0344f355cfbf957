import pytest

from infra.schedule_expression import problem

RIGHT = [
    "cron(0 22 ? * MON-FRI *)",
    "cron(0/15 8-18 * * ? 2026-2030)",
    "cron(0 10 L * ? *)",
    "cron(0 10 L-3 * ? *)",
    "cron(0 10 LW * ? *)",
    "cron(0 10 15W * ? *)",
    "cron(0 10 ? * 6#3 *)",
    "cron(0 10 ? * FRI#1 *)",
    "cron(0 10 ? * 2L *)",
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
    ("cron(0 1 ? * * 1969)", "year: '1969'"),
    ("cron(*/0 1 ? * * *)", "minutes: '*/0'"),
    ("cron(1-2-3 1 ? * * *)", "minutes: '1-2-3'"),
    ("cron(? 1 ? * * *)", "minutes: '?'"),
    ("cron(0, 1 ? * * *)", "minutes: '0,'"),
    ("cron(0 10 * * * *)", "'?', and only one"),
    ("cron(0 10 ? * ? *)", "'?', and only one"),
    ("rate(0 minutes)", "positive whole number"),
    ("rate(1 week)", "positive whole number"),
    ("rate(1.5 hours)", "positive whole number"),
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
