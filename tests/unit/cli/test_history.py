"""What is read from an execution history, in the form that AWS documents for it (GetExecutionHistory)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.history import Run, read_run
from cli.watch import Line, lines

ARN = "arn:aws:states:eu-west-1:123456789012:execution:StartImageBuilder:0123"
BEGAN = datetime(2026, 1, 31, 22, tzinfo=UTC)
FUNCTION = {"resourceType": "lambda", "resource": "invoke"}


def run(*events: tuple[float, str, dict[str, Any]], **described: Any) -> Run:
    """A run with these events: seconds, type and details."""
    members = {"StateEntered": "stateEntered", "StateExited": "stateExited"}
    history = []
    for number, (seconds, kind, details) in enumerate([(0.0, "ExecutionStarted", {}), *events], 1):
        member = next((name for end, name in members.items() if kind.endswith(end)), kind[0].lower() + kind[1:])
        history.append(
            {
                "id": number,
                "previousEventId": number - 1,
                "timestamp": BEGAN + timedelta(seconds=seconds),
                "type": kind,
                f"{member}EventDetails": details,
            }
        )
    return read_run(
        {"executionArn": ARN, "status": "RUNNING", "startDate": BEGAN, "input": '{"Name": "gold"}', **described},
        history,  # type: ignore[arg-type]  # as boto3 gives them
    )


def entered(seconds: float, name: str, kind: str = "Task") -> tuple[float, str, dict[str, Any]]:
    return seconds, f"{kind}StateEntered", {"name": name, "input": "{}"}


def answered(seconds: float, payload: Any) -> tuple[float, str, dict[str, Any]]:
    return seconds, "TaskSucceeded", {**FUNCTION, "output": json.dumps({"StatusCode": 200, "Payload": payload})}


def failed(seconds: float, error: str, message: str) -> tuple[float, str, dict[str, Any]]:
    cause = json.dumps({"errorMessage": message, "errorType": error})
    return seconds, "TaskFailed", {**FUNCTION, "error": error, "cause": cause}


def look(state: str, **more: Any) -> dict[str, Any]:
    return {"ImageBuilder": {"Name": "gold", "State": state}, **more}


def test_a_call_that_is_retried_is_told_with_its_reason() -> None:
    found = run(
        entered(1, "Start image builder"),
        (1, "TaskScheduled", FUNCTION),
        (1, "TaskStarted", FUNCTION),
        failed(3, "ThrottlingException", "Rate exceeded"),
        (8, "TaskScheduled", FUNCTION),
        (8, "TaskStarted", FUNCTION),
        answered(9, look("PENDING", Started=True)),
        (9, "TaskStateExited", {"name": "Start image builder", "output": "{}"}),
    )
    assert list(lines(found)) == [
        Line(1, "state", "Start image builder"),
        Line(3, "failure", "ThrottlingException: Rate exceeded"),
        Line(8, "retry", "trying again"),
        Line(9, "result", "AppStream accepted the start; the image builder is PENDING"),
    ]
    assert (found.name, found.builder, found.ended) == ("gold", "PENDING", None)


@pytest.mark.parametrize(
    ("kind", "details", "told"),
    [
        ("TaskTimedOut", {**FUNCTION, "error": "States.Timeout"}, "States.Timeout"),
        ("TaskStartFailed", {**FUNCTION, "error": "Lambda.Unknown", "cause": "not JSON"}, "Lambda.Unknown: not JSON"),
        ("LambdaFunctionTimedOut", {}, "LambdaFunctionTimedOut"),
    ],
)
def test_every_way_of_failing_is_told(kind: str, details: dict[str, Any], told: str) -> None:
    scheduled = "LambdaFunctionScheduled" if kind.startswith("Lambda") else "TaskScheduled"
    found = run(entered(1, "BuilderStatus"), (1, scheduled, {}), (2, kind, details))
    assert [line.text for line in lines(found)] == ["BuilderStatus", told]


def test_a_wait_lasts_what_the_workflow_assigned() -> None:
    found = run(
        entered(1, "Decide", "Choice"),
        (1, "ChoiceStateExited", {"name": "Decide", "output": "{}", "assignedVariables": {"pollSeconds": "30"}}),
        entered(1, "Wait before next poll", "Wait"),
    )
    assert found.steps[-1].pause == 30


def test_a_wait_of_unknown_length_is_one() -> None:
    assert run(entered(1, "Wait before next poll", "Wait")).steps[-1].pause is None


@pytest.mark.parametrize(
    ("event", "status", "told"),
    [
        ("ExecutionFailed", "FAILED", "FAILED ImageBuilderFailed"),
        ("ExecutionAborted", "ABORTED", "ABORTED"),
        ("ExecutionTimedOut", "TIMED_OUT", "TIMED_OUT"),
    ],
)
def test_an_end_is_told(event: str, status: str, told: str) -> None:
    error = "ImageBuilderFailed" if status == "FAILED" else None
    found = run(entered(1, "Fail execution", "Fail"), (2, event, {}), status=status, error=error)
    assert found.ended == 2
    assert [line.text for line in lines(found)][-1] == told


def test_a_redriven_execution_goes_on() -> None:
    found = run(
        (2, "ExecutionAborted", {}), (60, "ExecutionRedriven", {"redriveCount": 1}), entered(61, "BuilderStatus")
    )
    assert found.ended is None


def test_time_is_simulated_by_its_scale() -> None:
    events = run(entered(3, "BuilderStatus")).events
    scaled = read_run({"executionArn": ARN, "status": "RUNNING", "startDate": BEGAN}, events, 0.01)
    assert scaled.steps[0].entered == 300


def test_an_execution_without_events_yet_began_when_step_functions_says() -> None:
    described = {"executionArn": ARN, "status": "RUNNING", "startDate": BEGAN, "input": "no JSON"}
    found = read_run(described, [])
    assert (found.began, found.steps, found.name) == (BEGAN, [], "")


def test_an_event_names_the_builder_in_its_detail() -> None:
    assert run(input='{"detail": {"Name": "gold"}}').name == "gold"


def test_the_calls_of_the_children_of_a_map_are_not_its_own() -> None:
    call = (1.0, "TaskScheduled", FUNCTION)
    found = run(entered(0, "Start each", "Map"), call, call, failed(2, "Odd", "Trouble."), entered(3, "Count", "Pass"))
    assert [(step.name, step.attempts) for step in found.steps] == [("Start each", []), ("Count", [])]


@pytest.mark.parametrize(
    ("given", "about"),
    [
        ('{"Name": "gold"}', "Image builder gold"),
        ('{"ImageBuilders": ["a"]}', "A fleet of image builders"),
        ('{"detail": {"Tag": {"Key": "k", "Value": "v"}}}', "A fleet of image builders"),
        ('{"detail": 7}', "No image builder named"),
        ("7", "No image builder named"),
    ],
)
def test_a_run_says_what_it_is_about(given: str, about: str) -> None:
    assert run(input=given).about == about


MAP = (entered(0, "Start each", "Map"), (1.0, "MapRunStarted", {"mapRunArn": "arn:1"}))


def test_a_map_run_that_fails_is_told_with_its_cause() -> None:
    found = run(*MAP, (9, "MapRunFailed", {"error": "States.ItemReaderFailed", "cause": "No such list."}))
    assert found.steps[0].map_run == "arn:1"
    assert list(lines(found))[1:] == [Line(9, "failure", "States.ItemReaderFailed: No such list.")]


def test_a_map_run_that_succeeds_is_no_failure() -> None:
    assert [line.text for line in lines(run(*MAP, (9, "MapRunSucceeded", {})))] == ["Start each"]


BROKEN = (
    2.0,
    "EvaluationFailed",
    {"error": "States.QueryEvaluationError", "cause": "No field.", "state": "BuilderStatus"},
)


@pytest.mark.parametrize(
    "before",
    [
        [entered(1, "BuilderStatus", "Pass")],
        [entered(1, "BuilderStatus"), (1, "TaskScheduled", FUNCTION), answered(1, {})],
    ],
    ids=["of-a-state", "of-the-answer-to-a-call"],
)
def test_an_expression_that_fails_is_told(before: list[Any]) -> None:
    told = [line.text for line in lines(run(*before, BROKEN))]
    assert told == ["BuilderStatus", "States.QueryEvaluationError: No field."]


def test_an_expression_that_fails_again_is_told_again() -> None:
    told = [line.text for line in lines(run(entered(1, "BuilderStatus"), BROKEN, BROKEN))]
    failure = "States.QueryEvaluationError: No field."
    assert told == ["BuilderStatus", failure, "trying again", failure]
