"""The workflow that stops, on the deployed template. That it stops what its start has started: test_make_demo.py."""

import json

from tests.e2e.conftest import Deployment


def test_a_tag_forbids_the_auto_stop(deployment: Deployment) -> None:
    name = deployment.builder(tags={"Skip_Stop": ""})
    start = deployment.run({"Name": name, "StopAfterMinutes": 1})
    end = deployment.wait(json.loads(start["output"])["AutoStop"]["Execution"])
    assert (end["status"], json.loads(end["output"])["Outcome"]) == ("SUCCEEDED", "Skipped")
    assert deployment.state(name) == "RUNNING"


def test_a_stop_that_fails_is_notified(deployment: Deployment) -> None:
    end = deployment.run({"Name": "no-such-builder"}, deployment.outputs["StopAliasArn"])
    assert end["error"] == "ResourceNotFoundException"
    (message,) = deployment.messages(end["executionArn"])
    assert message.startswith("Image builder no-such-builder was not stopped.")
