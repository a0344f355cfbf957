from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint
import pytest

import check_request
import describe_image_builder
import start_image_builder
from image_builder import appstream
from local.appstream.clock import ManualClock
from local.appstream.faults import Fault
from local.appstream.in_process import serve_in_process
from local.appstream.service import AppStream
from tests.scenarios import BUILDER, Outcome, Scenario
from tests.workflow.engine import Engine, Execution

WITH_CLIENT: Sequence[ModuleType] = (start_image_builder, describe_image_builder)


@dataclass
class World:
    """The workflow with its real handlers, in front of a double of AppStream, all on one virtual clock."""

    clock: ManualClock
    service: AppStream
    engine: Engine

    @classmethod
    def new(cls, **engine: Any) -> "World":
        clock = ManualClock()
        service = AppStream(clock)
        client = appstream.connect()
        serve_in_process(client, lambda: service)
        for module in WITH_CLIENT:
            module.client = client  # type: ignore[attr-defined]  # the handlers' own
        handlers = {module.__name__: module.handler for module in (check_request, *WITH_CLIENT)}
        return cls(clock, service, Engine(sleep=clock.advance, handlers=handlers, **engine))

    def run(self, execution_input: Any) -> Execution:
        # boto3 waits between its own retries.
        with patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.advance)):
            return self.engine.run(execution_input)

    def outcome(self, execution: Execution) -> Outcome:
        messages = [message["Message"] for message in execution.messages]
        return Outcome(
            execution.status, execution.output, execution.error, execution.cause, messages, self.service.seen()
        )

    def play(self, scenario: Scenario) -> Execution:
        self.prepare(scenario.builder, scenario.faults)
        return self.run(scenario.request)

    def prepare(self, builder: Mapping[str, Any] | None, faults: Sequence[Mapping[str, Any]] = ()) -> None:
        if builder is not None:
            self.service.put_builder(BUILDER, **builder)
        self.service.faults += [Fault.parse({"name": BUILDER, **fault}) for fault in faults]


@pytest.fixture
def world() -> World:
    return World.new()
