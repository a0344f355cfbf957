"""When to look: how late each way of polling learns that an image builder is RUNNING, and what its looks cost.

`PYTHONPATH=lambdas python -m bench.poll_interval` prints the tables of docs/performance.md, and draws its diagram. The
pauses of ours are those that the project's own definition makes on the virtual clock; the other ways are what they say.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import accumulate, chain, repeat
from pathlib import Path

import tests.conftest  # noqa: F401  # what the functions read of the environment
from bench.plot import Curve, plot
from bench.run_cost import costs, dollars_of
from lambdas.image_builder.request import POLL_INTERVAL_SECONDS
from tests.workflow.conftest import World

DIAGRAM = Path(__file__).parent.parent / "docs" / "poll_interval"
DOLLARS_PER_BUILDER_HOUR = 0.10
"""stream.standard.medium in us-east-1. Source: aws.amazon.com/appstream2/pricing."""

TRANSITIONS_OF_A_LOOK = 3
"""Wait, BuilderStatus, Decide; a loop of states has no fewer."""

DOLLARS_PER_EXPRESS_SECOND = 0.0625 * 0.00001667
"""The least memory that is billed of an Express workflow. Source: aws.amazon.com/step-functions/pricing."""

SAMPLES = 2_000
COARSE = 330
"""Samples of a distribution where every choice of looks among them is compared."""

LONGEST = 25 * 60


def uniform(share: float) -> float:
    """Seconds of a start: 4 to 15 minutes."""
    return 240 + 660 * share


def log_normal(share: float) -> float:
    """Seconds of a start: most in 5 to 12 minutes, cut off at 4 and 25."""
    normal = statistics.NormalDist(6.2, 0.32)
    least, most = (2.718281828459045 ** normal.inv_cdf(edge) for edge in (1e-9, 1 - 1e-9))
    seconds = 2.718281828459045 ** normal.inv_cdf(min(max(share, 1e-9), 1 - 1e-9))
    return float(min(max(seconds, least, 240.0), most, LONGEST))


def with_tails(share: float) -> float:
    """Seconds of a start: nine of ten in 4 to 15 minutes, one in 15 to 25."""
    return uniform(share / 0.9) if share < 0.9 else 900 + 600 * (share - 0.9) / 0.1


DISTRIBUTIONS: Mapping[str, Callable[[float], float]] = {
    "4 to 15 minutes, evenly": uniform,
    "log-normal, 4 to 25 minutes": log_normal,
    "4 to 15 minutes, one in ten 15 to 25": with_tails,
}


@dataclass(frozen=True)
class Way:
    """A way of polling.

    Attributes:
        name: of it.
        looks: at which seconds; None: at the very moment.
        transitions: billed for each look.
        dollars_per_second: billed for the time until RUNNING is known, beside transitions and calls.
    """

    name: str
    looks: Sequence[float] | None
    transitions: float = TRANSITIONS_OF_A_LOOK
    dollars_per_second: float = 0.0


@dataclass(frozen=True)
class Found:
    """What a way of polling comes to: seconds, counts, dollars."""

    lag: float
    lag_95: float
    looks: float
    transitions: float
    calls: float
    dollars: float


def every(seconds: float) -> Sequence[float]:
    """Polls at a fixed pause."""
    return list(accumulate(repeat(seconds, int((LONGEST + 600) / seconds) + 1)))


@cache
def ours(pause: int = POLL_INTERVAL_SECONDS) -> tuple[float, ...]:
    """The looks that the workflow makes of a start of its own."""
    world, pauses = World.new(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        world.clock.advance(seconds)

    world.prepare({"next_start": [("PENDING", None)]})
    world.engine.sleep = sleep
    with redirect_stdout(StringIO()):  # the functions' metrics
        world.run({"Name": "golden-image", "TimeoutMinutes": 60, "PollIntervalSeconds": pause})
    return tuple(accumulate(pauses))


def best(seconds_of: Callable[[float], float], lag: float) -> Sequence[float]:
    """The fewest looks with which RUNNING is known that late on average, for whoever knows the distribution."""
    starts = [seconds_of((number + 0.5) / COARSE) for number in range(COARSE)]
    sums = list(accumulate(starts, initial=0.0))

    def cheapest(price: float) -> list[int]:
        """The looks, as places among the starts, where a look costs so many seconds of lag."""
        # After the look at place i every start from i on is still unseen, and pays for the next look, at place j - 1.
        least, following = [0.0] * (COARSE + 1), [0] * (COARSE + 1)
        for i in range(COARSE - 1, -1, -1):
            least[i], following[i] = min(
                (price * (COARSE - i) + (j - i) * starts[j - 1] - (sums[j] - sums[i]) + least[j], j)
                for j in range(i + 1, COARSE + 1)
            )
        places, place = [], 0
        while place < COARSE:
            place = following[place]
            places.append(place)
        return places

    def lag_of(places: list[int]) -> float:
        spans = zip([0, *places], places, strict=False)
        return sum((j - i) * starts[j - 1] - (sums[j] - sums[i]) for i, j in spans) / COARSE

    # Between two samples a start is known at the second of them.
    lag -= (starts[-1] - starts[0]) / COARSE / 2
    low, high = 0.0, 240.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if lag_of(cheapest(middle)) > lag else (middle, high)
    return [*(starts[place - 1] for place in cheapest(low)), seconds_of(1.0)]


def ways(seconds_of: Callable[[float], float]) -> list[Way]:
    """The ways that are compared, for a distribution of starts."""
    least = best(seconds_of, found(Way("", ours()), seconds_of).lag)
    return [
        Way("oracle: one look, at the moment", None),
        Way(f"this workflow (PollIntervalSeconds {POLL_INTERVAL_SECONDS})", ours()),
        Way("every 10 seconds (Terraform's waiter)", every(10)),
        Way("every 30 seconds", every(30)),
        Way("every 60 seconds", every(60)),
        Way("every 180 seconds (AWS's sample loop)", every(180)),
        Way("*the best pauses for just these starts*", least),
        Way("*this workflow, were a look two transitions*", ours(), 2),
        Way("*this workflow, were a look one transition*", ours(), 1),
        # A task that runs it, and a decision, for five minutes of looks, the longest that it can last.
        Way(
            "*this workflow, were its looks in an Express workflow*",
            ours(),
            2 * POLL_INTERVAL_SECONDS / 300,
            DOLLARS_PER_EXPRESS_SECOND,
        ),
    ]


@cache
def _besides() -> int:
    """State transitions of a run besides its looks."""
    with redirect_stdout(StringIO()):
        transitions, _ = costs({"next_start": [("PENDING", 300), ("RUNNING", None)]}, {})
    return transitions - TRANSITIONS_OF_A_LOOK * sum(moment < 300 for moment in (0, *ours()))


def found(way: Way, seconds_of: Callable[[float], float]) -> Found:
    """What a way comes to for a distribution of starts, over its evenly spaced quantiles."""
    lags, counts, knowing = [], [], []
    for number in range(SAMPLES):
        start = seconds_of((number + 0.5) / SAMPLES)
        if way.looks is None:
            lag, count = 0.0, 1
        else:
            count, seen = next((count, moment) for count, moment in enumerate(way.looks, 1) if moment >= start)
            lag = seen - start
        lags.append(lag)
        counts.append(count)
        knowing.append(start + lag)
    lag, looks = statistics.fmean(lags), statistics.fmean(counts)
    transitions = _besides() + way.transitions * looks
    # A look is one call; a start is two, and makes the request's check the third invocation.
    dollars = dollars_of(transitions, looks + 2) + lag * DOLLARS_PER_BUILDER_HOUR / 3600
    dollars += statistics.fmean(knowing) * way.dollars_per_second
    return Found(lag, sorted(lags)[int(0.95 * SAMPLES)], looks, transitions, looks + 2, dollars)


def table() -> str:
    """The tables, in Markdown."""
    parts = []
    for name, seconds_of in DISTRIBUTIONS.items():
        rows = [(way.name, found(way, seconds_of)) for way in ways(seconds_of)]
        base = next(row for way, row in rows if way == "every 30 seconds")
        parts += [
            f"Starts of {name}:\n",
            "| looks | mean lag, s | 95th percentile | transitions | of those of 30 s | AppStream calls | US cents |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *(
                f"| {way} | {row.lag:.1f} | {row.lag_95:.0f} | {row.transitions:.0f} | "
                f"{row.transitions / base.transitions:.2f} | {row.calls:.0f} | {100 * row.dollars:.3f} |"
                for way, row in rows
            ),
            "",
        ]
    return "\n".join(chain(parts[:-1]))


def draw() -> None:
    """Draw lag against transitions: a fixed pause, the workflow with its pauses, and the best that there can be."""
    least = [found(Way("", best(uniform, lag)), uniform) for lag in (5, 8, 12, 18, 30, 60)]
    fixed = [found(Way("", every(pause)), uniform) for pause in (10, 15, 20, 30, 45, 60, 90, 120, 180)]
    own = [found(Way("", ours(pause)), uniform) for pause in (10, 15, 20, 23, 30, 45, 60, 90, 120, 180)]
    named = found(Way("", ours()), uniform)
    plot(
        DIAGRAM,
        title="Starts of 4 to 15 minutes: RUNNING is known how late, at what price",
        x="state transitions of a run",
        y="mean lag, seconds",
        curves=[
            Curve("a fixed pause, 10 to 180 s", [row.transitions for row in fixed], [row.lag for row in fixed], "o--"),
            Curve(
                "this workflow, PollIntervalSeconds 10 to 180",
                [row.transitions for row in own],
                [row.lag for row in own],
                "s-",
            ),
            Curve(f"its default, {POLL_INTERVAL_SECONDS} s", [named.transitions], [named.lag], "D"),
            Curve(
                "the best pauses for just these starts",
                [row.transitions for row in least],
                [row.lag for row in least],
                ":",
            ),
        ],
    )


if __name__ == "__main__":
    print(table())
    draw()
