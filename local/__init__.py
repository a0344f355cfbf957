"""The embedded default: everything that lets this project be tried and tested without an AWS account."""

import sys
from pathlib import Path

# How an end is read is the functions' own: the report says the same of it as the message to the operators.
sys.path.append(str(Path(__file__).parent.parent / "lambdas"))
