"""What the functions write: structured lines that lead from an execution to its logs, and metrics, and no secret."""

import json
from typing import Any

import pytest

from local.emulator import Emulator
from tests.e2e.conftest import Deployment
from tests.scenarios import Scenario

pytestmark = pytest.mark.xdist_group("e2e")


def lines(stack: Emulator) -> list[dict[str, Any]]:
    """Every JSON line in the functions' own log groups; the platform's START, END and REPORT lines are none."""
    logs = stack.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    messages = [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    found = []
    for message in messages:
        for line in message.splitlines():
            try:
                parsed = json.loads(line)
            except ValueError:
                continue
            if isinstance(parsed, dict):
                found.append(parsed)
    return found


def test_every_line_names_its_execution_and_the_metrics_are_there(deployment: Deployment) -> None:
    run = deployment.play(Scenario("logged"))
    assert run.status == "SUCCEEDED"
    written = lines(deployment.stack)
    entries = [line for line in written if "level" in line]
    metrics = [line for line in written if "_aws" in line]
    assert {entry["message"] for entry in entries} >= {"Request accepted", "Start accepted", "Looked"}
    for entry in entries:
        if "source" in entry:
            continue  # of a start that never was
        assert entry["execution"].startswith("arn:aws:states:"), entry
        assert entry["service"] == "start-image-builder"
        # These can be about a request that names none, or about several.
        about_none = ("Request refused", "Fleet listed", "Operators told", "The workflow has told the operators itself")
        assert "image_builder" in entry or entry["message"] in about_none, entry
    named = {metric["Name"] for line in metrics for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert named >= {"RequestsRefused", "StartAttempts", "StartsAccepted", "Polls"}
    assert "AWS_SECRET_ACCESS_KEY" not in json.dumps(written)
