"""What is read of an execution that ended, from Step Functions or from the workflow itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.image_builder.execution_result import notice_of, read_execution_result

ARN = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:test"
CAUSE = {
    "Name": "gold",
    "Route": "fail",
    "Message": "There is none.",
    "Advice": "Check Name.",
    "ImageBuilder": {"State": "STOPPED", "Message": "Not this one."},
}


def detail(status: str = "FAILED", **members: Any) -> dict[str, Any]:
    """What DescribeExecution answers, with null where it has nothing."""
    nothing = {"input": "{}", "output": None, "error": None, "cause": None}
    return {"executionArn": ARN, "status": status, **nothing, **members}


def test_the_cause_of_the_workflow_is_read_member_by_member() -> None:
    result = read_execution_result(detail(error="ResourceNotFoundException", cause=json.dumps(CAUSE), attempts=2))
    assert (result.execution, result.status, result.aim, result.name) == (ARN, "FAILED", "start", "gold")
    assert (result.error, result.route, result.attempts) == ("ResourceNotFoundException", "fail", 2)
    assert (result.message, result.advice, result.state) == ("There is none.", "Check Name.", "STOPPED")
    assert result == read_execution_result(detail(error="ResourceNotFoundException", cause=CAUSE, attempts=2))


@pytest.mark.parametrize("notified", [True, False, "true", 1, None])
def test_only_a_cause_that_says_true_was_notified(notified: object) -> None:
    result = read_execution_result(detail(error="X", cause=json.dumps(CAUSE | {"OperatorsNotified": notified})))
    assert result.notified is (notified is True)


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_the_caller_of_stop_execution_cannot_pretend_to_be_the_workflow(status: str) -> None:
    forged = json.dumps(CAUSE | {"OperatorsNotified": True})
    result = read_execution_result(detail(status, input='{"Name": "gold"}', error="X", cause=forged))
    assert (result.route, result.notified, result.name) == ("uncaught", False, "gold")


@pytest.mark.parametrize(
    ("status", "members", "error", "says", "advises", "section"),
    [
        ("TIMED_OUT", {}, "States.Timeout", "time limit of its state machine", "event list", "States.Timeout"),
        ("ABORTED", {}, "Aborted", "stopped the execution (StopExecution)", "CloudTrail", "Aborted"),
        ("ABORTED", {"error": "Tired", "cause": "{night}"}, "Tired", "{night}", "CloudTrail", "Aborted"),
        ("FAILED", {"error": "States.Runtime", "cause": "Odd."}, "States.Runtime", "Odd.", "report", "States.Runtime"),
        ("FAILED", {"cause": '{"Message": "\\q'}, "Unknown", '{"Message": "\\q', "report", "Unknown"),
        ("FAILED", {}, "Unknown", "No cause was given.", "last event", "Unknown"),
        ("FAILED", {"error": "X", "cause": "x" * 40_000}, "X", "x" * 8_000, "last event", "X"),
        ("FAILED", {"error": "X", "cause": "[" * 100_000}, "X", "[[[", "last event", "X"),
        ("FAILED", {"error": "X", "cause": '{"a":' * 2_000}, "X", '{"a":', "last event", "X"),
    ],
)
def test_a_failure_that_the_workflow_did_not_route_is_explained(
    status: str, members: dict[str, Any], error: str, says: str, advises: str, section: str
) -> None:
    result = read_execution_result(detail(status, **members))
    assert (result.error, result.route, result.section, result.notified) == (error, "uncaught", section, False)
    assert says in result.message
    assert len(result.message) < 8_200
    assert advises in result.advice


anything = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*CAUSE, "detail", "State"]), inner),
)


@given(anything, anything, st.sampled_from(["FAILED", "ABORTED", "TIMED_OUT", "SUCCEEDED"]))
def test_any_input_cause_and_output_has_a_notice(execution_input: Any, value: Any, status: str) -> None:
    for cause in (value, {**CAUSE, "ImageBuilder": value}):
        described = detail(status, input=json.dumps(execution_input), error="X", cause=json.dumps(cause), output=cause)
        notice = notice_of(read_execution_result(described), described)
        assert notice.message
        assert notice.steps or status == "SUCCEEDED"
