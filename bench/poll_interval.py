"""How late each poll interval detects that an image builder is RUNNING, and what its polls cost.

The intervals of this workflow are those that its own definition makes on the virtual clock.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from io import StringIO
from statistics import NormalDist
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench import table
from bench.run_cost import counted, dollars_of
from lambdas.image_builder.request import POLL_INTERVAL_SECONDS
from tests.scenarios import BUILDER
from tests.workflow.conftest import World

DOLLARS_PER_BUILDER_HOUR = 0.10
"""stream.standard.medium in us-east-1. Source: aws.amazon.com/appstream2/pricing."""

TRANSITIONS_PER_POLL = 3
"""Wait, Task, Choice."""

SHORTEST, USUAL, LONGEST = 4 * 60, 15 * 60, 25 * 60
"""Seconds of a start."""

Starts = np.ndarray[Any, np.dtype[np.float64]]
SHARES: Starts = (np.arange(2_000) + 0.5) / 2_000
UNIFORM: Starts = SHORTEST + (USUAL - SHORTEST) * SHARES
LOG_NORMAL: Starts = np.exp([NormalDist(6.2, 0.32).inv_cdf(share) for share in SHARES]).clip(SHORTEST, LONGEST)
"""Most of them in 5 to 12 minutes."""
DISTRIBUTIONS = {"4 to 15 minutes, evenly": UNIFORM, "4 to 25 minutes, log-normal": LOG_NORMAL}
"""Seconds of 2,000 starts each, at evenly spaced quantiles."""


class Result(NamedTuple):
    """What polls amount to for a distribution of starts: seconds, counts, dollars."""

    lag: float
    lag_95: float
    transitions: float
    calls: float
    dollars: float


def every(seconds: float) -> Sequence[float]:
    """Polls at a fixed interval: seconds after the start."""
    return [seconds * number for number in range(1, int(LONGEST / seconds) + 2)]


@cache
def ours(interval: int = POLL_INTERVAL_SECONDS) -> tuple[Sequence[float], int]:
    """The polls of this workflow after a start of its own, and its state transitions besides them."""
    world = World.new()
    world.prepare({"next_start": [("PENDING", LONGEST), ("RUNNING", None)]})
    history = world.run({"Name": BUILDER, "PollIntervalSeconds": interval}).history
    (started,) = (call.time for call in world.fake.calls if call.operation == "StartImageBuilder")
    polls = [call.time - started for call in world.fake.calls if call.time > started]
    return polls, counted(history)[0] - TRANSITIONS_PER_POLL * len(polls)


def evaluate(polls: Sequence[float], starts: Starts) -> Result:
    """What polls amount to; without any, there is one at the very moment of RUNNING."""
    places = np.searchsorted(np.array(polls), starts)
    lags = np.array(polls)[places] - starts if polls else np.zeros_like(starts)
    count = float(places.mean()) + 1
    transitions = ours()[1] + TRANSITIONS_PER_POLL * count
    # A poll is one call; a start is two, and the validation of the request is the third invocation.
    dollars = dollars_of(transitions, count + 2) + float(lags.mean()) * DOLLARS_PER_BUILDER_HOUR / 3600
    return Result(float(lags.mean()), float(np.quantile(lags, 0.95)), transitions, count + 2, dollars)


def intervals() -> str:
    """The tables of the poll intervals that are compared."""
    compared: Mapping[str, Sequence[float]] = {
        "ideal: one poll, at the right moment": (),
        f"this workflow (PollIntervalSeconds {POLL_INTERVAL_SECONDS})": ours()[0],
        "every 10 seconds (Terraform's waiter)": every(10),
        "every 30 seconds": every(30),
        "every 60 seconds": every(60),
        "every 180 seconds (AWS's sample loop)": every(180),
    }
    columns = ("polls", "mean lag, s:", "95th percentile:", "transitions:", "AppStream calls:", "US cents:")
    lines: list[str] = []
    for name, starts in DISTRIBUTIONS.items():
        rows = []
        for each, polls in compared.items():
            lag, lag_95, transitions, calls, dollars = evaluate(polls, starts)
            counts = f"{lag_95:.0f}", f"{transitions:.0f}", f"{calls:.0f}"
            rows.append((each, f"{lag:.1f}", *counts, f"{100 * dollars:.3f}"))
        lines += [f"Starts of {name}:", table(*columns, rows=rows)]
    return "\n\n".join(lines)


def diagram() -> str:
    """The diagram of lag against transitions, for UNIFORM."""
    seconds = (10, 15, 20, 23, 30, 45, 60, 90, 120, 180)
    # Colours that people who see no red or no green can distinguish; each curve has its own mark and line as well.
    curves: Sequence[tuple[str, str, str, Sequence[Sequence[float]]]] = (
        ("a fixed interval, 10 to 180 s", "o--", "#0060a8", [every(each) for each in seconds]),
        ("this workflow, PollIntervalSeconds 10 to 180", "s-", "#b34700", [ours(each)[0] for each in seconds]),
        (f"its default, {POLL_INTERVAL_SECONDS} s", "D", "#a03070", [ours()[0]]),
    )
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11})
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    for name, form, colour, each in curves:
        rows = [evaluate(polls, UNIFORM) for polls in each]
        axes.plot([row.transitions for row in rows], [row.lag for row in rows], form, color=colour, label=name)
    axes.set(title="Starts of 4 to 15 minutes: how late RUNNING is detected", ylim=(0, None))
    axes.set(xlabel="state transitions of an execution", ylabel="mean lag, seconds")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return drawn.getvalue()
