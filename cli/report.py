"""`make report` and the demo: an execution as one HTML file to keep, send or print; it needs nothing beside itself."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli import diagram
from cli.account import AccountError, execution_client, said_plainly
from cli.history import Follower, Run, Step
from cli.watch import clock, printable
from lambdas.image_builder.execution_result import ExecutionResult, read_execution_result

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

REPORTS = diagram.PROJECT / ".local"
RUNBOOK = "docs/runbook.md"

FLEET_FACTS = ("Requested", "Running", "Failed")
FACTS = (
    "Outcome",
    "Started",
    "WouldStart",
    "Route",
    "Why",
    *FLEET_FACTS,
    "Polls",
    "WaitedSeconds",
    "Agent",
    "AutoStop",
)
"""What the card says of a result, besides its Advice."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the timeline: one visit to a state, or several looks that found nothing new.

    Attributes:
        begin, length: simulated seconds.
        state: its name.
        kind: its Type.
        happened: each thing that did: "error" or "", and the words.
        offset, share: of the whole run, in per cent.
    """

    begin: float
    length: float
    state: str
    kind: str
    happened: tuple[tuple[str, str], ...]
    offset: float
    share: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A State of the image builder: from when, in simulated seconds, and for what part of the time."""

    state: str
    begin: float
    share: float


def report(run: Run, definition: dict[str, Any]) -> str:
    """An execution as an HTML page.

    Args:
        run: the execution.
        definition: of its state machine, as it was for this execution.
    """
    # Everything in it that AWS or a requester wrote is escaped; the diagram and its style are this project's own.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    told = [step.answer for step in run.steps if isinstance(step.answer, dict) and step.answer.get("Notified")]
    return environment.get_template("report.html.jinja").render(
        run=run,
        headline=run.about,
        style=diagram.STYLE,
        card=_route(run) or run.status.lower(),
        facts=list(_facts(run)),
        diagram=diagram.svg(definition, [*(step.name for step in run.steps), *taken_ways(run, definition)]),
        results=_results(run),
        strip=seen(run),
        rows=rows(run),
        messages=told,
        untold=_untold(run),
        clock=clock,
        pretty=lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False),
    )


def taken_ways(run: Run, definition: dict[str, Any]) -> list[diagram.Way]:
    """The ways between states that an execution went."""
    ways = diagram.ways(definition)
    taken = []
    for step, following in pairwise(run.steps):
        between = [way for way in ways if (way.source, way.target) == (step.name, following.name)]
        failed = bool(step.attempts and step.attempts[-1].error)
        route = "error" if failed else _route(run)
        # Several routes of errors can lead to one state, and beside them the way of a success.
        taken += [way for way in between if len(between) == 1 or way.route == route] or between[:1]
    return taken


def seen(run: Run) -> list[Seen]:
    """How the image builder was, as far as the execution saw it."""
    looks = [(step.builder, step.attempts[-1].ended or step.entered) for step in run.steps if step.builder]
    changes = [next(group) for _, group in groupby(looks, key=lambda look: look[0])]
    if not changes:
        return []
    end = _end(run)
    starts = [begin for _, begin in changes]
    whole = max(end - starts[0], 1)
    return [
        Seen(state, begin, round(100 * max(until - begin, 0) / whole, 2))
        for (state, begin), until in zip(changes, [*starts[1:], end], strict=True)
    ]


def rows(run: Run) -> list[Row]:
    """The timeline. Rounds of waiting and looking that found the image builder as it was before become one line."""
    found: list[Row] = []
    for same, group in groupby(_rounds(run.steps), key=lambda pair: pair[0]):
        rounds = [steps for _, steps in group]
        if same and len(rounds) > 2:
            found.append(_row(run, [step for steps in rounds for step in steps], f"{len(rounds)} looks", same))
        else:
            found += [_row(run, [step], step.name, "") for steps in rounds for step in steps]
    return found


def _rounds(steps: Sequence[Step]) -> Iterator[tuple[str, list[Step]]]:
    """Each wait with what follows until the next: beside it, where nothing new came of it, what was seen again."""
    current: list[Step] = []
    before: str | None = None
    for step in [*steps, None]:
        if current and (step is None or step.kind == "Wait"):
            states = [look.builder for look in current if look.builder]
            quiet = (
                current[0].kind == "Wait"
                and step is not None
                and states == [before]
                and not any(attempt.error for look in current for attempt in look.attempts)
            )
            yield (f"the image builder is still {before}" if quiet else ""), current
            before = states[-1] if states else before
            current = []
        if step is not None:
            current.append(step)


