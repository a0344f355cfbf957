"""Executions, auto-stops and people around one image builder, on one virtual clock, with an oracle of who started it.

AppStream has no identity of a start: an execution knows its own only by its call and by what its polls show. The model
sees each call take effect, so it knows whose start is under way, and holds the executions against that.
"""

import json
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from itertools import repeat
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from unittest.mock import patch

import botocore.endpoint

from cli.definition import STOP, definition
from lambdas import notify_operators
from lambdas.image_builder.appstream import MUTATE_SECONDS, READ_SECONDS
from local.fake_appstream.fake import FakeAppStream, Reply
from local.fake_appstream.faults import Fault
from local.fake_appstream.model import ServiceError
from tests import contracts
from tests.scenarios import BUILDER
from tests.workflow.conftest import World, description
from tests.workflow.engine import ARN, Execution, Handler, Invocation, run_handler, service_error
from tests.workflow.scripted import START, fails, kills_after_its_work
from tests.workflow.virtual_time import VirtualTime

LATENCY = 0.5
"""Seconds before a call of AppStream takes effect: others act meanwhile."""

SHORTEST_START = 300
"""Seconds. Source: AppStream 2.0 administration guide, Image Builder Actions: starts take 5 to 25 minutes."""

SOON = 100
"""Seconds after a call: RUNNING until then is a start from before."""

PATIENCE = 1_800
"""Seconds that somebody waits until an action is possible."""

OPERATIONS = ("DescribeImageBuilders", "StartImageBuilder", "StopImageBuilder", "ListTagsForResource")
CALLS: Mapping[str, Mapping[str, Any]] = {
    "throttled": {"error": {"code": "ThrottlingException"}},
    "unavailable": {"error": {"code": "InternalFailure"}},
    "conflict": {"error": {"code": "ConcurrentModificationException"}},
    "not permitted": {"error": {"code": "OperationNotPermittedException"}},
    "denied": {"error": {"code": "AccessDeniedException"}},
    "dropped before": {"drop": "before"},
    "dropped after": {"drop": "after"},
    "slow": {"delay": READ_SECONDS + 15},
    "hanging": {"delay": MUTATE_SECONDS + 35},
}
"""What becomes of a call of AppStream."""


def busy(handler: Handler, event: Any) -> dict[str, Any]:
    raise service_error("Invoke", "TooManyRequestsException")


INVOCATIONS: Mapping[str, Invocation] = {
    "crashes": fails("Runtime.ExitError"),
    "crashes after": kills_after_its_work,
    "busy": busy,
}
"""What becomes of an invocation of a function."""

ACTIONS: Mapping[str, Sequence[Any]] = {
    "reboot": [["REBOOTING", 150], ["RUNNING", None]],
    "update": [["UPDATING", 400], ["RUNNING", None]],
    "snapshot": [["SNAPSHOTTING", 600], ["STOPPED", None]],
    "delete": [["DELETING", 100]],
    "create": [["PENDING", 500], ["RUNNING", None]],
}
"""What other people do beside start, stop, restart, and abort (an execution)."""


class Outage(NamedTuple):
    """What happens to some calls for a while, in seconds from the beginning.

    target: an operation of AppStream or "*" for all; a function; StartExecution or Publish.
    kind: of `CALLS` or `INVOCATIONS`; "before" or "after", for the others.
    """

    at: float
    seconds: float
    target: str
    kind: str


class Action(NamedTuple):
    """What somebody else does to the image builder, so many seconds after its state allows it, from a moment on."""

    at: float
    kind: str
    delay: float


@dataclass(eq=False)
class Uptime:
    """A start of the image builder, until it is stopped or over. starter: whose call it was; None: somebody else's."""

    starter: "Run | None"
    began: float
    confirmed: bool = False  # the starter's workflow got AppStream's answer
    running: float = float("inf")
    ended: float = float("inf")


class Poll(NamedTuple):
    """What an execution was shown of the image builder."""

    time: float
    state: str
    uptime: Uptime


class Lost(NamedTuple):
    """A call to start that got no clear answer. blind: the function broke off: it is not known what it had found."""

    at: float
    blind: bool


@dataclass(eq=False)
class Run:
    """An execution; an auto-stop has an owner, the start that it was scheduled for."""

    arn: str
    request: Mapping[str, Any]
    began: float
    owner: "Run | None" = None
    polls: list[Poll] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    hindered: list[float] = field(default_factory=list)  # when its calls or functions failed
    messages: int = 0  # that operators got about it, dead letters included
    execution: Execution | None = None


