"""A schedule that fires and an event that starts a run, for real."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import PATIENCE_SECONDS, Deployment, new_queue

pytestmark = pytest.mark.xdist_group("e2e")


def started_with(deployment: Deployment, state_machine: str, name: str) -> list[dict[str, Any]]:
    """The executions of a state machine that are about an image builder."""
    listed = deployment.stepfunctions.list_executions(stateMachineArn=state_machine)["executions"]
    described: list[dict[str, Any]] = [
        dict(deployment.stepfunctions.describe_execution(executionArn=execution["executionArn"]))
        for execution in listed
    ]
    return [execution for execution in described if name in execution["input"]]


def test_a_schedule_and_an_event_start_their_workflows(deployment: Deployment, tmp_path: Path) -> None:
    stack = deployment.stack
    night, asked = (f"{kind}-{uuid4().hex[:8]}" for kind in ("night", "asked"))
    for name in (night, asked):
        stack.appstream.put_builder(name)
    events = stack.client("events")
    events.create_event_bus(Name="images")
    schedules: list[dict[str, Any]] = [
        {
            "name": "night",
            "expression": f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            "request": {"Name": night, "TimeoutMinutes": 30},
        },
        {"name": "off", "expression": "rate(1 minute)", "request": {"Name": "never"}, "enabled": False},
    ]
    triggers = [{"name": "asked", "eventBus": "images", "pattern": {"source": ["my.app"], "detail-type": ["Start"]}}]
    settings = {"stackName": "Triggered", "schedules": schedules, "triggers": triggers}
    with (tmp_path / "cdk.log").open("w") as output:
        stack.deploy(output, "-c", f"settings={json.dumps(settings)}")
    state_machine = stack.outputs("Triggered")["StateMachineArn"]
    for source in ("another.app", "my.app"):
        events.put_events(
            Entries=[
                {
                    "EventBusName": "images",
                    "Source": source,
                    "DetailType": "Start",
                    "Detail": json.dumps({"Name": asked}),
                }
            ]
        )
    deadline = time.monotonic() + PATIENCE_SECONDS
    for name in (night, asked):
        while not (found := started_with(deployment, state_machine, name)):
            assert time.monotonic() < deadline, f"nothing was started for {name}"
            time.sleep(0.2)
        assert len(found) == 1
        assert deployment.wait(found[0]["executionArn"])["status"] == "SUCCEEDED"
    (scheduled,) = started_with(deployment, state_machine, night)
    assert json.loads(scheduled["input"])["detail"] == schedules[0]["request"]
    assert started_with(deployment, state_machine, "never") == []
    assert_that_what_cannot_be_delivered_is_told(deployment)


def assert_that_what_cannot_be_delivered_is_told(deployment: Deployment) -> None:
    """MiniStack's Scheduler knows no dead letters: one is put into the queue as AWS does."""
    stack = deployment.stack
    sqs = stack.client("sqs")
    url, mailbox = new_queue(sqs, "told-of-the-undelivered")
    topic = stack.outputs("Triggered")["OperatorTopicArn"]
    stack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=mailbox)
    (undelivered,) = [each for each in sqs.list_queues()["QueueUrls"] if "Triggered-TriggersDeadLetters" in each]
    letter = {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": "The role may not.",
        "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/night",
        "TARGET_ARN": stack.outputs("Triggered")["StateMachineAliasArn"],
    }
    sqs.send_message(
        QueueUrl=undelivered,
        MessageBody='{"Name": "golden-image"}',
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in letter.items()},
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (told := sqs.receive_message(QueueUrl=url).get("Messages")):
        assert time.monotonic() < deadline, "nobody was told"
        time.sleep(0.2)
    message = json.loads(told[0]["Body"])
    assert message["Subject"] == "Schedule night could not start its workflow: AccessDeniedException"
    assert 'REQUEST\n{"Name": "golden-image"}\n' in message["Message"]
