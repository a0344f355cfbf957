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
from cli.history import Run
from tests.unit.cli.test_history import ARN, answered, entered, failed, look, run


class Answers:
    """Step Functions, as far as watching asks it: an execution whose events become known in steps.

    A stage that is an error is what a look at the execution meets instead.
    """

    def __init__(self, *stages: Run | Exception, earlier: tuple[Run, ...] | Exception = ()) -> None:
        self.stages = list(stages)
        self.items: Any = DENIED
        self.earlier = earlier
        self.asked = 0

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803  # as boto3 names it
        if executionArn.startswith("earlier"):
            assert isinstance(self.earlier, tuple)
            return vars_of(self.earlier[int(executionArn.removeprefix("earlier"))])
        if len(self.stages) > 1 and self.asked:
            self.stages.pop(0)
        self.asked += 1
        return vars_of(given(self.stages[0]))

    def list_executions(self, *, stateMachineArn: str, **_: Any) -> Any:  # noqa: N803
        assert stateMachineArn == "arn:aws:states:eu-west-1:123456789012:stateMachine:StartImageBuilder"
        return {"executions": [{"executionArn": f"earlier{index}"} for index in range(len(given(self.earlier)))]}

    def describe_map_run(self, *, mapRunArn: str) -> Any:  # noqa: N803
        assert mapRunArn == "arn:of:the:map:run"
        return {"itemCounts": given(self.items)}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"events": given(self.stages[0]).events[::-1]}]


def given(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "AnyOperation")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


def vars_of(seen: Run) -> dict[str, Any]:
    return {
        "executionArn": seen.execution,
        "status": seen.status,
        "startDate": seen.began,
        "input": json.dumps(seen.input),
        "output": json.dumps(seen.output),
        "error": seen.error,
        "cause": json.dumps(seen.cause),
    }


Event = tuple[float, str, dict[str, Any]]
STARTED: tuple[Event, ...] = (
    entered(1, "Start image builder"),
    (1, "TaskScheduled", {}),
    failed(2, "ThrottlingException", "Rate exceeded"),
    (7, "TaskScheduled", {}),
)
PENDING: tuple[Event, ...] = (
    *STARTED,
    answered(8, look("PENDING", Started=True)),
    (8, "TaskStateExited", {"name": "Start"}),
)
ENDED: tuple[Event, ...] = (*PENDING, (9, "ExecutionSucceeded", {}))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.watch.time.sleep", lambda _: None)


def shown(answers: Answers, *, terminal: bool) -> tuple[Run, str]:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=80, highlight=False)
    return watch.watch(answers, ARN, console), output.getvalue()  # type: ignore[arg-type]


def drawn(now: watch._Now) -> str:
    output = io.StringIO()
    Console(file=output, force_terminal=True, width=80).print(now)
    return re.sub(r"\x1b\[[0-9;]*m", "", output.getvalue())


def test_each_line_is_said_once_as_it_happens_and_the_result_at_the_end() -> None:
    ended = run(*ENDED, status="SUCCEEDED", output='{"Outcome": "Running"}')
    seen, text = shown(Answers(run(*STARTED), run(*PENDING), ended), terminal=False)
    assert seen.status == "SUCCEEDED"
    assert text.splitlines()[:8] == [
        "minutes  state",
        "  00:01  > Start image builder",
        "  00:02  ! ThrottlingException: Rate exceeded",
        "  00:07    trying again",
        "  00:08    AppStream accepted the start; the image builder is PENDING",
        "  00:09  = SUCCEEDED",
        "",
        "Execution SUCCEEDED ────────────────────────────────────────────────────────────",
    ]
    assert '"Outcome": "Running"' in text


def test_without_a_terminal_there_is_no_control_character_and_no_line_is_cut() -> None:
    long = "Rate exceeded " * 20
    events = (*STARTED[:2], failed(2, "ThrottlingException", long))
    ended = run(*events, (9, "ExecutionFailed", {}), status="FAILED", error="X", cause="no JSON")
    _, text = shown(Answers(ended), terminal=False)
    assert "\x1b" not in text
    assert f"ThrottlingException: {long}" in text
    assert '"Cause": "no JSON"' in text


