"""A state machine's definition with its substitutions made, for what reads the definition alone.

`python -m cli.definition DIRECTORY` writes each of them there.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

DEFINITIONS = Path(__file__).parent.parent / "statemachine"
START = DEFINITIONS / "start_image_builder.asl.json"
STOP = DEFINITIONS / "stop_image_builder.asl.json"
FLEET = DEFINITIONS / "start_fleet.asl.json"
SUBSTITUTIONS: Mapping[str, str] = {
    "LambdaInvoke": "arn:aws:states:::lambda:invoke",
    "PutEvents": "arn:aws:states:::events:putEvents",
    "EventBusName": "default",
    "StartExecution": "arn:aws:states:::states:startExecution",
    "StartExecutionAndWait": "arn:aws:states:::states:startExecution.sync:2",
    "ValidateRequestFunctionArn": "validate_request",
    "StartImageBuilderFunctionArn": "start_image_builder",
    "StopImageBuilderFunctionArn": "stop_image_builder",
    "DescribeImageBuilderFunctionArn": "describe_image_builder",
    "NotifyOperatorsFunctionArn": "notify_operators",
    "ListImageBuildersFunctionArn": "list_image_builders",
    "StartImageBuilderAliasArn": "arn:aws:states:us-east-1:000000000000:stateMachine:StartImageBuilder:live",
    "StopImageBuilderAliasArn": "arn:aws:states:us-east-1:000000000000:stateMachine:StopImageBuilder:live",
}
"""What infra/stack.py substitutes, with plain names: a test holds that the keys are the same."""


def definition(source: Path = START) -> str:
    """A definition with its substitutions made."""
    return substituted(source.read_text("utf-8"))


def substituted(text: str) -> str:
    """The text of a definition with its substitutions made as CloudFormation makes them."""
    for key, value in SUBSTITUTIONS.items():
        text = text.replace(f"${{{key}}}", value)
    return text


if __name__ == "__main__":
    for source in (START, STOP, FLEET):
        (Path(sys.argv[1]) / source.name).write_text(definition(source), "utf-8")
