"""What every command shares: the user's AWS account, checked options, and one sentence where it cannot go on.

`python -m cli.account` names the account, or says what to do.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore import exceptions
from botocore.config import Config

from infra.config.settings import InvalidSettings
from lambdas.image_builder.request import FIELDS

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

_EXECUTION_ARN = re.compile(r"arn:[a-z-]+:states:(?P<region>[a-z0-9-]+):\d{12}:execution:[^:\s]{1,80}:[^:\s]{1,80}")

_SIGN_IN = "name a profile with AWS_PROFILE, or sign in with `aws sso login` or `aws login`, then try again"

# A person waits for the answer: by default boto3 waits a minute in each of five attempts.
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=20)


class AccountError(Exception):
    """A command cannot go on. The message says why, and what to do."""


def run_command(command: Callable[..., int], *arguments: object, **options: object) -> int:
    """Run a command. Returns: its exit status; 1 where it cannot go on, and the sentence on standard error."""
    try:
        with said_plainly():
            return command(*arguments, **options)
    except (AccountError, InvalidSettings) as problem:
        print(printable(str(problem)), file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
    return 1


def printable(text: str) -> str:
    """A text that somebody else wrote as a terminal may show it: control characters as JSON escapes them."""
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn what boto3 raises inside into an AccountError."""
    try:
        yield
    except exceptions.NoCredentialsError:
        raise AccountError(f"There are no AWS credentials: {_SIGN_IN}.") from None
    except exceptions.NoRegionError:
        raise AccountError("There is no AWS Region: set AWS_REGION, then try again.") from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as problem:
        raise AccountError(f"AWS cannot be reached from here (proxy, firewall, AWS_ENDPOINT_URL?): {problem}") from None
    except exceptions.ClientError as problem:
        code, message = problem.response["Error"]["Code"], problem.response["Error"]["Message"]
        expired = f" The credentials are refused: {_SIGN_IN}." if "Token" in code or "Signature" in code else ""
        raise AccountError(f"{problem.operation_name} failed with {code}: {message}.{expired}") from None
    except exceptions.BotoCoreError as problem:
        raise AccountError(f"The AWS settings of this machine do not work: {problem}") from None
    except ValueError as problem:
        # Of AWS_ENDPOINT_URL: boto3 has no class for it.
        if "Invalid endpoint" not in str(problem):
            raise
        raise AccountError(f"The AWS settings of this machine do not work: {problem}") from None


def option(name: str, field: str, text: str) -> Any:
    """The value of an option that is a field of a request. Raises: AccountError: it breaks the rule of that field."""
    value = int(text) if field != "Name" and text.isascii() and text.isdecimal() else text
    if not FIELDS[field].accepts(value):
        raise AccountError(f"{name}: must be {FIELDS[field].rule}, not {text!r}")
    return value


def execution_client(execution: str) -> "SFNClient":
    """A Step Functions client for the Region of an execution, by its ARN. Raises: AccountError: it is none."""
    arn = _EXECUTION_ARN.fullmatch(execution)
    if not arn:
        raise AccountError(
            "EXECUTION: must be the ARN of an execution of a Standard workflow, such as "
            f"arn:aws:states:us-east-1:123456789012:execution:StartImageBuilder:0123abcd, not {execution!r}"
        )
    return connect(arn["region"]).client("stepfunctions", config=CONFIG)


def connect(region: str | None = None) -> boto3.Session:
    """A session with the user's credentials, in this Region or that of their settings."""
    # The CDK asks AWS_REGION first; boto3 does not know it.
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
    # STS would answer without one.
    if not session.region_name:
        raise exceptions.NoRegionError
    return session


def main() -> int:
    """Print the account and the Region. Returns: the exit status."""
    session = connect()
    account = session.client("sts", config=CONFIG).get_caller_identity()["Account"]
    print(f"AWS account {account}, Region {session.region_name}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
