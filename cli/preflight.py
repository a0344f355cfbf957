"""What `make deploy` checks before it changes anything: no alias was moved off the version that was deployed last.

CloudFormation compares templates, not reality: where a deployment does not change a workflow, its alias would stay.
"""

import sys

from cli.account import AccountError
from cli.deployment import IncompleteStack, find, run


def main() -> int:
    """Returns: the exit status: 0, or 1 with a sentence."""
    return run(check)


def check() -> int:
    """Raises: AccountError: an alias was moved."""
    try:
        # A stack that is not there yet has no alias; neither may one that an earlier version of the project deployed.
        moved = stack.moved() if (stack := find()) else []
    except IncompleteStack:
        moved = []
    if moved:
        raise AccountError(
            f"{' '.join(moved)} Then deploy again; with `make pause` before and `make resume` after it, no schedule or "
            "event starts anything in between."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
