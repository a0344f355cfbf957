"""Whatever the builder, the service and other people do: what has to hold of every run.

Each example is a builder's life, trouble with the calls, other people's deeds at some times, and a request. It is run
on the virtual clock with the workflow's own definition and the real handlers. `make model` runs ten thousand.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lambdas.image_builder.state import PHASES
from tests.scenarios import BUILDER, Outcome
from tests.workflow.conftest import World

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "100"))
STATES = [*PHASES, "NEVER_HEARD_OF"]
CODES = [
    "ConcurrentModificationException",
    "ResourceNotAvailableException",
    "ResourceNotFoundException",
    "InvalidAccountStatusException",
    "IncompatibleImageException",
    "OperationNotPermittedException",
    "ResourceInUseException",
    "ThrottlingException",
    "InternalFailure",
    "AccessDeniedException",
    "ValidationException",
    "NeverHeardOfException",
]
MOST_RETRY_SECONDS = 180
"""What one task can add to the waiting: 75 seconds of its own retries, and boto3's within each of five attempts."""


@dataclass(frozen=True)
class Deed:
    """Something another person does to the builder at a time, in seconds since the execution started."""

    at: float
    kind: str
    state: str

    def do(self, world: World) -> None:
        if self.kind == "delete":
            world.fake.delete_builder(BUILDER)
        else:
            world.fake.put_builder(BUILDER, state=self.state)


stages = st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 1_200)), min_size=0, max_size=3).flatmap(
    lambda before: st.sampled_from(STATES).map(lambda last: [*map(list, before), [last, None]])
)

actions = st.one_of(
    st.sampled_from(CODES).map(lambda code: {"error": {"code": code}}),
    st.sampled_from(["before", "after"]).map(lambda when: {"drop": when}),
    st.just({"delay": 60}),
    st.sampled_from([{"ImageBuilders": []}, {"ImageBuilders": [{"Name": BUILDER}]}, {"ImageBuilder": None}]).map(
        lambda answer: {"answer": answer}
    ),
)

faults = st.builds(
    lambda action, rest: {**action, **rest},
    actions,
    st.fixed_dictionaries(
        {
            "operation": st.sampled_from(["StartImageBuilder", "DescribeImageBuilders", "*"]),
            "times": st.one_of(st.none(), st.integers(1, 20)),
            "skip": st.integers(0, 6),
            "every": st.integers(1, 3),
        }
    ),
)

deeds = st.builds(Deed, st.integers(0, 3_600), st.sampled_from(["put", "put", "delete"]), st.sampled_from(STATES))

builders = st.fixed_dictionaries({"state": stages}, optional={"next_start": stages})

requests = st.fixed_dictionaries(
    {"Name": st.just(BUILDER)},
    optional={
        "TimeoutMinutes": st.integers(5, 90),
        "AppstreamAgentVersion": st.just("LATEST"),
        "NotifyOnSuccess": st.booleans(),
        "RequireNetworkInterface": st.booleans(),
        "StopAfterMinutes": st.integers(1, 60),
        "StopOnFailure": st.booleans(),
    },
)


def check_success(run: Outcome, request: Mapping[str, Any]) -> None:
    optional = {"Agent", "AutoStop"}
    assert set(run.output) - optional == {"Outcome", "Started", "ImageBuilder", "Polls", "WaitedSeconds", "Advice"}
    assert run.output["ImageBuilder"]["State"] == "RUNNING"
    assert len(run.messages) == request.get("NotifyOnSuccess", False)
    guard = run.output.get("AutoStop", {}).get("Execution")
    assert bool(guard) is (run.output["Started"] and "StopAfterMinutes" in request)
    confirmed = [call for call in run.calls if call["operation"] == "StartImageBuilder" and call["outcome"] == "ok"]
    if run.output["Started"]:
        assert confirmed
    if run.output["Outcome"] == "AlreadyRunning":
        assert not run.output["Started"]
        assert run.output["WaitedSeconds"] == 0


def check_failure(run: Outcome) -> None:
    assert run.error
    assert set(run.cause) - {"ImageBuilder"} == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}
    assert run.cause["Name"] == BUILDER
    assert run.cause["Route"] in ("fail", "notify")
    assert run.cause["Message"]
    assert run.cause["Advice"]
    assert len(run.messages) == 1


def check_guard(world: World) -> None:
    """The guard that was left stops a builder that runs, once, or nothing, and somebody hears of it if it fails."""
    told, called = len(world.topic.messages), len(world.fake.calls)
    guard = world.run_stop()
    assert guard.status in ("SUCCEEDED", "FAILED")
    assert len(world.topic.messages) - told == (guard.status == "FAILED")
    assert len(guard.history) < 24_000
    calls = world.fake.calls[called:]
    assert {call.operation for call in calls} <= {"DescribeImageBuilders", "ListTagsForResource", "StopImageBuilder"}
    stops = [call for call in calls if call.effective]
    assert [call.state_before for call in stops] in ([], ["RUNNING"])
    if guard.status == "SUCCEEDED" and guard.output["Outcome"] == "Stopped":
        assert stops


def check_calls(run: Outcome) -> None:
    spells = 0
    for call in run.calls:
        assert call["operation"] in ("DescribeImageBuilders", "StartImageBuilder"), "an unlisted call"
        if call["effective"]:
            assert call["state_before"] == "STOPPED"
            spells += 1
    assert spells <= 5, "at most five attempts, each on a STOPPED spell of its own"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    builder=builders,
    trouble=st.lists(faults, max_size=3),
    others=st.lists(deeds, max_size=4),
    request=requests,
)
def test_every_run_ends_within_bounds_and_keeps_its_contract(
    builder: Mapping[str, Any], trouble: list[Mapping[str, Any]], others: list[Deed], request: Mapping[str, Any]
) -> None:
    world = World.new()
    world.prepare(builder, trouble)
    began = world.clock.now()
    todo = sorted(others, key=lambda deed: deed.at)

    def sleep(seconds: float) -> None:
        end = world.clock.now() + seconds
        while todo and began + todo[0].at <= end:
            deed = todo.pop(0)
            world.clock.advance(max(0.0, began + deed.at - world.clock.now()))
            deed.do(world)
        world.clock.advance(end - world.clock.now())

    world.engine.sleep = sleep
    execution = world.run(request)
    run = world.outcome(execution)
    event(execution.error or run.output["Outcome"])
    assert execution.status in ("SUCCEEDED", "FAILED"), asdict(run)
    tasks = sum(
        state in ("Validate request", "Start image builder", "Poll image builder") for state in execution.states
    )
    assert world.clock.now() - began <= request.get("TimeoutMinutes", 60) * 60 + tasks * MOST_RETRY_SECONDS
    assert len(execution.history) < 6_000
    check_calls(run)
    if execution.status == "SUCCEEDED":
        check_success(run, request)
    else:
        check_failure(run)
    assert len(world.engine.started) <= 1
    if world.engine.started:
        check_guard(world)
