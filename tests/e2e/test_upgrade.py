"""The second deployment, the way back and the removal, each while something runs."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import PROJECT, Emulator, running_emulator
from tests.e2e.conftest import PATIENCE_SECONDS, new_queue

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("upgrade")]

SETTINGS = [
    'schedules=[{"name": "night", "expression": "rate(1 day)", "request": {"Name": "a"}}]',
    'triggers=[{"name": "asked", "pattern": {"source": ["my.app"]}}]',
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with running_emulator(time_scale=0.01) as running:
        yield running


def command(emulator: Emulator, module: str, *options: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"cli.{module}", *options],
        cwd=PROJECT,
        env=emulator.environment,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )


def deploy(emulator: Emulator, project: Path) -> None:
    options = [option for setting in SETTINGS for option in ("-c", setting)]
    deploying = ["cdk", "deploy", "--all", "--require-approval", "never", "--no-notices", *options]
    for arguments in (["cdk", "bootstrap", "aws://000000000000/us-east-1"], deploying):
        subprocess.run(arguments, cwd=project, env=emulator.environment, check=True, capture_output=True)


def upgraded(directory: Path) -> Path:
    """A copy of the project in which a function and the definitions that invoke it have changed together."""
    names = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in names.splitlines():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, directory / name)
    replace(directory / "lambdas/describe_image_builder.py", "    request", '    assert event["Upgraded"]\n    request')
    for workflow in ("start", "stop"):
        definition = directory / f"statemachine/{workflow}_image_builder.asl.json"
        invoked = '"FunctionName": "${DescribeImageBuilderFunctionArn}",\n        "Payload": {'
        replace(definition, invoked, f'{invoked}\n          "Upgraded": true,')
    return directory


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new, 1), "utf-8")


@dataclass
class Run:
    """Runs of the start workflow through its alias, each of an image builder of its own."""

    emulator: Emulator
    outputs: dict[str, str]

    def start(self, name: str, pending: float) -> str:
        """Start a run. Args: pending: how long the image builder is PENDING, in seconds of the emulator."""
        self.emulator.appstream.put_builder(name, durations={"pending": pending})
        return self._start("StateMachineAliasArn", {"Name": name, "TimeoutMinutes": 720})

    def start_fleet(self, *names: str) -> str:
        for name in names:
            self.emulator.appstream.put_builder(name, state="PENDING")
        return self._start("FleetAliasArn", {"ImageBuilders": [*names], "Defaults": {"TimeoutMinutes": 720}})

    def _start(self, alias: str, request: Any) -> str:
        client = self.emulator.client("stepfunctions")
        execution = client.start_execution(stateMachineArn=self.outputs[alias], input=json.dumps(request))
        return str(execution["executionArn"])

    def outcome(self, execution: str) -> str:
        client, deadline = self.emulator.client("stepfunctions"), time.monotonic() + PATIENCE_SECONDS
        while (end := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert end["status"] == "SUCCEEDED", end
        return str(json.loads(end["output"])["Outcome"])

    def versions(self) -> list[str]:
        """The version that each alias is on: start, stop, fleet."""
        client = self.emulator.client("stepfunctions")
        aliases = [self.outputs[name] for name in ("StateMachineAliasArn", "StopAliasArn", "FleetAliasArn")]
        described = [client.describe_state_machine_alias(stateMachineAliasArn=alias) for alias in aliases]
        return [each["routingConfiguration"][0]["stateMachineVersionArn"].rpartition(":")[2] for each in described]


def test_runs_end_right_through_an_upgrade_a_rollback_and_a_removal(emulator: Emulator, tmp_path: Path) -> None:
    deploy(emulator, PROJECT)
    run = Run(emulator, emulator.outputs("StartImageBuilder"))
    assert run.versions() == ["1", "1", "1"]
    before = run.start("before", pending=6_000)
    deploy(emulator, upgraded(tmp_path / "upgraded"))
    assert run.versions()[:2] == ["2", "2"]
    assert run.outcome(run.start("after", pending=400)) == "Running"
    # It polls with the definition and the function that it began with.
    assert run.outcome(before) == "Running"

    between = run.start("between", pending=3_000)
    assert command(emulator, "rollback", "--to=previous").returncode == 0
    assert run.versions() == ["1", "1", "1"]
    assert run.outcome(run.start("rolled-back", pending=400)) == "Running"
    assert run.outcome(between) == "Running"
    assert "make rollback" in command(emulator, "preflight").stderr
    assert command(emulator, "rollback").returncode == 0
    assert run.versions()[:2] == ["2", "2"]

    assert "schedule night, rule" in command(emulator, "pause").stdout
    assert "schedule night, rule" in command(emulator, "resume").stdout

    remove_under_load(emulator, run)


def remove_under_load(emulator: Emulator, run: Run) -> None:
    fleet = run.start_fleet("fleet-a", "fleet-b")
    queue, arn = new_queue(emulator.client("sqs"), "operators")
    topic = run.outputs["OperatorTopicArn"]
    emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    refused = command(emulator, "destroy", answer="no\n")
    assert (refused.returncode, refused.stderr) == (1, "Nothing was changed.\n")
    removed = command(emulator, "destroy", answer="stop\n")
    assert removed.returncode == 0, removed.stderr
    assert "fleet-a is PENDING" in removed.stdout
    assert fleet in removed.stdout
    with pytest.raises(ClientError, match="does not exist"):
        emulator.outputs("StartImageBuilder")
    messages = emulator.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    (message,) = (json.loads(each["Body"]) for each in messages)
    assert message["Subject"] == "StartImageBuilder is being removed"
    assert fleet in message["Message"]
