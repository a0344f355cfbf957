"""Samples of output for the documentation, from real executions on the virtual clock."""

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

import tests.conftest  # noqa: F401  # the environment variables of the functions
from cli.history import read_run
from cli.watch import picture
from local.demo_faults import FAULTS
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN

STARTS: Mapping[str, Any] = {"next_start": [("PENDING", 380), ("RUNNING", None)]}
STAYS_PENDING: Mapping[str, Any] = {"next_start": [("PENDING", None)]}


def sample(value: Mapping[str, Any]) -> str:
    """JSON with one member a line; of an image builder the first two."""
    lines = []
    for key, member in value.items():
        text = json.dumps(member)
        if key == "ImageBuilder":
            text = json.dumps({name: member[name] for name in ("Name", "State")})[:-1] + ", ...}"
        lines.append(f'  "{key}": {text}')
    return "```text\n{\n" + ",\n".join(lines) + "\n}\n```"


def fleet() -> str:
    """The output of a fleet of two."""
    both = World.new()
    both.prepare(STARTS)
    both.fake.put_builder("golden-cad", state="RUNNING")
    return sample(both.run_fleet({"ImageBuilders": [BUILDER, "golden-cad"], "MaxConcurrency": 1}).output)


def mail() -> str:
    """The notification of a failed start."""
    failed = World.new()
    failed.start(STAYS_PENDING)
    (message,) = failed.topic.messages
    return f"```text\nSubject: {message['Subject']}\n\n{message['Message'].strip()}\n```"


def live_view() -> str:
    """The picture of a start that AppStream refuses twice. Its waits have no jitter, so that it is always the same."""
    busy, fault = World.new(), FAULTS["ConcurrentModificationException"].fault

    def now() -> datetime:
        return datetime.fromtimestamp(busy.clock.now(), UTC)

    # The interpreter leaves the first event to the API that starts it.
    started = {"type": "ExecutionStarted", "executionStartedEventDetails": {"input": json.dumps({"Name": BUILDER})}}
    events: list[Any] = [{"id": 0, "timestamp": now(), **started}]
    with (
        patch.object(EventManager, "_get_current_timestamp", staticmethod(now)),
        patch.object(random, "random", lambda: 0.5),
    ):
        history = busy.start(faults=[{"operation": "StartImageBuilder", **fault}]).history
    events += [{**event, "timestamp": datetime.fromisoformat(event["timestamp"])} for event in history]
    return picture(read_run(ARN, events))


SAMPLES: Mapping[str, Callable[[], str]] = {
    "start result": lambda: sample(World.new().start(STARTS, StopAfterMinutes=240).output),
    "dry run result": lambda: sample(World.new().start(DryRun=True).output),
    "cause": lambda: sample(World.new().start(STAYS_PENDING).cause),
    "stop result": lambda: sample(World.new().stop().output),
    "fleet result": fleet,
    "mail": mail,
}
"""By the name of the comments in docs/reference.md between which the sample stands."""
