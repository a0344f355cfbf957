"""The workflows in front of the fake of AppStream, on one virtual clock."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import botocore.endpoint
import pytest
from botocore.retries import quota

from cli import definition as definitions
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

WITH_CLIENT = (start_image_builder, stop_image_builder, describe_image_builder, list_image_builders)
HANDLERS = {
    module.__name__.rpartition(".")[2]: module.handler for module in (*WITH_CLIENT, validate_request, notify_operators)
}
STOP_ARN = ARN.replace("StartImageBuilder:test", "StopImageBuilder:test-auto-stop")
FLEET_ARN = ARN.replace("StartImageBuilder", "StartFleet")

ASYNCHRONOUS_TRIES = 3
"""How often Lambda runs a function for an event. Source: Lambda developer guide, Error handling for asynchronous
invocation; infra/status_changes.py."""

NEWEST = SimpleNamespace(respond=None)
"""The fake of the newest world, which all clients call."""

QUOTA = quota.RetryQuota()
"""Of all clients, full at the beginning of each world."""


@cache
def clients() -> list[Any]:
    """The functions' clients, which boto3 takes a second to make: to read, to change, of tags."""
    with patch.object(quota, "RetryQuota", lambda: QUOTA):
        made = [
            appstream.connect(),
            appstream.connect(appstream.MUTATE),
            boto3.client("resourcegroupstaggingapi", config=appstream.READ),
        ]
    for client in made:
        install(NEWEST, client)  # type: ignore[arg-type]  # what it uses of the fake
    return made


@dataclass
class Topic:
    """The operators' topic, in the place of the function's SNS client: keeps what is published."""

    script: Mapping[str, Iterator[Any]]
    messages: list[dict[str, str]] = field(default_factory=list)

    def publish(self, **message: str) -> dict[str, Any]:
        if error := next(self.script.get("Publish", iter(())), None):
            raise error.with_traceback(None)
        self.messages.append(message)
        return {"MessageId": "1"}


def description(arn: str, began: datetime, execution_input: Any, ended: Execution | None) -> dict[str, Any]:
    """What Step Functions answers about an execution. ended: None while it runs."""
    return {
        "executionArn": arn,
        "stateMachineAliasArn": f"{arn.replace(':execution:', ':stateMachine:').rpartition(':')[0]}:live",
        "status": ended.status if ended else "RUNNING",
        "startDate": began,
        "input": json.dumps(execution_input),
        **({"error": ended.error, "cause": ended.cause_text} if ended else {}),
    }


