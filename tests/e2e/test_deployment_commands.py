"""The commands that work on a deployment: `make verify`, `smoke`, `rollback`, and what `make deploy` checks first."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Deployment

# One after another, and in one worker with the commands of the documentation: these move an alias.
pytestmark = pytest.mark.xdist_group("commands")

PROJECT = Path(__file__).parents[2]


def command(deployment: Deployment, module: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"cli.{module}", *options],
        cwd=PROJECT,
        env=deployment.stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_verify_asks_for_every_definition_and_state_and_reports(deployment: Deployment) -> None:
    """MiniStack ignores variables and the outputs of mocked tasks: its answers differ."""
    run = command(deployment, "verify")
    assert run.returncode == 1, run.stderr
    assert run.stderr == ""
    assert "AWS account 000000000000, Region us-east-1" in run.stdout
    assert "Wait for start slot" in run.stdout
    assert "0 problems of the definitions; " in run.stdout


def test_smoke_makes_a_dry_run_and_sends_one_notification(deployment: Deployment) -> None:
    name = f"builder-{uuid4().hex[:12]}"
    deployment.stack.appstream.put_builder(name)
    run = command(deployment, "smoke", f"--name={name}", "--notify=yes")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert f"Dry run of {name}: would start it." in run.stdout
    assert "StartImageBuilder is ready." in run.stdout
    assert [message for message in deployment.messages() if message.startswith("make smoke sent this test.")]
    assert deployment.stack.appstream.builder(name)["State"] == "STOPPED"


def test_smoke_without_a_name_says_that_no_dry_run_was_made(deployment: Deployment) -> None:
    assert "No dry run was made" in command(deployment, "smoke").stdout


def test_smoke_shows_why_a_dry_run_failed(deployment: Deployment) -> None:
    run = command(deployment, "smoke", "--name=none-of-this-name")
    assert run.returncode == 1
    assert "The dry run of none-of-this-name ended FAILED with ResourceNotFoundException" in run.stderr


@pytest.fixture
def moved_alias(deployment: Deployment) -> Iterator[str]:
    """The alias of the start workflow, moved by hand to a version that was published by hand."""
    stepfunctions, alias = deployment.stepfunctions, deployment.state_machine
    machine = alias.rpartition(":")[0]
    definition = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    changed = json.dumps({**json.loads(definition), "Comment": "Changed by hand"})
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=changed)
    version = stepfunctions.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    stepfunctions.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routing)  # type: ignore[arg-type]  # TypedDict
    yield alias
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=definition)
    command(deployment, "rollback")


def test_a_deployment_refuses_while_an_alias_is_moved_and_rollback_puts_it_right(
    deployment: Deployment, moved_alias: str
) -> None:
    refused = command(deployment, "preflight")
    assert refused.returncode == 1
    assert "The alias of the start workflow is on version 2, and version 1 was deployed last" in refused.stderr
    assert "The alias of the start workflow is on version 2" in command(deployment, "smoke").stderr
    assert command(deployment, "rollback").returncode == 0
    routing = deployment.stepfunctions.describe_state_machine_alias(stateMachineAliasArn=moved_alias)
    assert routing["routingConfiguration"][0]["stateMachineVersionArn"].endswith(":1")
    assert command(deployment, "preflight").returncode == 0
