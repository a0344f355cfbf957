"""The example of a parent workflow, with a child's failure in the form that AWS gives it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import World
from tests.workflow.engine import Engine, Execution

TEMPLATE = Path(__file__).parents[2] / "docs" / "examples" / "parent.template.json"


def after_the_child(world: World, variable: str, value: Any, following: str) -> Execution:
    """The parent from the state that follows the child, with the variable that the child's task assigns."""
    definition = json.loads(TEMPLATE.read_text("utf-8"))["Resources"]["Parent"]["Properties"]["Definition"]
    definition["States"]["Start image builder"] = {
        "Type": "Pass",
        "Assign": {variable: "{% $states.input %}"},
        "Next": following,
    }
    return Engine(sleep=world.clock.advance, handlers={}, definition=json.dumps(definition)).run(value)


def caught(world: World, error: str, cause: str | None) -> Execution:
    """What the parent makes of an error of the task that starts the child."""
    output = {"Error": error} | ({} if cause is None else {"Cause": cause})
    return after_the_child(world, "caught", output, "Read failure")


def as_aws_gives_it(error: str, cause: Any) -> str:
    """Source: AWS Step Functions API reference, DescribeExecution; its members in Pascal case."""
    return json.dumps(
        {
            "Cause": json.dumps(cause),
            "Error": error,
            "ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:StartImageBuilder:0123",
            "Input": '{"Name": "gold"}',
            "Status": "FAILED",
        }
    )


CAUSE = {"Name": "gold", "Route": "notify", "Message": "What happened.", "Advice": "What to do."}


def test_the_childs_own_error_is_found_inside_the_cause(world: World) -> None:
    execution = caught(world, "States.TaskFailed", as_aws_gives_it("ImageBuilderFailed", CAUSE))
    assert (execution.error, execution.cause_text) == ("ImageBuilderFailed", "What happened.")


def test_the_route_says_that_the_parent_asked_for_the_wrong_thing(world: World) -> None:
    cause = as_aws_gives_it("InvalidRequest", {**CAUSE, "Route": "fail"})
    execution = caught(world, "States.TaskFailed", cause)
    assert (execution.error, execution.cause_text) == ("WrongRequest", "InvalidRequest: What happened.")


def test_a_child_that_may_still_come_up_is_no_failure_of_the_parent(world: World) -> None:
    execution = caught(world, "States.TaskFailed", as_aws_gives_it("ImageBuilderStartTimedOut", CAUSE))
    assert execution.output == {"Outcome": "StillStarting", "Message": "What happened."}


@pytest.mark.parametrize(
    "cause", [None, "", "{cut off", "not authorized to perform: states:StartExecution", '{"Status": "ABORTED"}']
)
def test_whatever_else_is_caught_fails_with_an_error_that_is_no_reserved_one(world: World, cause: str | None) -> None:
    assert caught(world, "States.TaskFailed", cause).error == "ChildFailed"


def test_a_child_that_was_stopped_without_an_error_has_failed_too(world: World) -> None:
    cause = json.dumps({"ExecutionArn": "arn", "Status": "ABORTED"})
    assert caught(world, "States.TaskFailed", cause).error == "ChildFailed"


@pytest.mark.parametrize(
    ("builder", "address"),
    [
        ({"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.4"}}, "10.0.0.4"),
        ({"NetworkAccessConfiguration": {"EniId": "eni-1"}}, None),
        ({}, None),
    ],
)
def test_a_running_builder_may_have_no_address_yet(world: World, builder: Any, address: str | None) -> None:
    result = {"Outcome": "Running", "ImageBuilder": {"Name": "gold", **builder}}
    execution = after_the_child(world, "result", result, "Go on with the running image builder")
    assert execution.output == {"Outcome": "Running", "PrivateAddress": address}


STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:StartImageBuilder-0123"


@pytest.mark.parametrize(
    ("arn", "is_taken"),
    [
        (STATE_MACHINE, True),
        (STATE_MACHINE.replace("arn:aws:", "arn:aws-us-gov:"), True),
        (f"{STATE_MACHINE}:live", False),
        (f"{STATE_MACHINE}:7", False),
        ("", False),
        ("StartImageBuilder", False),
        (STATE_MACHINE.replace("stateMachine", "execution"), False),
    ],
)
def test_the_parent_takes_the_state_machine_and_not_its_alias(arn: str, is_taken: bool) -> None:
    parameter = json.loads(TEMPLATE.read_text("utf-8"))["Parameters"]["StateMachineArn"]
    # CloudFormation matches the whole value.
    assert bool(re.fullmatch(parameter["AllowedPattern"], arn)) is is_taken
