"""Mutation tests of the workflows: break one of their definitions in one place at a time, and see that a test fails.

`python -m tests.workflow.mutants` prints the survivors as it finds them, then the totals. Its status is 1 when fewer
than 98 % are killed or when a survivor is not in HARMLESS, or is there and no longer survives.

The checks are the tests of this folder that take the `world` fixture alone, called with a world of the mutant. First
each runs once on the workflow as it is, which tells what it touches; a mutant then meets those checks only that touch
the place where it differs.
"""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment

import tests.conftest  # noqa: F401  # what the handlers' modules read of the environment
from cli import definition as definitions
from cli.definition import FLEET, START, STOP, definition, substituted
from tests.workflow import engine
from tests.workflow.conftest import World

PROCESSES = 2
ENOUGH = 0.98
STATES_AT_MOST = 400
"""That a check enters: a mutant may loop for ever."""

_ONE_MORE = "one more poll at the deadline, which then ends it"
HARMLESS: Mapping[str, str] = {
    r"start.* / Catch / It broke off.* / (error: (removed|to \{\})|status: (removed|.* at 18|.* at 27))": (
        "a poll comes first, and assigns it; while it fails, only the deadline is asked of the status"
    ),
    r"start.* / Catch / It broke off.* / tracking: 'Ran' to '' at 41": (
        "a start is sent again only after STOPPED, with which Ran is false"
    ),
    r"start.* / Start image builder / .*Assign / autoStopResult: removed": (
        "replaced when the next auto-stop is scheduled; without one the execution fails, and has no result"
    ),
    r"start.* / RUNNING without the auto-stop.* / Condition: (without .*('|null)|'None' to '' at 49)": (
        "the second failure to schedule is at RUNNING, of the own start, and leaves no auto-stop"
    ),
    r"start.* / The poll failed: poll again: removed": "the default of the Choice is the same",
    r"start.* / (FAILED or DELETING|STOPPED after the last attempt.*) / Next: to Build cause": (
        "its start is over, so that Check stop on failure goes there as well"
    ),
    r"start.* / Poll: it was not STOPPED when the call arrived / Condition: (without .*ds|< to <= at 85)": _ONE_MORE,
    r"stop.* / Tasks fail for too long / Condition: >= to > at 35": _ONE_MORE,
    r"stop.* / Poll image builder / Assign / failedSeconds: to 1": "a second of the five minutes or more that end it",
    r"stop.* / A task failed: poll again / Assign / .*: 270 to .*": "no poll interval is above 268 seconds",
    r"stop.* / A task failed: poll again / Assign / failedSeconds: 60 to 59 at 29": (
        "after a first poll, the deadline ends it at the same poll"
    ),
    r"stop.* / Stop image builder / (Catch.* / failedS|Assign / (pollS|error|failedS)).*: (removed|to 1)": (
        "a poll that succeeds comes before each stop, and assigns the same"
    ),
    r"start_fleet / .* / Wait for start slot / Seconds: \$floor to nothing at 53": (
        "AWS wants an integer; the engine of the tests cuts the fraction off itself"
    ),
}
"""Places of the mutants that no test can or need kill, with the reason."""

Where = tuple[str | int, ...]
REMOVED = object()


class Change(NamedTuple):
    """A change of one definition."""

    where: Where
    value: Any
    touch: str  # what a check has to touch to notice
    how: str = ""


class Mutant(NamedTuple):
    """A workflow with one change."""

    source: Path
    place: str  # where, and how
    touch: str
    text: str  # the definition


# The mutants


def mutants() -> list[Mutant]:
    """Every mutant, in the order of the files."""
    found = []
    for path in (START, STOP, FLEET):
        text = path.read_text("utf-8")
        states = json.loads(text)["States"]
        found += [
            Mutant(path, _place(path, states, change), change.touch, _changed(text, change))
            for change in _of_states((), states)
        ]
    places = Counter(mutant.place for mutant in found)
    assert max(places.values()) == 1, places.most_common(3)
    return found


TARGETS = (
    "Start image builder",
    "Wait before next poll",
    "Wait before retry",
    "Schedule auto-stop",
    "Notify of success",
    "Return result",
    "Build cause",
    "Notify operators",
    "Fail execution",
)
NUMBERS = {"MaxAttempts": (-1, 1), "IntervalSeconds": (-1, 1), "BackoffRate": (-1, 1), "MaxDelaySeconds": (-30, 30)}
OTHER_WORDS: Mapping[str, Sequence[str]] = {
    "=": ("!=",),
    ">=": (">", "<"),
    "<": ("<=", ">="),
    ">": (">=", "<="),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "and": ("or",),
    "or": ("and",),
    "$min": ("$max",),
    "$max": ("$min",),
    "$floor": ("",),
    "$round": ("",),
    "$not": ("",),
    "true": ("false",),
}
WORDS = re.compile(r"'[^']*'|/\^.*\$/|\$?[A-Za-z.]+\w*|[0-9]+(?:[.][0-9]+)?|>=|<=|[^\s\w]")
VALUES = ("Assign", "Output", "Arguments", "Error", "Cause", "Seconds")


