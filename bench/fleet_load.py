"""A fleet of 1 to 1,000 image builders, against AppStream with a rate limit, on a virtual clock.

Each image builder is an execution of the project's own definition and functions. All share one fake behind token
buckets, as AWS limits the calls of an account. How the Map state of the fleet starts its children (start slots,
MaxConcurrency) is done here; their input is what the fleet's own function lists.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench import table
from bench.run_cost import counted, dollars_of
from lambdas.image_builder.fleet import CALLS_PER_SECOND, fleet, parse_fleet_request
from local.fake_appstream.clock import Clock
from local.fake_appstream.faults import Fault
from local.fake_appstream.model import ServiceError
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution
from tests.workflow.virtual_time import VirtualTime

RATE, BURST = 5.0, 10.0
"""Calls a second, and at once."""

SHORTEST, LONGEST = 4 * 60, 15 * 60
"""Seconds of a start, evenly distributed: each size has the same mean."""


class RateLimit(Fault):
    """Throttles calls by a token bucket for each operation, or by one for all of them."""

    def __init__(self, clock: Clock, *, shared: bool) -> None:
        super().__init__(error=ServiceError("ThrottlingException", "Rate exceeded"))
        self.clock, self.shared = clock, shared
        self.buckets = defaultdict[str, tuple[float, float]](lambda: (BURST, clock.now()))

    def applies(self, operation: str, names: Collection[str]) -> bool:
        """Whether no token is left."""
        now, key = self.clock.now(), "" if self.shared else operation
        tokens, then = self.buckets[key]
        tokens = min(BURST, tokens + (now - then) * RATE)
        self.buckets[key] = (tokens - (tokens >= 1), now)
        return tokens < 1


def run(size: int, longest: float = LONGEST, *, shared: bool = False) -> Sequence[str]:
    """Run a fleet; its row of the table, without the first column."""
    world = World.new()
    durations = [SHORTEST + (longest - SHORTEST) * (number + 0.5) / size for number in range(size)]
    random.Random(size).shuffle(durations)  # nosec B311 # the order of starts
    names = [f"builder-{number:04}" for number in range(size)]
    for name, seconds in zip(names, durations, strict=True):
        world.fake.put_builder(name, next_start=[("PENDING", seconds), ("RUNNING", None)])
    world.fake.faults.append(RateLimit(world.clock, shared=shared))
    listed = fleet(parse_fleet_request({"ImageBuilders": names}))
    time, ends = VirtualTime(world.clock), list[tuple[float, Execution]]()
    began = world.clock.now()
    world.engine.sleep = time.sleep

    def begin(index: int, request: Mapping[str, Any]) -> None:
        execution = world.engine.run({**listed["Defaults"], **request}, f"{ARN}-{index}")
        ends.append((world.clock.now() - began, execution))

    for index, request in enumerate(listed["Requests"]):
        # All are within MaxConcurrency.
        time.after(int(index / CALLS_PER_SECOND), partial(begin, index, request))
    with world.engine.in_place(), patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=time.sleep)):
        time.run()
    transitions, invocations = (sum(each) for each in zip(*(counted(end.history) for _, end in ends), strict=True))
    # Of the Map's child: its start slot, and the Task that runs the workflow.
    transitions += 2 * size
    outcomes = [call.outcome for call in world.fake.calls]
    ideal = max(max(0.0, (n + 1 - BURST) / RATE) + seconds for n, seconds in enumerate(durations))
    return (
        f"{max(moment for moment, _ in ends) / ideal:.2f}",
        f"{len(outcomes) / size:.1f}",
        f"{outcomes.count('ThrottlingException') / len(outcomes):.1%}",
        f"{transitions / size:.0f}",
        f"{100 * dollars_of(transitions, invocations) / size:.3f}",
        str(size - sum(execution.status == "SUCCEEDED" for _, execution in ends)),
    )


def fleets() -> str:
    """Measure; the table of fleets."""
    rows = [(f"{size:,}", *run(size)) for size in (1, 10, 100, 1_000)]
    rows.append(("1,000, starts of 4 to 8 minutes", *run(1_000, 8 * 60)))
    rows.append(("1,000, one limit for all operations together", *run(1_000, shared=True)))
    numbers = ("makespan / ideal:", "calls each:", "throttled:", "transitions each:", "US cents each:", "lost:")
    return table("image builders", *numbers, rows=rows)
