"""How late each poll interval detects that an image builder is RUNNING, and what its polls cost.

The intervals of this workflow are those that its own definition makes on the virtual clock. `python -m
bench.poll_interval` prints the tables of docs/performance.md and draws its diagram.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import accumulate, repeat
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench.run_cost import costs, dollars_of
from lambdas.image_builder.request import POLL_INTERVAL_SECONDS
from tests.workflow.conftest import World

DIAGRAM = Path(__file__).parent.parent / "docs" / "poll_interval.svg"
DOLLARS_PER_BUILDER_HOUR = 0.10
"""stream.standard.medium in us-east-1. Source: aws.amazon.com/appstream2/pricing."""

TRANSITIONS_PER_POLL = 3
"""Wait, Task, Choice: a loop of states has no fewer."""

DOLLARS_PER_EXPRESS_SECOND = 0.0625 * 0.00001667
"""The smallest memory that an Express workflow is billed for. Source: aws.amazon.com/step-functions/pricing."""

SAMPLES = 2_000
COARSE = 330
"""Samples of a distribution where every choice of polls among them is compared."""

SHORTEST, LONGEST = 4 * 60, 25 * 60


def uniform(share: float) -> float:
    """Seconds of a start: 4 to 15 minutes."""
    return SHORTEST + 660 * share


def log_normal(share: float) -> float:
    """Seconds of a start: most in 5 to 12 minutes, cut off at 4 and 25."""
    seconds = np.exp(statistics.NormalDist(6.2, 0.32).inv_cdf(min(max(share, 1e-9), 1 - 1e-9)))
    return float(min(max(seconds, SHORTEST), LONGEST))


def with_tails(share: float) -> float:
    """Seconds of a start: nine of ten in 4 to 15 minutes, one in 15 to 25."""
    return uniform(share / 0.9) if share < 0.9 else 900 + 600 * (share - 0.9) / 0.1


DISTRIBUTIONS: Mapping[str, Callable[[float], float]] = {
    "4 to 15 minutes, evenly": uniform,
    "log-normal, 4 to 25 minutes": log_normal,
    "4 to 15 minutes, one in ten 15 to 25": with_tails,
}


@dataclass(frozen=True)
class Result:
    """What a strategy amounts to: seconds, counts, dollars."""

    lag: float
    lag_95: float
    transitions: float
    calls: float
    dollars: float


def every(seconds: float) -> Sequence[float]:
    """Polls at a fixed interval."""
    return list(accumulate(repeat(seconds, int((LONGEST + 600) / seconds) + 1)))


@cache
def ours(interval: int = POLL_INTERVAL_SECONDS) -> tuple[float, ...]:
    """The polls of this workflow after a start of its own."""
    world, waits = World.new(), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        world.clock.advance(seconds)

    world.prepare({"next_start": [("PENDING", None)]})
    world.engine.sleep = sleep
    with redirect_stdout(StringIO()):  # the functions' metrics
        world.run({"Name": "golden-image", "TimeoutMinutes": 60, "PollIntervalSeconds": interval})
    return tuple(accumulate(waits))


def best(seconds_of: Callable[[float], float], lag: float) -> Sequence[float]:
    """The fewest polls with this mean lag in seconds, if the distribution were known exactly."""
    starts = np.array([seconds_of((number + 0.5) / COARSE) for number in range(COARSE)])
    sums = np.concatenate([[0.0], np.cumsum(starts)])

    def cheapest(price: float) -> tuple[list[int], float]:
        """The polls, as places among the starts, where a poll costs as much as so many seconds of lag; their lag."""
        # After the poll at place i every start from i on is pending, and pays for the next poll, at place j - 1.
        least, following = np.zeros(COARSE + 1), [0] * COARSE
        for i in range(COARSE - 1, -1, -1):
            j = np.arange(i + 1, COARSE + 1)
            total = price * (COARSE - i) + (j - i) * starts[j - 1] - (sums[j] - sums[i]) + least[j]
            following[i] = int(j[total.argmin()])
            least[i] = total.min()
        places, place, lags = [], 0, 0.0
        while place < COARSE:
            i, place = place, following[place]
            lags += (place - i) * starts[place - 1] - (sums[place] - sums[i])
            places.append(place)
        return places, lags / COARSE

    # Between two samples a start is detected at the second of them.
    lag -= float(starts[-1] - starts[0]) / COARSE / 2
    low, high = 0.0, 240.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if cheapest(middle)[1] > lag else (middle, high)
    return [*(float(starts[place - 1]) for place in cheapest(low)[0]), seconds_of(1.0)]


def strategies(seconds_of: Callable[[float], float]) -> dict[str, Result]:
    """What is compared for a distribution of starts."""
    found = evaluate(ours(), seconds_of)
    # A Task that runs it, and a Choice, for five minutes of polls, which is as long as it can last.
    express = 2 * POLL_INTERVAL_SECONDS / 300
    return {
        "oracle: one poll, at the moment": evaluate(None, seconds_of),
        f"this workflow (PollIntervalSeconds {POLL_INTERVAL_SECONDS})": found,
        "every 10 seconds (Terraform's waiter)": evaluate(every(10), seconds_of),
        "every 30 seconds": evaluate(every(30), seconds_of),
        "every 60 seconds": evaluate(every(60), seconds_of),
        "every 180 seconds (AWS's sample loop)": evaluate(every(180), seconds_of),
        "*the best intervals for just these starts*": evaluate(best(seconds_of, found.lag), seconds_of),
        "*this workflow, with two transitions for each poll*": evaluate(ours(), seconds_of, 2),
        "*this workflow, with one transition for each poll*": evaluate(ours(), seconds_of, 1),
        "*this workflow, with its polls in an Express workflow*": evaluate(
            ours(), seconds_of, express, DOLLARS_PER_EXPRESS_SECOND
        ),
    }


@cache
def _besides() -> int:
    """State transitions of an execution besides its polls."""
    transitions, _ = costs({"next_start": [("PENDING", 300), ("RUNNING", None)]}, {})
    return transitions - TRANSITIONS_PER_POLL * sum(moment < 300 for moment in (0, *ours()))


def evaluate(
    polls: Sequence[float] | None,
    seconds_of: Callable[[float], float],
    transitions_per_poll: float = TRANSITIONS_PER_POLL,
    dollars_per_second: float = 0.0,
) -> Result:
    """What a strategy amounts to for a distribution of starts.

    Args:
        polls: seconds after the start; None: at the very moment of RUNNING.
        seconds_of: a start, by its share of the distribution; evaluated at evenly spaced quantiles.
        transitions_per_poll: that are billed.
        dollars_per_second: billed until RUNNING is detected, beside transitions and invocations.
    """
    starts = np.array([seconds_of((number + 0.5) / SAMPLES) for number in range(SAMPLES)])
    places = np.zeros(SAMPLES, int) if polls is None else np.searchsorted(np.array(polls), starts)
    detected = starts if polls is None else np.array(polls)[places]
    lags, count = detected - starts, float(places.mean()) + 1
    transitions = _besides() + transitions_per_poll * count
    # A poll is one call; a start is two, and the validation of the request is the third invocation.
    dollars = dollars_of(transitions, count + 2) + float(lags.mean()) * DOLLARS_PER_BUILDER_HOUR / 3600
    dollars += float(detected.mean()) * dollars_per_second
    return Result(float(lags.mean()), float(np.sort(lags)[int(0.95 * SAMPLES)]), transitions, count + 2, dollars)


def table() -> str:
    """The tables, in Markdown."""
    lines = []
    for name, seconds_of in DISTRIBUTIONS.items():
        rows = strategies(seconds_of)
        base = rows["every 30 seconds"]
        lines += [
            f"\nStarts of {name}:\n",
            "| polls | mean lag, s | 95th percentile | transitions | of those of 30 s | AppStream calls | US cents |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {strategy} | {row.lag:.1f} | {row.lag_95:.0f} | {row.transitions:.0f} | "
                f"{row.transitions / base.transitions:.2f} | {row.calls:.0f} | {100 * row.dollars:.3f} |"
                for strategy, row in rows.items()
            ),
        ]
    return "\n".join(lines).strip()


def draw() -> None:
    """Draw lag against transitions: a fixed interval, this workflow, and the best that is possible."""
    intervals = (10, 15, 20, 23, 30, 45, 60, 90, 120, 180)
    curves: Mapping[str, tuple[str, Sequence[Sequence[float]]]] = {
        "a fixed interval, 10 to 180 s": ("o--", [every(interval) for interval in intervals]),
        "this workflow, PollIntervalSeconds 10 to 180": ("s-", [ours(interval) for interval in intervals]),
        f"its default, {POLL_INTERVAL_SECONDS} s": ("D", [ours()]),
        "the best intervals for just these starts": (":", [best(uniform, lag) for lag in (5, 8, 12, 18, 30, 60)]),
    }
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11})
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    # Colours that people who see no red or no green can distinguish; each curve has its own mark and line as well.
    for (name, (form, each)), colour in zip(curves.items(), ("#0060a8", "#b34700", "#a03070", "#00734f"), strict=True):
        rows = [evaluate(polls, uniform) for polls in each]
        axes.plot([row.transitions for row in rows], [row.lag for row in rows], form, color=colour, label=name)
    axes.set(title="Starts of 4 to 15 minutes: how late RUNNING is detected", ylim=(0, None))
    axes.set(xlabel="state transitions of an execution", ylabel="mean lag, seconds")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(DIAGRAM, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    print(table())
    draw()
