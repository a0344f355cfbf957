"""The CDK constructs, one a concern, and the stack that joins them."""

import sys
from pathlib import Path

# The contract of a request is the functions' own: what the configuration schedules is held against it, too.
sys.path.append(str(Path(__file__).parent.parent / "lambdas"))
