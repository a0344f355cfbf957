"""The state machines' definitions: with their substitutions made, for what reads a definition alone, and formatted.

`python -m cli.definition DIRECTORY` writes each there; `python -m cli.definition --format` formats statemachine/.
"""

import json
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


def formatted(text: str) -> str:
    """A definition in its stable form: two spaces a level; what fits into a line of 120 characters stands in one."""
    return f"{_formatted(json.loads(text), 0)}\n"


def _formatted(value: object, indent: int, room: int = 120) -> str:
    line = json.dumps(value, ensure_ascii=False)
    nested = isinstance(value, dict) and any(isinstance(member, dict | list) for member in value.values())
    if not isinstance(value, dict | list) or not value or (len(line) + 1 <= room and not (nested and indent < 6)):
        return line
    if isinstance(value, dict):
        begin, end, members = "{", "}", [(f'"{key}": ', each) for key, each in value.items()]
    else:
        begin, end, members = "[", "]", [("", each) for each in value]
    pad = " " * (indent + 2)
    parts = [f"{pad}{key}{_formatted(each, indent + 2, 120 - len(pad) - len(key))}" for key, each in members]
    return "\n".join([begin, ",\n".join(parts), " " * indent + end])


def main(arguments: list[str]) -> None:
    """Format the definitions in place, or write them with their substitutions made into a directory."""
    for source in (START, STOP, FLEET):
        if arguments == ["--format"]:
            source.write_text(formatted(source.read_text("utf-8")), "utf-8")
        else:
            (Path(arguments[0]) / source.name).write_text(definition(source), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
