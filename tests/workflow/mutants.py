"""Mutation tests of the workflows: break one of their definitions in one place at a time, and see that a test fails.

`python -m tests.workflow.mutants` prints the totals and the survivors. Its status is 1 when fewer than 98 % are killed
or when a survivor is not in HARMLESS, or is there and no longer survives.

The checks are the tests of this folder that take the `world` fixture alone, called with a world of the mutant. First
each runs once on the workflow as it is, which tells what it touches; a mutant then meets those checks only that touch
the place where it differs.
"""

import copy
import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import cache
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

import tests.conftest  # noqa: F401  # what the handlers' modules read of the environment
from cli import definition as definitions
from cli.definition import FLEET, START, STOP, definition, substituted

PROCESSES = 2
ENOUGH = 0.98
STATES_AT_MOST = 400
SECONDS_AT_MOST = 30
"""Of one check: a mutant may loop for ever."""

_START, _STOP = "start_image_builder / ", "stop_image_builder / "
_CRASH = f"{_START}Start image builder / Catch / It broke off: the call may have been sent / Assign / "
_UNSCHEDULED = f"{_START}Evaluate builder state / RUNNING without the auto-stop that was requested / Condition: "
_LATE_REFUSAL = f"{_START}Route error / Poll: it was not STOPPED when the call arrived / Condition: "
_FAILING = f"{_STOP}Evaluate builder state / A task failed: poll again / Assign / "
_STOPPED = f"{_STOP}Stop image builder / Assign / "
_POLL_FIRST = "a poll comes first, and assigns it"
_OVER = "its start is over, so that Check stop on failure goes there as well"
_TWICE = "the second failure to schedule is at RUNNING, of the own start, and leaves no auto-stop"
_ONE_MORE = "one more poll at the deadline, which then ends it"
_NEVER_268 = "no poll interval is above 268 seconds"
HARMLESS: Mapping[str, str] = {
    **dict.fromkeys([f"{_CRASH}error: removed", f"{_CRASH}error: to {{}}"], _POLL_FIRST),
    **dict.fromkeys(
        [f"{_CRASH}status: {how}" for how in ("removed", "'Phase' to '' at 18", "'Transitional' to '' at 27")],
        "a poll comes first; while it fails, only the deadline is asked of the status",
    ),
    f"{_CRASH}tracking: 'Ran' to '' at 41": "a start is sent again only after STOPPED, with which Ran is false",
    **dict.fromkeys(
        [f"{_CRASH}autoStopResult: removed", f"{_START}Start image builder / Assign / autoStopResult: removed"],
        "replaced when the next auto-stop is scheduled; without one the execution fails, and has no result",
    ),
    **dict.fromkeys(
        [
            f"{_UNSCHEDULED}{how}"
            for how in (
                "without $status.Phase = 'Running'",
                "without $tracking.Claim != 'None'",
                "without $autoStop = null",
                "'None' to '' at 49",
            )
        ],
        _TWICE,
    ),
    f"{_START}Evaluate builder state / The poll failed: poll again: removed": "the default of the Choice is the same",
    **dict.fromkeys(
        [
            f"{_START}Evaluate builder state / {rule} / Next: to Build cause"
            for rule in (
                "FAILED or DELETING",
                "STOPPED after the last attempt, whose answer was lost",
                "STOPPED after the last attempt: some failed starts end in STOPPED, with Image...",
            )
        ],
        _OVER,
    ),
    **dict.fromkeys(
        [f"{_LATE_REFUSAL}without $waitedSeconds < $deadlineSeconds", f"{_LATE_REFUSAL}< to <= at 85"], _ONE_MORE
    ),
    f"{_STOP}Poll image builder / Assign / failedSeconds: to 1": "a second of the five minutes or more that end it",
    f"{_STOP}Evaluate builder state / Tasks fail for too long / Condition: >= to > at 35": _ONE_MORE,
    **dict.fromkeys(
        [f"{_FAILING}pollSeconds: 270 to {n} at 32" for n in (271, 269)]
        + [f"{_FAILING}failedSeconds: 270 to {n} at 49" for n in (271, 269)],
        _NEVER_268,
    ),
    f"{_FAILING}failedSeconds: 60 to 59 at 29": "after a first poll, the deadline ends it at the same poll",
    f"{_STOP}Stop image builder / Catch / The time that a hanging task has taken counts as well / Assign / "
    "failedSeconds: removed": "a poll that succeeds comes before each stop, and sets it to 0",
    **dict.fromkeys(
        [f"{_STOPPED}{how}" for how in ("pollSeconds: removed", "error: removed", "failedSeconds: removed")],
        "the poll before it has assigned the same",
    ),
    f"{_STOPPED}failedSeconds: to 1": _POLL_FIRST,
    "start_fleet / Start each image builder / Wait for start slot / Seconds: $floor to nothing at 53": "AWS wants an "
    "integer; the engine of the tests cuts the fraction off itself",
}
"""Mutants that no test can or need kill, with the reason."""

