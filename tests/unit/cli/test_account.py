"""An AWS account that cannot be used is a sentence with what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoRegionError,
    ProfileNotFound,
    ReadTimeoutError,
)

from cli.account import AccountError, execution_client, said_plainly

PROJECT = Path(__file__).parents[3]
ARN = "arn:aws:states:us-east-1:123456789012:execution:StartImageBuilder:0123"


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "m"}}, "DescribeExecution")


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (NoRegionError(), "set AWS_REGION"),
        (EndpointConnectionError(endpoint_url="https://x"), "cannot be reached from here (proxy, firewall"),
        (ReadTimeoutError(endpoint_url="https://x"), "cannot be reached from here (proxy, firewall"),
        (refused("AccessDeniedException"), "DescribeExecution failed with AccessDeniedException: m."),
        (refused("ExpiredTokenException"), "AWS_PROFILE"),
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


@pytest.mark.parametrize("module", [("cli.account",), ("cli.watch", "--execution", ARN)], ids=lambda m: m[0])
def test_without_credentials_the_command_says_so(module: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=PROJECT,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "HOME": str(tmp_path),
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "There are no AWS credentials: name a profile with AWS_PROFILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_is_no_url_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp:nonsense")
    with pytest.raises(AccountError, match="The AWS settings of this machine do not work: Invalid endpoint"):
        execution_client(ARN)
