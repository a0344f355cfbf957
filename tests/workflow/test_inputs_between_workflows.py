"""What the workflows hand to each other fits the last release, both ways.

While a deployment or a rollback moves the aliases one after another, a start of one release schedules an auto-stop of
the other, and a fleet of one starts image builders by the other. At each release, `python -m
tests.workflow.test_inputs_between_workflows` records what the workflows accept and get.
"""

import json
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401 # the environment of the handlers
from lambdas.image_builder.request import FIELDS, STOP_FIELDS, parse
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution

LAST_RELEASE = Path(__file__).with_name("inputs_of_the_last_release.json")
CONTRACTS = {"stop": STOP_FIELDS, "start": FIELDS}
ORIGIN = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""Every workflow accepts this key, and ignores it."""


def inputs() -> dict[str, list[dict[str, Any]]]:
    """By the workflow that gets them: the inputs of a start in a fleet, and of its auto-stop."""
    world = World.new()
    world.fake.put_builder(BUILDER)
    given: list[dict[str, Any]] = []

    def start(parameters: dict[str, str]) -> Execution:
        given.append(json.loads(parameters["Input"]))
        return world.run(given[-1])

    request = {"Name": BUILDER, "StopAfterMinutes": 30}
    assert world.run_fleet({"ImageBuilders": [request]}, start).status == "SUCCEEDED"
    return {"stop": [json.loads(each["Input"]) for each in world.engine.started], "start": given}


def release() -> dict[str, dict[str, Any]]:
    """What the workflows of this release accept and get."""
    return {workflow: {"accepts": list(CONTRACTS[workflow]), "gets": found} for workflow, found in inputs().items()}


def test_the_inputs_of_the_last_release_are_accepted() -> None:
    for workflow, last in json.loads(LAST_RELEASE.read_text()).items():
        assert last["gets"]
        for given in last["gets"]:
            given.pop(ORIGIN)
            assert given.items() <= parse(given, CONTRACTS[workflow]).items()
        assert set(last["accepts"]) <= set(CONTRACTS[workflow])


def test_the_last_release_accepts_the_inputs_of_this_one() -> None:
    last = json.loads(LAST_RELEASE.read_text())
    for workflow, found in inputs().items():
        assert found
        for given in found:
            assert set(given) - {ORIGIN} <= set(last[workflow]["accepts"])


if __name__ == "__main__":
    LAST_RELEASE.write_text(json.dumps(release(), indent=2) + "\n")