Where = tuple[str | int, ...]


class Mutant(NamedTuple):
    """A workflow with one change."""

    source: Path
    place: str  # where, and how
    touch: str  # what a check has to touch to notice
    text: str  # the definition


# The mutants


def mutants() -> list[Mutant]:
    """Every mutant, in the order of the files."""
    found = [mutant for path in (START, STOP, FLEET) for mutant in Mutants(path).of_states(("States",))]
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


class Mutants:
    """The mutants of one definition."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = json.loads(path.read_text("utf-8"))

    def of_states(self, where: Where) -> Iterator[Mutant]:
        """Those of some states, and of the states within these."""
        for name, state in _at(self.tree, where).items():
            for member, value in state.items():
                yield from self._of_member(name, (*where, name, member), value)
            if "ItemProcessor" in state:
                yield from self.of_states((*where, name, "ItemProcessor", "States"))

    def _of_member(self, name: str, where: Where, value: Any) -> Iterator[Mutant]:
        match where[-1]:
            case "Retry":
                for number, retrier in enumerate(value):
                    yield from self._of_retrier(f"{name}!", (*where, number), retrier)
            case "Catch":
                for number, catcher in enumerate(value):
                    yield from self._of_catcher(f"{name}!", (*where, number), catcher)
            case "Choices":
                for number, rule in enumerate(value):
                    yield from self._of_rule((*where, number), rule)
            case "Next" | "Default":
                yield from self._other_targets(where, name, value)
            case "Assign" | "Output" | "Arguments" | "Error" | "Cause" | "Seconds":
                yield from self._of_value(where, name, value)

    def _of_retrier(self, touch: str, where: Where, retrier: Any) -> Iterator[Mutant]:
        yield self._without(where, touch)
        for number, error in enumerate(retrier["ErrorEquals"]):
            one = touch if error == "States.ALL" else f"{touch}{error}"
            yield self._with((*where, "ErrorEquals", number), "Nothing", one)
        for member in NUMBERS.keys() & retrier:
            for change in NUMBERS[member]:
                yield self._with((*where, member), retrier[member] + change, touch)
        if "JitterStrategy" in retrier:
            yield self._with((*where, "JitterStrategy"), "NONE", touch)

    def _of_catcher(self, touch: str, where: Where, catcher: Any) -> Iterator[Mutant]:
        yield self._without(where, touch)
        for number, _ in enumerate(catcher["ErrorEquals"]):
            yield self._with((*where, "ErrorEquals", number), "Nothing", touch)
        yield from self._of_members((*where, "Assign"), touch, catcher.get("Assign", {}))
        yield from self._other_targets((*where, "Next"), touch, catcher["Next"])

    def _of_rule(self, where: Where, rule: Any) -> Iterator[Mutant]:
        condition, at = _inner(rule["Condition"]), (*where, "Condition")
        yield self._without(where, condition)
        yield self._with(at, _expression(f"$not({condition})"), condition)
        if condition != "true":
            yield self._with(at, _expression("true"), condition)
        parts = condition.split(" and ")
        for number, part in enumerate(parts if len(parts) > 1 else []):
            weaker = " and ".join(parts[:number] + parts[number + 1 :])
            yield self._with(at, _expression(weaker), condition, f"without {part}")
        yield from self._of_expression(at, condition)
        yield from self._of_members((*where, "Assign"), f"{condition} is true", rule.get("Assign", {}))
        yield from self._other_targets((*where, "Next"), f"{condition} is true", rule["Next"])

    def _other_targets(self, where: Where, touch: str, target: str) -> Iterator[Mutant]:
        for other in TARGETS:
            if other not in (target, where[1]) and other in _at(self.tree, where[:1]):
                yield self._with(where, other, touch)

    def _of_members(self, where: Where, touch: str, members: Any) -> Iterator[Mutant]:
        for member, value in members.items():
            yield self._without((*where, member), touch)
            yield from self._of_value((*where, member), touch, value)

    def _of_value(self, where: Where, touch: str, value: Any) -> Iterator[Mutant]:
        match value:
            case dict():
                yield from self._of_members(where, touch, value)
            case bool():
                yield self._with(where, not value, touch)
            case int():
                yield self._with(where, value + 1, touch)
            case None:
                yield self._with(where, {}, touch)
            case str() if value.startswith("{%"):
                yield from self._of_expression(where, _inner(value))
            case str() if not value.startswith("${"):
                yield self._with(where, "", touch)

    def _of_expression(self, where: Where, expression: str) -> Iterator[Mutant]:
        for word in WORDS.finditer(expression):
            text, begin, end = word.group(), word.start(), word.end()
            others, touch = OTHER_WORDS.get(text, ()), expression
            if re.search(r"\$error\.Error in \[[^\]]*$", expression[:begin]) and text.startswith("'"):
                others, touch = ("'Nothing'",), f"{expression}!{text.strip(chr(39))}"
            elif text.startswith("'") and text != "''":
                others = ("''",)
            elif text[0].isdecimal():
                number = float(text) if "." in text else int(text)
                others = [str(number + change) for change in ((1, -1) if number > 0 else (1,))]
            for other in others:
                value = _expression(expression[:begin] + other + expression[end:])
                # Long texts would fill the report.
                yield self._with(where, value, touch, f"{text[:60]} to {other or 'nothing'} at {begin}")

    def _with(self, where: Where, value: Any, touch: str, how: str = "") -> Mutant:
        changed = copy.deepcopy(self.tree)
        _at(changed, where[:-1])[where[-1]] = value
        return Mutant(self.path, f"{self._place(where)}: {how or f'to {_short(value)}'}", touch, json.dumps(changed))

    def _without(self, where: Where, touch: str) -> Mutant:
        changed = copy.deepcopy(self.tree)
        holder = _at(changed, where[:-1])
        del holder[where[-1]]
        if not holder:
            # An empty Retry or Assign is not allowed everywhere; none at all is.
            del _at(changed, where[:-2])[where[-2]]
        return Mutant(self.path, f"{self._place(where)}: removed", touch, json.dumps(changed))

    def _place(self, where: Where) -> str:
        """Where in the file, for a person: a rule by its Comment, an error by its name."""
        steps = [self.path.name.partition(".")[0]]
        for depth, step in enumerate(where[1:], 2):
            value = _at(self.tree, where[:depth])
            if isinstance(step, int):
                comment = value if isinstance(value, str) else value.get("Comment", str(step)).partition(". ")[0]
                steps.append(_short(comment))
            elif step not in ("Choices", "ErrorEquals", "ItemProcessor", "States"):
                steps.append(step)
        return " / ".join(steps)


def _inner(value: str) -> str:
    return value.removeprefix("{%").removesuffix("%}").strip()


def _expression(inner: str) -> str:
    return f"{{% {inner} %}}"


def _at(tree: Any, where: Where) -> Any:
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

    options = ["--collect-only", "-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]
    with redirect_stdout(StringIO()):
        pytest.main([*options, str(Path(__file__).parent)], plugins=[Collector()])
    return [each for each in collected if set(each.fixturenames) - _parameters(each).keys() == {"world"}]


def _parameters(check: pytest.Function) -> Mapping[str, Any]:
    return check.callspec.params if hasattr(check, "callspec") else {}


# The runs. These functions run in the worker processes.


class Touched(NamedTuple):
    """What a check touches on the workflow as it is, and what it has against that: nothing, when all is well.

    marks: states entered, `state!` and `state!error` where one failed, expressions evaluated, `expression!error` while
        that error was being routed, `expression is true`.
    """

    marks: frozenset[str]
    problem: str


class _Endless(Exception):
    """It takes longer than any check does."""


def touched_by(number: int) -> Touched:
    """Run a check on the workflow as it is."""
    from tests.workflow import engine

    marks: set[str] = set()
    evaluate, run = engine._evaluate, engine.Engine.run

    def evaluate_and_mark(self: Any, env: Any) -> None:
        expression = self.expression.strip()
        error = {**env.variable_store._outer_scope, **env.variable_store._inner_scope}.get("error")
        marks.update({expression, f"{expression}!{error.get('Error')}"} if isinstance(error, dict) else {expression})
        evaluate(self, env)
        if env.stack[-1] is True:
            marks.add(f"{expression} is true")

    def run_and_mark(*arguments: Any) -> Any:
        execution = run(*arguments)
        marks.update(_states_and_errors(execution.history))
        return execution

    with patch.object(engine, "_evaluate", evaluate_and_mark), patch.object(engine.Engine, "run", run_and_mark):
        return Touched(frozenset(marks), _problem(checks()[number], START, definition()))


def _states_and_errors(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    state = ""
    for event in history:
        for member, details in event.items():
            if member == "stateEnteredEventDetails":
                state = details["name"]
                yield state
            elif isinstance(details, dict) and "error" in details:
                yield from (f"{state}!", f"{state}!{details['error']}")


_KILLS: Counter[tuple[str, int]] = Counter()
"""How many mutants with such a touch a check has killed in this process: it is likely to kill the next."""


def killer_of(mutant: Mutant, numbers: Sequence[int]) -> str:
    """Run the checks of these numbers until one kills the mutant. Returns: which; empty: it has survived."""
    from tests.workflow import engine

    text = substituted(mutant.text)
    try:
        engine._program(text)
    except Exception as problem:
        return f"no definition: {type(problem).__name__}"
    try:
        for number in sorted(numbers, key=lambda number: -_KILLS[mutant.touch, number]):
            if _problem(checks()[number], mutant.source, text):
                _KILLS[mutant.touch, number] += 1
                return checks()[number].name
        return ""
    finally:
        engine._program.cache_clear()


def _problem(check: pytest.Function, source: Path, text: str) -> str:
    """What the check has against a definition of this file; empty: nothing."""
    from tests.workflow.conftest import World

    def changed(path: Path = START) -> str:
        return text if path == source else definition(path)

    try:
        with redirect_stdout(StringIO()), patch.object(definitions, "definition", changed):
            world = World.new()
            world.engine.definition = changed()
            with _bounded():
                check.obj(world=world, **_parameters(check))
    except Exception as problem:
        return f"{type(problem).__name__}: {str(problem)[:300]}"
    return ""


@contextmanager
def _bounded() -> Iterator[None]:
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    left, enter = STATES_AT_MOST, CommonStateField._eval_body

    def enter_if_not_endless(self: Any, env: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            # Ends the interpreter's thread, past its handlers of Exception; the execution is left RUNNING.
            raise SystemExit
        enter(self, env)

    def give_up(*_: Any) -> None:
        raise _Endless

    with patch.object(CommonStateField, "_eval_body", enter_if_not_endless):
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(SECONDS_AT_MOST)
        try:
            yield
        finally:
            signal.alarm(0)


# The report


def survivors_of(chosen: Sequence[Mutant], checked: Sequence[int]) -> list[str]:
    """The places of the mutants that the checks of these numbers do not kill."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        touched = dict(zip(checked, pool.map(touched_by, checked, chunksize=4), strict=True))
        # What takes too many states, as a week of polls does, checks no mutant.
        marks = {number: each.marks for number, each in touched.items() if not each.problem}
        assert len(marks) > 0.9 * len(checked), "not even the workflows as they are pass"
        killers = [pool.submit(killer_of, mutant, likely_first(mutant, marks)) for mutant in chosen]
        return [mutant.place for mutant, killer in zip(chosen, killers, strict=True) if not killer.result()]


