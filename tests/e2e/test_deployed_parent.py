"""The example of a parent workflow, deployed as it is: what a child's result and its failure become there."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Deployment

# One worker makes the stack.
pytestmark = pytest.mark.xdist_group("parent")

TEMPLATE = Path(__file__).parents[2] / "docs" / "examples" / "parent.template.json"


@pytest.fixture(scope="module")
def parent(deployment: Deployment, worker_id: str) -> str:
    stack = f"Parent-{worker_id}"
    cloudformation = deployment.stack.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text("utf-8"),
        Parameters=[{"ParameterKey": "StateMachineArn", "ParameterValue": deployment.outputs["StateMachineArn"]}],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    return deployment.stack.outputs(stack)["ParentArn"]


def test_a_parent_gets_the_result_as_an_object(deployment: Deployment, parent: str) -> None:
    end = deployment.run({"Name": deployment.builder()}, parent)
    assert end["status"] == "SUCCEEDED", end
    output = json.loads(end["output"])
    assert output["Outcome"] == "Running"
    assert output["PrivateAddress"].startswith("10.")


def test_a_parent_tells_a_wrong_request_from_other_failures(deployment: Deployment, parent: str) -> None:
    wrong = deployment.run({"Name": "no-such-builder"}, parent)
    assert (wrong["status"], wrong["error"]) == ("FAILED", "WrongRequest")
    assert wrong["cause"].startswith("ResourceNotFoundException: ")
    failed = deployment.run({"Name": deployment.builder(state="FAILED")}, parent)
    assert (failed["status"], failed["error"]) == ("FAILED", "ImageBuilderFailed")
