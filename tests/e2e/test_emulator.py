"""What local/ministack_launcher.py adds to MiniStack and no other test here needs, with a test that fails without it.

Without versions, aliases and alarms on metric math nothing can be deployed, and without their update nothing again
(test_life_of_a_deployment.py); without the names of exceptions no scenario ends as it has to; without the items of a
Map no fleet starts.
"""

import json
from typing import Any
from uuid import uuid4

from tests.e2e.conftest import Deployment


def definition(states: dict[str, Any]) -> str:
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states})


def returns(value: Any) -> dict[str, Any]:
    return {"Return": {"Type": "Pass", "Output": value, "End": True}}


def new_machine(deployment: Deployment, states: dict[str, Any]) -> str:
    """The ARN of a new state machine."""
    arn: str = deployment.stepfunctions.create_state_machine(
        name=f"machine-{uuid4().hex[:8]}", definition=definition(states), roleArn="arn:aws:iam::000000000000:role/any"
    )["stateMachineArn"]
    return arn


def test_a_version_runs_its_own_definition_and_can_be_waited_for(deployment: Deployment) -> None:
    client = deployment.stepfunctions
    machine = new_machine(deployment, returns("old"))
    version = client.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    client.update_state_machine(stateMachineArn=machine, definition=definition(returns("new")))
    started = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": version, "Input": {}},
        "Output": "{% $states.result.Output %}",
        "End": True,
    }
    parent = new_machine(deployment, {"Start": started})
    outputs = [deployment.run({}, arn)["output"] for arn in (version, machine, parent)]
    assert outputs == ['"old"', '"new"', '"old"']


def test_the_exit_from_a_state_has_the_variables_that_it_assigned(deployment: Deployment) -> None:
    assigns = {"Type": "Pass", "Assign": {"count": "{% 1 + 1 %}"}, "Next": "Return"}
    execution = deployment.run({}, new_machine(deployment, {"Assign": assigns, **returns("done")}))
    history = deployment.stepfunctions.get_execution_history(executionArn=execution["executionArn"])["events"]
    exits = [event["stateExitedEventDetails"] for event in history if "stateExitedEventDetails" in event]
    assert [details.get("assignedVariables") for details in exits] == [{"count": "2"}, None]