def likely_first(mutant: Mutant, marks: Mapping[int, frozenset[str]]) -> list[int]:
    """The checks that can notice the mutant: one of each test, those that touch little first; then the next of each."""
    able = [number for number, touched in marks.items() if mutant.touch in touched or not touched]
    turn: Counter[str] = Counter()
    order: dict[int, tuple[int, int]] = {}
    for number in sorted(able, key=lambda number: len(marks[number])):
        test = checks()[number].originalname
        order[number] = turn[test], len(marks[number])
        turn[test] += 1
    return sorted(able, key=order.__getitem__)


def main() -> int:
    """Judge all, print the report, give the exit status."""
    began, every = time.monotonic(), mutants()
    survivors = survivors_of(every, range(len(checks())))
    for place in survivors:
        print(f"survived: {place}{f'  ({HARMLESS[place]})' if place in HARMLESS else ''}")
    unexplained, outdated = set(survivors) - HARMLESS.keys(), HARMLESS.keys() - set(survivors)
    killed = 1 - len(survivors) / len(every)
    print(
        f"{len(every)} mutants, {len(every) - len(survivors)} killed ({killed:.1%}), {len(survivors)} survived, "
        f"{len(unexplained)} of them unexplained, {time.monotonic() - began:.0f} s"
    )
    for place in sorted(outdated):
        print(f"no longer survives, or is no longer made: {place}")
    return int(killed < ENOUGH or bool(unexplained) or bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
