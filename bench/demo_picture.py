"""The picture of the live view that README.md shows: a run of the workflow and its functions on the virtual clock."""

import json
import random
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

import tests.conftest  # noqa: F401  # the environment variables of the functions
from cli.history import read_run
from cli.watch import picture
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN

BUSY = {
    "operation": "StartImageBuilder",
    "times": 2,
    "error": {
        "code": "ConcurrentModificationException",
        "message": "An API error occurred. Wait a few minutes and try again.",
    },
}


def demo_picture() -> str:
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
        patch.object(random, "random", lambda: 0.5),
    ):
        history = world.run(request).history
    events += [{**event, "timestamp": datetime.fromisoformat(event["timestamp"])} for event in history]
    return picture(read_run(ARN, events))
