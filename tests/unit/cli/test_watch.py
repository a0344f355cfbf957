"""The live view: what a terminal shows, and what is left of it where there is none."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from cli import watch
from cli.account import AccountError
from cli.history import Run, clock
from tests.unit.cli.test_history import (
    ACCEPTED,
    ARN,
    START,
    WAIT,
    Event,
    answered,
    called,
    ended,
    entered,
    failed,
    poll,
    run,
    succeeded,
)


class Answers:
    """Step Functions as the live view uses it: an execution whose events become known in stages.

    A stage that is an error is the answer to a request for the history.
    """

    def __init__(self, *stages: Run | Exception, earlier: tuple[tuple[Any, Any], ...] | Exception = ()) -> None:
        """Args: earlier: the inputs and outputs of earlier executions."""
        self.stages = list(stages)
        self.earlier = earlier
        self.items: Any = DENIED

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803  # as boto3 names it
        request, output = given(self.earlier)[int(executionArn)]
        return {"executionArn": executionArn, "input": json.dumps(request), "output": json.dumps(output)}

    def list_executions(self, *, stateMachineArn: str, **_: Any) -> Any:  # noqa: N803
        assert stateMachineArn == "arn:aws:states:eu-west-1:123456789012:stateMachine:StartImageBuilder"
        return {"executions": [{"executionArn": str(index)} for index in range(len(given(self.earlier)))]}

    def describe_map_run(self, *, mapRunArn: str) -> Any:  # noqa: N803
        assert mapRunArn == "arn:of:the:map:run"
        return {"itemCounts": given(self.items)}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        stage = self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]
        return [{"events": given(stage).events[::-1]}]


def given(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "AnyOperation")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")
STARTED: tuple[Event, ...] = (
    *(entered(1, START), called(1), failed(2, "ThrottlingException", "Rate exceeded"), called(7)),
)
PENDING: tuple[Event, ...] = (*STARTED, answered(8, ACCEPTED), (8, "TaskStateExited", {"name": START}))
RUNNING = (*PENDING, succeeded(9, {"Outcome": "Running", "Started": True, "Advice": "Connect to it. " * 9}))
FAILED = (*PENDING, ended(9, "Failed", "E", json.dumps({"Route": "fail", "Message": "Full. " * 20, "Advice": "A."})))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.watch.time.sleep", lambda _: None)


def shown(*stages: Run | Exception, terminal: bool = False, **answers: Any) -> str:
    """What is printed of an execution that goes through these stages."""
    output = io.StringIO()
    colours = "standard" if terminal else None
    console = Console(file=output, force_terminal=terminal, color_system=colours, width=80, highlight=False)  # type: ignore[arg-type]
    watch.watch(Answers(*stages, **answers), ARN, console)  # type: ignore[arg-type]
    return output.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def drawn(now: watch._Now) -> str:
    output = io.StringIO()
    Console(file=output, force_terminal=True, width=80).print(now)
    return plain(output.getvalue())


def test_each_line_is_printed_once_as_it_happens_and_the_outcome_before_the_json() -> None:
    text = shown(run(*STARTED), run(*PENDING), run(*RUNNING))
    assert text.splitlines() == [
        "minutes  state",
        "  00:01  > Start image builder",
        "  00:02  ! ThrottlingException: Rate exceeded",
        "  00:07    trying again",
        "  00:08    AppStream accepted the start; the image builder is PENDING",
        "  00:09  = SUCCEEDED",
        "",
        "Execution SUCCEEDED ────────────────────────────────────────────────────────────",
        "gold is PENDING. This execution started it.",
        f"What to do: {'Connect to it. ' * 9}",
        "",
        *json.dumps({"Outcome": "Running", "Started": True, "Advice": "Connect to it. " * 9}, indent=2).splitlines(),
    ]


def test_without_a_terminal_there_is_no_control_character_and_no_line_is_cut() -> None:
    text = shown(run(*FAILED))
    assert "\x1b" not in text
    assert "Full. " * 20 in text
    assert json.loads(text[text.index("{") :])["Error"] == "E"


def styled(text: str, shown: str) -> set[str]:
    """The parameters of the control sequences that stand just before a text."""
    return set(re.findall(rf"\x1b\[([0-9;]+)m{re.escape(text)}", shown))


def test_failures_are_red_results_bold_steps_dim_and_only_a_success_has_a_green_rule() -> None:
    success, failure = (shown(run(*events), terminal=True) for events in (RUNNING, FAILED))
    assert styled("Start image builder", success) == {"2"}
    assert styled("AppStream accepted the start", success) == {"1"}
    assert styled("ThrottlingException", success) == {"1;31"}
    assert (styled("───", success), styled("───", failure)) == ({"32"}, {"31"})
    assert styled("Full.", failure) == {"1;31"}
    # Yellow, green, cyan and white cannot be read on white; blue not on black.
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?(3[3467]|9\d)m", success + failure)


def test_a_terminal_wraps_at_words_within_80_columns() -> None:
    lines = [line.rstrip() for line in plain(shown(run(*FAILED), terminal=True)).splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert f"{'Full. ' * 13}".rstrip() in lines
    assert not any(line.endswith(("Ful", "Fu")) for line in lines)


@pytest.mark.parametrize(
    ("earlier", "text"),
    [
        (
            (({"Name": "gold"}, {"Started": True, "WaitedSeconds": 480}), ({"Name": "x"}, {"Started": True})),
            "longer than the usual 08:00",
        ),
        ((({"Name": "gold"}, {"Started": False}), ({"Name": "gold"}, None)), "no earlier starts known"),
        (DENIED, "no earlier starts known"),
        (UNREACHABLE, "no earlier starts known"),
    ],
)
def test_progress_is_measured_by_earlier_starts_of_the_same_image_builder(earlier: Any, text: str) -> None:
    assert text in plain(shown(run(*STARTED), run(*RUNNING), terminal=True, earlier=earlier))


@pytest.mark.parametrize(("elapsed", "text"), [(0, "0% of the usual 15:00"), (7.5, "50% of"), (15.1, "longer than")])
def test_progress_is_a_part_of_the_usual_time(elapsed: float, text: str) -> None:
    seen = run(*STARTED)
    seen.began = datetime.now(UTC) - timedelta(minutes=elapsed)
    assert text in drawn(watch._Now(seen, 15 * 60))


def test_the_live_view_shows_the_attempt_and_its_last_error() -> None:
    assert "Start image builder: attempt 2, after ThrottlingException" in drawn(watch._Now(run(*STARTED), None))


def test_polls_that_find_nothing_new_are_counted_and_the_next_one_is_counted_down() -> None:
    decided: Event = (59, "ChoiceStateExited", {"name": "Evaluate", "assignedVariables": {"pollSeconds": "30"}})
    waiting = run(*poll(0, "PENDING", "PENDING", "PENDING"), decided, entered(180, WAIT, "Wait"))
    waiting.began = datetime.now(UTC) - timedelta(seconds=185.5)
    text = drawn(watch._Now(waiting, None))
    assert "Wait before next poll: goes on in 00:24" in text
    assert "gold: PENDING, described 3 times" in text


def test_simulated_time_is_shown_beside_real_time() -> None:
    seen = run(entered(1, "Read request", "Pass"))
    seen.time_scale, seen.began = 0.01, datetime.now(UTC) - timedelta(seconds=6)
    assert "10:00 simulated, 00:06 real" in drawn(watch._Now(seen, None))


def test_minutes_may_have_three_digits() -> None:
    assert clock(7_265) == "121:05"


HOSTILE = "[/] [red]x[/red] :rocket: \x1b]0;t\x07\x9b2J\r\u202e\nnew line"
AS_SHOWN = r"[/] [red]x[/red] :rocket: \u001b]0;t\u0007\u009b2J\r\u202e\nnew line"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_text_by_somebody_else_is_shown_as_it_is_and_controls_nothing(terminal: bool) -> None:
    request = json.dumps({"Name": HOSTILE})
    events: tuple[Event, ...] = (entered(1, HOSTILE), called(1), failed(2, HOSTILE, HOSTILE))
    goes_on = run(*events, request=request)
    over = run(*events, ended(9, "Failed", HOSTILE, json.dumps(HOSTILE)), request=request)
    text = plain(shown(goes_on, over, terminal=terminal) + drawn(watch._Now(goes_on, 900)))
    assert {char for char in text if not char.isprintable()} <= {"\n", "\r"}
    assert "\r\u202e" not in text
    # Without the folding of lines and the columns of the table.
    assert re.sub(r"\s", "", text).count(re.sub(r"\s", "", AS_SHOWN)) >= 7


@pytest.mark.parametrize("trouble", [DENIED, UNREACHABLE])
def test_requests_may_fail_for_a_while_which_is_said_once(trouble: Exception) -> None:
    text = shown(run(*STARTED), trouble, trouble, run(*PENDING), trouble, run(*RUNNING))
    assert text.count("! The execution goes on, but reading its history failed; trying again: A") == 2
    assert text.index("trying again") < text.index("the image builder is PENDING")


def test_requests_that_fail_for_minutes_end_the_watch_and_not_the_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.watch.PATIENCE_SECONDS", -1)
    with pytest.raises(AccountError, match="The execution goes on, but is no longer watched: AWS cannot be reached"):
        shown(run(*STARTED), UNREACHABLE)


def test_a_first_request_that_fails_ends_the_watch_at_once() -> None:
    with pytest.raises(AccountError, match=r"^AnyOperation failed with AccessDeniedException"):
        shown(DENIED)


MAP: tuple[Event, ...] = (
    entered(1, "Start each image builder", "Map"),
    (1, "MapRunStarted", {"mapRunArn": "arn:of:the:map:run"}),
)
FLEET = run(*MAP)


def test_a_fleet_shows_how_many_of_its_executions_have_ended() -> None:
    answers = Answers(FLEET)
    answers.items = {"total": 20, "pending": 4, "running": 13, "succeeded": 2, "failed": 0, "timedOut": 0, "aborted": 1}
    text = drawn(watch._Now(FLEET, None, watch._items(answers, FLEET)))  # type: ignore[arg-type]
    assert "3 of 20 ended, 13 running" in text
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())


def test_a_fleet_is_watched_without_permission_to_count_its_executions() -> None:
    assert "Execution SUCCEEDED" in shown(FLEET, FLEET, run(*MAP, succeeded(9, {})), terminal=True)
