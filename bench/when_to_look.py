"""When to look: how late each way of polling learns that an image builder is RUNNING, and what its looks cost.

`PYTHONPATH=lambdas python -m bench.when_to_look` prints the tables of docs/performance.md, and draws its picture. The
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
from image_builder.request import PAUSE_SECONDS
from tests.workflow.conftest import World

PICTURE = Path(__file__).parent.parent / "docs" / "when_to_look"
DOLLARS_PER_BUILDER_HOUR = 0.10
"""stream.standard.medium in us-east-1. Source: aws.amazon.com/appstream2/pricing."""

TRANSITIONS_OF_A_LOOK = 3
"""Wait, Look, Decide; a loop of states has no fewer."""

SAMPLES = 2_000
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
    """A way of polling: at which seconds it looks; None: at the very moment."""

    name: str
    looks: Sequence[float] | None


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
    """Looks at a fixed pause."""
    return list(accumulate(repeat(seconds, int((LONGEST + 600) / seconds) + 1)))


@cache
def ours(pause: int = PAUSE_SECONDS) -> tuple[float, ...]:
    """The looks that the workflow makes of a start of its own."""
    world, pauses = World.new(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        world.clock.advance(seconds)

    world.prepare({"next_start": [("PENDING", None)]})
    world.engine.sleep = sleep
    with redirect_stdout(StringIO()):  # the functions' metrics
        world.run({"Name": "golden-image", "TimeoutMinutes": 60, "PauseSeconds": pause})
    return tuple(accumulate(pauses))


def ways() -> list[Way]:
    """The ways that are compared."""
    return [
        Way("oracle: one look, at the moment", None),
        Way(f"this workflow (PauseSeconds {PAUSE_SECONDS})", ours()),
        Way("every 10 seconds (Terraform's waiter)", every(10)),
        Way("every 30 seconds", every(30)),
        Way("every 60 seconds", every(60)),
        Way("every 180 seconds (AWS's sample loop)", every(180)),
    ]


@cache
def _besides() -> int:
    """State transitions of a run besides its looks."""
    with redirect_stdout(StringIO()):
        transitions, _ = costs({"next_start": [("PENDING", 300), ("RUNNING", None)]}, {})
    return transitions - TRANSITIONS_OF_A_LOOK * sum(moment < 300 for moment in (0, *ours()))


def found(way: Way, seconds_of: Callable[[float], float]) -> Found:
    """What a way comes to for a distribution of starts, over its evenly spaced quantiles."""
    lags, counts = [], []
    for number in range(SAMPLES):
        start = seconds_of((number + 0.5) / SAMPLES)
        if way.looks is None:
            lag, count = 0.0, 1
        else:
            count, seen = next((count, moment) for count, moment in enumerate(way.looks, 1) if moment >= start)
            lag = seen - start
        lags.append(lag)
        counts.append(count)
    lag, looks = statistics.fmean(lags), statistics.fmean(counts)
    transitions = _besides() + TRANSITIONS_OF_A_LOOK * looks
    # A look is one call; a start is two, and makes the request's check the third invocation.
    dollars = dollars_of(transitions, looks + 2) + lag * DOLLARS_PER_BUILDER_HOUR / 3600
    return Found(lag, sorted(lags)[int(0.95 * SAMPLES)], looks, transitions, looks + 2, dollars)


def table() -> str:
    """The tables, in Markdown."""
    parts = []
    for name, seconds_of in DISTRIBUTIONS.items():
        rows = [(way.name, found(way, seconds_of)) for way in ways()]
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
    """Draw lag against transitions: a fixed pause, and the workflow with its pauses."""
    fixed = [found(Way("", every(pause)), uniform) for pause in (10, 15, 20, 30, 45, 60, 90, 120, 180)]
    own = [found(Way("", ours(pause)), uniform) for pause in (10, 15, 20, 23, 30, 45, 60, 90, 120, 180)]
    named = found(Way("", ours()), uniform)
    plot(
        PICTURE,
        title="Starts of 4 to 15 minutes: RUNNING is known how late, at what price",
        x="state transitions of a run",
        y="mean lag, seconds",
        curves=[
            Curve("a fixed pause, 10 to 180 s", [row.transitions for row in fixed], [row.lag for row in fixed], "o--"),
            Curve(
                "this workflow, PauseSeconds 10 to 180",
                [row.transitions for row in own],
                [row.lag for row in own],
                "s-",
            ),
            Curve(f"its default, {PAUSE_SECONDS} s", [named.transitions], [named.lag], "D"),
        ],
    )


if __name__ == "__main__":
    print(table())
    draw()
