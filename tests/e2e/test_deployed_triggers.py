"""A second deployment in the same account and Region, and what starts its executions: a schedule and an event."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import BUS, SCHEDULED, SECOND, Deployment, eventually


@pytest.fixture(scope="module")
def second(deployment: Deployment) -> dict[str, str]:
    return deployment.stack.outputs(SECOND)


def executions(deployment: Deployment, machine: str, name: str) -> list[Any]:
    """The executions of a state machine that are about an image builder."""
    client = deployment.stepfunctions
    listed = client.list_executions(stateMachineArn=machine)["executions"]
    described = [client.describe_execution(executionArn=execution["executionArn"]) for execution in listed]
    return [execution for execution in described if name in execution["input"]]


def the_execution(deployment: Deployment, machine: str, name: str) -> Any:
    """The one execution that is about an image builder, when it has ended."""
    (execution,) = eventually(lambda: executions(deployment, machine, name), f"an execution for {name}")
    return deployment.wait(execution["executionArn"])


def test_an_event_starts_an_execution_of_its_own_deployment(deployment: Deployment, second: dict[str, str]) -> None:
    assert not set(deployment.outputs.values()) & set(second.values())
    name = deployment.builder("asked")
    entry = {"EventBusName": BUS, "DetailType": "Start", "Detail": json.dumps({"Name": name})}
    entries = [{**entry, "Source": source} for source in ("another.app", "my.app")]
    deployment.stack.client("events").put_events(Entries=entries)
    assert the_execution(deployment, second["StateMachineArn"], name)["status"] == "SUCCEEDED"
    assert executions(deployment, deployment.outputs["StateMachineArn"], name) == []


def test_a_dead_letter_notifies_the_operators(deployment: Deployment, second: dict[str, str]) -> None:
    """MiniStack's Scheduler has no dead letters: one is put into the queue as AWS does."""
    stack, sqs = deployment.stack, deployment.stack.client("sqs")
    operators = stack.subscribe_queue(second["OperatorTopicArn"])
    (dead_letters,) = [url for url in sqs.list_queues()["QueueUrls"] if f"{SECOND}-TriggersDeadLetters" in url]
    attributes = {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": "The role may not.",
        "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/night",
        "TARGET_ARN": second["StateMachineAliasArn"],
    }
    sqs.send_message(
        QueueUrl=dead_letters,
        MessageBody='{"Name": "golden-image"}',
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
    message, *_ = eventually(lambda: stack.received(operators), "a message to the operators")
    assert message["Subject"] == "[FAILED] schedule night, AccessDeniedException, us-east-1, 000000000000"
    assert 'REQUEST\n{"Name": "golden-image"}\n' in message["Message"]


def test_a_schedule_starts_an_execution_once_and_a_disabled_one_none(
    deployment: Deployment, second: dict[str, str]
) -> None:
    execution = the_execution(deployment, second["StateMachineArn"], SCHEDULED)
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["input"])["detail"] == {"Name": SCHEDULED}
    assert executions(deployment, second["StateMachineArn"], "never") == []
