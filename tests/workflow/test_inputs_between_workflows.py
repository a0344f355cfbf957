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

LAST_RELEASE = Path(__file__).with_name("inputs_of_the_last_release.json")
CONTRACTS = {"stop": STOP_FIELDS, "start": FIELDS}
ORIGIN = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""Every workflow accepts this key, and ignores it."""


def release() -> dict[str, dict[str, Any]]:
    """What the workflows of this release accept and get: of a start in a fleet, and of its auto-stop."""
    world = World.new()
    world.fake.put_builder(BUILDER)
    assert world.run_fleet({"ImageBuilders": [{"Name": BUILDER, "StopAfterMinutes": 30}]}).status == "SUCCEEDED"
    start, stop = (json.loads(each["Input"]) for each in world.engine.started)
    return {
        "stop": {"accepts": list(STOP_FIELDS), "gets": [stop]},
        "start": {"accepts": list(FIELDS), "gets": [start]},
    }


def test_each_release_accepts_the_inputs_of_the_other() -> None:
    this, last = release(), json.loads(LAST_RELEASE.read_text())
    for workflow, contract in CONTRACTS.items():
        for given in last[workflow]["gets"]:
            given.pop(ORIGIN)
            assert given.items() <= parse(given, contract).items()
        assert set(last[workflow]["accepts"]) <= set(contract)
        for given in this[workflow]["gets"]:
            assert set(given) - {ORIGIN} <= set(last[workflow]["accepts"])


if __name__ == "__main__":
    LAST_RELEASE.write_text(json.dumps(release(), indent=2) + "\n")
