"""Mutation tests of the workflows: break one of their definitions in one place at a time, and see that a test fails.

`python -m tests.workflow.mutants` prints the totals and the survivors. Its status is 1 when fewer than 98 % are killed
or when a survivor is not in HARMLESS, or is there and no longer survives.

The checks are the tests of this folder that take the `world` fixture alone, called with a world of the mutant. First
each runs once on the workflow as it is, which tells what it touches; a mutant then meets those checks only that touch
the place where it differs.
"""

import copy
import inspect
import json
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache, partial
from io import StringIO
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import tests.conftest  # noqa: F401  # what the handlers' modules read of the environment
from cli.definition import FLEET, START, STOP, definition, substituted

PROCESSES = 2
ENOUGH = 0.98
STATES_AT_MOST = 400
VIRTUAL_SECONDS_AT_MOST = 3 * 86_400
REAL_SECONDS_AT_MOST = 30
"""Of one check. No check comes near any of the three on the workflow as it is; a mutant may loop for ever."""

HARMLESS: Mapping[str, str] = {}
"""Mutants that no test can or need kill, with the reason."""

Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutant:
    """A workflow with one change.

    Attributes:
        source: the definition that is changed.
        kind: what is changed, for the totals.
        place: where, and how.
        touch: what a check has to touch to notice.
        text: the definition.
    """

    source: Path
    kind: str
    place: str
    touch: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant. `killer` is empty when it survived."""

    mutant: Mutant
    killer: str
    seconds: float


# The mutants


def mutants() -> list[Mutant]:
    """Every mutant, in the order of the files."""
    found = [mutant for path in (START, STOP, FLEET) for mutant in _of_definition(path)]
    places = Counter(mutant.place for mutant in found)
    assert max(places.values()) == 1, places.most_common(3)
    return found


@dataclass(frozen=True)
class Source:
    """A definition that is changed: its file, and what it holds."""

    path: Path
    tree: Any


def _of_definition(path: Path) -> Iterator[Mutant]:
    source = Source(path, json.loads(path.read_text("utf-8")))
    yield from _of_states(source, ("States",))


def _of_states(source: Source, where: Where) -> Iterator[Mutant]:
    for name, state in _at(source.tree, where).items():
        yield from _of_state(source, (*where, name))
        if "ItemProcessor" in state:
            yield from _of_states(source, (*where, name, "ItemProcessor", "States"))


def _of_state(source: Source, where: Where) -> Iterator[Mutant]:
    state, name = _at(source.tree, where), str(where[-1])
    for member, value in state.items():
        if member == "Retry":
            for number, retrier in enumerate(value):
                yield from _of_retrier(source, name, (*where, member, number), retrier)
        elif member == "Catch":
            for number, catcher in enumerate(value):
                yield from _of_catcher(source, name, (*where, member, number), catcher)
        elif member == "Choices":
            for number, rule in enumerate(value):
                yield from _of_rule(source, (*where, member, number), rule)
        elif member in ("Next", "Default"):
            yield from _other_targets(source, (*where, member), name, value)
        elif member in ("Assign", "Output", "Arguments") or member in ("Error", "Cause", "Seconds"):
            yield from _of_value(source, (*where, member), name, value)


def _of_retrier(source: Source, state: str, where: Where, retrier: Any) -> Iterator[Mutant]:
    yield _without(source, "Retrier removed", where, f"{state}!")
    for number, error in enumerate(retrier["ErrorEquals"]):
        touch = f"{state}!" if error == "States.ALL" else f"{state}!{error}"
        yield _with(source, "error name of a Retrier", (*where, "ErrorEquals", number), "Nothing", touch)
    numbers = {"MaxAttempts": (-1, 1), "IntervalSeconds": (-1, 1), "BackoffRate": (-1, 1), "MaxDelaySeconds": (-30, 30)}
    for member, changes in numbers.items():
        for change in changes if member in retrier else ():
            value = retrier[member] + change
            yield _with(source, "number of a Retrier", (*where, member), value, f"{state}!")
    if "JitterStrategy" in retrier:
        yield _with(source, "number of a Retrier", (*where, "JitterStrategy"), "NONE", f"{state}!")


def _of_catcher(source: Source, state: str, where: Where, catcher: Any) -> Iterator[Mutant]:
    yield _without(source, "Catch removed", where, f"{state}!")
    for number, _ in enumerate(catcher["ErrorEquals"]):
        yield _with(source, "error name of a Catch", (*where, "ErrorEquals", number), "Nothing", f"{state}!")
    yield from _of_members(source, (*where, "Assign"), f"{state}!", catcher.get("Assign", {}))
    yield from _other_targets(source, (*where, "Next"), f"{state}!", catcher["Next"])


def _of_rule(source: Source, where: Where, rule: Any) -> Iterator[Mutant]:
    condition = _inner(rule["Condition"])
    at = (*where, "Condition")
    yield _without(source, "Choice rule removed", where, condition)
    yield _with(source, "Choice condition", at, _expression(f"$not({condition})"), condition)
    if condition != "true":
        yield _with(source, "Choice condition", at, _expression("true"), condition)
    parts = condition.split(" and ")
    for number, part in enumerate(parts if len(parts) > 1 else []):
        weaker = " and ".join(parts[:number] + parts[number + 1 :])
        yield _with(source, "Choice condition", at, _expression(weaker), condition, f"without {part}")
    yield from _of_expression(source, at, condition, "Choice condition")
    yield from _of_members(source, (*where, "Assign"), f"{condition} is true", rule.get("Assign", {}))
    yield from _other_targets(source, (*where, "Next"), f"{condition} is true", rule["Next"])


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


def _other_targets(source: Source, where: Where, touch: str, target: str) -> Iterator[Mutant]:
    for other in TARGETS:
        if other not in (target, where[1]) and other in _at(source.tree, where[:1]):
            yield _with(source, "target", where, other, touch)


def _of_members(source: Source, where: Where, touch: str, members: Any) -> Iterator[Mutant]:
    for member, value in members.items():
        yield _without(source, f"member of {where[-1]} removed", (*where, member), touch)
        yield from _of_value(source, (*where, member), touch, value)


def _of_value(source: Source, where: Where, touch: str, value: Any) -> Iterator[Mutant]:
    match value:
        case dict():
            yield from _of_members(source, where, touch, value)
        case bool():
            yield _with(source, "plain value", where, not value, touch)
        case int():
            yield _with(source, "plain value", where, value + 1, touch)
        case None:
            yield _with(source, "plain value", where, {}, touch)
        case str() if value.startswith("{%"):
            yield from _of_expression(source, where, _inner(value), "expression")
        case str() if not value.startswith("${"):
            yield _with(source, "plain value", where, "", touch)


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


def _of_expression(source: Source, where: Where, expression: str, kind: str) -> Iterator[Mutant]:
    for word in WORDS.finditer(expression):
        text, begin, end = word.group(), word.start(), word.end()

        def mutant(kind: str, other: str, begin: int = begin, end: int = end, text: str = text) -> Mutant:
            changed = _expression(expression[:begin] + other + expression[end:])
            # Long texts would fill the report.
            return _with(source, kind, where, changed, expression, f"{text[:60]} to {other or 'nothing'} at {begin}")

        if re.search(r"\$error\.Error in \[[^\]]*$", expression[:begin]) and text.startswith("'"):
            error = text.strip("'")
            nothing = mutant("error name of a Choice", "'Nothing'")
            yield replace(nothing, touch=f"{expression}!{error}")
        elif text.startswith("'") and text != "''":
            yield mutant(f"text in {_article(kind)}", "''")
        elif text[0].isdecimal():
            number = float(text) if "." in text else int(text)
            yield mutant(f"number in {_article(kind)}", str(number + 1))
            if number > 0:
                yield mutant(f"number in {_article(kind)}", str(number - 1))
        for other in OTHER_WORDS.get(text, ()):
            yield mutant(kind, other)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _inner(value: str) -> str:
    return value.removeprefix("{%").removesuffix("%}").strip()


def _expression(inner: str) -> str:
    return f"{{% {inner} %}}"


def _with(source: Source, kind: str, where: Where, value: Any, touch: str, how: str = "") -> Mutant:
    changed = copy.deepcopy(source.tree)
    _at(changed, where[:-1])[where[-1]] = value
    return Mutant(
        source.path, kind, f"{_place(source, where)}: {how or f'to {_short(value)}'}", touch, json.dumps(changed)
    )


def _without(source: Source, kind: str, where: Where, touch: str) -> Mutant:
    changed = copy.deepcopy(source.tree)
    holder = _at(changed, where[:-1])
    del holder[where[-1]]
    if not holder:
        # An empty Retry or Assign is not allowed everywhere; none at all is.
        del _at(changed, where[:-2])[where[-2]]
    return Mutant(source.path, kind, f"{_place(source, where)}: removed", touch, json.dumps(changed))


def _at(tree: Any, where: Where) -> Any:
    for step in where:
        tree = tree[step]
    return tree


def _place(source: Source, where: Where) -> str:
    """Where in the file, for a person: a rule by its Comment, an error by its name."""
    steps = [source.path.name.partition(".")[0]]
    for depth, step in enumerate(where[1:], 2):
        value = _at(source.tree, where[:depth])
        if isinstance(step, int):
            steps.append(
                value if isinstance(value, str) else _short(value.get("Comment", str(step)).partition(". ")[0])
            )
        elif step not in ("Choices", "ErrorEquals", "ItemProcessor", "States"):
            steps.append(step)
    return " / ".join(steps)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 80 else f"{text[:77]}..."


# The checks


@dataclass(frozen=True)
class Check:
    """A test of this folder, with its parameters."""

    id: str
    run: Callable[[Any], object]


@cache
def checks() -> list[Check]:
    """The tests that need nothing but a world, with the parameters that pytest would give them."""
    # Here, so that who only lists the mutants does not wait for boto3.
    from tests.workflow import (
        test_auto_stop,
        test_lambda_faults,
        test_scenario_list,
        test_start,
        test_start_fleet,
        test_stop,
    )

    found = []
    for module in (test_start, test_scenario_list, test_lambda_faults, test_auto_stop, test_stop, test_start_fleet):
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and "world" in inspect.signature(test).parameters:
                for parameters in _parameters(test):
                    said = "-".join(str(getattr(value, "id", value))[:60] for value in parameters.values())
                    found.append(Check(f"{name}[{said}]", partial(_call, test, parameters)))
    return found


def _call(test: Callable[..., object], parameters: Mapping[str, Any], world: Any) -> None:
    test(world=world, **parameters)


def _parameters(test: Callable[..., object]) -> Iterator[Mapping[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    axes = []
    for mark in marks:
        names = mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else mark.args[0]
        axes.append([dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in mark.args[1]])
    for values in product(*axes):
        yield {name: value for each in values for name, value in each.items()}


# The runs. These functions run in the worker processes.


@dataclass(frozen=True)
class Touched:
    """What a check touches on the workflow as it is.

    Attributes:
        marks: states entered, `state!` and `state!error` where one failed, expressions evaluated, `expression!error`
            while that error was being routed, `expression is true`.
        seconds: how long it took.
        problem: what it has against the workflow as it is: nothing, when all is well.
    """

    marks: frozenset[str]
    seconds: float
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
        marks.add(expression)
        variables = {**env.variable_store._outer_scope, **env.variable_store._inner_scope}
        error = variables.get("error")
        if isinstance(error, dict):
            marks.add(f"{expression}!{error.get('Error')}")
        evaluate(self, env)
        if env.stack[-1] is True:
            marks.add(f"{expression} is true")

    def run_and_mark(self: Any, execution_input: Any) -> Any:
        execution = run(self, execution_input)
        marks.update(_states_and_errors(execution.history))
        return execution

    began = time.monotonic()
    with (
        patch.object(engine, "_evaluate", evaluate_and_mark),
        patch.object(engine.Engine, "run", run_and_mark),
    ):
        problem = _problem(checks()[number], START, definition())
    return Touched(frozenset(marks), time.monotonic() - began, problem)


def _states_and_errors(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    state = ""
    for event in history:
        for member, details in event.items():
            if member == "stateEnteredEventDetails":
                state = details["name"]
                yield state
            elif isinstance(details, dict) and "error" in details:
                yield f"{state}!"
                yield f"{state}!{details['error']}"


_KILLS: Counter[tuple[str, int]] = Counter()
"""How many mutants with such a touch a check has killed in this process: it is likely to kill the next."""


def judge(mutant: Mutant, numbers: Sequence[int]) -> Verdict:
    """Run the checks of these numbers until one kills the mutant."""
    from tests.workflow import engine

    began = time.monotonic()
    text = substituted(mutant.text)
    killer = ""
    try:
        engine._program(text)
    except Exception as problem:
        killer = f"no definition: {type(problem).__name__}"
    else:
        every = checks()
        for number in sorted(numbers, key=lambda number: -_KILLS[mutant.touch, number]):
            if _problem(every[number], mutant.source, text):
                _KILLS[mutant.touch, number] += 1
                killer = every[number].id
                break
    engine._program.cache_clear()
    return Verdict(mutant, killer, time.monotonic() - began)


def _problem(check: Check, source: Path, text: str) -> str:
    """What the check has against a definition of this file; empty: nothing."""
    from tests.workflow import conftest

    def changed(path: Path = START) -> str:
        return text if path == source else definition(path)

    try:
        with redirect_stdout(StringIO()), patch.object(conftest, "definition", changed):
            world = conftest.World.new(definition=changed())
            with _bounded(world.clock):
                check.run(world)
    except Exception as problem:
        return f"{type(problem).__name__}: {str(problem)[:300]}"
    return ""


@contextmanager
def _bounded(clock: Any) -> Iterator[None]:
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    began, left = clock.now(), STATES_AT_MOST
    enter = CommonStateField._eval_body

    def enter_if_not_endless(self: Any, env: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 or clock.now() - began > VIRTUAL_SECONDS_AT_MOST:
            # Ends the interpreter's thread, past its handlers of Exception; the execution is left RUNNING.
            raise SystemExit
        enter(self, env)

    def give_up(signum: int, frame: FrameType | None) -> None:
        raise _Endless

    with ExitStack() as stack:
        stack.enter_context(patch.object(CommonStateField, "_eval_body", enter_if_not_endless))
        if threading.current_thread() is threading.main_thread():
            stack.callback(signal.signal, signal.SIGALRM, signal.signal(signal.SIGALRM, give_up))
            stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_REAL, REAL_SECONDS_AT_MOST)
        yield


# The report


def judge_all(chosen: Sequence[Mutant], checked: Sequence[int]) -> list[Verdict]:
    """Judge the mutants by the checks of these numbers, two at a time."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        touched = dict(zip(checked, pool.map(touched_by, checked, chunksize=4), strict=True))
        # What takes too many states, as a week of polls does, checks no mutant.
        touched = {number: each for number, each in touched.items() if not each.problem}
        assert len(touched) > 0.95 * len(checked), "not even the workflows as they are pass"
        futures = [pool.submit(judge, mutant, likely_first(mutant, touched)) for mutant in chosen]
        return [future.result() for future in futures]


