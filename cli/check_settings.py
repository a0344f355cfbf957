"""What `make deploy` checks first: the settings, against the account and Region that they are deployed to."""

import sys

from cli.account import CONFIG, connect
from cli.deployment import run
from infra.config import deploy_checks
from infra.config.settings import InvalidSettings, Settings


def main() -> int:
    """Returns: the exit status: 0, or 1 with a sentence for each problem; a warning lets the deployment go on."""
    return run(check)


def check() -> int:
    """Raises: InvalidSettings: they do not fit the account or the Region."""
    settings, session = Settings.load(), connect()
    account = session.client("sts", config=CONFIG).get_caller_identity()["Account"]
    for warning in deploy_checks.warnings(settings, account, session.region_name):
        print(f"Warning: {warning}", file=sys.stderr)
    if problems := deploy_checks.problems(settings, account, session.region_name):
        raise InvalidSettings("settings.json", problems)
    return 0


if __name__ == "__main__":
    sys.exit(main())