def _row(run: Run, steps: Sequence[Step], name: str, same: str) -> Row:
    whole = max(_end(run), 1)
    begin, end = steps[0].entered, steps[-1].left
    end = _end(run) if end is None else end
    happened = [("", same)] if same else list(_happened(steps[0]))
    if steps[0] is run.steps[-1] and steps[0].left is None:
        happened.append(("", "here the execution is now" if run.ended is None else "here it ended"))
    return Row(
        begin=begin,
        length=end - begin,
        state=name,
        kind="Wait" if same else steps[0].kind,
        happened=tuple(happened),
        offset=round(100 * begin / whole, 2),
        share=round(100 * (end - begin) / whole, 2),
    )


def _happened(step: Step) -> Iterator[tuple[str, str]]:
    for number, attempt in enumerate(step.attempts):
        if number:
            yield "", f"trying again at {clock(attempt.began)}"
        if attempt.error:
            yield "error", f"{attempt.error}: {attempt.reason}" if attempt.reason else attempt.error
    if step.finding:
        yield "", step.finding


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    ending = _ending(run)
    if ending:
        yield from (("What happened", ending.message), ("What to do", ending.advice), ("Route", ending.route))
        yield "Runbook", _runbook(ending)
    elif run.status == "RUNNING":
        yield "So far", f"The execution goes on: this report shows it {clock(_end(run))} minutes after it began."
    told = _told(run)
    for key in FLEET_FACTS if ending else (*FACTS, "Advice"):
        if key in told:
            yield key, told[key] if isinstance(told[key], str) else json.dumps(told[key])
    if run.builder:
        yield "Image builder", f"{run.builder} when last seen"


def _told(run: Run) -> dict[str, Any]:
    """What the workflow itself says of its end: the result, or the Cause."""
    said = run.output if run.status == "SUCCEEDED" else run.cause
    return said if isinstance(said, dict) else {}


def _results(run: Run) -> list[dict[str, Any]]:
    """Of a fleet, the result of each image builder; of a failed one whose history does not say, the failed ones'."""
    try:
        summary = json.loads(run.variables["summary"])
    except (KeyError, ValueError):
        summary = {}
    results = summary.get("Results", _told(run).get("Results")) if isinstance(summary, dict) else None
    return [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []


def _ending(run: Run) -> ExecutionResult | None:
    """The end as the operators are told of it; None of a success, and while there is none."""
    if run.status in ("SUCCEEDED", "RUNNING"):
        return None
    return read_execution_result(
        {
            "executionArn": run.execution,
            "status": run.status,
            "input": run.input,
            "error": run.error,
            "cause": json.dumps(run.cause) if isinstance(run.cause, dict) else run.cause,
        }
    )


def _route(run: Run) -> str:
    ending = _ending(run)
    return ending.route if ending else ""


def _runbook(ending: ExecutionResult) -> str:
    """Where the runbook says what to do about an end: its beginning, where it has no section for the Error."""
    sections = (diagram.PROJECT / RUNBOOK).read_text("utf-8")
    return f"{RUNBOOK}#{ending.section}" if f'<a id="{ending.section}"></a>' in sections else RUNBOOK


def _untold(run: Run) -> str:
    if run.status in ("SUCCEEDED", "RUNNING"):
        return "Nothing."
    return (
        "Nothing in this history says that they were told. Step Functions' status change event makes up for that: the "
        "log of the function NotifyOperators has what became of it."
    )


def _end(run: Run) -> float:
    """Simulated seconds from the start to the end, or to now."""
    if run.ended is not None:
        return run.ended
    last = run.seconds(run.events[-1]["timestamp"]) if run.events else 0
    return max(last, run.seconds(datetime.now(UTC))) if run.status == "RUNNING" else last


def write_report(stepfunctions: "SFNClient", run: Run, path: Path) -> None:
    """Write the report of an execution, whole or not at all.

    Args:
        stepfunctions: a client, which is asked for the definition that this execution runs by.
        run: the execution.
        path: of the file.

    Raises:
        AccountError: the definition could not be read.
        OSError: the file could not be written.
    """
    with said_plainly():
        described = stepfunctions.describe_state_machine_for_execution(executionArn=run.execution)
    text = report(run, json.loads(described["definition"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, "utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def main() -> int:
    """Returns: the exit status: 0, or 2 when there is nothing to report of."""
    parser = argparse.ArgumentParser(prog="make report", description=__doc__)
    parser.add_argument("--execution", default="", help="EXECUTION: the ARN of an execution")
    parser.add_argument("--output", help="OUTPUT: the file; else .local/report-NAME.html")
    options = parser.parse_args()
    name = options.execution.rpartition(":")[2]
    path = REPORTS / f"report-{name}.html" if options.output is None else Path(options.output)
    try:
        if not path.name or path.is_dir():
            print(f"OUTPUT: must be a file to write, not {options.output!r}", file=sys.stderr)
            return 2
        client = execution_client(options.execution)
        with said_plainly():
            run = Follower(client, options.execution).run()
        write_report(client, run, path)
    except AccountError as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"OUTPUT: the report could not be written: {problem}", file=sys.stderr)
        return 2
    print(f"Report: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
