"""What the functions write: structured lines that lead from an execution to its logs, and metrics, and no secret."""

import json

import pytest

from local.emulator import CREDENTIALS
from tests.e2e.conftest import Deployment
from tests.scenarios import Scenario

# One worker makes the executions.
pytestmark = pytest.mark.xdist_group("logs")

MISPLACED_PASSWORD = "Pa55-in-a-wrong-field"


@pytest.fixture(scope="module")
def logs(deployment: Deployment) -> list[str]:
    """The lines, once there are some of a start, of a failure and of a request with a password in an unknown field."""
    assert deployment.play(Scenario("starts")).status == "SUCCEEDED"
    assert deployment.play(Scenario("fails", {"state": "FAILED"})).messages
    end = deployment.run({"Name": "gold", "Password": MISPLACED_PASSWORD})
    assert end["error"] == "InvalidRequest"
    assert MISPLACED_PASSWORD not in end["cause"]
    return deployment.logs()


def test_every_line_names_its_execution_and_the_metrics_are_there(logs: list[str]) -> None:
    # The platform's START, END and REPORT lines are no JSON.
    written = [json.loads(line) for line in logs if line.startswith("{")]
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


def test_no_secret_is_written_anywhere(deployment: Deployment, logs: list[str]) -> None:
    written = [*logs, *deployment.messages()]
    # Step Functions keeps the input, where the requester has written it.
    assert not [text for text in written if MISPLACED_PASSWORD in text]
    client = deployment.stepfunctions
    for name in ("StateMachineArn", "StopStateMachineArn"):
        for execution in client.list_executions(stateMachineArn=deployment.outputs[name])["executions"]:
            history = client.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)
            written.append(str(history["events"]))
    assert not [text for text in written if CREDENTIALS[1] in text or "AWS_SECRET_ACCESS_KEY" in text]
