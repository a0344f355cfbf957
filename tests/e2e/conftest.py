"""One emulator for all tests and all pytest workers, with the template deployed by the CDK."""

import fcntl
import json
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from local.emulator import Emulator, running_emulator
from tests.scenarios import Outcome, Scenario, with_name

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

TIME_SCALE = 0.005
"""A simulated minute lasts 0.3 seconds. An invocation takes 12 simulated seconds or more, which image builders count
and workflows do not: no test may depend on an image builder that is slower than a workflow."""
PATIENCE_SECONDS = 300
FIRST, SECOND = "StartImageBuilder", "Second"
"""The names of the two stacks."""
BUS, SCHEDULED = "images", "scheduled"
"""Of the second deployment: the event bus of its trigger, and the image builder of its schedule."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.needs("MiniStack", "Node packages"))


@dataclass
class Deployment:
    """The template, deployed with the CDK to the emulator, and queues subscribed to its topic and its events."""

    stack: Emulator
    state_machine: str
    stepfunctions: "SFNClient"
    sqs: "SQSClient"
    operators: str
    announcements: str
    _received: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _receiving: threading.Lock = field(default_factory=threading.Lock)

    def start(self, execution_input: Any, state_machine: str = "") -> str:
        arn, text = state_machine or self.state_machine, json.dumps(execution_input)
        return self.stepfunctions.start_execution(stateMachineArn=arn, input=text)["executionArn"]

    def wait(self, execution: str) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (described := self.stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{execution} did not end within {PATIENCE_SECONDS} seconds"
            time.sleep(0.05)
        return described

    def play(self, scenario: Scenario) -> Outcome:
        name = f"builder-{uuid4().hex[:12]}"
        if scenario.builder is not None:
            self.stack.appstream.put_builder(name, **scenario.builder)
        for fault in scenario.faults:
            self.stack.appstream.add_fault(**{"name": name, **fault})
        return self.outcome(self.start(with_name(scenario.request, name)), name)

    def outcome(self, execution: str, name: str) -> Outcome:
        end = self.wait(execution)
        return Outcome(
            status=end["status"],
            output=json.loads(end.get("output") or "null"),
            error=end.get("error", ""),
            cause=json.loads(end.get("cause") or "{}"),
            messages=[message for message in self.messages() if execution in message],
            events=[event for event in self.events() if event["detail"]["Execution"] == execution],
            calls=[call for call in self.stack.appstream.calls() if name in _names(call["parameters"])],
        )

    def messages(self) -> list[str]:
        """Everything that has reached the topic so far."""
        return [message["Message"] for message in self._all(self.operators)]

    def events(self) -> list[dict[str, Any]]:
        """Everything that has been published on the event bus so far."""
        return self._all(self.announcements)

    def logs(self, group: str = "") -> Iterator[str]:
        """The messages in the log groups whose names contain a text."""
        logs = self.stack.client("logs")
        for name in (each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]):
            if group in name:
                for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                    yield from (event["message"] for event in page["events"])

    def _all(self, queue: str) -> list[dict[str, Any]]:
        # One thread at a time: what one has received and not yet kept, another would miss.
        with self._receiving:
            kept = self._received.setdefault(queue, [])
            while received := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                kept += [json.loads(message["Body"]) for message in received]
                for message in received:
                    self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return list(kept)


def _names(parameters: dict[str, Any]) -> list[str]:
    """The image builders that a call names."""
    return [parameters.get("Name", ""), *parameters.get("Names", [])]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Emulator]:
    """The first worker that needs it starts it and deploys to it, and ends it when no other uses it any more."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    started = shared / "emulator.pickle"
    with (shared / "emulator.users").open("w") as users, ExitStack() as own:
        with (shared / "emulator.starts").open("w") as starts:
            fcntl.flock(starts, fcntl.LOCK_EX)
            if not started.exists():
                new = own.enter_context(running_emulator(time_scale=TIME_SCALE))
                _deploy(new)
                started.write_bytes(pickle.dumps(new))
                # Once no worker can find it any more, wait for those that have.
                own.callback(fcntl.flock, users, fcntl.LOCK_EX)
                own.callback(started.unlink)
            fcntl.flock(users, fcntl.LOCK_SH)
            found: Emulator = pickle.loads(started.read_bytes())
        yield found


def _deploy(emulator: Emulator) -> None:
    """Deploy both stacks at once: each synthesis takes several seconds of processor time."""
    emulator.appstream.put_builder(SCHEDULED)
    emulator.client("events").create_event_bus(Name=BUS)
    # Later than the synthesis, which leaves out a schedule that has expired.
    fires = datetime.now(UTC) + timedelta(seconds=45)
    second = {
        "stackName": SECOND,
        "schedules": [
            {"name": "once", "expression": f"at({fires:%Y-%m-%dT%H:%M:%S})", "request": {"Name": SCHEDULED}},
            {"name": "off", "expression": "rate(1 minute)", "request": {"Name": "never"}, "enabled": False},
        ],
        "triggers": [{"name": "asked", "eventBus": BUS, "pattern": {"source": ["my.app"], "detail-type": ["Start"]}}],
    }
    log = emulator.directory / "cdk.log"
    with log.open("w") as output:
        try:
            app = f"{sys.executable} -m tests.e2e.app"
            emulator.deploy(output, "--app", app, "-c", f"second={json.dumps(second)}")
        except Exception:
            print(log.read_text())
            raise


@pytest.fixture(scope="session")
def deployment(emulator: Emulator, worker_id: str) -> Deployment:
    outputs = emulator.outputs(FIRST)
    sqs: SQSClient = emulator.client("sqs")
    operators = subscribed_queue(emulator, f"operators-{worker_id}", outputs["OperatorTopicArn"])
    announcements, arn = new_queue(sqs, f"announcements-{worker_id}")
    events = emulator.client("events")
    events.put_rule(Name=f"announcements-{worker_id}", EventPattern='{"source": ["start-image-builder"]}')
    events.put_targets(Rule=f"announcements-{worker_id}", Targets=[{"Id": "1", "Arn": arn}])
    stepfunctions = emulator.client("stepfunctions")
    return Deployment(emulator, outputs["StateMachineAliasArn"], stepfunctions, sqs, operators, announcements)


def new_queue(sqs: "SQSClient", name: str) -> tuple[str, str]:
    """A new queue: its URL and ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def subscribed_queue(emulator: Emulator, name: str, topic: str) -> str:
    """The URL of a new queue that takes the messages of a topic."""
    url, arn = new_queue(emulator.client("sqs"), name)
    emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url
