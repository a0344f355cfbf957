"""What an execution and the deployment cost on AWS, at the list prices of us-east-1.

Executions are counted on the virtual clock, the deployment in its template. `python -m bench.run_cost` prints the
tables of docs/deploy.md.
"""

import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import tests.conftest  # noqa: F401  # the environment variables of the functions
from tests.infra.conftest import Assembly, build
from tests.workflow.conftest import World

DOLLARS_PER_TRANSITION = 0.025 / 1_000
"""Standard workflows. Source: aws.amazon.com/step-functions/pricing."""

DOLLARS_PER_CALL = 0.20 / 1_000_000
DOLLARS_PER_GB_SECOND = 0.0000133334
"""Arm. Source: aws.amazon.com/lambda/pricing."""

GB_SECONDS_PER_CALL = 0.25 * 1.0
"""256 MB (infra/functions.py) for a whole second, which is more than a warm call takes."""

SUBSCRIBER = {"protocol": "email", "endpoint": "ops@example.com"}

DOLLARS_PER_KEY = 1.0
"""A month. Source: aws.amazon.com/kms/pricing."""

DOLLARS_PER_ALARM_METRIC, FREE_ALARM_METRICS = 0.10, 10
DOLLARS_PER_DASHBOARD = 3.0
DOLLARS_PER_METRIC, OWN_METRICS = 0.30, 15
"""A month; an account has three dashboards and ten metrics free. Own metrics: about as many, by name, Route and Error,
billed for the hours with executions only. Source: aws.amazon.com/cloudwatch/pricing."""

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


def month() -> str:
    """What the deployment costs a month: a table in Markdown."""
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory), {"subscribers": [SUBSCRIBER]}, lambda _: []).synth()
        assembly = Assembly(Path(directory))
        keys, dashboards = (len(assembly.resources(f"AWS::{kind}")) for kind in ("KMS::Key", "CloudWatch::Dashboard"))
        alarms = assembly.properties("AWS::CloudWatch::Alarm")
    metrics = sum(sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    rows = [
        (f"{keys} KMS key", keys * DOLLARS_PER_KEY, keys * DOLLARS_PER_KEY),
        (
            f"{len(alarms)} alarms on {metrics} metrics",
            max(0, metrics - FREE_ALARM_METRICS) * DOLLARS_PER_ALARM_METRIC,
            metrics * DOLLARS_PER_ALARM_METRIC,
        ),
        (f"{dashboards} dashboard", 0, dashboards * DOLLARS_PER_DASHBOARD),
        (f"about {OWN_METRICS} metrics, for the hours with executions", 0, OWN_METRICS * DOLLARS_PER_METRIC),
    ]
    rows.append(("together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    lines = ["| a month | US dollars with the free tier | without |", "| --- | ---: | ---: |"]
    return "\n".join([*lines, *(f"| {what} | {least:.2f} | {most:.2f} |" for what, least, most in rows)])


if __name__ == "__main__":
    print(f"{table()}\n\n{month()}")
