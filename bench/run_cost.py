"""What an execution and the deployment cost on AWS, at the list prices of us-east-1.

Executions are counted on the virtual clock, the deployment in its template.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench import table
from tests.infra.conftest import Assembly, build
from tests.workflow.conftest import World

DOLLARS_PER_TRANSITION = 0.025 / 1_000
"""Standard workflows. Source: aws.amazon.com/step-functions/pricing."""

DOLLARS_PER_CALL = 0.20 / 1_000_000
DOLLARS_PER_GB_SECOND = 0.0000133334
"""Arm. Source: aws.amazon.com/lambda/pricing."""

GB_SECONDS_PER_CALL = 0.25 * 1.0
"""256 MB (infra/functions.py) for a whole second, which is more than a warm call takes."""

OWN_METRICS = 15
"""About as many, by name, Route and Error; billed for the hours with executions only."""

RUNS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "RUNNING already": ({"state": "RUNNING"}, {}),
    "a start of 5 minutes": ({"next_start": [("PENDING", 5 * 60), ("RUNNING", None)]}, {}),
    "a start of 10 minutes": ({"next_start": [("PENDING", 10 * 60), ("RUNNING", None)]}, {}),
    "a start that is still PENDING after 60 minutes": ({"next_start": [("PENDING", None)]}, {}),
    "an auto-stop after 1 hour": ({}, {"StopAfterMinutes": 60}),
    "an auto-stop after 8 hours": ({}, {"StopAfterMinutes": 8 * 60}),
}
"""The image builder and the request of each; with an auto-stop, the auto-stop alone is counted."""


def counted(history: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """State transitions and Lambda invocations that an execution's history is billed for."""
    events = list(history)
    kinds = Counter(event["type"] for event in events)
    entered = sum(count for kind, count in kinds.items() if kind.endswith("StateEntered"))
    tasks = [event["taskScheduledEventDetails"] for event in events if event["type"] == "TaskScheduled"]
    # A retry is billed as a transition.
    return entered + len(tasks) - kinds["TaskStateEntered"], [task["resourceType"] for task in tasks].count("lambda")


def dollars_of(transitions: float, calls: float) -> float:
    """What state transitions and Lambda invocations cost."""
    per_call = DOLLARS_PER_CALL + GB_SECONDS_PER_CALL * DOLLARS_PER_GB_SECOND
    return transitions * DOLLARS_PER_TRANSITION + calls * per_call


def runs() -> str:
    """The table of what an execution costs."""
    rows = []
    for name, (builder, request) in RUNS.items():
        world = World.new()
        run = world.start(builder, **request)
        transitions, calls = counted((world.run_stop() if request else run).history)
        rows.append((name, transitions, calls, f"{100 * dollars_of(transitions, calls):.2f}"))
    return table("run", "transitions:", "invocations:", "US cents:", rows=rows)


def month() -> str:
    """The table of what the deployment costs a month."""
    with tempfile.TemporaryDirectory() as directory:
        subscriber = {"protocol": "email", "endpoint": "ops@example.com"}
        build(Path(directory), {"subscribers": [subscriber]}, lambda _: []).synth()
        assembly = Assembly(Path(directory))
        keys, dashboards = (len(assembly.resources(f"AWS::{kind}")) for kind in ("KMS::Key", "CloudWatch::Dashboard"))
        alarms = assembly.properties("AWS::CloudWatch::Alarm")
    metrics = sum(sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    # How many, dollars for each, how many are free. Sources: aws.amazon.com/kms/pricing and /cloudwatch/pricing.
    items = {
        f"{keys} KMS key": (keys, 1.00, 0),
        f"{len(alarms)} alarms on {metrics} metrics": (metrics, 0.10, 10),
        f"{dashboards} dashboard": (dashboards, 3.00, 3),
        f"about {OWN_METRICS} metrics, for the hours with executions": (OWN_METRICS, 0.30, OWN_METRICS),
    }
    costs = {what: (max(0, count - free) * each, count * each) for what, (count, each, free) in items.items()}
    least, most = (sum(side) for side in zip(*costs.values(), strict=True))
    rows = [
        (what, *(f"{dollars:.2f}" for dollars in pair)) for what, pair in (costs | {"together": (least, most)}).items()
    ]
    return table("a month", "US dollars with the free tier:", "without:", rows=rows)
