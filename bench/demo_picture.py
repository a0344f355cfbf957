"""The picture of the live view that README.md shows: a run of the workflow and its functions on the virtual clock."""

import json
import random
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
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
    world, request = World.new(), {"Name": BUILDER}
    world.prepare({}, [BUSY])

    def now() -> datetime:
        return datetime.fromtimestamp(world.clock.now(), UTC)

    # The interpreter leaves the first event to the API that starts it.
    started = {"type": "ExecutionStarted", "executionStartedEventDetails": {"input": json.dumps(request)}}
    events: list[Any] = [{"id": 0, "timestamp": now(), **started}]
    with (
        patch.object(EventManager, "_get_current_timestamp", staticmethod(now)),
        patch.object(random, "random", half),
        # The functions print their metrics.
        redirect_stdout(StringIO()),
    ):
        history = world.run(request).history
    events += [{**event, "timestamp": datetime.fromisoformat(event["timestamp"])} for event in history]
    return read_run(ARN, events)


def half() -> float:
    """In the place of a random number from 0 to 1."""
    return 0.5


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(recorded_run()), "utf-8")


if __name__ == "__main__":
    main()
