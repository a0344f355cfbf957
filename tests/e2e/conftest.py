"""One emulator for all tests and all pytest workers, with the template deployed by the CDK."""

import fcntl
import json
import pickle
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import pytest

from local.emulator import Emulator, running_emulator
from tests.scenarios import Outcome, Scenario, with_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

CLI = Path(__file__).parents[2] / "cli"
TIME_SCALE = 0.005
"""A simulated minute lasts 0.3 seconds. An invocation takes 12 simulated seconds or more, which image builders count
and workflows do not: no test may depend on an image builder that is slower than a workflow."""
PATIENCE_SECONDS = 300
FIRST, SECOND = "StartImageBuilder", "Second"
"""The names of the two stacks."""
BUS, SCHEDULED = "images", "scheduled"
"""Of the second deployment: the event bus of its trigger, and the image builder of its schedule."""

Found = TypeVar("Found")
Command = Callable[..., tuple[int, str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.needs("MiniStack", "Node packages"))


def eventually(find: Callable[[], Found], what: str) -> Found:
    """What a function finds, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} seconds: {what}"
        time.sleep(0.05)
    return found


@dataclass
class Deployment:
    """The deployed template, and queues subscribed to its topic and its events."""

    stack: Emulator
    outputs: dict[str, str]
    stepfunctions: "SFNClient"
    operators: str
    announcements: str
    _received: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def builder(self, kind: str = "builder", **settings: Any) -> str:
        """The name of a new image builder."""
        name = f"{kind}-{uuid4().hex[:8]}"
        self.stack.appstream.put_builder(name, **settings)
        return name

    def state(self, name: str) -> str:
        found: str = self.stack.appstream.builder(name)["State"]
        return found

    def start(self, execution_input: Any, state_machine: str = "") -> str:
        arn, text = state_machine or self.outputs["StateMachineAliasArn"], json.dumps(execution_input)
        return self.stepfunctions.start_execution(stateMachineArn=arn, input=text)["executionArn"]

    def wait(self, execution: str) -> Any:
        def ended() -> Any:
            described = self.stepfunctions.describe_execution(executionArn=execution)
            return None if described["status"] == "RUNNING" else described

        return eventually(ended, f"the end of {execution}")

    def run(self, execution_input: Any, state_machine: str = "") -> Any:
        return self.wait(self.start(execution_input, state_machine))

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
            messages=self.messages(execution),
            events=[event for event in self._all(self.announcements) if event["detail"]["Execution"] == execution],
            # A scenario's calls name the image builder as Name or in Names.
            calls=[call for call in self.stack.appstream.calls() if name in str(call["parameters"])],
        )

    def messages(self, text: str = "") -> list[str]:
        """What has reached the topic so far and contains a text."""
        return [message["Message"] for message in self._all(self.operators) if text in message["Message"]]

    def logs(self, group: str = "") -> list[str]:
        """The lines in the log groups whose names contain a text."""
        logs = self.stack.client("logs")
        names = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
        pages = logs.get_paginator("filter_log_events")
        found = [page["events"] for name in names if group in name for page in pages.paginate(logGroupName=name)]
        return [line for events in found for event in events for line in event["message"].splitlines()]

    def _all(self, queue: str) -> list[dict[str, Any]]:
        kept = self._received.setdefault(queue, [])
        kept += self.stack.received(queue)
        return kept


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
    emulator.deploy("--app", f"{sys.executable} -m tests.e2e.two_stacks", "-c", f"second={json.dumps(second)}")


@pytest.fixture(scope="session")
def deployment(emulator: Emulator, worker_id: str) -> Deployment:
    outputs = emulator.outputs(FIRST)
    operators = emulator.subscribe_queue(outputs["OperatorTopicArn"])
    announcements, arn = emulator.new_queue()
    events = emulator.client("events")
    events.put_rule(Name=f"announcements-{worker_id}", EventPattern='{"source": ["start-image-builder"]}')
    events.put_targets(Rule=f"announcements-{worker_id}", Targets=[{"Id": "1", "Arn": arn}])
    return Deployment(emulator, outputs, emulator.client("stepfunctions"), operators, announcements)


@pytest.fixture
def command(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of the Makefile against the emulator, by the environment: its exit status and output."""
    for key, value in deployment.stack.environment.items():
        monkeypatch.setenv(key, value)

    def run(module: str, *options: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [module, *options])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(CLI / f"{module}.py"), run_name="__main__")
        assert isinstance(ended.value.code, int)
        return ended.value.code, "".join(capsys.readouterr())

    return run
