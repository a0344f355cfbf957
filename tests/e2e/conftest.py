import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from local.emulator import Emulator, running_emulator
from tests.scenarios import Outcome, Scenario, with_name

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

AT_ONCE = 6
"""Executions that run side by side: each keeps a worker process a function busy."""
PATIENCE_SECONDS = 300


@dataclass
class Deployment:
    """The template, deployed with the CDK to the local stand-in, and a queue subscribed to its topic."""

    stack: Emulator
    state_machine: str
    stepfunctions: "SFNClient"
    sqs: "SQSClient"
    queue: str
    announcements: str
    _received: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _receiving: threading.Lock = field(default_factory=threading.Lock)

    def start(self, execution_input: Any) -> str:
        text = json.dumps(execution_input)
        return self.stepfunctions.start_execution(stateMachineArn=self.state_machine, input=text)["executionArn"]

    def wait(self, execution: str) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (described := self.stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{execution} did not end within {PATIENCE_SECONDS} seconds"
            time.sleep(0.1)
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
        return [message["Message"] for message in self._all(self.queue)]

    def events(self) -> list[dict[str, Any]]:
        """Everything that has been announced on the event bus so far."""
        return self._all(self.announcements)

    def _all(self, queue: str) -> list[dict[str, Any]]:
        # One at a time: what one has received and not yet kept, another would miss.
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
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with running_emulator(time_scale=0.01) as stack:
        log = tmp_path_factory.mktemp("e2e") / "cdk.log"
        with log.open("w") as output:
            try:
                stack.deploy(output)
            except Exception:
                print(log.read_text())
                raise
        outputs = stack.outputs("StartImageBuilder")
        sqs: SQSClient = stack.client("sqs")
        operators, announcements = (new_queue(sqs, name) for name in ("operators", "announcements"))
        stack.client("sns").subscribe(TopicArn=outputs["OperatorTopicArn"], Protocol="sqs", Endpoint=operators[1])
        events = stack.client("events")
        events.put_rule(Name="announcements", EventPattern='{"source": ["start-image-builder"]}')
        events.put_targets(Rule="announcements", Targets=[{"Id": "1", "Arn": announcements[1]}])
        yield Deployment(
            stack,
            outputs["StateMachineAliasArn"],
            stack.client("stepfunctions"),
            sqs,
            operators[0],
            announcements[0],
        )


def new_queue(sqs: "SQSClient", name: str) -> tuple[str, str]:
    """A new queue: its URL and ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


class Played:
    """Plays scenarios a few at a time, ahead of the tests that check them."""

    def __init__(self, deployment: Deployment, ahead: list[Scenario]) -> None:
        self._deployment = deployment
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._outcomes: dict[str, Future[Outcome]] = {}
        for scenario in ahead:
            self._play(scenario)

    def outcome(self, scenario: Scenario) -> Outcome:
        return self._play(scenario).result()

    def _play(self, scenario: Scenario) -> "Future[Outcome]":
        if scenario.id not in self._outcomes:
            self._outcomes[scenario.id] = self._pool.submit(self._deployment.play, scenario)
        return self._outcomes[scenario.id]


@pytest.fixture(scope="session")
def played(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[Played]:
    wanted: list[Scenario] = [
        item.callspec.params["scenario"]  # type: ignore[misc]  # parametrized with scenarios
        for item in request.session.items
        if isinstance(item, pytest.Function) and {"played", "scenario"} <= set(item.fixturenames)
    ]
    playing = Played(deployment, wanted)
    yield playing
    playing._pool.shutdown(cancel_futures=True)
