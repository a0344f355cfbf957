"""What is made of the end of an execution, whoever tells of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.image_builder.execution_result import read_execution_result

ARN = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:test"
CAUSE = {
    "Name": "gold",
    "Route": "fail",
    "Message": "There is none.",
    "Advice": "Check Name.",
    "ImageBuilder": {"State": "STOPPED"},
}


def detail(status: str = "FAILED", **members: Any) -> dict[str, Any]:
    """The detail of a status change event, with what it says where there is nothing to say."""
    nothing = {"input": "{}", "output": None, "error": None, "cause": None}
    return {"executionArn": ARN, "status": status, **nothing, **members}


def test_the_workflows_own_words_are_kept() -> None:
    ending = read_execution_result(
        detail(error="ResourceNotFoundException", cause=json.dumps(CAUSE | {"OperatorsNotified": False}))
    )
    assert (ending.execution, ending.status, ending.name) == (ARN, "FAILED", "gold")
    assert (ending.error, ending.route) == ("ResourceNotFoundException", "fail")
    assert (ending.message, ending.advice, ending.state) == ("There is none.", "Check Name.", "STOPPED")
    assert not ending.told


def test_a_cause_may_be_the_object_itself() -> None:
    assert read_execution_result(detail(cause=CAUSE, error="X")) == read_execution_result(
        detail(cause=json.dumps(CAUSE), error="X")
    )


@pytest.mark.parametrize("told", [True, False, "true", 1, None])
def test_only_a_failure_that_says_so_was_told(told: object) -> None:
    assert read_execution_result(detail(error="X", cause=json.dumps(CAUSE | {"OperatorsNotified": told}))).told is (
        told is True
    )


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_whoever_stops_an_execution_cannot_pass_for_the_workflow(status: str) -> None:
    forged = json.dumps(CAUSE | {"OperatorsNotified": True})
    ending = read_execution_result(detail(status, input='{"Name": "gold"}', error="X", cause=forged))
    assert (ending.route, ending.told, ending.name) == ("uncaught", False, "gold")


@pytest.mark.parametrize(
    ("status", "members", "error", "says", "advises"),
    [
        ("TIMED_OUT", {}, "States.Timeout", "ran longer than its state machine allows", "start again if it does not"),
        ("ABORTED", {}, "Aborted", "stopped the execution before its end. No cause", "StopExecution"),
        ("ABORTED", {"error": "Tired", "cause": "Night is over."}, "Tired", "Night is over.", "StopExecution"),
        (
            "FAILED",
            {"error": "States.QueryEvaluationError", "cause": "The JSONata expression"},
            "States.QueryEvaluationError",
            "The workflow broke off. The JSONata expression",
            "report the error",
        ),
        ("FAILED", {"error": "States.DataLimitExceeded"}, "States.DataLimitExceeded", "No cause was given.", "report"),
        ("FAILED", {}, "Unknown", "No cause was given.", "last event"),
        ("FAILED", {"error": "X", "cause": "x" * 40_000}, "X", "x" * 8_000, "last event"),
    ],
)
def test_an_end_that_the_workflow_did_not_make_is_explained(
    status: str, members: dict[str, Any], error: str, says: str, advises: str
) -> None:
    ending = read_execution_result(detail(status, **members))
    assert (ending.error, ending.route, ending.told) == (error, "uncaught", False)
    assert says in ending.message
    assert len(ending.message) < 8_100
    assert advises in ending.advice


@pytest.mark.parametrize(
    ("execution_input", "name"),
    [
        ({"Name": "gold"}, "gold"),
        ({"detail-type": "Start", "detail": {"Name": "gold"}}, "gold"),
        ({"Name": "gold\n\nERROR\nPay at once"}, None),
        ({"Name": 7}, None),
        ({"detail": []}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_builder_is_the_one_that_the_input_names_if_it_can_exist(execution_input: Any, name: str | None) -> None:
    assert read_execution_result(detail("ABORTED", input=json.dumps(execution_input))).name == name


def test_an_input_that_was_too_long_for_the_event_is_done_without() -> None:
    assert read_execution_result(detail("ABORTED", input=None, inputDetails={"included": False})).name is None


@pytest.mark.parametrize(("started", "says"), [(True, "This execution started it"), (False, "somebody else")])
def test_a_success_tells_who_started_it_and_what_it_costs(started: bool, says: str) -> None:
    output = {
        "Started": started,
        "WaitedSeconds": 412,
        "ImageBuilder": {"Name": "gold", "State": "RUNNING"},
        "Advice": "It is billed.",
    }
    for form in (output, json.dumps(output)):
        ending = read_execution_result(detail("SUCCEEDED", output=form))
        assert (ending.name, ending.state, ending.error, ending.route) == ("gold", "RUNNING", "", "")
        assert says in ending.message
        assert "7 minutes" in ending.message
        assert "billed" in ending.advice


anything = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(anything, anything, st.sampled_from(["FAILED", "ABORTED", "TIMED_OUT"]))
def test_whatever_an_input_or_a_cause_holds_is_told_of(execution_input: Any, cause: Any, status: str) -> None:
    ending = read_execution_result(
        detail(status, input=json.dumps(execution_input), error="X", cause=json.dumps(cause))
    )
    assert ending.message
    assert ending.advice


def test_a_cause_nested_beyond_reason_is_told_of() -> None:
    assert read_execution_result(detail(error="X", cause="[" * 100_000)).route == "uncaught"


@pytest.mark.parametrize(
    ("status", "error", "section"),
    [
        ("ABORTED", "by hand", "Aborted"),
        ("ABORTED", None, "Aborted"),
        ("TIMED_OUT", "States.Timeout", "States.Timeout"),
        ("FAILED", "States.Runtime", "States.Runtime"),
        ("SUCCEEDED", None, ""),
    ],
)
def test_the_runbook_has_a_section_for_it(status: str, error: str | None, section: str) -> None:
    ending = read_execution_result(
        {"executionArn": "arn:aws:states:us-east-1:1:execution:s:e", "status": status, "error": error}
    )
    assert ending.section == section
