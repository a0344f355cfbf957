"""What is read from an execution history, in the form that AWS documents for it (GetExecutionHistory)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.history import Follower, Line, Run, minutes, read_run
from cli.watch import lines

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


def test_a_retried_call_shows_its_error_and_its_reason() -> None:
    retried = (entered(1, START), called(1), failed(3, "ThrottlingException", "Rate exceeded"), called(8))
    found = run(*retried, answered(9, ACCEPTED))
    assert list(lines(found)) == [
        Line(1, "state", START),
        Line(3, "failure", "ThrottlingException: Rate exceeded"),
        Line(8, "retry", "trying again"),
        Line(9, "result", "AppStream accepted the start; the image builder is PENDING"),
    ]
    assert (found.name, found.builder, found.ended) == ("gold", "PENDING", None)


@pytest.mark.parametrize(
    ("state", "more", "call"),
    [
        (START, {"Tracking": {"Claim": "Confirmed"}}, "AppStream accepted the start; "),
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


@pytest.mark.parametrize(
    ("kind", "details", "text"),
    [
        ("TaskTimedOut", {**FUNCTION, "error": "States.Timeout"}, "States.Timeout"),
        ("TaskStartFailed", {**FUNCTION, "error": "Lambda.Unknown", "cause": "not JSON"}, "Lambda.Unknown: not JSON"),
        ("LambdaFunctionTimedOut", {}, "LambdaFunctionTimedOut"),
        (*failed(0, "E", '{"Message": "E: Trouble.", "Route": "fail", "Advice": "A."}')[1:], "E: Trouble."),
    ],
)
def test_every_failed_call_shows_its_error(kind: str, details: dict[str, Any], text: str) -> None:
    scheduled = "LambdaFunctionScheduled" if kind.startswith("Lambda") else "TaskScheduled"
    assert texts(run(entered(1, POLL), (1, scheduled, {}), (2, kind, details))) == [POLL, text]


def test_polls_that_find_nothing_new_become_one_line() -> None:
    found = run(entered(0, START), called(0), answered(0, ACCEPTED), *poll(0, *["PENDING"] * 3, "RUNNING", "RUNNING"))
    assert texts(found) == [
        *(START, "AppStream accepted the start; the image builder is PENDING"),
        "Polled 3 times: the image builder is still PENDING",
        *(WAIT, POLL, "the image builder is RUNNING", "Evaluate builder state"),
    ]


def test_a_poll_that_failed_stays_a_line_of_its_own() -> None:
    events = poll(0, *["PENDING"] * 4)
    events.insert(8 * 2 + 4, failed(178, "ThrottlingException", "Rate exceeded"))
    events.insert(8 * 2 + 5, called(178))
    assert "ThrottlingException: Rate exceeded" in texts(run(*events))
    assert "Polled once: the image builder is still PENDING" in texts(run(*events, entered(300, WAIT, "Wait")))


def test_events_add_lines_and_never_change_one() -> None:
    refused = (entered(0, START), called(0), failed(1, "E", "m"), entered(1, "Wait before retry", "Wait"))
    accepted = (entered(2, START), called(2), answered(3, ACCEPTED))
    polls = poll(3, *["PENDING"] * 3, "STOPPED", "PENDING", "PENDING")
    events = (*refused, *accepted, *polls, succeeded(400, {}))
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


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("Failed", "ImageBuilderFailed", "FAILED ImageBuilderFailed"),
        ("Aborted", "", "ABORTED"),
        ("TimedOut", "", "TIMED_OUT"),
    ],
)
def test_the_last_line_is_the_status_and_the_error(kind: str, error: str, text: str) -> None:
    found = run(entered(1, "Fail execution", "Fail"), ended(2, kind, error))
    assert found.ended == 2
    assert list(lines(found))[-1] == Line(2, "failed", text)


class StepFunctions:
    """Answers requests for the history; any other is an AttributeError."""

    events: Any

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_execution_history"
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"events": self.events[::-1]}]


def test_the_status_is_of_the_same_moment_as_the_history() -> None:
    client = StepFunctions()
    follower = Follower(client, ARN)  # type: ignore[arg-type]
    client.events = history(entered(1, START))
    assert texts(follower.run()) == [START]
    client.events = history(entered(1, START), ended(2, "Failed", "E", "{}"))
    assert (follower.run().status, texts(follower.run())) == ("FAILED", [START, "FAILED E"])


def test_a_redriven_execution_goes_on() -> None:
    redriven: Event = (60, "ExecutionRedriven", {"redriveCount": 1})
    found = run(ended(2, "Failed", "E", "m"), redriven, entered(61, POLL))
    assert (found.ended, found.status, found.error, found.failure) == (None, "RUNNING", "", None)


def test_time_is_simulated_by_its_scale() -> None:
    scaled = read_run(ARN, history(entered(3, POLL)), 0.01)
    assert scaled.steps[0].entered == 300


def test_an_execution_without_events_yet_has_just_begun() -> None:
    found = read_run(ARN, [])
    assert (found.steps, found.name, found.outcome) == ([], "", ("", ""))
    assert datetime.now(UTC) - found.began < timedelta(minutes=1)


def test_the_calls_of_the_children_of_a_map_are_not_its_own() -> None:
    child = (called(1), called(1), failed(2, "Odd", "Trouble."))
    found = run(entered(0, "Start each", "Map"), *child, entered(3, "Count", "Pass"))
    assert texts(found) == ["Start each", "Count"]


STOP_ARN = ARN.replace("StartImageBuilder", "Stack-StopImageBuilderStateMachine1A2B")


@pytest.mark.parametrize(
    ("execution", "request_text", "title"),
    [
        (ARN, '{"Name": "gold"}', "Start of image builder gold"),
        (ARN, '{"detail": {"Name": "gold"}}', "Start of image builder gold"),
        (ARN, '{"detail": 7}', "Start of an image builder without a name"),
        (ARN, "7", "Start of an image builder without a name"),
        (STOP_ARN, '{"Name": "gold"}', "Stop of image builder gold"),
        (
            STOP_ARN,
            '{"Name": "gold", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn"}',
            "Auto-stop of image builder gold",
        ),
        (ARN.replace("StartImage", "StartFleet"), '{"ImageBuilders": ["a"]}', "Start of a fleet of image builders"),
    ],
)
def test_starts_stops_and_auto_stops_have_different_titles(execution: str, request_text: str, title: str) -> None:
    assert run(execution=execution, request=request_text).title == title


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ({"Outcome": "AlreadyRunning"}, ("gold is RUNNING. Nothing was started.", "")),
        (
            {"Outcome": "Running", "Started": True, "WaitedSeconds": 730, "Advice": "Connect."},
            ("gold is RUNNING. This execution started it. The execution waited 12 minutes.", "Connect."),
        ),
        ({"Outcome": "Running", "Started": False}, ("gold is RUNNING.", "")),
        ({"Outcome": "LeftAlone", "Why": "Its start is over."}, ("gold is RUNNING. Its start is over.", "")),
        ({"Requested": 3, "Running": 2}, ("2 of 3 image builders are RUNNING.", "")),
        (7, ("", "")),
    ],
)
def test_a_result_is_said_in_a_sentence(output: Any, outcome: tuple[str, str]) -> None:
    assert run(*poll(0, "RUNNING"), succeeded(60, output)).outcome == outcome


def test_a_failure_is_said_as_the_operators_read_it() -> None:
    cause = json.dumps({"Route": "notify", "Message": "It is FAILED.", "Advice": "Delete it."})
    assert run(ended(1, "Failed", "ImageBuilderFailed", cause)).outcome == ("It is FAILED.", "Delete it.")


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (730, "12 minutes")]
)
def test_a_time_is_said_in_seconds_or_minutes(seconds: float, text: str) -> None:
    assert minutes(seconds) == text


MAP = (entered(0, "Start each", "Map"), (1.0, "MapRunStarted", {"mapRunArn": "arn:1"}))


def test_a_map_run_that_fails_shows_its_cause_and_one_that_succeeds_none() -> None:
    over = run(*MAP, (9, "MapRunFailed", {"error": "States.ItemReaderFailed", "cause": "No such list."}))
    assert over.steps[0].map_run == "arn:1"
    assert texts(over)[1:] == ["States.ItemReaderFailed: No such list."]
    assert texts(run(*MAP, (9, "MapRunSucceeded", {}))) == ["Start each"]


BROKEN = (2.0, "EvaluationFailed", {"error": "States.QueryEvaluationError", "cause": "No field.", "state": POLL})


@pytest.mark.parametrize(
    "before",
    [[entered(1, POLL, "Pass")], [entered(1, POLL), called(1), answered(1, {})]],
    ids=["of-a-state", "of-the-result-of-a-call"],
)
def test_every_failed_expression_is_shown(before: list[Event]) -> None:
    failure = "States.QueryEvaluationError: No field."
    assert texts(run(*before, BROKEN)) == [POLL, failure]
    assert texts(run(*before, BROKEN, BROKEN)) == [POLL, failure, "trying again", failure]
