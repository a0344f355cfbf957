"""What `make deploy` checks before it changes anything: the settings, against account and Region; and the aliases.

CloudFormation compares templates, not reality: where a deployment does not change a workflow, an alias that was moved
off the version that was deployed last would stay moved.
"""

import sys
from contextlib import suppress

from cli.account import CONFIG, AccountError, connect, run_command
from cli.deployment import find
from infra.config import deploy_checks
from infra.config.settings import InvalidSettings, Settings


def preflight() -> int:
    """Print warnings. Raises: InvalidSettings, AccountError: there is something to fix before the deployment."""
    settings, session = Settings.load(), connect()
    account = session.client("sts", config=CONFIG).get_caller_identity()["Account"]
    for warning in deploy_checks.warnings(settings, account, session.region_name):
        print(f"Warning: {warning}", file=sys.stderr)
    if problems := deploy_checks.problems(settings, account, session.region_name):
        raise InvalidSettings("settings.json", problems)
    moved = []
    # A stack that an earlier version of the project deployed may lack an alias.
    with suppress(AccountError):
        moved = stack.moved() if (stack := find()) else []
    if moved:
        raise AccountError(
            f"{' '.join(moved)} Then deploy again; with `make pause` before and `make resume` after it, no schedule or "
            "event starts anything in between."
        )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(preflight))
