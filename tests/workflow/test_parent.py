"""The example of a parent workflow, with a child's failure in the form that AWS gives it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.engine import Engine, Execution

TEMPLATE = json.loads((Path(__file__).parents[2] / "docs" / "examples" / "parent.template.json").read_text("utf-8"))


def after_the_child(variable: str, value: Any, following: str) -> Execution:
    """The parent from the state that follows the child, with the variable that the child's task assigns."""
    definition = TEMPLATE["Resources"]["Parent"]["Properties"]["Definition"]
    child = {"Type": "Pass", "Assign": {variable: "{% $states.input %}"}, "Next": following}
    states = {**definition["States"], "Start image builder": child}
    return Engine(lambda _: None, {}, json.dumps({**definition, "States": states})).run(value)


def child(error: str, **members: Any) -> str:
    """Source: AWS Step Functions API reference, DescribeExecution; its members in Pascal case."""
    cause = {"Name": "gold", "Route": "notify", "Message": "What happened.", "Advice": "What to do.", **members}
    arn = "arn:aws:states:us-east-1:123456789012:execution:StartImageBuilder:0123"
    described = {"Error": error, "ExecutionArn": arn, "Input": '{"Name": "gold"}', "Status": "FAILED"}
    return json.dumps({"Cause": json.dumps(cause), **described})


@pytest.mark.parametrize(
    ("cause", "error", "message"),
    [
        (child("ImageBuilderFailed"), "ImageBuilderFailed", "What happened."),
        (child("InvalidRequest", Route="fail"), "WrongRequest", "InvalidRequest: What happened."),
        (None, "ChildFailed", ""),
        ("", "ChildFailed", ""),
        ("{cut off", "ChildFailed", ""),
        ("not authorized to perform: states:StartExecution", "ChildFailed", ""),
        ('{"Status": "ABORTED"}', "ChildFailed", ""),
        ('{"ExecutionArn": "arn", "Status": "ABORTED"}', "ChildFailed", ""),
    ],
)
def test_the_parent_fails_with_the_childs_error_where_there_is_one(cause: str | None, error: str, message: str) -> None:
    caught = {"Error": "States.TaskFailed"} | ({} if cause is None else {"Cause": cause})
    execution = after_the_child("caught", caught, "Read failure")
    assert execution.error == error
    assert execution.cause_text == message or not message


def test_a_child_that_may_still_become_running_is_no_failure_of_the_parent() -> None:
    caught = {"Error": "States.TaskFailed", "Cause": child("ImageBuilderStartTimedOut")}
    output = after_the_child("caught", caught, "Read failure").output
    assert output == {"Outcome": "StillStarting", "Message": "What happened."}


@pytest.mark.parametrize(
    ("builder", "address"),
    [
        ({"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.4"}}, "10.0.0.4"),
        ({"NetworkAccessConfiguration": {"EniId": "eni-1"}}, None),
        ({}, None),
    ],
)
def test_a_running_builder_may_have_no_address_yet(builder: Any, address: str | None) -> None:
    result = {"Outcome": "Running", "ImageBuilder": {"Name": "gold", **builder}}
    execution = after_the_child("result", result, "Go on with the running image builder")
    assert execution.output == {"Outcome": "Running", "PrivateAddress": address}


STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:StartImageBuilder-0123"


@pytest.mark.parametrize(
    ("arn", "is_taken"),
    [
        (STATE_MACHINE, True),
        (STATE_MACHINE.replace("arn:aws:", "arn:aws-us-gov:"), True),
        (f"{STATE_MACHINE}:live", False),
        (f"{STATE_MACHINE}:7", False),
    ],
)
def test_the_parent_takes_the_state_machine_and_not_its_alias(arn: str, is_taken: bool) -> None:
    pattern = TEMPLATE["Parameters"]["StateMachineArn"]["AllowedPattern"]
    # CloudFormation matches the whole value.
    assert bool(re.fullmatch(pattern, arn)) is is_taken