@dataclass
class World:
    """The workflows with their real handlers, in front of the fake of AppStream, all on one virtual clock.

    Attributes:
        undelivered: events that the function that notifies failed for, at every try: the dead letters.
        pauses: the waits and the pauses before retries, in seconds.
        planned: what happens by itself, and when.
    """

    clock: ManualClock
    fake: FakeAppStream
    engine: Engine
    topic: Topic
    undelivered: list[Any] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    planned: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    @classmethod
    def new(cls, kind: type[FakeAppStream] = FakeAppStream) -> "World":
        """The world that the functions are in from now on, with an AppStream of this kind."""
        clock = ManualClock()
        fake = kind(clock)
        NEWEST.respond = fake.respond
        reads, changes, tags = clients()
        QUOTA.release(10_000)
        for module in WITH_CLIENT:
            module.client = reads  # type: ignore[attr-defined]  # the handlers' own
        for changing in (start_image_builder, stop_image_builder):
            changing.mutating_client = changes  # type: ignore[attr-defined]
        list_image_builders.tagging = tags
        execution_result.now = lambda: datetime.fromtimestamp(clock.now(), UTC)
        engine = Engine(clock.advance, dict(HANDLERS))
        notify_operators.sns = topic = Topic(engine.script)  # type: ignore[assignment]  # what it uses of it
        world = cls(clock, fake, engine, topic)
        engine.sleep = world.sleep
        return world

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        end = self.clock.now() + seconds
        while self.planned and self.planned[0][0] <= end:
            moment, action = self.planned.pop(0)
            self.clock.advance(moment - self.clock.now())
            action()
        self.clock.advance(end - self.clock.now())

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Have something happen so many seconds from now, after what is planned already."""
        self.planned.append((self.clock.now() + seconds, action))

    def prepare(self, builder: Mapping[str, Any] | None, faults: Iterable[Mapping[str, Any]] = ()) -> None:
        if builder is not None:
            self.fake.put_builder(BUILDER, **builder)
        for fault in faults:
            self.fake.faults.append(Fault.parse({"name": BUILDER, **fault}))

    def play(self, scenario: Scenario) -> Execution:
        self.prepare(scenario.builder, scenario.faults)
        return self.run(scenario.request)

    def start(
        self,
        builder: Mapping[str, Any] | None = None,
        faults: Iterable[Mapping[str, Any]] = (),
        *,
        script: Mapping[str, Iterable[Any]] | None = None,
        starts: Iterable[Any] = (),
        polls: Iterable[Any] = (),
        **request: Any,
    ) -> Execution:
        """Start the image builder, which is STOPPED if the builder says nothing else.

        Args:
            builder: settings of the fake's image builder.
            faults: of calls to AppStream.
            script: what becomes of the next invocations and calls (Engine.script).
            starts: the part of the script for the function that starts.
            polls: the part of the script for the function that describes.
            request: fields of the request, beside the Name.
        """
        self.prepare(builder or {}, faults)
        self.plan({"start_image_builder": starts, "describe_image_builder": polls, **(script or {})})
        return self.run({"Name": BUILDER, **request})

    def stop(
        self,
        builder: Mapping[str, Any] | None = None,
        faults: Iterable[Mapping[str, Any]] = (),
        *,
        script: Mapping[str, Iterable[Any]] | None = None,
        **request: Any,
    ) -> Execution:
        """Stop the image builder, which is RUNNING if nothing else is said. The arguments are those of start."""
        self.prepare({"state": "RUNNING"} if builder is None else builder, faults)
        self.plan(script or {})
        return self.run_stop({"Name": BUILDER, **request})

    def plan(self, script: Mapping[str, Iterable[Any]]) -> None:
        self.engine.script.clear()
        self.engine.script.update({name: iter(answers) for name, answers in script.items()})

    def run(self, execution_input: Any) -> Execution:
        """Run one execution to its end, and deliver the event that Step Functions publishes of a failed one."""
        return self._run(execution_input, ARN, self.engine.definition)

    def run_stop(self, execution_input: Any = None) -> Execution:
        """Run the workflow that stops: with an input, or as the auto-stop that a start has scheduled."""
        if execution_input is None:
            (left,) = self.engine.started
            execution_input = json.loads(left["Input"])
        return self._run(execution_input, STOP_ARN, definitions.definition(definitions.STOP))

    def run_fleet(
        self,
        execution_input: Any,
        nested: Callable[[dict[str, str]], Execution] | None = None,
        *,
        arn: str = FLEET_ARN,
    ) -> Execution:
        """Run the fleet workflow. nested: how each execution that it starts ends; None: each really runs."""
        self.engine.nested = nested or (lambda parameters: self.run(json.loads(parameters["Input"])))
        return self._run(execution_input, arn, definitions.definition(definitions.FLEET))

    def _run(self, execution_input: Any, arn: str, definition: str) -> Execution:
        began, ended = execution_result.now(), None

        def describe(executionArn: str) -> dict[str, Any]:  # noqa: N803  # as boto3 names it
            return description(executionArn, began, execution_input, ended)

        with (
            patch.object(notify_operators, "stepfunctions", SimpleNamespace(describe_execution=describe)),
            # boto3 waits between its own retries.
            patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.advance)),
        ):
            execution = ended = self.engine.run(execution_input, arn, definition)
            if execution.status != "SUCCEEDED":
                self.deliver(execution, arn)
        if execution.status == "SUCCEEDED":
            contracts.check("result", execution.output)
        elif "OperatorsNotified" in execution.cause_text:
            contracts.check("cause", execution.cause)
        return execution

    def deliver(self, execution: Execution, arn: str) -> None:
        """Invoke the function that notifies as EventBridge does; what never works is undelivered.

        Source: AWS Step Functions developer guide, Automating Step Functions event delivery with EventBridge.
        """
        detail = {"executionArn": arn, "status": execution.status, "stopDate": 1_769_900_400_000}
        event = {"detail-type": "Step Functions Execution Status Change", "detail": detail}
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

    def failure(self, execution: Execution) -> tuple[str, str, int]:
        """Error, Route, and how many messages the operators have got."""
        return execution.error, execution.cause.get("Route", ""), len(self.topic.messages)

    @property
    def scheduled(self) -> list[str]:
        """The names of the executions that a workflow started."""
        return [each["Name"] for each in self.engine.started]

    @property
    def state(self) -> str:
        return str(self.fake.builder(BUILDER)["State"])

    @property
    def stops(self) -> int:
        """How many StopImageBuilder calls took effect."""
        return sum(call.effective for call in self.fake.calls if call.operation == "StopImageBuilder")


@pytest.fixture
def world() -> World:
    return World.new()
