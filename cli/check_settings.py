"""What `make deploy` checks first: the settings, against the account and Region that they are deployed to.

`python -m cli.check_settings` exits with 1 and a sentence for each problem; a warning lets the deployment go on.
"""

import os
import sys

import boto3
from botocore.exceptions import NoRegionError

from cli.account import AccountError, said_plainly
from infra.config import deploy_checks
from infra.config.settings import InvalidSettings, Settings


def check(settings: Settings, account: str, region: str) -> list[str]:
    """Print the warnings. Returns: the problems."""
    for warning in deploy_checks.warnings(settings, account, region):
        print(f"Warning: {warning}", file=sys.stderr)
    return list(deploy_checks.problems(settings, account, region))


def main() -> int:
    """Returns: the exit status: 0; 1 with problems; 2 when there is no account to work with."""
    try:
        settings = Settings.load()
        with said_plainly():
            session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
            if not session.region_name:
                raise NoRegionError
            account = session.client("sts").get_caller_identity()["Account"]
        if problems := check(settings, account, session.region_name):
            raise InvalidSettings("settings.json", problems)
    except InvalidSettings as problems_found:
        print(problems_found, file=sys.stderr)
        return 1
    except AccountError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
