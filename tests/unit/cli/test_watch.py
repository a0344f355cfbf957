"""The live view: what a terminal shows, and what is left of it where there is none."""

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from cli import watch
from cli.account import AccountError, connect
from cli.history import Run
from tests.unit.cli.conftest import Aws
from tests.unit.cli.test_history import (
    ARN,
    RETRIED,
    STARTED,
    WAIT,
    Event,
    called,
    ended,
    entered,
    failed,
    poll,
    run,
    succeeded,
)

Shown = Callable[..., str]
DENIED = ("AccessDeniedException", "no")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")
SUCCESS = {"Outcome": "Running", "Started": True, "Advice": "Connect to it. " * 9}
RUNNING = (*RETRIED, succeeded(10, SUCCESS))
FAILED = (*RETRIED, ended(10, "Failed", "E", json.dumps({"Route": "fail", "Message": "Full. " * 20, "Advice": "A."})))


@pytest.fixture
def shown(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Shown:
    monkeypatch.setattr("cli.watch.time.sleep", lambda _: None)

    def show(*stages: Any, terminal: bool = False) -> str:
        """What is printed of an execution that goes through these stages: runs, or errors."""
        output = io.StringIO()
        colours = "standard" if terminal else None
        console = Console(file=output, force_terminal=terminal, color_system=colours, width=80, highlight=False)  # type: ignore[arg-type]
        answers = [{"events": stage.events[::-1]} if isinstance(stage, Run) else stage for stage in stages]
        aws.answers["GetExecutionHistory"] = answers
        once = Config(retries={"total_max_attempts": 1})
        watch.watch(connect().client("stepfunctions", config=once), ARN, console)
        return output.getvalue()

    return show


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def drawn(found: Run, usual: float | None = None, items: Any = None) -> str:
    """What stands below the lines."""
    output = io.StringIO()
    Console(file=output, force_terminal=True, width=80).print(watch.now(found, usual, items))
    return plain(output.getvalue())


def after(seconds: float, *events: Event) -> Run:
    """A run, so many simulated seconds after its start."""
    found = run(*events)
    found.ended = seconds
    return found


def test_each_line_is_printed_once_and_whole_as_it_happens_and_the_outcome_before_the_json(shown: Shown) -> None:
    assert shown(run(*STARTED), run(*RETRIED), run(*RUNNING)).splitlines() == [
        "elapsed  state",
        "  00:01  > Start image builder",
        "  00:03  ! ThrottlingException: Rate exceeded",
        "  00:08    trying again",
        "  00:09    AppStream accepted the start; the image builder is PENDING",
        "  00:10  = SUCCEEDED",
        "",
        "Execution SUCCEEDED ────────────────────────────────────────────────────────────",
        "gold is PENDING. This execution started it.",
        f"What to do: {SUCCESS['Advice']}",
        "",
        *json.dumps(SUCCESS, indent=2).splitlines(),
    ]


def styled(text: str, shown: str) -> set[str]:
    """The parameters of the control sequences that stand just before a text."""
    return set(re.findall(rf"\x1b\[([0-9;]+)m{re.escape(text)}", shown))


def test_failures_are_red_results_bold_steps_dim_and_only_a_success_has_a_green_rule(shown: Shown) -> None:
    success, failure = (shown(run(*events), terminal=True) for events in (RUNNING, FAILED))
    assert styled("Start image builder", success) == {"2"}
    assert styled("AppStream accepted the start", success) == {"1"}
    assert styled("ThrottlingException", success) == {"1;31"}
    assert (styled("───", success), styled("───", failure)) == ({"32"}, {"31"})
    assert styled("Full.", failure) == {"1;31"}
    assert '"Error": "E",\n  "Cause": {\n    "Route": "fail",' in plain(failure)
    # Yellow, green, cyan and white cannot be read on white; blue not on black.
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?(3[3467]|9\d)m", success + failure)


def test_a_terminal_wraps_at_words_within_80_columns(shown: Shown) -> None:
    lines = [line.rstrip() for line in plain(shown(run(*FAILED), terminal=True)).splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert f"{'Full. ' * 13}".rstrip() in lines
    assert not any(line.endswith(("Ful", "Fu")) for line in lines)


def earlier(name: str, **output: Any) -> dict[str, str]:
    """An earlier execution."""
    return {"output": json.dumps({"ImageBuilder": {"Name": name}, **output})}


@pytest.mark.parametrize(
    ("executions", "text"),
    [
        ([earlier("gold", Started=True, WaitedSeconds=480), earlier("x", Started=True)], "longer than the usual 08:00"),
        ([earlier("gold", Started=False), {}], "no earlier starts known"),
        (UNREACHABLE, "no earlier starts known"),
    ],
)
def test_progress_is_measured_by_earlier_starts_of_the_same_image_builder(
    executions: Any, text: str, shown: Shown, aws: Aws
) -> None:
    aws.answers |= {"ListExecutions": {"executions": [{"executionArn": ARN}] * 2}, "DescribeExecution": executions}
    assert text in plain(shown(run(*STARTED), run(*RUNNING), terminal=True))


@pytest.mark.parametrize(("seconds", "text"), [(450, "50% of the usual 15:00"), (906, "longer than the usual 15:00")])
def test_progress_is_a_part_of_the_usual_time(seconds: float, text: str) -> None:
    assert text in drawn(after(seconds, *STARTED), 15 * 60)


def test_the_live_view_shows_the_attempt_and_its_last_error() -> None:
    assert "Start image builder: attempt 2, after ThrottlingException" in drawn(run(*STARTED))


def test_polls_that_find_nothing_new_are_counted_and_the_next_one_is_counted_down() -> None:
    decided: Event = (59, "ChoiceStateExited", {"name": "Evaluate", "assignedVariables": {"pollSeconds": "30"}})
    text = drawn(after(185.5, *poll(0, "PENDING", "PENDING", "PENDING"), decided, entered(180, WAIT, "Wait")))
    assert "Wait before next poll: goes on in 00:24" in text
    assert "gold: PENDING, described 3 times" in text


def test_simulated_time_is_shown_beside_real_time() -> None:
    seen = after(600, entered(1, "Read request", "Pass"))
    seen.time_scale = 0.01
    assert "10:00 simulated, 00:06 real" in drawn(seen)


HOSTILE = "[/] [red]x[/red] :rocket: \x1b]0;t\x07\x9b2J\r\u202e\nnew line"
AS_SHOWN = r"[/] [red]x[/red] :rocket: \u001b]0;t\u0007\u009b2J\r\u202e\nnew line"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_text_by_somebody_else_is_shown_as_it_is_and_controls_nothing(terminal: bool, shown: Shown) -> None:
    request = json.dumps({"Name": HOSTILE})
    events: tuple[Event, ...] = (entered(1, HOSTILE), called(1), failed(2, HOSTILE, HOSTILE))
    goes_on = run(*events, request=request)
    over = run(*events, ended(9, "Failed", HOSTILE, json.dumps(HOSTILE)), request=request)
    text = plain(shown(goes_on, over, terminal=terminal) + drawn(goes_on, 900))
    assert {char for char in text if not char.isprintable()} <= {"\n", "\r"}
    assert "\r\u202e" not in text
    # Without the folding of lines and the columns of the table.
    assert re.sub(r"\s", "", text).count(re.sub(r"\s", "", AS_SHOWN)) >= 7


def test_requests_may_fail_for_a_while_which_is_said_once(shown: Shown) -> None:
    text = shown(run(*STARTED), DENIED, UNREACHABLE, run(*RETRIED), DENIED, run(*RUNNING))
    assert text.count("! The execution goes on, but reading its history failed; trying again: ") == 2
    assert text.index("trying again") < text.index("the image builder is PENDING")


def test_requests_that_fail_for_minutes_end_the_watch_and_not_the_execution(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.watch.PATIENCE_SECONDS", -1)
    with pytest.raises(AccountError, match="The execution goes on, but is no longer watched: AWS cannot be reached"):
        shown(run(*STARTED), UNREACHABLE)


def test_a_first_request_that_fails_ends_the_watch_at_once(shown: Shown) -> None:
    with pytest.raises(AccountError, match=r"^GetExecutionHistory failed with AccessDeniedException"):
        shown(DENIED)


@pytest.mark.parametrize(
    ("items", "words"),
    [({"total": 20, "pending": 4, "running": 13}, "3 of 20 ended, 13 running"), (DENIED, "Start each image builder")],
    ids=["counted", "not-permitted"],
)
def test_a_fleet_shows_how_many_of_its_executions_have_ended(items: Any, words: str, shown: Shown, aws: Aws) -> None:
    aws.answers["DescribeMapRun"] = items if items is DENIED else {"itemCounts": items}
    fleet = (entered(1, "Start each image builder", "Map"), (1, "MapRunStarted", {"mapRunArn": "arn:of:the:map:run"}))
    text = plain(shown(run(*fleet), run(*fleet), run(*fleet, succeeded(9, {})), terminal=True))
    assert words in text
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
