from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint
import pytest

import check_request
import describe_image_builder
import start_image_builder
from image_builder import appstream
from local.appstream_double.clock import ManualClock
from local.appstream_double.double import AppStreamDouble
from local.appstream_double.faults import Fault
from local.appstream_double.in_process import install
from tests.scenarios import BUILDER, Outcome, Scenario
from tests.workflow.engine import Engine, Execution

WITH_CLIENT: Sequence[ModuleType] = (start_image_builder, describe_image_builder)


@dataclass
class World:
    """The workflow with its real handlers, in front of a double of AppStream, all on one virtual clock."""

    clock: ManualClock
    double: AppStreamDouble
    engine: Engine

    @classmethod
    def new(cls, **engine: Any) -> "World":
        clock = ManualClock()
        double = AppStreamDouble(clock)
        client = appstream.connect()
        install(double, client)
        for module in WITH_CLIENT:
            module.client = client  # type: ignore[attr-defined]  # the handlers' own
        handlers = {module.__name__: module.handler for module in (check_request, *WITH_CLIENT)}
        return cls(clock, double, Engine(sleep=clock.advance, handlers=handlers, **engine))

    def run(self, execution_input: Any) -> Execution:
        # boto3 waits between its own retries.
        with patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.advance)):
            return self.engine.run(execution_input)

    def outcome(self, execution: Execution) -> Outcome:
        messages = [message["Message"] for message in execution.messages]
        calls = [asdict(call) for call in self.double.calls]
        return Outcome(execution.status, execution.output, execution.error, execution.cause, messages, calls)

    def play(self, scenario: Scenario) -> Execution:
        self.prepare(scenario.builder, scenario.faults)
        return self.run(scenario.request)

    def prepare(self, builder: Mapping[str, Any] | None, faults: Sequence[Mapping[str, Any]] = ()) -> None:
        if builder is not None:
            self.double.put_builder(BUILDER, **builder)
        for fault in faults:
            self.double.faults.add(Fault.parse({"name": BUILDER, **fault}))


@pytest.fixture
def world() -> World:
    return World.new()
