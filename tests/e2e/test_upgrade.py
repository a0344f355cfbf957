"""A second deployment with other code: executions in flight keep theirs, and moving an alias back brings it back."""

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.emulator import PROJECT
from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.full

SETTINGS = 'settings={"stackName": "Upgraded"}'
APP = ("app.py", "cdk.json", "settings.json", "infra", "lambdas", "statemachine")


def changed_app(directory: Path) -> Path:
    """A copy of the app in which starts and polls fail, with another name of the state that ends a failed execution."""
    directory.mkdir()
    for name in APP:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, directory / name)
    for name in ("start_image_builder", "describe_image_builder"):
        module = directory / "lambdas" / f"{name}.py"
        broken = module.read_text().replace("\ndef handler(", "\ndef handler(*_):\n    1 / 0\n\n\ndef before(")
        assert "1 / 0" in broken
        module.write_text(broken)
    definition = directory / "statemachine" / "start_image_builder.asl.json"
    definition.write_text(definition.read_text().replace("Fail execution", "Fail with new code"))
    return directory


def states(deployment: Deployment, execution: str) -> set[str]:
    history = deployment.stepfunctions.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return {details["name"] for event in history if (details := event.get("stateEnteredEventDetails"))}


def test_an_execution_in_flight_ends_with_its_code_and_an_alias_moved_back_brings_it_back(
    deployment: Deployment, tmp_path: Path
) -> None:
    stack, stepfunctions = deployment.stack, deployment.stepfunctions

    def deploy(*app: str) -> dict[str, str]:
        with (tmp_path / "cdk.log").open("a") as output:
            stack.deploy(output, "-c", SETTINGS, *app)
        return stack.outputs("Upgraded")

    def start(**builder: Any) -> tuple[str, str]:
        name = f"builder-{uuid4().hex[:12]}"
        stack.appstream.put_builder(name, **builder)
        text = json.dumps({"Name": name, "TimeoutMinutes": 720})
        started = stepfunctions.start_execution(stateMachineArn=outputs["StateMachineAliasArn"], input=text)
        return name, started["executionArn"]

    outputs = deploy()
    name, in_flight = start(state=[["PENDING", None]])
    before = stepfunctions.describe_state_machine_alias(stateMachineAliasArn=outputs["StateMachineAliasArn"])

    assert deploy("--app", f"cd {changed_app(tmp_path / 'changed')} && python3 app.py") == outputs
    after = stepfunctions.describe_state_machine_alias(stateMachineAliasArn=outputs["StateMachineAliasArn"])
    assert after["routingConfiguration"] != before["routingConfiguration"]
    _, fails = start()
    assert deployment.wait(fails)["status"] == "FAILED"
    assert "Fail with new code" in states(deployment, fails)

    # It has polled with the old code since, and goes on to.
    assert stepfunctions.describe_execution(executionArn=in_flight)["status"] == "RUNNING"
    stack.appstream.put_builder(name, state="RUNNING")
    assert deployment.wait(in_flight)["status"] == "SUCCEEDED"

    stepfunctions.update_state_machine_alias(
        stateMachineAliasArn=outputs["StateMachineAliasArn"], routingConfiguration=before["routingConfiguration"]
    )
    _, succeeds = start()
    assert deployment.wait(succeeds)["status"] == "SUCCEEDED"
