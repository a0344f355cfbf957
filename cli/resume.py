"""`make resume`: see cli/pause.py."""

import sys

from cli.deployment import run
from cli.pause import on_the_stack, resume

if __name__ == "__main__":
    sys.exit(run(on_the_stack, resume, "Enabled again"))
