"""The commands of the Makefile for a deployment, against the emulator as against AWS: by the environment."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Command, Deployment, eventually

# In one worker with the commands of the documentation, as these move an alias.
pytestmark = pytest.mark.xdist_group("commands")


def test_the_commands_watch_and_report_any_execution(
    deployment: Deployment, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = deployment.builder()
    execution = deployment.start({"Name": name})
    status, watched = command("watch", "--execution", execution)
    assert status == 0, watched
    assert "> Start image builder" in watched
    assert watched.index(f"{name} is RUNNING. This execution started it.") < watched.index('"Outcome": "Running"')
    file = f"report-{execution.rpartition(':')[2]}.html"
    assert command("report", "--execution", execution) == (0, f"Report: {file}\n")
    assert f"<h1>Start of image builder {name}</h1>" in (tmp_path / file).read_text("utf-8")
    output = tmp_path / "new" / "report.html"
    assert command("report", "--execution", execution, "--output", str(output)) == (0, f"Report: {output}\n")
    assert output.exists()
    status, text = command("report", "--execution", execution, "--output", "/dev/null/report.html")
    assert status == 1
    assert text.startswith("OUTPUT: the report could not be written")


@pytest.mark.parametrize("module", ["watch", "report"])
def test_an_execution_that_does_not_exist_is_a_sentence(command: Command, module: str) -> None:
    status, text = command(
        module, "--execution", "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:none"
    )
    assert status == 1
    assert "ExecutionDoesNotExist" in text


def test_an_auto_stop_is_listed_extended_and_cancelled(deployment: Deployment, command: Command) -> None:
    name, other = deployment.builder("pending"), deployment.builder("extended")
    option = f"--name={name}"
    starts = [deployment.start({"Name": each, "StopAfterMinutes": 10_000}) for each in (name, other)]
    assert [deployment.wait(start)["status"] for start in starts] == ["SUCCEEDED"] * 2
    # It counts from now: this one soon stops its image builder.
    assert command("auto_stops", "extend", f"--name={other}", "--minutes=5")[0] == 0

    status, listed = command("auto_stops", "list", option)
    assert (status, listed.count("\n")) == (0, 1)
    assert listed.startswith(f"{name}  stops 10000 minutes after it is RUNNING, scheduled ")
    old = listed.split()[-1]

    status, text = command("auto_stops", "extend", option, "--minutes=9000")
    assert status == 0, text
    described = deployment.stepfunctions.describe_execution(executionArn=old)
    assert (described["status"], described["error"]) == ("ABORTED", "AutoStopCancelled")
    assert re.fullmatch(r"Replaced by \S+\. By arn:\S+ with `make extend-auto-stop`\.", described["cause"])
    new = command("auto_stops", "list", option)[1]
    assert new.startswith(f"{name}  stops 9000 minutes after it is RUNNING")
    assert new.split()[-1] in described["cause"]

    assert command("auto_stops", "cancel", option)[0] == 0
    assert command("auto_stops", "list", option) == (0, f"No auto-stop of {name} is pending.\n")
    assert command("auto_stops", "cancel", option) == (1, f"No auto-stop of {name} is pending.\n")
    eventually(lambda: deployment.state(other) == "STOPPED", f"the stop of {other}")
    assert deployment.state(name) == "RUNNING"
    assert deployment.messages(old) == deployment.messages(new.split()[-1]) == []


def test_verify_asks_for_every_definition_and_state_and_reports(command: Command) -> None:
    """MiniStack ignores variables and the outputs of mocked tasks: its answers differ."""
    status, text = command("verify")
    assert status == 1, text
    assert "AWS account 000000000000, Region us-east-1" in text
    assert "Wait for start slot" in text
    assert "0 problems of the definitions; " in text


def test_smoke_makes_a_dry_run_and_sends_one_notification(deployment: Deployment, command: Command) -> None:
    name = deployment.builder()
    status, text = command("smoke", f"--name={name}", "--notify=yes")
    assert status == 0, text
    assert f"Dry run of {name}: would start it." in text
    assert "StartImageBuilder is ready." in text
    assert deployment.messages("make smoke sent this test.")
    assert deployment.state(name) == "STOPPED"


def test_smoke_shows_why_a_dry_run_failed(command: Command) -> None:
    status, text = command("smoke", "--name=none-of-this-name")
    assert status == 1
    assert "The dry run of none-of-this-name ended FAILED with ResourceNotFoundException" in text


@pytest.fixture
def moved_alias(deployment: Deployment, command: Command) -> Iterator[str]:
    """The alias of the start workflow, moved by hand to a version that was published by hand."""
    stepfunctions, alias = deployment.stepfunctions, deployment.outputs["StateMachineAliasArn"]
    machine = alias.rpartition(":")[0]
    definition = stepfunctions.describe_state_machine(stateMachineArn=machine)["definition"]
    changed = json.dumps({**json.loads(definition), "Comment": "Changed by hand"})
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=changed)
    version = stepfunctions.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    routing = [{"stateMachineVersionArn": version, "weight": 100}]
    stepfunctions.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routing)  # type: ignore[arg-type]  # TypedDict
    yield alias
    stepfunctions.update_state_machine(stateMachineArn=machine, definition=definition)
    command("rollback")


def test_a_deployment_refuses_while_an_alias_is_moved_and_rollback_puts_it_right(
    deployment: Deployment, command: Command, moved_alias: str
) -> None:
    status, text = command("preflight")
    assert status == 1
    assert "The alias of the start workflow is on version 2, and version 1 was deployed last" in text
    text = command("smoke")[1]
    assert "The alias of the start workflow is on version 2" in text
    assert "No dry run was made" in text
    assert command("rollback")[0] == 0
    routing = deployment.stepfunctions.describe_state_machine_alias(stateMachineAliasArn=moved_alias)
    assert routing["routingConfiguration"][0]["stateMachineVersionArn"].endswith(":1")
    assert command("preflight")[0] == 0