def likely_first(mutant: Mutant, touched: Mapping[int, Touched]) -> list[int]:
    """The checks that can notice the mutant: one of each test, those that touch little first; then the next of each."""
    able = [number for number, each in touched.items() if mutant.touch in each.marks or not each.marks]
    every = checks()
    turn: Counter[str] = Counter()
    order: dict[int, tuple[int, int]] = {}
    for number in sorted(able, key=lambda number: len(touched[number].marks)):
        test = every[number].id.partition("[")[0]
        order[number] = turn[test], len(touched[number].marks)
        turn[test] += 1
    return sorted(able, key=lambda number: order[number])


def main() -> int:
    """Judge all, print the report, give the exit status."""
    began = time.monotonic()
    verdicts = judge_all(mutants(), range(len(checks())))
    survivors = [verdict.mutant for verdict in verdicts if not verdict.killer]
    totals = Counter(verdict.mutant.kind for verdict in verdicts)
    survived = Counter(mutant.kind for mutant in survivors)
    for kind, total in sorted(totals.items()):
        print(f"{kind:32} {total:4} {total - survived[kind]:4} killed")
    unexplained = [mutant for mutant in survivors if mutant.place not in HARMLESS]
    for mutant in survivors:
        print(f"survived: {mutant.place}{f'  ({HARMLESS[mutant.place]})' if mutant.place in HARMLESS else ''}")
    killed = 1 - len(survivors) / len(verdicts)
    print(
        f"{len(verdicts)} mutants, {len(verdicts) - len(survivors)} killed ({killed:.1%}), {len(survivors)} survived, "
        f"{len(unexplained)} of them unexplained, {time.monotonic() - began:.0f} s"
    )
    outdated = HARMLESS.keys() - {mutant.place for mutant in survivors}
    for place in sorted(outdated):
        print(f"no longer survives, or is no longer made: {place}")
    return int(killed < ENOUGH or bool(unexplained) or bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
