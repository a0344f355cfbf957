"""Two deployments side by side in one account and Region."""

import json
from uuid import uuid4

import pytest

from tests.e2e.conftest import FIRST, SECOND, Deployment


def test_a_second_deployment_is_apart_from_the_first(deployment: Deployment) -> None:
    stack = deployment.stack
    first, second = stack.outputs(FIRST), stack.outputs(SECOND)
    assert not set(first.values()) & set(second.values())
    for outputs in (first, second):
        name = f"builder-{uuid4().hex[:12]}"
        stack.appstream.put_builder(name)
        execution = deployment.start({"Name": name}, outputs["StateMachineAliasArn"])
        assert deployment.wait(execution)["status"] == "SUCCEEDED"
        machine = outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
        assert execution.startswith(f"{machine}:")


@pytest.mark.full  # tests/infra/test_app.py: the same source gives the same template and asset
def test_deploying_again_changes_nothing(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("again") / "cdk.log"
    settings = json.dumps({"stackName": "Third"})
    for said in ("CREATE_COMPLETE", "(no changes)"):
        with log.open("w") as output:
            deployment.stack.deploy(output, "-c", f"settings={settings}")
        assert said in log.read_text()
