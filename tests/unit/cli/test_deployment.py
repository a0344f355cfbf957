"""What each command says, in one sentence, where the account or the stack cannot be worked with; and that it stops."""

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cli import account, auto_stops, destroy, pause, preflight, rollback, smoke, verify
from cli.account import run_command
from tests.unit.cli.conftest import Aws

COMMANDS: dict[str, Callable[[], int]] = {
    "account": lambda: run_command(account.main),
    "verify": lambda: run_command(verify.verify),
    "smoke": lambda: run_command(smoke.smoke, name=None, notify=None),
    "rollback": lambda: run_command(rollback.rollback, to="deployed"),
    "pause": lambda: run_command(pause.main, "pause"),
    "resume": lambda: run_command(pause.main, "resume"),
    "destroy": lambda: run_command(destroy.destroy),
    "auto-stops": lambda: run_command(auto_stops.main, "list", None, ""),
    "preflight": lambda: run_command(preflight.preflight),
}
IDENTITY = {"Account": "123456789012"}
VALID = {"result": "OK", "diagnostics": []}
MISSING = ("ValidationError", "Stack with id S does not exist")


def stack(
    status: str, outputs: Mapping[str, str] | None = None, resources: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """The answers about a stack. Args: resources: by type, physical IDs by logical ID."""
    summaries = [
        {"ResourceType": kind, "LogicalResourceId": logical, "PhysicalResourceId": found, "ResourceStatus": "OK"}
        for kind, ids in (resources or {}).items()
        for logical, found in ids.items()
    ]
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()]
    return {
        "GetCallerIdentity": IDENTITY,
        "DescribeStacks": {"Stacks": [{"StackStatus": status, "Outputs": listed}]},
        "ListStackResources": {"StackResourceSummaries": summaries},
    }


def sentence(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that has to fail. Returns: the one line that it prints as the error."""
    assert COMMANDS[command]() == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("unset", "code", "words"),
    [
        ("AWS_ACCESS_KEY_ID", "", "There are no AWS credentials"),
        ("AWS_DEFAULT_REGION", "", "There is no AWS Region: set AWS_REGION"),
        ("", "ExpiredTokenException", "The credentials are refused: name a profile with AWS_PROFILE"),
        ("", "AccessDenied", "User u is not authorized to perform this."),
    ],
)
def test_an_account_that_cannot_be_used_is_a_sentence_and_nothing_is_changed(
    command: str,
    unset: str,
    code: str,
    words: str,
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(unset, raising=False)
    aws.error = code, "User u is not authorized to perform this"
    assert words in sentence(command, capsys)
    assert all(operation.startswith(("Describe", "Get", "List")) for operation in aws.called)


@pytest.mark.parametrize("command", ["smoke", "rollback", "pause", "resume", "destroy", "auto-stops"])
def test_a_stack_that_is_not_there_is_a_sentence(command: str, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.answers["DescribeStacks"] = MISSING
    assert "There is no stack StartImageBuilder in the Region us-east-1" in sentence(command, capsys)
    assert aws.called == ["DescribeStacks"]


def test_neither_the_first_deployment_nor_that_over_an_earlier_version_of_the_project_is_refused(aws: Aws) -> None:
    aws.answers = stack("UPDATE_COMPLETE")
    assert COMMANDS["preflight"]() == 0
    aws.answers["DescribeStacks"] = MISSING
    assert COMMANDS["preflight"]() == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ROLLBACK_COMPLETE", "is ROLLBACK_COMPLETE: its creation failed; remove it with `make destroy`"),
        ("ROLLBACK_FAILED", "remove it with `make destroy`"),
        ("UPDATE_ROLLBACK_FAILED", "continue its rollback"),
        ("DELETE_FAILED", "run `make destroy` again"),
        ("UPDATE_IN_PROGRESS", "is UPDATE_IN_PROGRESS: try again when that is done"),
        ("UPDATE_COMPLETE", "has no output"),
    ],
)
def test_a_stack_that_is_broken_or_being_changed_is_a_sentence(
    status: str, words: str, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers = stack(status)
    assert words in sentence("rollback", capsys)
    assert aws.called == ["DescribeStacks", "ListStackResources"]


def test_a_stack_that_was_never_created_can_be_removed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\nyes\n"))
    aws.answers = stack("ROLLBACK_COMPLETE")
    assert sentence("destroy", capsys) == "Nothing was changed."
    assert "DescribeImageBuilders failed with AccessDenied" in sentence("destroy", capsys)
