"""`make destroy`, while a start and an auto-stop run."""

import io
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cli.account import run_command
from cli.deployment import ALIASES
from cli.destroy import destroy
from tests.unit.cli.conftest import Aws
from tests.unit.cli.test_deployment import stack

EXECUTIONS = [{"executionArn": f"arn:{name}", "name": name, "startDate": datetime.now(UTC)} for name in ("a", "a-stop")]
READS = ("Describe", "Get", "List")
STOPPED = ["DisableRule", "StopExecution", "StopExecution", "Publish", "cdk destroy StartImageBuilder"]


@pytest.mark.parametrize(
    ("answer", "cdk", "interrupted", "status", "changes"),
    [
        ("stop\n", 0, False, 0, STOPPED),
        ("wait\n", 0, False, 0, STOPPED[-1:]),
        ("yes\n", 0, False, 1, []),
        ("", 0, False, 1, []),
        ("stop\n", 3, False, 3, [*STOPPED, "EnableRule"]),
        ("stop\n", 0, True, 1, ["DisableRule", "EnableRule"]),
    ],
    ids=["stopped", "waited-for", "other", "nothing", "fails", "interrupted"],
)
def test_what_runs_is_stopped_without_a_mail_for_each_or_waited_for_or_nothing_changes(
    answer: str,
    cdk: int,
    interrupted: bool,
    status: int,
    changes: list[str],
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machines = {output: f"arn:{output}" for output in ALIASES.values()}
    outputs = {output: f"{arn}:live" for output, arn in machines.items()}
    rules = {"StatusChangesRule": "changes", "TriggersA": "a", "TriggersB": "b"}
    resources = {"AWS::Events::Rule": rules, "AWS::StepFunctions::StateMachine": machines}
    # Fleets, starts, stops: as they are listed, at the first round, and at the second one.
    rounds = [[], EXECUTIONS[:1], EXECUTIONS[1:]] * 2 + [[], [], []]
    builders = [{"Name": "a", "State": "RUNNING"}, {"Name": "b", "State": "STOPPED"}]
    aws.answers = {
        **stack("UPDATE_COMPLETE", {**outputs, "OperatorTopicArn": "arn:topic"}, resources),
        "ListExecutions": [{"executions": executions} for executions in rounds],
        "DescribeImageBuilders": {"ImageBuilders": builders},
        "DescribeRule": {"State": "DISABLED"},
        **{key: {} for key in ("DisableRule", "EnableRule", "StopExecution", "Publish")},
    }

    def remove(command: list[str], check: bool) -> SimpleNamespace:
        aws.called.append(" ".join(command[:3]))
        return SimpleNamespace(returncode=cdk)

    def sleep(_: float) -> None:
        if interrupted:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", remove)
    monkeypatch.setattr("cli.destroy.time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert run_command(destroy) == status
    assert [operation for operation in aws.called if not operation.startswith(READS)] == changes
    printed = capsys.readouterr().out
    if changes and not interrupted:
        done = "Waited for" if answer == "wait\n" else "Stopped"
        assert f"{done} start arn:a\n{done} stop arn:a-stop" in printed
        assert "a is RUNNING, and billed while it runs." in printed
        assert "b is" not in printed
