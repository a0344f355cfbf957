"""A state machine's definition with its substitutions made, for what reads the definition alone.

`python -m local.definition FILE` writes it to FILE.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "statemachine" / "start_image_builder.asl.json"
SUBSTITUTIONS: Mapping[str, str] = {
    "LambdaInvoke": "arn:aws:states:::lambda:invoke",
    "CheckRequestFunctionArn": "check_request",
    "StartImageBuilderFunctionArn": "start_image_builder",
    "DescribeImageBuilderFunctionArn": "describe_image_builder",
    "TellOperatorsFunctionArn": "tell_operators",
}
"""What infra/workflow.py substitutes, with plain names: a test holds that the keys are the same."""


def definition(text: str | None = None) -> str:
    """The definition, or the given text in its place, with its substitutions made as CloudFormation makes them."""
    text = SOURCE.read_text("utf-8") if text is None else text
    for key, value in SUBSTITUTIONS.items():
        text = text.replace(f"${{{key}}}", value)
    return text


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(definition(), "utf-8")