def _of_states(where: Where, states: Mapping[str, Any]) -> Iterator[Change]:
    """Those of some states, and of the states within these."""
    for name, state in states.items():
        yield from _of_part((*where, name), state, name, set(states) & set(TARGETS) - {name})


def _of_part(where: Where, part: Mapping[str, Any], touch: str, targets: Set[str]) -> Iterator[Change]:
    """Those of a state, a retrier, a catcher or a rule of a Choice."""
    for member, value in part.items():
        at = (*where, member)
        match member:
            case "Retry" | "Catch" | "Choices":
                for number, inner in enumerate(value):
                    condition = _inner(inner.get("Condition", ""))
                    reached = f"{condition} is true" if condition else f"{touch}!"
                    yield Change((*at, number), REMOVED, condition or reached)
                    yield from _of_part((*at, number), inner, reached, targets)
            case "Condition":
                yield from _of_condition(at, _inner(value))
            case "ErrorEquals":
                yield from (Change((*at, number), "Nothing", touch) for number, _ in enumerate(value))
            case "JitterStrategy":
                yield Change(at, "NONE", touch)
            case "Next" | "Default":
                yield from (Change(at, target, touch) for target in TARGETS if target in targets - {value})
            case "ItemProcessor":
                yield from _of_states((*at, "States"), value["States"])
            case _ if member in NUMBERS:
                yield from (Change(at, value + change, touch) for change in NUMBERS[member])
            case _ if member in VALUES:
                yield from _of_value(at, value, touch)


def _of_condition(where: Where, condition: str) -> Iterator[Change]:
    yield Change(where, _expression(f"$not({condition})"), condition)
    if condition != "true":
        yield Change(where, _expression("true"), condition)
    parts = condition.split(" and ")
    for number, part in enumerate(parts if len(parts) > 1 else []):
        weaker = " and ".join(parts[:number] + parts[number + 1 :])
        yield Change(where, _expression(weaker), condition, f"without {part}")
    yield from _of_expression(where, condition)


def _of_value(where: Where, value: Any, touch: str) -> Iterator[Change]:
    match value:
        case dict():
            for member, inner in value.items():
                yield Change((*where, member), REMOVED, touch)
                yield from _of_value((*where, member), inner, touch)
        case bool():
            yield Change(where, not value, touch)
        case int():
            yield Change(where, value + 1, touch)
        case None:
            yield Change(where, {}, touch)
        case str() if value.startswith("{%"):
            yield from _of_expression(where, _inner(value))
        case str() if not value.startswith("${"):
            yield Change(where, "", touch)


def _of_expression(where: Where, expression: str) -> Iterator[Change]:
    for word in WORDS.finditer(expression):
        text, begin, end = word.group(), word.start(), word.end()
        others = OTHER_WORDS.get(text, ())
        if text.startswith("'") and text != "''":
            others = ("''",)
        elif text[0].isdecimal():
            number = float(text) if "." in text else int(text)
            others = [str(number + change) for change in ((1, -1) if number > 0 else (1,))]
        for other in others:
            value = _expression(expression[:begin] + other + expression[end:])
            # Long texts would fill the report.
            yield Change(where, value, expression, f"{text[:60]} to {other or 'nothing'} at {begin}")


def _changed(text: str, change: Change) -> str:
    tree = json.loads(text)
    *above, last = ("States", *change.where)
    holder = _at(tree, above)
    if change.value is not REMOVED:
        holder[last] = change.value
    else:
        del holder[last]
        if not holder:
            # An empty Retry or Assign is not allowed everywhere; none at all is.
            del _at(tree, above[:-1])[above[-1]]
    return json.dumps(tree)


def _place(path: Path, states: Any, change: Change) -> str:
    """Where in the file, and how, for a person: a rule by its Comment, an error by its name."""
    steps = [path.name.partition(".")[0]]
    for depth, step in enumerate(change.where, 1):
        value = _at(states, change.where[:depth])
        if isinstance(step, int):
            comment = value if isinstance(value, str) else value.get("Comment", str(step)).partition(". ")[0]
            steps.append(_short(comment))
        elif step not in ("Choices", "ErrorEquals", "ItemProcessor", "States"):
            steps.append(step)
    how = "removed" if change.value is REMOVED else change.how or f"to {_short(change.value)}"
    return f"{' / '.join(steps)}: {how}"


def _inner(value: str) -> str:
    return value.removeprefix("{%").removesuffix("%}").strip()


def _expression(inner: str) -> str:
    return f"{{% {inner} %}}"


def _at(tree: Any, where: Sequence[str | int]) -> Any:
    for step in where:
        tree = tree[step]
    return tree


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 80 else f"{text[:77]}..."


# The checks


@cache
def checks() -> list[pytest.Function]:
    """The tests of this folder that need nothing but a world."""
    collected: list[pytest.Function] = []

    class Collector:
        @staticmethod
        def pytest_collection_finish(session: pytest.Session) -> None:
            collected.extend(item for item in session.items if isinstance(item, pytest.Function))

    options = ["--collect-only", "-q", "-s", "-pno:cacheprovider", "-pno:xdist", "-Wignore", "-oaddopts="]
    with redirect_stdout(StringIO()):
        pytest.main([*options, str(Path(__file__).parent)], plugins=[Collector()])
    return [each for each in collected if set(each.fixturenames) - _parameters(each).keys() == {"world"}]


