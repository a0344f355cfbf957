"""The picture of the live view that README.md shows: a run of the workflow and its functions on the virtual clock."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

import tests.conftest  # noqa: F401  # what the functions read of the environment
from cli.history import Run, read_run
from cli.watch import picture
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
BUSY = {
    "operation": "StartImageBuilder",
    "times": 2,
    "error": {
        "code": "ConcurrentModificationException",
        "message": "An API error occurred. Wait a few minutes and try again.",
    },
}


def recorded_run() -> Run:
    """A start that AppStream refuses twice. Its waits have no jitter, so that it is the same every time."""
    world = World.new()
    world.prepare({}, [BUSY])
    request = f'{{"Name": "{BUILDER}"}}'

    def now() -> datetime:
        return datetime.fromtimestamp(world.clock.now(), UTC)

    with patch.object(EventManager, "_get_current_timestamp", staticmethod(now)), patch.object(random, "random", half):
        history: Any = world.run({"Name": BUILDER}).history
    events = [{**event, "timestamp": datetime.fromisoformat(event["timestamp"])} for event in history]
    return read_run({"executionArn": ARN, "input": request}, events)  # type: ignore[arg-type]  # as moto gives them


def half() -> float:
    """In the place of a random number from 0 to 1."""
    return 0.5


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(recorded_run()), "utf-8")


if __name__ == "__main__":
    main()