def test_a_terminal_shows_how_it_is_now_within_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = run(status="SUCCEEDED", output='{"Started": true, "WaitedSeconds": 480}')
    other = run(status="SUCCEEDED", output='{"Started": true, "WaitedSeconds": 9}', input='{"Name": "another"}')
    ended = run(*ENDED, status="SUCCEEDED", output="{}")
    _, text = shown(Answers(run(*STARTED), ended, earlier=(other, earlier)), terminal=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "Start image builder: try 2, after ThrottlingException" in plain
    assert "usually 08:00" in plain
    assert all(len(line.rstrip()) <= 80 for line in plain.splitlines())


@pytest.mark.parametrize(
    ("elapsed", "words"),
    [(0, "0% of the usual 15:00"), (450, "50% of the usual 15:00"), (901, "usually 15:00")],
)
def test_progress_is_told_against_the_usual_time(elapsed: float, words: str) -> None:
    assert watch._part(elapsed, watch.USUAL_SECONDS) == words


def test_the_next_look_is_counted_down() -> None:
    waiting = run(
        (1, "ChoiceStateExited", {"name": "Decide", "assignedVariables": {"pollSeconds": "30"}}),
        entered(1, "Read request", "Pass"),
        (1, "PassStateExited", {"name": "Read request", "assignedVariables": {"pollSeconds": "30"}}),
        entered(10, "Wait before next poll", "Wait"),
    )
    assert watch._doing(waiting.steps[-1], 15) == "Wait before next poll: goes on in 00:25"
    assert watch._doing(waiting.steps[-1], 60) == "Wait before next poll: goes on in 00:00"


def test_simulated_and_real_time_are_told_apart() -> None:
    output = io.StringIO()
    seen = run(entered(1, "Read request", "Pass"))
    seen.time_scale, seen.began = 0.01, datetime.now(UTC) - timedelta(seconds=6)
    Console(file=output, width=80).print(watch._Now(seen, watch.USUAL_SECONDS))
    assert "10:00 simulated, 00:06 real" in output.getvalue()


def test_minutes_may_have_three_digits() -> None:
    assert watch.clock(7_265) == "121:05"


HOSTILE = "[/] [red]x[/red] :rocket: \x1b]0;t\x07\x9b2J\r\u202e\nnew line"
AS_SHOWN = r"[/] [red]x[/red] :rocket: \u001b]0;t\u0007\u009b2J\r\u202e\nnew line"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_somebody_else_wrote_is_shown_as_it_is_and_controls_nothing(terminal: bool) -> None:
    events: tuple[Event, ...] = (entered(1, HOSTILE), (1, "TaskScheduled", {}), failed(2, HOSTILE, HOSTILE))
    goes_on = run(*events, input=json.dumps({"Name": HOSTILE}))
    ended = run(*events, (9, "ExecutionFailed", {}), status="FAILED", error=HOSTILE, cause=json.dumps(HOSTILE))
    _, text = shown(Answers(goes_on, ended), terminal=terminal)
    text += drawn(watch._Now(goes_on, 900))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert {char for char in plain if not char.isprintable()} <= {"\n", "\r"}
    assert "\r\u202e" not in plain
    # Without the folding of lines and the columns of the table.
    assert re.sub(r"\s", "", plain).count(re.sub(r"\s", "", AS_SHOWN)) >= 7


@pytest.mark.parametrize("trouble", [DENIED, UNREACHABLE])
def test_who_may_not_list_earlier_runs_sees_the_usual_time_of_any(trouble: Exception) -> None:
    answers = Answers(run(*STARTED), earlier=trouble)
    assert watch._usual_seconds(answers, run(*STARTED)) == watch.USUAL_SECONDS  # type: ignore[arg-type]


@pytest.mark.parametrize("trouble", [DENIED, UNREACHABLE])
def test_looks_may_fail_for_a_while_which_is_said_once(trouble: Exception) -> None:
    ended = run(*ENDED, status="SUCCEEDED", output="{}")
    seen, text = shown(Answers(run(*STARTED), trouble, trouble, run(*PENDING), trouble, ended), terminal=False)
    assert seen.status == "SUCCEEDED"
    assert text.count("! The execution goes on, but looking at it failed; trying again: A") == 2
    assert text.index("trying again") < text.index("the image builder is PENDING")


def test_looks_that_fail_for_minutes_end_the_watch_and_say_that_the_execution_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cli.watch.PATIENCE_SECONDS", -1)
    with pytest.raises(AccountError, match="The execution goes on, but is no longer watched: AWS cannot be reached"):
        shown(Answers(run(*STARTED), UNREACHABLE), terminal=False)


def test_a_first_look_that_fails_ends_the_watch_at_once() -> None:
    with pytest.raises(AccountError, match=r"^AnyOperation failed with AccessDeniedException"):
        shown(Answers(DENIED), terminal=False)


FLEET = run(entered(1, "Start each image builder", "Map"), (1, "MapRunStarted", {"mapRunArn": "arn:of:the:map:run"}))


def test_a_fleet_shows_how_many_of_its_runs_have_ended() -> None:
    answers = Answers(FLEET)
    answers.items = {"total": 20, "pending": 4, "running": 13, "succeeded": 2, "failed": 0, "timedOut": 0, "aborted": 1}
    now = watch._Now(FLEET, watch.USUAL_SECONDS, watch._items(answers, FLEET))  # type: ignore[arg-type]
    assert "3 of 20 ended, 13 running" in drawn(now)
    assert all(len(line.rstrip()) <= 80 for line in drawn(now).splitlines())


def test_a_fleet_whose_runs_may_not_be_counted_is_watched_all_the_same() -> None:
    ended = run(*ENDED, status="SUCCEEDED", output="{}")
    seen, _ = shown(Answers(FLEET, FLEET, ended), terminal=True)
    assert seen.status == "SUCCEEDED"
