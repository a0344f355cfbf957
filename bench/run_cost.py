"""What one execution costs on AWS: its state transitions and Lambda invocations on the virtual clock, at list prices.

Counted on the project's own definitions and functions. Prices of us-east-1, without the free tier. `python -m
bench.run_cost` prints the table of docs/deploy.md.
"""

from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import tests.conftest  # noqa: F401  # the environment variables of the functions
from tests.workflow.conftest import World

DOLLARS_PER_TRANSITION = 0.025 / 1_000
"""Standard workflows. Source: aws.amazon.com/step-functions/pricing."""

DOLLARS_PER_CALL = 0.20 / 1_000_000
DOLLARS_PER_GB_SECOND = 0.0000133334
"""Arm. Source: aws.amazon.com/lambda/pricing."""

GB_SECONDS_PER_CALL = 0.25 * 1.0
"""256 MB (infra/functions.py) for a whole second, which is more than a warm call takes."""

RUNS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "RUNNING already": ({"state": "RUNNING"}, {}),
    "a start of 5 minutes": ({"next_start": [("PENDING", 5 * 60), ("RUNNING", None)]}, {}),
    "a start of 10 minutes": ({"next_start": [("PENDING", 10 * 60), ("RUNNING", None)]}, {}),
    "a start that is still PENDING after 60 minutes": ({"next_start": [("PENDING", None)]}, {}),
    "an auto-stop after 1 hour": ({}, {"StopAfterMinutes": 60}),
    "an auto-stop after 8 hours": ({}, {"StopAfterMinutes": 8 * 60}),
}


def costs(builder: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[int, int]:
    """State transitions and Lambda invocations of an execution; with an auto-stop, those of the auto-stop alone."""
    world = World.new()
    world.prepare(builder)
    with redirect_stdout(StringIO()):  # the functions' metrics
        run = world.run({"Name": "golden-image", **request})
        if request:
            run = world.run_stop()
    kinds = [event["type"] for event in run.history]
    calls = kinds.count("TaskScheduled")
    states = sum(kind.endswith("StateEntered") for kind in kinds)
    # A retry is charged as a transition.
    return states + calls - kinds.count("TaskStateEntered"), calls


def dollars_of(transitions: float, calls: float) -> float:
    """What state transitions and Lambda invocations cost."""
    per_call = DOLLARS_PER_CALL + GB_SECONDS_PER_CALL * DOLLARS_PER_GB_SECOND
    return transitions * DOLLARS_PER_TRANSITION + calls * per_call


def table() -> str:
    """The table, in Markdown."""
    lines = ["| run | transitions | invocations | US cents |", "| --- | ---: | ---: | ---: |"]
    for name, (builder, request) in RUNS.items():
        transitions, calls = costs(builder, request)
        lines.append(f"| {name} | {transitions:,} | {calls:,} | {100 * dollars_of(transitions, calls):.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
