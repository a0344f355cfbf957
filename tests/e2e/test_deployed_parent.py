"""The example of a parent workflow, deployed as it is: what a child's result and its failure become there."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Deployment

TEMPLATE = Path(__file__).parents[2] / "docs" / "examples" / "parent.template.json"


@pytest.fixture(scope="module")
def parent(deployment: Deployment, worker_id: str) -> str:
    stack = f"Parent-{worker_id}"
    cloudformation = deployment.stack.client("cloudformation")
    started = deployment.stack.outputs("StartImageBuilder")["StateMachineArn"]
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text("utf-8"),
        Parameters=[{"ParameterKey": "StateMachineArn", "ParameterValue": started}],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    return deployment.stack.outputs(stack)["ParentArn"]


def run(deployment: Deployment, parent: str, execution_input: Any) -> Any:
    execution = deployment.stepfunctions.start_execution(stateMachineArn=parent, input=json.dumps(execution_input))
    return deployment.wait(execution["executionArn"])


def test_a_parent_gets_the_result_as_an_object(deployment: Deployment, parent: str) -> None:
    name = f"child-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name)
    end = run(deployment, parent, {"Name": name})
    assert end["status"] == "SUCCEEDED", end
    output = json.loads(end["output"])
    assert output["Outcome"] == "Running"
    assert output["PrivateAddress"].startswith("10.")


def test_a_parent_tells_a_wrong_request_from_other_failures(deployment: Deployment, parent: str) -> None:
    wrong = run(deployment, parent, {"Name": "no-such-builder"})
    assert (wrong["status"], wrong["error"]) == ("FAILED", "WrongRequest")
    assert wrong["cause"].startswith("ResourceNotFoundException: ")
    name = f"child-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name, state="FAILED")
    failed = run(deployment, parent, {"Name": name})
    assert (failed["status"], failed["error"]) == ("FAILED", "ImageBuilderFailed")


def test_a_request_with_keys_of_the_parents_own_is_refused_as_one(deployment: Deployment) -> None:
    end = deployment.wait(deployment.start({"Name": "child", "Night": 7}))
    assert end["error"] == "InvalidRequest"
    assert '"Night": is not a field of the request' in json.loads(end["cause"])["Message"]
