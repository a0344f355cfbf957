"""A fleet of 1, 10, 100 and 1,000 image builders, against AppStream with a rate limit, on a virtual clock.

Each image builder is an execution of the project's own definition and functions. All share one fake behind a token
bucket for each operation, as AWS limits the calls of an account. How the Map state of the fleet starts its children
(start slots, MaxConcurrency) is done here; their input is what the fleet's own function lists. `python -m
bench.fleet_load` prints the tables of docs/performance.md.
"""

import logging
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.endpoint

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench.run_cost import dollars_of
from lambdas.image_builder.fleet import fleet, parse_fleet_request
from local.fake_appstream.fake import FakeAppStream, Reply
from local.fake_appstream.model import ServiceError
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution
from tests.workflow.virtual_time import VirtualTime

SIZES = (1, 10, 100, 1_000)
CALLS_A_SECOND, BURST = 5.0, 10.0
STARTS_A_SECOND = 4.5
"""Source: statemachine/start_fleet.asl.json, "Wait for start slot"."""
SHORTEST, LONGEST = 4 * 60, 15 * 60
"""Seconds of a start, evenly distributed: each size has the same mean."""

LONGEST_STARTS = (8 * 60, 10 * 60, 690, 13 * 60, 15 * 60)
"""The executions of a large fleet poll at the same minutes of their starts: at 690 seconds the lag is largest."""


@dataclass
class Bucket:
    """A token bucket: a rate, and a burst at once."""

    tokens: float = BURST
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether a call is accepted now."""
        self.tokens = min(BURST, self.tokens + (now - self.at) * CALLS_A_SECOND)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Limited(FakeAppStream):
    """The fake with a rate limit for each operation, or one for all of them together."""

    shared: bool = False

    def limit(self, *, shared: bool) -> None:
        """Begin to limit."""
        self.shared = shared
        self.seen: Counter[str] = Counter()
        self.throttled = 0
        self._buckets: dict[str, Bucket] = {}

    def reply(self, operation: str, content: Any, refusal: ServiceError | None = None) -> Reply:
        """The answer to a call, which may be throttled."""
        bucket = self._buckets.setdefault("" if self.shared else operation, Bucket(at=self.clock.now()))
        self.seen[operation] += 1
        if not bucket.take(self.clock.now()):
            self.throttled += 1
            refusal = ServiceError("ThrottlingException", "Rate exceeded")
        return super().reply(operation, content, refusal)


@dataclass
class Measured:
    """The result of a fleet. Seconds, and means for each image builder."""

    size: int
    makespan: float
    ideal: float
    calls: float
    throttled: int
    transitions: float
    dollars: float
    lost: int


def measure(size: int, *, shared: bool = False, longest: int = LONGEST) -> Measured:
    """Run a fleet of this size, whose starts take up to so many seconds."""
    chance = random.Random(size)  # nosec B311 # durations of starts
    world = World.new(kind=Limited)
    fake = world.fake
    assert isinstance(fake, Limited)  # nosec B101 # for the type checker
    durations = [SHORTEST + (longest - SHORTEST) * (number + 0.5) / size for number in range(size)]
    chance.shuffle(durations)
    names = [f"builder-{number:04}" for number in range(size)]
    for name, seconds in zip(names, durations, strict=True):
        fake.put_builder(name, next_start=[("PENDING", seconds), ("RUNNING", None)])
    fake.limit(shared=shared)
    listed = fleet(parse_fleet_request({"ImageBuilders": names}), [])
    time, ends = VirtualTime(world.clock), dict[int, tuple[float, Execution]]()
    began = world.clock.now()
    world.engine.sleep = time.sleep

    def begin(index: int, request: Mapping[str, Any]) -> None:
        execution = world.engine.run({**listed["Defaults"], **request}, f"{ARN}-{index}")
        ends[index] = world.clock.now() - began, execution

    for index, request in enumerate(listed["Requests"]):
        # All are within MaxConcurrency.
        time.after(int(index / STARTS_A_SECOND), lambda index=index, request=request: begin(index, request))  # type: ignore[misc]  # bound now
    with (
        redirect_stdout(StringIO()),  # the functions' metrics
        world.engine.in_place(),
        patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=time.sleep)),
    ):
        time.run()
    transitions = calls = 0
    for _, execution in ends.values():
        kinds = [event["type"] for event in execution.history]
        scheduled = kinds.count("TaskScheduled")
        # Of the Map's child: its start slot, and the Task that runs the workflow.
        transitions += 2 + sum(kind.endswith("StateEntered") for kind in kinds)
        transitions += scheduled - kinds.count("TaskStateEntered")
        calls += scheduled
    return Measured(
        size=size,
        makespan=max(moment for moment, _ in ends.values()),
        ideal=max(max(0.0, (n + 1 - BURST) / CALLS_A_SECOND) + seconds for n, seconds in enumerate(durations)),
        calls=sum(fake.seen.values()) / size,
        throttled=fake.throttled,
        transitions=transitions / size,
        dollars=dollars_of(transitions, calls) / size,
        lost=size - sum(execution.status == "SUCCEEDED" for _, execution in ends.values()),
    )


def tables() -> str:
    """All tables, in Markdown."""
    return "\n".join(
        [
            "One limit for each operation, as AWS throttles:\n",
            _table([measure(size) for size in SIZES]),
            "\nOne limit for all operations together, half or less of what a fleet needs:\n",
            _table([measure(size, shared=True) for size in SIZES]),
            f"\nThe makespan of {SIZES[-1]:,}, by the longest start, with a limit for each operation:\n",
            "| longest start, minutes | makespan / ideal |",
            "| ---: | ---: |",
            *(
                f"| {seconds / 60:g} | {(row := measure(SIZES[-1], longest=seconds)).makespan / row.ideal:.2f} |"
                for seconds in LONGEST_STARTS
            ),
        ]
    )


def _table(rows: Sequence[Measured]) -> str:
    lines = [
        "| builders | makespan / ideal | calls each | throttled | transitions each | cost each / of one | lost |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row.size:,} | {row.makespan / row.ideal:.2f} | {row.calls:.1f} | "
            f"{row.throttled / row.calls / row.size:.1%} | {row.transitions:.0f} | "
            f"{row.dollars / rows[0].dollars:.2f} | {row.lost} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(tables())
