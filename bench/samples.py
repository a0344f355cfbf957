"""Samples of output for the documentation, from real executions on the virtual clock."""

import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import tests.conftest  # noqa: F401  # the environment variables of the functions
from tests.workflow.conftest import World

STARTS = {"next_start": [("PENDING", 380), ("RUNNING", None)]}
STAYS_PENDING = {"next_start": [("PENDING", None)]}


def _world(builder: Mapping[str, Any]) -> World:
    world = World.new()
    world.prepare(builder)
    return world


def _shown(value: Mapping[str, Any]) -> str:
    """One member a line; of an image builder the first two."""
    lines = []
    for key, member in value.items():
        text = json.dumps(member)
        if key == "ImageBuilder":
            text = json.dumps({name: member[name] for name in ("Name", "State")})[:-1] + ", ...}"
        lines.append(f'  "{key}": {text}')
    return "```text\n{\n" + ",\n".join(lines) + "\n}\n```"


def _start() -> str:
    return _shown(_world(STARTS).run({"Name": "golden-image", "StopAfterMinutes": 240}).output)


def _dry_run() -> str:
    return _shown(_world({}).run({"Name": "golden-image", "DryRun": True}).output)


def _cause() -> str:
    return _shown(_world(STAYS_PENDING).run({"Name": "golden-image"}).cause)


def _stop() -> str:
    return _shown(_world({"state": "RUNNING"}).run_stop({"Name": "golden-image"}).output)


def _fleet() -> str:
    world = _world(STARTS)
    world.fake.put_builder("golden-cad", state="RUNNING")
    return _shown(world.run_fleet({"ImageBuilders": ["golden-image", "golden-cad"], "MaxConcurrency": 1}).output)


def _mail() -> str:
    world = _world(STAYS_PENDING)
    world.run({"Name": "golden-image"})
    (message,) = world.topic.messages
    return f"```text\nSubject: {message['Subject']}\n\n{message['Message'].strip()}\n```"


def _quietly(sample: Callable[[], str]) -> Callable[[], str]:
    def run() -> str:
        with redirect_stdout(StringIO()):  # the functions' metrics
            return sample()

    return run


SAMPLES: Mapping[str, Callable[[], str]] = {
    "start result": _quietly(_start),
    "dry run result": _quietly(_dry_run),
    "cause": _quietly(_cause),
    "stop result": _quietly(_stop),
    "fleet result": _quietly(_fleet),
    "mail": _quietly(_mail),
}
"""By the name of the comments in docs/reference.md between which the sample stands."""
