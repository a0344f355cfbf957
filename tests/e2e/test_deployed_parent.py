"""The example of a parent workflow, deployed as it is. What a failure becomes there: tests/workflow/test_parent.py."""

import json
from pathlib import Path

from tests.e2e.conftest import Deployment

TEMPLATE = Path(__file__).parents[2] / "docs" / "examples" / "parent.template.json"


def test_a_parent_gets_the_result_as_an_object(deployment: Deployment) -> None:
    cloudformation = deployment.stack.client("cloudformation")
    cloudformation.create_stack(
        StackName="Parent",
        TemplateBody=TEMPLATE.read_text("utf-8"),
        Parameters=[{"ParameterKey": "StateMachineArn", "ParameterValue": deployment.outputs["StateMachineArn"]}],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName="Parent", WaiterConfig={"Delay": 1})
    end = deployment.run({"Name": deployment.builder()}, deployment.stack.outputs("Parent")["ParentArn"])
    assert end["status"] == "SUCCEEDED", end
    output = json.loads(end["output"])
    assert output["Outcome"] == "Running"
    assert output["PrivateAddress"].startswith("10.")
