import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import botocore.endpoint
import pytest
from botocore.exceptions import ClientError

from cli.definition import FLEET, STOP, definition
from lambdas import (
    describe_image_builder,
    list_image_builders,
    notify_operators,
    start_image_builder,
    stop_image_builder,
    validate_request,
)
from lambdas.image_builder import appstream, execution_result
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Fault
from local.fake_appstream.in_process import install
from tests import contracts
from tests.scenarios import BUILDER, Outcome, Scenario
from tests.workflow.engine import ARN, Engine, Execution, run_handler

WITH_CLIENT: Sequence[ModuleType] = (
    start_image_builder,
    stop_image_builder,
    describe_image_builder,
    list_image_builders,
)
HANDLERS = (validate_request, *WITH_CLIENT, notify_operators)

ASYNCHRONOUS_TRIES = 3
"""How often Lambda runs a function for an event. Source: Lambda developer guide, Error handling for asynchronous
invocation; infra/status_changes.py."""


@dataclass
class Topic:
    """The operators' topic, in the place of the function's SNS client: keeps what is published.

    Attributes:
        errors: that the next publications answer.
    """

    messages: list[dict[str, str]] = field(default_factory=list)
    errors: list[ClientError] = field(default_factory=list)

    def publish(self, **message: str) -> dict[str, Any]:
        if self.errors:
            raise self.errors.pop(0)
        self.messages.append(message)
        return {"MessageId": "1"}


@dataclass
class Executions:
    """Step Functions' answers about one execution, in place of the function's client. execution: None while it runs."""

    began: datetime
    execution_input: Any
    execution: Execution | None = None

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803  # as boto3 names it
        ended = self.execution
        return {
            "executionArn": executionArn,
            "stateMachineAliasArn": f"{executionArn.replace(':execution:', ':stateMachine:').rpartition(':')[0]}:live",
            "status": ended.status if ended else "RUNNING",
            "startDate": self.began,
            "input": json.dumps(self.execution_input),
            **({"error": ended.error, "cause": ended.cause_text} if ended else {}),
        }


