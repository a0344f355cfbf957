"""Two deployments side by side in one account and Region."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.xdist_group("e2e")


def test_a_second_deployment_stands_beside_the_first(deployment: Deployment, tmp_path: Path) -> None:
    stack = deployment.stack
    with (tmp_path / "cdk.log").open("w") as output:
        stack.deploy(output, "-c", 'settings={"stackName": "Second"}')
    first, second = stack.outputs("StartImageBuilder"), stack.outputs("Second")
    assert not set(first.values()) & set(second.values())
    for outputs in (first, second):
        name = f"builder-{uuid4().hex[:12]}"
        stack.appstream.put_builder(name)
        execution = deployment.stepfunctions.start_execution(
            stateMachineArn=outputs["StateMachineAliasArn"], input=json.dumps({"Name": name})
        )["executionArn"]
        assert deployment.wait(execution)["status"] == "SUCCEEDED"


def test_deploying_again_changes_nothing(deployment: Deployment, tmp_path: Path) -> None:
    before = deployment.stack.outputs("StartImageBuilder")
    log = tmp_path / "cdk.log"
    with log.open("w") as output:
        deployment.stack.deploy(output)
    assert "(no changes)" in log.read_text()
    assert deployment.stack.outputs("StartImageBuilder") == before
