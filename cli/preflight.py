"""What `make deploy` checks before it changes anything: no alias was moved off the version that was deployed last.

CloudFormation compares templates, not reality: where a deployment does not change a workflow, its alias would stay.
"""

import sys

from cli.account import AccountError
from cli.deployment import find, run


def main() -> int:
    """Returns: the exit status: 0, or 1 with a sentence."""
    return run(check)


def check() -> int:
    """Raises: AccountError: an alias was moved."""
    stack = find()
    # A stack that is not there yet, or whose creation failed, has no alias; the CDK deals with both.
    moved = stack.moved() if stack and stack.outputs else []
    if moved:
        raise AccountError(
            f"{' '.join(moved)} Then deploy again; with `make pause` before and `make resume` after it, no schedule or "
            "event starts anything in between."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
