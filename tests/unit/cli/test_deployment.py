"""What each command says, in one sentence, where the account or the stack cannot be worked with; and that it stops."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import auto_stops, destroy, pause, preflight, rollback, smoke, verify
from tests.unit.cli.conftest import Answer, Aws

COMMANDS: dict[str, Callable[[], int]] = {
    "verify": verify.main,
    "smoke": lambda: smoke.main([]),
    "rollback": lambda: rollback.main([]),
    "pause": lambda: pause.main(pause.pause, "Paused"),
    "resume": lambda: pause.main(pause.resume, "Enabled again"),
    "destroy": destroy.main,
    "auto-stops": lambda: auto_stops.main(["list"]),
    "preflight": preflight.main,
}
ON_THE_STACK = ("smoke", "rollback", "pause", "resume", "destroy", "auto-stops")


def described(status: str) -> Answer:
    """DescribeStacks' answer for a stack in a state."""
    stack = (
        f"<StackName>S</StackName><StackStatus>{status}</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>"
    )
    result = f"<DescribeStacksResult><Stacks><member>{stack}</member></Stacks></DescribeStacksResult>"
    return 200, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>"


NO_RESOURCES = (
    200,
    (
        "<ListStackResourcesResponse><ListStackResourcesResult><StackResourceSummaries/></ListStackResourcesResult>"
        "</ListStackResourcesResponse>"
    ),
)
MISSING = (
    400,
    (
        "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id S does not exist</Message></Error>"
        "</ErrorResponse>"
    ),
)


def sentence(command: str, capsys: pytest.CaptureFixture[str], status: int = 1) -> str:
    """Run a command that has to end with a status. Returns: the one line that it prints as the error."""
    assert COMMANDS[command]() == status
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "The credentials are refused: name a profile with AWS_PROFILE"),
        ("AccessDenied", "User u is not authorized to perform this."),
    ],
)
def test_refused_credentials_are_a_sentence_and_nothing_is_changed(
    command: str, code: str, words: str, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.error = code, "User u is not authorized to perform this"
    assert words in sentence(command, capsys)
    assert all(operation.startswith(("Describe", "Get", "List")) for operation in aws.called)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_credentials_are_a_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "There are no AWS credentials" in sentence(command, capsys)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_region_is_a_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "There is no AWS Region: set AWS_REGION" in sentence(command, capsys)


@pytest.mark.parametrize("command", ON_THE_STACK)
def test_a_stack_that_is_not_there_is_a_sentence(command: str, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.answers["DescribeStacks"] = MISSING
    assert "There is no stack StartImageBuilder in the Region us-east-1" in sentence(command, capsys)
    assert aws.called == ["DescribeStacks"]


def test_the_first_deployment_passes_the_preflight(aws: Aws) -> None:
    aws.answers["DescribeStacks"] = MISSING
    assert preflight.main() == 0


def test_a_stack_of_an_earlier_version_of_the_project_passes_the_preflight(aws: Aws) -> None:
    aws.answers |= {"DescribeStacks": described("UPDATE_COMPLETE"), "ListStackResources": NO_RESOURCES}
    assert preflight.main() == 0


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ROLLBACK_COMPLETE", "remove it with `make destroy`"),
        ("ROLLBACK_FAILED", "remove it with `make destroy`"),
        ("UPDATE_ROLLBACK_FAILED", "continue the rollback"),
        ("DELETE_FAILED", "run `make destroy` again"),
        ("UPDATE_IN_PROGRESS", "try again when that is done"),
        ("UPDATE_COMPLETE", "has no output"),
    ],
)
@pytest.mark.parametrize("command", ["smoke", "rollback"])
def test_a_stack_that_is_broken_or_being_changed_is_a_sentence(
    command: str, status: str, words: str, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers |= {"DescribeStacks": described(status), "ListStackResources": NO_RESOURCES}
    line = sentence(command, capsys)
    assert words in line
    assert status in line or "output" in line
    assert set(aws.called) == {"DescribeStacks", "ListStackResources"}


def test_a_stack_that_was_never_created_can_be_removed(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers |= {"DescribeStacks": described("ROLLBACK_COMPLETE"), "ListStackResources": NO_RESOURCES}
    assert sentence("destroy", capsys) == "Nothing was changed."
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert "DescribeImageBuilders failed with AccessDenied" in sentence("destroy", capsys)


VALID = 200, '{"result": "OK", "diagnostics": []}'
IDENTITY = (
    200,
    (
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>"
    ),
)


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({}, "UnknownOperationException", "in us-east-1 has no ValidateStateMachineDefinition: name another Region"),
        ({"ValidateStateMachineDefinition": VALID}, "UnknownOperationException", "in us-east-1 has no TestState"),
        ({}, "AccessDeniedException", "Allow states:ValidateStateMachineDefinition and states:TestState on *"),
        ({"ValidateStateMachineDefinition": VALID}, "AccessDeniedException", "states:TestState on *, then try again"),
    ],
)
def test_verify_names_the_missing_action_or_permission(
    answers: dict[str, Answer], code: str, words: str, aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers = {"GetCallerIdentity": IDENTITY, **answers}
    aws.error = code, "no"
    assert words in sentence("verify", capsys)


def test_verify_says_where_a_region_cannot_be_reached(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers["GetCallerIdentity"] = IDENTITY
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
    assert "Step Functions cannot be reached in us-east-1 (a Region without TestState?" in sentence("verify", capsys)