@dataclass
class Invoked:
    """What a function has seen and done so far."""

    run: Run
    began: float
    polls: list[Poll] = field(default_factory=list)
    lost: bool = False
    uptime: Uptime | None = None


class Fake(FakeAppStream):
    """The fake, with each call handed to the model."""

    model: "Model"

    def reply(self, operation: str, parameters: Mapping[str, Any]) -> Reply:
        """Answer one call."""
        return self.model.call(operation, lambda: super(Fake, self).reply(operation, parameters))


class Model:
    """One image builder and all that happens around it.

    Attributes:
        uptimes: in order; the first began before everything.
        runs: by ARN.
        violations: of the contract, in words.
    """

    def __init__(self, builder: Mapping[str, Any], outages: Sequence[Outage]) -> None:
        self.world = World.new(kind=Fake)
        self.fake = cast("Fake", self.world.fake)
        self.fake.model = self
        self.builder = builder
        self.fake.put_builder(BUILDER, **builder)
        self.clock = self.world.clock
        self.time = VirtualTime(self.clock)
        self.engine = self.world.engine
        self.engine.sleep = self.time.sleep
        self.start_execution, self.engine.start_execution = self.engine.start_execution, self.schedule  # type: ignore[method-assign]
        self.engine.script.update({name: repeat(partial(self.invoke, name)) for name in self.engine.handlers})
        self.here = threading.local()
        self.began = self.clock.now()
        self.outages = outages
        self.uptimes: list[Uptime] = []
        self.runs: dict[str, Run] = {}
        self.violations: list[str] = []
        self._begin_life(None)

    def play(self, requests: Sequence[tuple[float, Mapping[str, Any]]], actions: Sequence[Action]) -> None:
        """Begin executions and actions at their times, let all end, and hold the executions against the truth."""
        for number, (at, request) in enumerate(requests):
            self._after(at, partial(self._execute, Run(f"{ARN}-{number}", request, at)))
        for action in actions:
            self._after(action.at, partial(self._do, action))
        with (
            redirect_stdout(StringIO()),  # the functions' metrics, which invocations side by side share here
            warnings.catch_warnings(action="ignore"),
            self.engine.in_place(),
            patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=self.time.sleep)),
            patch.object(notify_operators, "sns", self),
            patch.object(notify_operators, "stepfunctions", self),
        ):
            self.time.run()
        self._settle()
        self._check()

    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.now() - self.began

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        def begin() -> None:
            try:
                function()
            except Exception as problem:  # would end a thread in silence
                self.violations.append(repr(problem))

        self.time.after(seconds, begin)

    @property
    def invoked(self) -> Invoked | None:
        """The invocation in this thread."""
        return getattr(self.here, "invoked", None)

    # Executions

    def _execute(self, run: Run) -> None:
        self.runs[run.arn] = run
        run.began = self.now()
        stop = definition(STOP) if run.owner else ""
        run.execution = execution = self.engine.run(run.request, run.arn, stop)
        if execution.status == "SUCCEEDED":
            contracts.check("result", execution.output)
            return
        undelivered = len(self.world.undelivered)
        self.here.invoked = Invoked(run, self.now())
        self.world.deliver(execution, run.arn)
        self.here.invoked = None
        run.messages += len(self.world.undelivered) - undelivered

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803  # as boto3 names it
        """Step Functions' answer about an execution."""
        run = self.runs[executionArn]
        return description(executionArn, datetime.fromtimestamp(self.now(), UTC), run.request, run.execution)

    def publish(self, **message: str) -> dict[str, Any]:
        """A message to the operators' topic."""
        if self.outage("Publish"):
            raise service_error("Publish")
        if self.invoked:
            self.invoked.run.messages += 1
        return {"MessageId": "1"}

    def schedule(self, **parameters: str) -> dict[str, Any]:
        """A start of an execution by a workflow: it really runs."""
        outage = self.outage("StartExecution")
        if outage == "before":
            raise service_error("StartExecution")
        answer = self.start_execution(**parameters)
        arn, request = answer["ExecutionArn"], json.loads(parameters["Input"])
        if arn not in self.runs:
            owner = self.runs[request["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"]]
            self.runs[arn] = run = Run(arn, request, self.now(), owner)
            self._after(0, lambda: self._execute(run))
        elif self.runs[arn].execution:
            raise service_error("StartExecution", "ExecutionAlreadyExists")
        if outage:
            raise service_error("StartExecution")
        return answer

    def invoke(self, function: str, handler: Handler, event: Any) -> dict[str, Any]:
        """An invocation by a workflow."""
        run = self.runs[event.get("Execution") or event["detail"]["executionArn"]]
        outage = self.outage(function)
        invoked = self.here.invoked = Invoked(run, self.now())
        failed = True
        try:
            answer = INVOCATIONS.get(outage, run_handler)(handler, event)
            failed = "FunctionError" in answer
            return answer
        finally:
            self.here.invoked = None
            if outage == "crashes after":
                self.time.sleep(80)
            if failed:
                run.hindered.append(self.now())
            else:
                run.polls += invoked.polls
            if invoked.uptime and not failed:
                invoked.uptime.confirmed = not invoked.lost
            blind = outage in ("crashes", "crashes after")
            if function == START and (invoked.lost or blind):
                run.lost.append(Lost(invoked.began, blind))

    # Calls of AppStream

    def call(self, operation: str, make: Callable[[], Reply]) -> Reply:
        """A call by an execution or by somebody else."""
        invoked = self.invoked
        self.time.sleep(LATENCY)
        kind = self.outage(operation) if invoked else ""
        self.fake.faults.clear()
        if kind in CALLS:
            self.fake.faults.append(Fault.parse({"times": 1, **CALLS[kind]}))
        self._settle()
        reply = make()
        if self.fake.calls[-1].effective:
            self._take_effect(operation, invoked)
        uptime = self._settle()
        if invoked:
            self._note(operation, invoked, reply, uptime)
            if kind:
                invoked.run.hindered.append(self.now())
        patience = READ_SECONDS if operation.startswith(("Describe", "List")) else MUTATE_SECONDS
        self.time.sleep(min(reply.delay, patience))
        return reply

    def outage(self, target: str) -> str:
        """The kind of outage that a call meets now; empty: none."""
        targets = {target, "*"} if target in OPERATIONS else {target}
        met = (
            each.kind
            for each in self.outages
            if each.target in targets and each.at <= self.now() < each.at + each.seconds
        )
        return next(met, "")

    def _take_effect(self, operation: str, invoked: Invoked | None) -> None:
        run = invoked.run if invoked else None
        if operation == "StartImageBuilder":
            self._begin_life(run)
            if invoked:
                invoked.uptime = self.uptimes[-1]
            return
        uptime = self.uptimes[-1]
        uptime.ended = self.now()
        if run and run.owner and self._whose(run, uptime) == "foreign":
            self.violations.append(f"{run.arn} stopped a start that is not its own")

    def _begin_life(self, starter: Run | None) -> None:
        seconds = self.fake._builders[BUILDER].timeline.seconds_until("RUNNING")
        running = float("inf") if seconds is None else self.now() + seconds
        self.uptimes.append(Uptime(starter, self.now(), running=running))

    def _note(self, operation: str, invoked: Invoked, reply: Reply, uptime: Uptime) -> None:
        unclear = reply.dropped or (reply.error is not None and reply.error.status >= 500)
        if operation == "StartImageBuilder":
            invoked.lost = unclear or reply.delay > MUTATE_SECONDS
        elif operation == "DescribeImageBuilders" and not (unclear or reply.error or reply.delay > READ_SECONDS):
            (builder,) = reply.members["ImageBuilders"]
            invoked.polls.append(Poll(self.now(), builder["State"], uptime))

    def _settle(self) -> Uptime:
        """Note what has come about by itself. Returns the uptime that is under way, or was the last."""
        uptime = self.uptimes[-1]
        if self._state() in ("STOPPED", "FAILED", "DELETING", None):
            uptime.ended = min(uptime.ended, self.now())
        return uptime

    def _state(self) -> str | None:
        builder = self.fake._builders.get(BUILDER)
        return builder.state(self.clock.now()) if builder else None

    # What other people do

    def _do(self, action: Action) -> None:
        if action.kind == "abort":
            with suppress(StopIteration):
                self.engine.abort(next(arn for arn, run in self.runs.items() if not run.execution and not run.owner))
            return
        needed = {"start": "STOPPED", "delete": "STOPPED", "create": None}.get(action.kind, "RUNNING")
        for _ in range(PATIENCE // 20):
            self._settle()
            if self._state() == needed:
                break
            self.time.sleep(20)
        self.time.sleep(action.delay)
        self._settle()
        if self._state() != needed:
            return
        if action.kind in ("start", "stop", "restart"):
            operation = "StartImageBuilder" if action.kind == "start" else "StopImageBuilder"
            with suppress(ServiceError):  # an execution was faster
                self.fake.call(operation, {"Name": BUILDER})
        else:
            self.fake.put_builder(BUILDER, **{**self.builder, "state": ACTIONS[action.kind], "next_start": None})
            if action.kind == "create":
                self._begin_life(None)
            self._settle()
        if action.kind == "restart":
            self._do(action._replace(kind="start", delay=action.delay % 50))

    # The oracle

    def _check(self) -> None:
        for run in self.runs.values():
            self.violations += [f"{run.arn}: {problem}" for problem in self._problems(run)]
        uptime = self.uptimes[-1]
        if (start := uptime.starter) and uptime.ended == float("inf") and "StopAfterMinutes" in start.request:
            watchers = [run for run in self.runs.values() if run.owner is start]
            results = [(run.execution and run.execution.output) or {} for run in watchers]
            skipped = any(result.get("Outcome") == "Skipped" for result in results)
            if not skipped and not any(run.messages for run in (start, *watchers)):
                self.violations.append(f"{start.arn}: its start runs unwatched")

    def _problems(self, run: Run) -> Iterator[str]:
        execution = run.execution
        if execution is None or execution.status not in ("SUCCEEDED", "FAILED", "ABORTED"):
            yield f"it ended {execution and execution.status}"
            return
        failed = execution.status != "SUCCEEDED"
        if execution.error in ("States.Runtime", "States.QueryEvaluationError"):
            yield f"it broke: {execution.cause_text}"
        wanted = failed or run.request.get("NotifyOnSuccess", False)
        if run.messages != wanted and not (not failed and any(each.target == "Publish" for each in self.outages)):
            yield f"{run.messages} messages about {execution.error or 'a success'}"
        if not failed and not run.owner:
            last = run.polls[-1].uptime
            if execution.output["Started"] and self._whose(run, last) != "confirmed":
                yield "Started, and it was not"
            unbroken = last.starter is run and last.confirmed and not run.hindered
            one = len({poll.uptime for poll in run.polls if poll.time > last.began}) == 1
            if unbroken and one and not execution.output["Started"]:
                yield "not Started, and it was"

    def _whose(self, run: Run, uptime: Uptime) -> str:
        """Whose start an uptime is to an execution: "confirmed", "presumed", or "foreign".

        It takes over what it thinks of the uptime before, or of a call whose answer was lost, unless its polls show
        that this is over. They need not where they could not: they failed, or it was RUNNING for so short a time that
        no poll is sure to find it.
        """
        start = run.owner or run
        if uptime.starter is start:
            return "confirmed" if uptime.confirmed else "presumed"
        before = self.uptimes[self.uptimes.index(uptime) - 1] if uptime is not self.uptimes[0] else None
        over = min(before.ended, uptime.began) if before else -float("inf")
        lost = [
            each for each in start.lost if each.at < uptime.ended and (each.blind or over <= each.at <= uptime.began)
        ]
        if lost:
            claim, since = "presumed", lost[-1].at
        elif before is None or (claim := self._whose(run, before)) == "foreign":
            return "foreign"
        else:
            since = before.ended
        called = since if lost else None
        shown, ran = _shows_end(run.polls, uptime, since, 2 if run.owner else 1, called)
        if run.owner:
            inherited = [poll for poll in start.polls if poll.time <= run.began]
            shown = shown or _shows_end(inherited, uptime, since, 1, called)[0]
        if shown:
            return "foreign"
        hindered = [*start.hindered, *(run.hindered if run.owner else [])]
        helpless = any(since - SHORTEST_START <= at <= max(uptime.running, since + SHORTEST_START) for at in hindered)
        return claim if helpless or not (ran or uptime.began - since > SHORTEST_START) else "foreign"


def _shows_end(
    polls: Sequence[Poll], uptime: Uptime, since: float, needed: int, called: float | None
) -> tuple[bool, bool]:
    """Whether so many polls in a row show that what was under way at a time is over, before the next uptime is RUNNING.

    Returns:
        That, or that it was RUNNING sooner after a call than a start can be; and whether a poll had found RUNNING until
        then, and none a reboot or an update since.
    """
    ran = ran_before = False
    in_a_row = 0
    for poll in polls:
        if poll.time < since:
            ran = ran_before = poll.state == "RUNNING" or (ran and poll.state not in ("REBOOTING", "UPDATING"))
            continue
        if poll.state == "RUNNING" and called is not None and poll.time < called + SOON:
            return True, ran_before
        if poll.uptime is uptime and poll.state == "RUNNING":
            break
        over = poll.state in ("STOPPING", "STOPPED", "DELETING", "FAILED")
        in_a_row = in_a_row + 1 if over or (ran and poll.state in ("PENDING", "UPDATING_AGENT")) else 0
        if in_a_row >= needed:
            return True, ran_before
    return False, ran_before