@dataclass
class World:
    """The workflow with its real handlers, in front of the fake of AppStream, all on one virtual clock.

    Attributes:
        fleet: the engine of the last fleet.
        undelivered: events that the function that tells failed for, at every try: the dead letters.
    """

    clock: ManualClock
    fake: FakeAppStream
    engine: Engine
    topic: Topic
    undelivered: list[Any] = field(default_factory=list)
    fleet: Engine | None = None

    @classmethod
    def new(cls, kind: type[FakeAppStream] = FakeAppStream, **engine: Any) -> "World":
        clock = ManualClock()
        fake = kind(clock)
        client, mutating_client = appstream.connect(), appstream.connect(appstream.MUTATE)
        for each in (client, mutating_client):
            install(fake, each)
        for module in WITH_CLIENT:
            module.client = client  # type: ignore[attr-defined]  # the handlers' own
        for module in (start_image_builder, stop_image_builder):
            module.mutating_client = mutating_client  # type: ignore[attr-defined]  # the handlers' own
        execution_result.now = lambda: datetime.fromtimestamp(clock.now(), UTC)
        topic = Topic()
        notify_operators.sns = topic  # type: ignore[assignment]  # what it uses of it
        tagging = boto3.client("resourcegroupstaggingapi", config=appstream.READ)
        install(fake, tagging)
        list_image_builders.tagging = lambda: tagging  # type: ignore[assignment]  # without its cache
        handlers = {module.__name__.rpartition(".")[2]: module.handler for module in HANDLERS}
        return cls(clock, fake, Engine(sleep=clock.advance, handlers=handlers, **engine), topic)

    def run(self, execution_input: Any) -> Execution:
        """Run one execution to its end, and hand on the event that Step Functions publishes of a failed one."""
        return self._run(self.engine, execution_input)

    def run_stop(self, execution_input: Any = None) -> Execution:
        """Run the workflow that stops: with an input, or as the auto-stop that a start has scheduled."""
        if execution_input is None:
            (left,) = self.engine.started
            execution_input = json.loads(left["Input"])
        arn = "arn:aws:states:us-east-1:000000000000:execution:StopImageBuilder:test-auto-stop"
        stop = Engine(sleep=self.engine.sleep, handlers=self.engine.handlers, definition=definition(STOP), arn=arn)
        stop.script = self.engine.script
        return self._run(stop, execution_input)

    def run_fleet(
        self,
        execution_input: Any,
        nested: Callable[[dict[str, str]], Execution] | None = None,
        *,
        name: str = "test",
        start_errors: Sequence[Exception] = (),
    ) -> Execution:
        """Run the workflow that starts many.

        Args:
            execution_input: its request.
            nested: how each execution that it starts ends; None: each really runs, one after another.
            name: of the fleet's execution.
            start_errors: that its first calls to start an execution answer.
        """
        arn = f"arn:aws:states:us-east-1:000000000000:execution:StartFleet:{name}"
        self.fleet = Engine(self.engine.sleep, self.engine.handlers, definition=definition(FLEET), arn=arn)
        self.fleet.script, self.fleet.start_errors = self.engine.script, list(start_errors)
        self.fleet.nested = nested or (lambda parameters: self.run(json.loads(parameters["Input"])))
        return self._run(self.fleet, execution_input)

    def _run(self, engine: Engine, execution_input: Any) -> Execution:
        began, outer = execution_result.now(), notify_operators.stepfunctions
        answers = Executions(began, execution_input)
        notify_operators.stepfunctions = lambda: answers  # type: ignore[assignment]  # what it uses of it
        # boto3 waits between its own retries.
        with patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.advance)):
            execution = answers.execution = engine.run(execution_input)
        if execution.status == "SUCCEEDED":
            contracts.check("result", execution.output)
        elif "OperatorsNotified" in execution.cause_text:
            contracts.check("cause", execution.cause)
        if execution.status != "SUCCEEDED":
            self.deliver(status_change(execution, execution_input))
        notify_operators.stepfunctions = outer
        return execution

    def deliver(self, event: Any) -> None:
        """Invoke the function that tells as EventBridge does; what never works is undelivered."""
        tries = (run_handler(self.engine.handlers["notify_operators"], event) for _ in range(ASYNCHRONOUS_TRIES))
        if all("FunctionError" in answer for answer in tries):
            self.undelivered.append(event)

    def outcome(self, execution: Execution) -> Outcome:
        messages = [message["Message"] for message in self.topic.messages]
        calls = [asdict(call) for call in self.fake.calls]
        events = [
            {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": entry["Detail"]}
            for entry in self.engine.announced
        ]
        return Outcome(execution.status, execution.output, execution.error, execution.cause, messages, calls, events)

    def play(self, scenario: Scenario) -> Execution:
        self.prepare(scenario.builder, scenario.faults)
        return self.run(scenario.request)

    def prepare(self, builder: Mapping[str, Any] | None, faults: Sequence[Mapping[str, Any]] = ()) -> None:
        if builder is not None:
            self.fake.put_builder(BUILDER, **builder)
        for fault in faults:
            self.fake.faults.add(Fault.parse({"name": BUILDER, **fault}))


def status_change(execution: Execution, execution_input: Any, arn: str = ARN) -> dict[str, Any]:
    """The event of an execution that failed.

    Source: AWS Step Functions developer guide, Automating Step Functions event delivery with EventBridge.
    """
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": "000000000000",
        "time": "2026-01-31T23:00:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {
            "executionArn": arn,
            "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
            "name": arn.rpartition(":")[2],
            "status": execution.status,
            "startDate": 1_769_896_800_000,
            "stopDate": 1_769_900_400_000,
            "input": json.dumps(execution_input),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": None,
        },
    }


@pytest.fixture
def world() -> World:
    return World.new()