def _parameters(check: pytest.Function) -> Mapping[str, Any]:
    return check.callspec.params if hasattr(check, "callspec") else {}


# The runs. These functions run in the worker processes.


def touched_by(number: int) -> frozenset[str] | None:
    """Run a check on the workflow as it is.

    Returns:
        What it touches: states entered, `state!` where one failed, expressions evaluated, `expression is true`. None
        where it does not pass.
    """
    marks: set[str] = set()
    evaluate, enter, attempt = engine._evaluate, CommonStateField._eval_body, ExecutionState._evaluate_with_timeout

    def evaluate_and_mark(self: StringJSONata, env: Environment) -> None:
        expression = self.expression.strip()
        marks.add(expression)
        evaluate(self, env)
        if env.stack[-1] is True:
            marks.add(f"{expression} is true")

    def enter_and_mark(self: CommonStateField, env: Environment) -> None:
        marks.add(self.name)
        enter(self, env)

    def attempt_and_mark(self: ExecutionState, env: Environment) -> None:
        try:
            attempt(self, env)
        except Exception:
            marks.add(f"{self.name}!")
            raise

    with (
        patch.object(engine, "_evaluate", evaluate_and_mark),
        patch.object(CommonStateField, "_eval_body", enter_and_mark),
        patch.object(ExecutionState, "_evaluate_with_timeout", attempt_and_mark),
    ):
        return frozenset(marks) if _passes(number, START, definition()) else None


_KILLS: Counter[tuple[str, int]] = Counter()
"""How many mutants with such a touch a check has killed in this process: it is likely to kill the next."""


def survives(mutant: Mutant, numbers: Sequence[int]) -> bool:
    """Run the checks of these numbers until one kills the mutant."""
    text = substituted(mutant.text)
    try:
        engine._program(text)
    except Exception:  # it is no definition
        return False
    for number in sorted(numbers, key=lambda number: -_KILLS[mutant.touch, number]):
        if not _passes(number, mutant.source, text):
            _KILLS[mutant.touch, number] += 1
            return False
    return True


def _passes(number: int, source: Path, text: str) -> bool:
    """Whether a check passes with a definition in the place of this file's."""
    check = checks()[number]
    left, enter = STATES_AT_MOST, CommonStateField._eval_body

    def enter_if_not_endless(self: CommonStateField, env: Environment) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            env.set_stop(datetime(2026, 1, 31, tzinfo=UTC), cause=None, error=None)
        enter(self, env)

    def changed(path: Path = START) -> str:
        return text if path == source else definition(path)

    with (
        redirect_stdout(StringIO()),
        patch.object(definitions, "definition", changed),
        patch.object(CommonStateField, "_eval_body", enter_if_not_endless),
    ):
        world = World.new()
        world.engine.definition = changed()
        try:
            check.obj(world=world, **_parameters(check))
        except Exception:
            return False
    return left >= 0


# The report


def survivors_of(chosen: Sequence[Mutant], checked: Sequence[int]) -> Iterator[str]:
    """The places of the mutants that the checks of these numbers do not kill, as they are found."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        touched = dict(zip(checked, pool.map(touched_by, checked, chunksize=4), strict=True))
        # What takes too many states, as a week of polls does, checks no mutant.
        marks = {number: each for number, each in touched.items() if each is not None}
        assert len(marks) > 0.9 * len(checked), "not even the workflows as they are pass"
        # One of each test, those that touch little first; then the next of each.
        turns: Counter[str] = Counter()
        order = {}
        for number in sorted(marks, key=lambda number: len(marks[number])):
            test = checks()[number].originalname
            order[number] = turns[test], len(marks[number])
            turns[test] += 1
        likely_first = sorted(order, key=order.__getitem__)
        able = [[n for n in likely_first if mutant.touch in marks[n] or not marks[n]] for mutant in chosen]
        survived = pool.map(survives, chosen, able)
        yield from (mutant.place for mutant, alive in zip(chosen, survived, strict=True) if alive)


def main() -> int:
    """Judge all, print the report, give the exit status."""
    began, every = time.monotonic(), mutants()
    survived, unexplained, outdated = 0, 0, set(HARMLESS)
    for place in survivors_of(every, range(len(checks()))):
        reasons = [pattern for pattern in HARMLESS if re.fullmatch(pattern, place)]
        print(f"survived: {place} ({HARMLESS[reasons[0]] if reasons else 'unexplained'})", flush=True)
        survived += 1
        unexplained += not reasons
        outdated -= set(reasons)
    killed = 1 - survived / len(every)
    print(
        f"{len(every)} mutants, {len(every) - survived} killed ({killed:.1%}), {survived} survived, {unexplained} of "
        f"them unexplained, {time.monotonic() - began:.0f} s"
    )
    for pattern in sorted(outdated):
        print(f"no longer survives, or is no longer made: {pattern}")
    return int(killed < ENOUGH or unexplained > 0 or bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
