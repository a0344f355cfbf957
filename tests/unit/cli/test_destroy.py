"""`make destroy` on moto's Step Functions, EventBridge and SNS. Executions there run until they are stopped."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli import destroy
from cli.deployment import OUTPUTS, Deployment, Resource

BUILDERS = [{"Name": "a", "State": "RUNNING"}, {"Name": "b", "State": "STOPPED"}]


class Removal:
    """A deployment with a start and an auto-stop that run, and what was done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        session = boto3.Session(region_name="us-east-1")
        self.stepfunctions, self.events = session.client("stepfunctions"), session.client("events")
        sns, sqs = session.client("sns"), session.client("sqs")
        self.sqs, self.queue = sqs, sqs.create_queue(QueueName="operators")["QueueUrl"]
        topic = sns.create_topic(Name="operators")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:operators")
        outputs = {"OperatorTopicArn": topic}
        for name, (_, output) in OUTPUTS.items():
            role = "arn:aws:iam::123456789012:role/r"
            created = self.stepfunctions.create_state_machine(name=name, definition="{}", roleArn=role)
            outputs[output] = created["stateMachineArn"]
        self.executions = [
            self.stepfunctions.start_execution(stateMachineArn=outputs[output], input=json.dumps({"Name": "a"}))[
                "executionArn"
            ]
            for output in ("StateMachineArn", "StopStateMachineArn")
        ]
        self.events.put_rule(Name="changes", EventPattern=json.dumps({"source": ["aws.states"]}))
        machines = [Resource(name, "AWS::StepFunctions::StateMachine", arn) for name, arn in outputs.items()]
        rule = Resource("StatusChangesRule", "AWS::Events::Rule", "changes")
        settings: Any = SimpleNamespace(stack_name="S")
        self.stack = Deployment(session, settings, "UPDATE_COMPLETE", outputs, [*machines, rule])
        self.removed = 0
        self.while_it_waits: Callable[[], object] = lambda: None
        clients = Deployment.client
        pages = SimpleNamespace(paginate=lambda: [{"ImageBuilders": BUILDERS}])
        appstream = SimpleNamespace(get_paginator=lambda _: pages)
        monkeypatch.setattr(
            Deployment, "client", lambda self, name: appstream if name == "appstream" else clients(self, name)
        )
        monkeypatch.setattr(destroy, "existing", lambda: self.stack)
        self.status = 0
        monkeypatch.setattr(shutil, "which", lambda _: "/cdk")
        monkeypatch.setattr(subprocess, "run", self._remove)
        monkeypatch.setattr("cli.destroy.time", SimpleNamespace(sleep=lambda _: self.while_it_waits()))

    def _remove(self, command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        assert command[:3] == ["/cdk", "destroy", "S"]
        self.removed += 1
        return subprocess.CompletedProcess(command, self.status)

    def run(self, answer: str, monkeypatch: pytest.MonkeyPatch) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        return destroy.main()

    def statuses(self) -> list[str]:
        return [self.stepfunctions.describe_execution(executionArn=arn)["status"] for arn in self.executions]

    def notifies(self) -> bool:
        return bool(self.events.describe_rule(Name="changes")["State"] == "ENABLED")

    def messages(self) -> list[str]:
        received = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Message"] for message in received]


@pytest.fixture
def removal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Removal]:
    with mock_aws():
        yield Removal(monkeypatch)


def test_what_runs_is_stopped_without_a_mail_for_each(removal: Removal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert removal.run("stop\n", monkeypatch) == 0
    assert removal.statuses() == ["ABORTED", "ABORTED"]
    assert (removal.removed, removal.notifies()) == (1, False)
    (message,) = removal.messages()
    assert "a is RUNNING, and its auto-stop was stopped" in message
    assert all(arn in message for arn in removal.executions)


def test_what_runs_can_be_waited_for(
    removal: Removal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endings = iter(removal.executions)
    removal.while_it_waits = lambda: removal.stepfunctions.stop_execution(executionArn=next(endings))
    monkeypatch.setattr(Deployment, "stop", pytest.fail)
    assert removal.run("wait\n", monkeypatch) == 0
    assert list(endings) == []
    assert (removal.removed, removal.notifies(), removal.messages()) == (1, True, [])
    assert "a is RUNNING\n" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "yes\n", "STOP\n"])
def test_any_other_answer_changes_nothing(removal: Removal, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    assert removal.run(answer, monkeypatch) == 1
    assert removal.statuses() == ["RUNNING", "RUNNING"]
    assert (removal.removed, removal.notifies()) == (0, True)


def test_a_removal_that_fails_notifies_again(removal: Removal, monkeypatch: pytest.MonkeyPatch) -> None:
    removal.status = 3
    assert removal.run("stop\n", monkeypatch) == 3
    assert removal.notifies()


def test_an_interruption_notifies_again(removal: Removal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    removal.while_it_waits = interrupt
    assert removal.run("stop\n", monkeypatch) == 1
    assert (removal.removed, removal.notifies()) == (0, True)
