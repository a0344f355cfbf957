"""What the functions write: structured lines that lead from an execution to its logs, and metrics, and no secret."""

import json

from tests.e2e.conftest import Deployment
from tests.scenarios import Scenario


def test_every_line_names_its_execution_and_the_metrics_are_there(deployment: Deployment) -> None:
    assert deployment.play(Scenario("logged")).status == "SUCCEEDED"
    deployment.wait(deployment.start({"Name": ""}))
    # The platform's START, END and REPORT lines are no JSON.
    lines = [line for text in deployment.logs() for line in text.splitlines() if line.startswith("{")]
    written = [json.loads(line) for line in lines]
    entries = [line for line in written if "level" in line]
    metrics = [line for line in written if "_aws" in line]
    assert {entry["message"] for entry in entries} >= {"Request accepted", "Start accepted", "Polled"}
    for entry in entries:
        if "source" in entry:
            continue  # of a start that could not be delivered
        assert entry["execution"].startswith("arn:aws:states:"), entry
        assert entry["service"] == "start-image-builder"
        # These can be about a request that names no image builder, or about several.
        about_none = {"Request refused", "Fleet listed", "Operators notified", "The operators have been notified"}
        assert {"image_builder", "result"} & set(entry) or entry["message"] in about_none, entry
    named = {metric["Name"] for line in metrics for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named >= {"RequestsRefused", "StartAttempts", "StartsAccepted", "Polls"}
    assert "AWS_SECRET_ACCESS_KEY" not in json.dumps(written)
