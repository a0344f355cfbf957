"""The examples that the documentation offers for the console, each run as it is pasted."""

import json
from pathlib import Path

import pytest

from tests.workflow.conftest import World

EXAMPLES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in (Path(__file__).parents[2] / "docs" / "examples").glob("*.json")
    if path.stem != "parent.template"  # test_parent.py
}
OUTCOMES = {
    "dry-run": "DryRun",
    "ready-for-domain-work": "Running",
    "start": "Running",
    "start-and-stop-later": "Running",
    "update-the-agent": "Running",
    "stop": "Stopped",
    "stop-unless-tagged": "Skipped",
    "fleet": "2 of 2",
    "fleet-by-tag": "2 of 2",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_the_documentation_says(world: World, name: str) -> None:
    example = EXAMPLES[name]
    if name.startswith("fleet"):
        for builder in ("golden-office", "golden-cad"):
            world.fake.put_builder(builder, tags={"PatchGroup": "tuesday"})
        output = world.run_fleet({**example, "MaxConcurrency": 1}).output
        assert f"{output['Running']} of {output['Requested']}" == OUTCOMES[name]
        return
    stops = name.startswith("stop")
    world.fake.put_builder(example["Name"], state="RUNNING" if stops else "STOPPED", tags={"Keep": ""})
    execution = world.run_stop(example) if stops else world.run(example)
    assert execution.output["Outcome"] == OUTCOMES[name]
    assert len(world.topic.messages) == (name == "update-the-agent")
    assert len(world.scheduled) == (name == "start-and-stop-later")
