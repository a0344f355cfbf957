"""An AWS account that cannot be used is a sentence with what to do."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ProfileNotFound, ReadTimeoutError

from cli import report, watch
from cli.account import AccountError, execution_client, run_command, said_plainly

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


@pytest.mark.parametrize("options", [(watch.main, ARN), (report.main, ARN, None)], ids=["watch", "report"])
def test_without_credentials_the_command_says_so(
    options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run_command(*options) == 1
    assert "There are no AWS credentials: name a profile with AWS_PROFILE" in capsys.readouterr().err
