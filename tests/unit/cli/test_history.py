"""What is read from an execution history, in the form that AWS documents for it (GetExecutionHistory)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.account import connect
from cli.history import Follower, Line, Run, minutes, read_run
from cli.watch import lines
from tests.unit.cli.conftest import Aws

ARN = "arn:aws:states:eu-west-1:123456789012:execution:StartImageBuilder:0123"
BEGAN = datetime(2026, 1, 31, 22, tzinfo=UTC)
FUNCTION = {"resourceType": "lambda", "resource": "invoke"}
START, POLL, WAIT = "Start image builder", "Poll image builder", "Wait before next poll"
Event = tuple[float, str, dict[str, Any]]


def run(*events: Event, execution: str = ARN, request: Any = '{"Name": "gold"}') -> Run:
    """A run with these events: seconds, type and details."""
    return read_run(execution, history(*events, request=request))


def history(*events: Event, request: str = "{}") -> Any:
    """The events as boto3 gives them."""
    members = {"StateEntered": "stateEntered", "StateExited": "stateExited"}
    found = []
    for number, (seconds, kind, details) in enumerate([(0.0, "ExecutionStarted", {"input": request}), *events], 1):
        member = next((name for end, name in members.items() if kind.endswith(end)), kind[0].lower() + kind[1:])
        moment = BEGAN + timedelta(seconds=seconds)
        found.append({"id": number, "timestamp": moment, "type": kind, f"{member}EventDetails": details})
    return found


def entered(seconds: float, name: str, kind: str = "Task") -> Event:
    return seconds, f"{kind}StateEntered", {"name": name, "input": "{}"}


def called(seconds: float) -> Event:
    return seconds, "TaskScheduled", FUNCTION


def answered(seconds: float, payload: Any) -> Event:
    return seconds, "TaskSucceeded", {**FUNCTION, "output": json.dumps({"StatusCode": 200, "Payload": payload})}


def failed(seconds: float, error: str, message: str) -> Event:
    cause = json.dumps({"errorMessage": message, "errorType": error})
    return seconds, "TaskFailed", {**FUNCTION, "error": error, "cause": cause}


def succeeded(seconds: float, output: Any) -> Event:
    return seconds, "ExecutionSucceeded", {"output": json.dumps(output)}


def ended(seconds: float, kind: str, error: str = "", cause: str = "") -> Event:
    return seconds, f"Execution{kind}", {"error": error, "cause": cause}


def builder(state: str, **more: Any) -> dict[str, Any]:
    return {"ImageBuilder": {"Name": "gold", "State": state}, **more}


ACCEPTED = builder("PENDING", Tracking={"Claim": "Confirmed"})


def poll(first: float, *states: str) -> list[Event]:
    """Rounds of waiting, polling and evaluating, a minute each."""
    events: list[Event] = []
    for at, state in zip(range(int(first), int(first) + 60 * len(states), 60), states, strict=True):
        events += [
            entered(at, WAIT, "Wait"),
            (at + 58, "WaitStateExited", {"name": WAIT}),
            *(entered(at + 58, POLL), called(at + 58), answered(at + 59, builder(state))),
            (at + 59, "TaskStateExited", {"name": POLL}),
            entered(at + 59, "Evaluate builder state", "Choice"),
            (at + 60, "ChoiceStateExited", {"name": "Evaluate builder state"}),
        ]
    return events


def texts(found: Run) -> list[str]:
    return [line.text for line in lines(found)]


STARTED = (entered(1, START), called(1), failed(3, "ThrottlingException", "Rate exceeded"), called(8))
RETRIED = (*STARTED, answered(9, ACCEPTED))


@pytest.mark.parametrize(
    ("state", "more", "call"),
    [
        (START, {"Tracking": {"Claim": "Presumed"}, "LostAnswer": {}}, ""),
        (START, {"LostAnswer": {"Error": "E"}}, "AppStream's answer to the start was lost; "),
        (POLL, {"Tracking": {"Claim": "Confirmed"}}, ""),
        ("Stop image builder", {"Tracking": {"Called": True}}, "AppStream was asked to stop it; "),
        ("Stop image builder", {"Tracking": {"Called": False}}, ""),
    ],
)
def test_a_result_says_what_was_called_and_the_state(state: str, more: dict[str, Any], call: str) -> None:
    found = run(entered(1, state), called(1), answered(2, builder("PENDING", **more)))
    assert texts(found)[1:] == [f"{call}the image builder is PENDING"]


MAP = (entered(0, "Start each", "Map"), (1.0, "MapRunStarted", {"mapRunArn": "arn:1"}))
BROKEN = (2.0, "EvaluationFailed", {"error": "States.QueryEvaluationError", "cause": "No field.", "state": POLL})
EXPRESSION = "States.QueryEvaluationError: No field."
CALL = (entered(1, POLL), called(1))
CAUSE = '{"Message": "E: Trouble.", "Route": "fail", "Advice": "A."}'


@pytest.mark.parametrize(
    ("events", "shown"),
    [
        ([*CALL, (2, "TaskTimedOut", {"error": "States.Timeout"})], ["States.Timeout"]),
        ([*CALL, (2, "TaskStartFailed", {"error": "Lambda.X", "cause": "no JSON"})], ["Lambda.X: no JSON"]),
        ([*CALL, failed(2, "E", CAUSE)], ["E: Trouble."]),
        ([CALL[0], (1, "LambdaFunctionScheduled", {}), (2, "LambdaFunctionTimedOut", {})], ["LambdaFunctionTimedOut"]),
        ([entered(1, POLL, "Pass"), BROKEN], [EXPRESSION]),
        ([entered(1, POLL, "Pass"), BROKEN, BROKEN], [EXPRESSION, "trying again", EXPRESSION]),
        ([*CALL, answered(1, {}), BROKEN, BROKEN], [EXPRESSION, "trying again", EXPRESSION]),
        ([*MAP, (9, "MapRunFailed", {"error": "States.X", "cause": "No such list."})], ["States.X: No such list."]),
        ([*MAP, (9, "MapRunSucceeded", {})], []),
        ([MAP[0], *CALL[1:], *CALL[1:], failed(2, "Odd", "A child's.")], []),
        ([ended(2, "Failed", "ImageBuilderFailed")], ["FAILED ImageBuilderFailed"]),
        ([ended(2, "Aborted")], ["ABORTED"]),
        ([ended(2, "TimedOut")], ["TIMED_OUT"]),
    ],
)
def test_every_failure_is_shown_with_its_reason(events: list[Event], shown: list[str]) -> None:
    assert [line.text for line in lines(run(*events)) if line.kind != "state"] == shown


def test_a_poll_that_failed_stays_a_line_of_its_own() -> None:
    events = poll(0, *["PENDING"] * 4)
    events.insert(8 * 2 + 4, failed(178, "ThrottlingException", "Rate exceeded"))
    events.insert(8 * 2 + 5, called(178))
    assert "ThrottlingException: Rate exceeded" in texts(run(*events))
    assert "Polled once: the image builder is still PENDING" in texts(run(*events, entered(300, WAIT, "Wait")))


def test_events_add_lines_and_never_change_one() -> None:
    events = (*RETRIED, *poll(9, *["PENDING"] * 3, "STOPPED", "PENDING", "PENDING"), succeeded(400, {}))
    shown: list[Line] = []
    for number in range(len(events) + 1):
        now = list(lines(run(*events[:number])))
        assert now[: len(shown)] == shown
        shown = now
    assert "Polled 3 times: the image builder is still PENDING" in [line.text for line in shown]


def test_a_wait_lasts_what_the_workflow_assigned() -> None:
    decided = (1.0, "ChoiceStateExited", {"name": "Evaluate", "assignedVariables": {"pollSeconds": "30"}})
    assert run(entered(1, "Evaluate", "Choice"), decided, entered(1, WAIT, "Wait")).steps[-1].pause == 30
    assert run(entered(1, WAIT, "Wait")).steps[-1].pause is None


def test_the_status_is_of_the_same_moment_as_the_history(aws: Aws) -> None:
    over = history(entered(1, START), ended(2, "Failed", "E", "{}"))
    aws.answers["GetExecutionHistory"] = [{"events": over[1::-1]}, {"events": over[::-1], "nextToken": "unread"}]
    follower = Follower(connect().client("stepfunctions"), ARN)
    assert texts(follower.run()) == [START]
    found = follower.run()
    assert (found.status, texts(found)) == ("FAILED", [START, "FAILED E"])
    assert aws.called == ["GetExecutionHistory"] * 2


def test_a_redriven_execution_goes_on() -> None:
    redriven: Event = (60, "ExecutionRedriven", {"redriveCount": 1})
    found = run(ended(2, "Failed", "E", "m"), redriven, entered(61, POLL))
    assert (found.ended, found.status, found.error, found.failure) == (None, "RUNNING", "", None)


def test_time_is_simulated_by_its_scale() -> None:
    assert read_run(ARN, history(entered(3, POLL)), 0.01).steps[0].entered == 300


def test_an_execution_without_events_yet_has_just_begun() -> None:
    found = read_run(ARN, [])
    assert (found.steps, found.name, found.outcome) == ([], "", ("", ""))
    assert datetime.now(UTC) - found.began < timedelta(minutes=1)


STOP_ARN = ARN.replace("StartImageBuilder", "Stack-StopImageBuilderStateMachine1A2B")
NESTED = '{"Name": "gold", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn"}'


@pytest.mark.parametrize(
    ("execution", "request_text", "title"),
    [
        (ARN, '{"Name": "gold"}', "Start of image builder gold"),
        (ARN, '{"detail": {"Name": "gold"}}', "Start of image builder gold"),
        (ARN, '{"detail": 7}', "Start of an image builder without a name"),
        (ARN, "7", "Start of an image builder without a name"),
        (STOP_ARN, '{"Name": "gold"}', "Stop of image builder gold"),
        (STOP_ARN, NESTED, "Auto-stop of image builder gold"),
        (ARN.replace("StartImage", "StartFleet"), '{"ImageBuilders": ["a"]}', "Start of a fleet of image builders"),
    ],
)
def test_starts_stops_and_auto_stops_have_different_titles(execution: str, request_text: str, title: str) -> None:
    assert run(execution=execution, request=request_text).title == title


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (succeeded(60, {"Outcome": "AlreadyRunning"}), ("gold is RUNNING. Nothing was started.", "")),
        (
            succeeded(60, {"Outcome": "Running", "Started": True, "WaitedSeconds": 730, "Advice": "Connect."}),
            ("gold is RUNNING. This execution started it. The execution waited 12 minutes.", "Connect."),
        ),
        (succeeded(60, {"Outcome": "LeftAlone", "Why": "It is over."}), ("gold is RUNNING. It is over.", "")),
        (succeeded(60, {"Requested": 3, "Running": 2}), ("2 of 3 image builders are RUNNING.", "")),
        (succeeded(60, 7), ("", "")),
        (ended(60, "Failed", "E", '{"Route": "notify", "Message": "M.", "Advice": "A."}'), ("M.", "A.")),
    ],
)
def test_an_outcome_is_said_in_a_sentence(end: Event, outcome: tuple[str, str]) -> None:
    assert run(*poll(0, "RUNNING"), end).outcome == outcome


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (730, "12 minutes")]
)
def test_a_time_is_said_in_seconds_or_minutes(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
