"""A schedule that fires and an event that starts an execution, on the second deployment."""

import json
import time
from typing import Any
from uuid import uuid4

from tests.e2e.conftest import BUS, PATIENCE_SECONDS, SCHEDULED, SECOND, Deployment, subscribed_queue


def executions(deployment: Deployment, name: str) -> list[Any]:
    """The executions of the second deployment that are about an image builder."""
    machine = deployment.stack.outputs(SECOND)["StateMachineArn"]
    listed = deployment.stepfunctions.list_executions(stateMachineArn=machine)["executions"]
    described = [
        deployment.stepfunctions.describe_execution(executionArn=execution["executionArn"]) for execution in listed
    ]
    return [execution for execution in described if name in execution["input"]]


def the_execution(deployment: Deployment, name: str) -> Any:
    """The one execution that is about an image builder, when it has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := executions(deployment, name)):
        assert time.monotonic() < deadline, f"nothing was started for {name}"
        time.sleep(0.2)
    (execution,) = found
    return deployment.wait(execution["executionArn"])


def test_an_event_that_matches_starts_an_execution(deployment: Deployment) -> None:
    name = f"asked-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name)
    entry = {"EventBusName": BUS, "DetailType": "Start", "Detail": json.dumps({"Name": name})}
    entries = [{**entry, "Source": source} for source in ("another.app", "my.app")]
    deployment.stack.client("events").put_events(Entries=entries)
    assert the_execution(deployment, name)["status"] == "SUCCEEDED"


def test_a_dead_letter_notifies_the_operators(deployment: Deployment) -> None:
    """MiniStack's Scheduler has no dead letters: one is put into the queue as AWS does."""
    outputs, sqs = deployment.stack.outputs(SECOND), deployment.stack.client("sqs")
    operators = subscribed_queue(deployment.stack, f"dead-letters-{uuid4().hex[:8]}", outputs["OperatorTopicArn"])
    (dead_letters,) = [url for url in sqs.list_queues()["QueueUrls"] if f"{SECOND}-TriggersDeadLetters" in url]
    attributes = {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": "The role may not.",
        "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/night",
        "TARGET_ARN": outputs["StateMachineAliasArn"],
    }
    sqs.send_message(
        QueueUrl=dead_letters,
        MessageBody='{"Name": "golden-image"}',
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (received := sqs.receive_message(QueueUrl=operators).get("Messages")):
        assert time.monotonic() < deadline, "the operators were not notified"
        time.sleep(0.2)
    message = json.loads(received[0]["Body"])
    assert message["Subject"] == "[FAILED] schedule night, AccessDeniedException, us-east-1, 000000000000"
    assert 'REQUEST\n{"Name": "golden-image"}\n' in message["Message"]


def test_a_schedule_starts_an_execution_once_and_a_disabled_one_none(deployment: Deployment) -> None:
    execution = the_execution(deployment, SCHEDULED)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["input"])["detail"] == {"Name": SCHEDULED}
    assert executions(deployment, "never") == []
