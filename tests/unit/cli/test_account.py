"""An AWS account that cannot be used is a sentence with what to do."""

import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ProfileNotFound, ReadTimeoutError

from cli import account, report, watch
from cli.account import AccountError, execution_client, said_plainly

ARN = "arn:aws:states:us-east-1:123456789012:execution:StartImageBuilder:0123"


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), "cannot be reached from here (proxy, firewall"),
        (ReadTimeoutError(endpoint_url="https://x"), "cannot be reached from here (proxy, firewall"),
        (ProfileNotFound(profile="x"), "The config profile (x) could not be found"),
    ],
)
def test_what_boto3_raises_becomes_a_sentence(problem: Exception, sentence: str) -> None:
    with pytest.raises(AccountError) as explanation, said_plainly():
        raise problem
    assert sentence in str(explanation.value)


@pytest.mark.parametrize(
    "execution",
    ["", "0123", ARN.replace(":execution:", ":stateMachine:"), ARN.replace(":execution:", ":express:"), f"{ARN} "],
)
def test_what_is_no_execution_is_refused_by_its_rule(execution: str) -> None:
    with pytest.raises(AccountError, match="EXECUTION: must be the ARN of an execution"):
        execution_client(execution)


@pytest.mark.parametrize("command", [account, watch, report], ids=lambda module: module.__name__)
def test_without_credentials_the_command_says_so(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["command", "--execution", ARN])
    assert command.main() == 2
    printed = capsys.readouterr()
    assert "There are no AWS credentials: name a profile with AWS_PROFILE" in printed.out + printed.err


def test_an_endpoint_that_is_no_url_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp:nonsense")
    with pytest.raises(AccountError, match="The AWS settings of this machine do not work: Invalid endpoint"):
        execution_client(ARN)
