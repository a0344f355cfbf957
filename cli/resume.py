"""`make resume`: see cli/pause.py."""

import sys

from cli.pause import main, resume

if __name__ == "__main__":
    sys.exit(main(resume, "Enabled again"))
