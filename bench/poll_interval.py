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
from bench.markdown import table
from bench.run_cost import counted, dollars_of
from lambdas.image_builder.request import POLL_INTERVAL_SECONDS
from tests.scenarios import BUILDER
from tests.workflow.conftest import World

DOLLARS_PER_BUILDER_HOUR = 0.10
"""stream.standard.medium in us-east-1. Source: aws.amazon.com/appstream2/pricing."""

TRANSITIONS_PER_POLL = 3
"""Wait, Task, Choice: a loop of states has no fewer."""

SHORTEST, USUAL, LONGEST = 4 * 60, 15 * 60, 25 * 60
"""Seconds of a start."""

Starts = np.ndarray[Any, np.dtype[np.float64]]
SHARES: Starts = (np.arange(2_000) + 0.5) / 2_000
UNIFORM: Starts = SHORTEST + (USUAL - SHORTEST) * SHARES
DISTRIBUTIONS: Mapping[str, Starts] = {
    "4 to 15 minutes, evenly": UNIFORM,
    # Most of them in 5 to 12 minutes.
    "log-normal, 4 to 25 minutes": np.exp([NormalDist(6.2, 0.32).inv_cdf(share) for share in SHARES]).clip(
        SHORTEST, LONGEST
    ),
    "4 to 15 minutes, one in ten 15 to 25": np.interp(SHARES, [0, 0.9, 1], [SHORTEST, USUAL, LONGEST]),
}
"""Seconds of 2,000 starts each, at evenly spaced quantiles."""


class Result(NamedTuple):
    """What a strategy amounts to for a distribution of starts: seconds, counts, dollars."""

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


def shrinking(step: float) -> Sequence[float]:
    """The fewest polls with their mean lag for UNIFORM: after 4 minutes, each interval is `step` seconds shorter.

    With polls at t[i], the mean lag is the sum of (t[i] - t[i-1])**2 / 2 / 660, and the mean number of polls that of
    (900 - t[i-1]) / 660. With any price of a poll, their sum is least where the intervals shrink evenly.
    """
    spread = USUAL - SHORTEST
    count = int((1 + (1 + 8 * spread / step) ** 0.5) / 2)
    last = spread / count - step * (count - 1) / 2
    return list(SHORTEST + np.cumsum(last + step * np.arange(count)[::-1]))


def evaluate(polls: Sequence[float], starts: Starts, transitions_per_poll: int = TRANSITIONS_PER_POLL) -> Result:
    """What polls amount to; without any, there is one at the very moment of RUNNING."""
    places = np.searchsorted(np.array(polls), starts)
    lags = np.array(polls)[places] - starts if polls else np.zeros_like(starts)
    count = float(places.mean()) + 1
    transitions = ours()[1] + transitions_per_poll * count
    # A poll is one call; a start is two, and the validation of the request is the third invocation.
    dollars = dollars_of(transitions, count + 2) + float(lags.mean()) * DOLLARS_PER_BUILDER_HOUR / 3600
    return Result(float(lags.mean()), float(np.quantile(lags, 0.95)), transitions, count + 2, dollars)


def intervals() -> str:
    """The tables of the poll intervals that are compared, and of what fewer transitions would take."""
    polls, _ = ours()
    compared: Mapping[str, Sequence[float]] = {
        "oracle: one poll, at the moment": (),
        f"this workflow (PollIntervalSeconds {POLL_INTERVAL_SECONDS})": polls,
        "every 10 seconds (Terraform's waiter)": every(10),
        "every 30 seconds": every(30),
        "every 60 seconds": every(60),
        "every 180 seconds (AWS's sample loop)": every(180),
    }
    lines: list[str] = []
    for name, starts in DISTRIBUTIONS.items():
        results = {each: evaluate(moments, starts) for each, moments in compared.items()}
        lines += [f"Starts of {name}:", _table(results, results["every 30 seconds"])]
    lag = evaluate(polls, UNIFORM).lag
    best = [evaluate(shrinking(tenths / 10), UNIFORM) for tenths in range(5, 100)]
    fewer = {
        "the best intervals for just these starts": min(best, key=lambda row: abs(row.lag - lag)),
        "two transitions for each poll": evaluate(polls, UNIFORM, 2),
        "one transition for each poll": evaluate(polls, UNIFORM, 1),
    }
    lines += ["Fewer transitions, for the starts of the first table:", _table(fewer, evaluate(every(30), UNIFORM))]
    return "\n\n".join(lines)


def _table(results: Mapping[str, Result], base: Result) -> str:
    rows = []
    for name, (lag, lag_95, transitions, calls, dollars) in results.items():
        ratio = transitions / base.transitions
        numbers = f"{lag:.1f}", f"{lag_95:.0f}", f"{transitions:.0f}", f"{ratio:.2f}", f"{calls:.0f}"
        rows.append((name, *numbers, f"{100 * dollars:.3f}"))
    columns = ("mean lag, s:", "95th percentile:", "transitions:", "of those of 30 s:", "AppStream calls:", "US cents:")
    return table("polls", *columns, rows=rows)


def diagram() -> str:
    """The diagram of lag against transitions, for UNIFORM."""
    seconds = (10, 15, 20, 23, 30, 45, 60, 90, 120, 180)
    best = [shrinking(step) for step in (0.5, 1, 2, 4, 8, 20, 60)]
    # Colours that people who see no red or no green can distinguish; each curve has its own mark and line as well.
    curves: Sequence[tuple[str, str, str, Sequence[Sequence[float]]]] = (
        ("a fixed interval, 10 to 180 s", "o--", "#0060a8", [every(each) for each in seconds]),
        ("this workflow, PollIntervalSeconds 10 to 180", "s-", "#b34700", [ours(each)[0] for each in seconds]),
        (f"its default, {POLL_INTERVAL_SECONDS} s", "D", "#a03070", [ours()[0]]),
        ("the best intervals for just these starts", ":", "#00734f", best),
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
