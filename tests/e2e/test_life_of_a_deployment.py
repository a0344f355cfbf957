"""The second deployment, the way back, a pause and the removal, each while something runs."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import PROJECT
from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.full

STACK = "Life"
SETTINGS = {
    "stackName": STACK,
    "schedules": [{"name": "night", "expression": "rate(1 day)", "request": {"Name": "a"}}],
    "triggers": [{"name": "asked", "pattern": {"source": ["my.app"]}}],
}


@dataclass(frozen=True)
class Copy:
    """A copy of the project, with settings of its own, beside the session's deployment."""

    directory: Path
    deployment: Deployment

    @classmethod
    def make(cls, directory: Path, deployment: Deployment) -> "Copy":
        names = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
        for name in names.splitlines():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, directory / name)
        (directory / "settings.json").write_text(json.dumps(SETTINGS))
        return cls(directory, deployment)

    def run(self, *command: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.deployment.stack.environment,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy(self) -> None:
        deployed = self.run("cdk", "deploy", "--all", "--require-approval", "never", "--no-notices")
        assert deployed.returncode == 0, deployed.stderr

    def command(self, name: str, *options: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", f"cli.{name}", *options, answer=answer)

    def replace(self, name: str, old: str, new: str) -> None:
        file = self.directory / name
        assert old in file.read_text("utf-8"), f"{name} has no {old!r}"
        file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")

    def upgrade(self) -> None:
        """Change a function and the definitions that invoke it, so that neither works with the other's old form."""
        self.replace("lambdas/describe_image_builder.py", "    request", '    assert event["Upgraded"]\n    request')
        for workflow in ("start", "stop"):
            invoked = '"FunctionName": "${DescribeImageBuilderFunctionArn}",\n        "Payload": {'
            changed = f'{invoked}\n          "Upgraded": true,'
            self.replace(f"statemachine/{workflow}_image_builder.asl.json", invoked, changed)

    def start(self, alias: str, request: Any) -> str:
        return self.deployment.start(request, self.deployment.stack.outputs(STACK)[alias])

    def start_one(self, name: str, pending: float) -> str:
        """Start an image builder. Args: pending: how long it is PENDING, in simulated seconds."""
        self.deployment.stack.appstream.put_builder(name, durations={"pending": pending})
        return self.start("StateMachineAliasArn", {"Name": name, "TimeoutMinutes": 720})

    def succeeds(self, execution: str) -> bool:
        return bool(self.deployment.wait(execution)["status"] == "SUCCEEDED")

    def versions(self) -> list[str]:
        """The version that each alias is on: start, stop, fleet."""
        outputs, client = self.deployment.stack.outputs(STACK), self.deployment.stepfunctions
        aliases = [outputs[name] for name in ("StateMachineAliasArn", "StopAliasArn", "FleetAliasArn")]
        described = [client.describe_state_machine_alias(stateMachineAliasArn=alias) for alias in aliases]
        return [each["routingConfiguration"][0]["stateMachineVersionArn"].rpartition(":")[2] for each in described]


def test_runs_end_right_through_an_upgrade_a_rollback_and_a_removal(deployment: Deployment, tmp_path: Path) -> None:
    copy = Copy.make(tmp_path / "copy", deployment)
    copy.deploy()
    assert copy.versions() == ["1", "1", "1"]
    before = copy.start_one("before-the-upgrade", pending=6_000)
    copy.upgrade()
    copy.deploy()
    assert copy.versions()[:2] == ["2", "2"]
    assert copy.succeeds(copy.start_one("after-the-upgrade", pending=400))
    # It polls with the definition and the function that it began with.
    assert copy.succeeds(before)

    between = copy.start_one("before-the-rollback", pending=3_000)
    assert copy.command("rollback", "--to=previous").returncode == 0
    assert copy.versions() == ["1", "1", "1"]
    assert copy.succeeds(copy.start_one("after-the-rollback", pending=400))
    assert copy.succeeds(between)
    assert "make rollback" in copy.command("preflight").stderr
    assert copy.command("rollback").returncode == 0
    assert copy.versions()[:2] == ["2", "2"]

    for command in ("pause", "resume"):
        assert re.search(r": schedule night, rule \S+\.\n$", copy.command("pause", command).stdout)

    remove_under_load(copy)


def remove_under_load(copy: Copy) -> None:
    stack = copy.deployment.stack
    for name in ("fleet-a", "fleet-b"):
        stack.appstream.put_builder(name, state="PENDING")
    request = {"ImageBuilders": ["fleet-a", "fleet-b"], "Defaults": {"TimeoutMinutes": 720}}
    fleet = copy.start("FleetAliasArn", request)
    queue = stack.subscribe_queue(stack.outputs(STACK)["OperatorTopicArn"])
    refused = copy.command("destroy", answer="no\n")
    assert (refused.returncode, refused.stderr) == (1, "Nothing was changed.\n")
    assert copy.deployment.stepfunctions.describe_execution(executionArn=fleet)["status"] == "RUNNING"
    removed = copy.command("destroy", answer="stop\n")
    assert removed.returncode == 0, removed.stderr
    assert "fleet-a is PENDING" in removed.stdout
    with pytest.raises(ClientError, match="does not exist"):
        stack.outputs(STACK)
    (message,) = stack.received(queue)
    assert message["Subject"] == f"{STACK} is being removed"
    assert fleet in message["Message"]
