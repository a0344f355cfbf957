"""The examples that the documentation offers for the console, each run as it is pasted."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import World

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
STARTS = {
    "dry-run": "DryRun",
    "ready-for-domain-work": "Running",
    "start": "Running",
    "start-and-stop-later": "Running",
    "update-the-agent": "Running",
}
FLEETS = ("fleet", "fleet-by-tag")
STOPS = {"stop": "Stopped", "stop-unless-tagged": "Skipped"}


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "outcome"), STARTS.items())
def test_an_example_for_the_workflow_that_starts(world: World, name: str, outcome: str) -> None:
    world.fake.put_builder(example(name)["Name"])
    execution = world.run(example(name))
    assert (execution.status, execution.output["Outcome"]) == ("SUCCEEDED", outcome)
    assert len(world.topic.messages) == (name == "update-the-agent")
    assert bool(world.engine.started) is (name == "start-and-stop-later")


@pytest.mark.parametrize(("name", "outcome"), STOPS.items())
def test_an_example_for_the_workflow_that_stops(world: World, name: str, outcome: str) -> None:
    world.fake.put_builder(example(name)["Name"], state="RUNNING", tags={"Keep": ""})
    execution = world.run_stop(example(name))
    assert (execution.status, execution.output["Outcome"]) == ("SUCCEEDED", outcome)


@pytest.mark.parametrize("name", FLEETS)
def test_an_example_for_the_workflow_that_starts_many(world: World, name: str) -> None:
    for builder in ("golden-office", "golden-cad"):
        world.fake.put_builder(builder, tags={"PatchGroup": "tuesday"})
    execution = world.run_fleet({**example(name), "MaxConcurrency": 1})
    assert (execution.status, execution.output["Running"]) == ("SUCCEEDED", 2)


def test_each_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == {*STARTS, *STOPS, *FLEETS, "parent.template"}
