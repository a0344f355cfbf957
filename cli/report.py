"""`make report` and the demo: an execution as one HTML file to keep, send or print; it needs no other file."""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli import diagram
from cli.account import AccountError, execution_client, said_plainly
from cli.history import Follower, Line, Run, clock, minutes, parsed, timeline
from cli.watch import printable
from lambdas.image_builder.notification import console, part

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

RUNBOOK = diagram.PROJECT / "docs" / "runbook.md"
WHO_ACTS = {"fail": "the requester acts", "notify": "an operator acts", "uncaught": "an operator acts"}
FACTS = ("Outcome", "Started", "WouldStart", "Requested", "Running", "Failed", "Polls", "WaitedSeconds", "Agent")
"""What the card shows of a result or a Cause, besides the sentences."""


class Fact(NamedTuple):
    """A line of the card: what it is, the words, and where they link to; empty for nowhere."""

    term: str
    text: str
    url: str = ""


class Row(NamedTuple):
    """A line of the timeline: seconds from the start, how long, the Type of the state, its name, and what happened."""

    begin: float
    length: float
    kind: str
    name: str
    lines: list[Line]


class Period(NamedTuple):
    """A State of the image builder: from when to when, in simulated seconds."""

    state: str
    begin: float
    end: float


def report(run: Run, definition: dict[str, Any]) -> str:
    """An execution as an HTML page.

    Args:
        run: the execution.
        definition: of its state machine, as it was for this execution.
    """
    # Everything that AWS or a requester wrote is escaped; the diagram and its style are this project's own.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    answers = [step.answer for step in run.steps if isinstance(step.answer, dict)]
    return environment.get_template("report.html.jinja").render(
        run=run,
        execution_url=_execution_url(run.execution),
        style=diagram.STYLE,
        card="failed" if run.failure else run.status.lower(),
        facts=list(_facts(run)),
        diagram=diagram.svg(definition, [*(step.name for step in run.steps), *taken_ways(run, definition)]),
        results=_results(run),
        periods=periods(run),
        rows=rows(run),
        whole=max(_end(run), 1),
        messages=[answer for answer in answers if {"Subject", "Message"} <= answer.keys()],
        clock=clock,
        minutes=minutes,
        pretty=lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False),
    )


def taken_ways(run: Run, definition: dict[str, Any]) -> list[diagram.Way]:
    """The ways between states that an execution went."""
    ways = diagram.ways(definition)
    taken = []
    for step, following in pairwise(run.steps):
        between = [way for way in ways if (way.source, way.target) == (step.name, following.name)]
        failed = bool(step.attempts and step.attempts[-1].error)
        # A task can lead to one state by its success and by its failure.
        taken += [way for way in between if (way.kind == "error") == failed] or between[:1]
    return taken


def periods(run: Run) -> list[Period]:
    """The States of the image builder, as far as the execution described it."""
    described = [(step.builder, step.attempts[-1].ended or step.entered) for step in run.steps if step.builder]
    changes = [next(group) for _, group in groupby(described, key=lambda each: each[0])]
    ends = [*(begin for _, begin in changes[1:]), _end(run)]
    return [Period(*change, end) for change, end in zip(changes, ends[: len(changes)], strict=True)]


def rows(run: Run) -> list[Row]:
    """The timeline."""
    found = []
    for entry in timeline(run):
        first, last = entry.steps[0], entry.steps[-1]
        end = _end(run) if last.left is None else last.left
        named, *lines = entry.lines()
        name = named.text
        if entry.folded:
            name, text = name.split(": ")
            lines = [Line(named.seconds, "", text)]
        if last is run.steps[-1] and last.left is None:
            here = "the execution is here now" if run.ended is None else "the execution ended here"
            lines.append(Line(end, "", here))
        found.append(Row(first.entered, end - first.entered, first.kind, name, lines))
    return found


def _facts(run: Run) -> Iterator[Fact]:
    happened, advice = run.outcome
    if run.status == "RUNNING":
        yield Fact("So far", f"The execution goes on: this report was written {minutes(_end(run))} after its start.")
    if happened:
        yield Fact("What happened", happened)
    if advice:
        yield Fact("What to do", advice)
    if run.failure:
        yield Fact("Route", f"{run.failure.route}: {WHO_ACTS.get(run.failure.route, 'an operator acts')}")
        yield _runbook(run.failure.section)
    for key in FACTS:
        if key in run.summary:
            yield Fact(key, _value(key, run.summary[key]))
    if retried := _retried(run):
        yield Fact("Retries", retried)
    auto_stop = run.summary.get("AutoStop")
    if isinstance(auto_stop, dict):
        execution = str(auto_stop.get("Execution") or "")
        yield Fact("Auto-stop", str(auto_stop.get("Why") or execution), _execution_url(execution))
    if run.builder:
        url = _console(run.execution, "appstream2/home", "/images")
        yield Fact("Image builder", f"{run.name or 'It'} was {run.builder} when last described", url)


def _value(key: str, value: Any) -> str:
    if key == "WaitedSeconds" and isinstance(value, int | float) and value >= 60:
        return f"{value} ({minutes(value)})"
    return value if isinstance(value, str) else json.dumps(value)


def _retried(run: Run) -> str:
    """The errors after which a call was made again: all but the one that the execution ended with."""
    errors = [error for step in run.steps for error in step.errors]
    if errors and run.failure and errors[-1] == run.error:
        errors.pop()
    return ", ".join(f"{error} {'once' if n == 1 else f'{n} times'}" for error, n in Counter(errors).items())


def _runbook(section: str) -> Fact:
    """The section of the runbook; its beginning, where it has none for the Error."""
    anchor = f"#{section}" if f'<a id="{section}"></a>' in RUNBOOK.read_text("utf-8") else ""
    try:
        published = json.loads((diagram.PROJECT / "settings.json").read_text("utf-8")).get("runbookUrl")
    except (OSError, ValueError):
        published = None
    return Fact("Runbook", f"docs/runbook.md{anchor}", f"{published or RUNBOOK.as_uri()}{anchor}")


def _console(arn: str, page: str, fragment: str) -> str:
    """A page of the AWS console; empty for the account of the emulator, which has none."""
    return "" if part(arn, 4) == "000000000000" else console(arn, page, fragment)


def _execution_url(arn: str) -> str:
    return _console(arn, "states/home", f"/v2/executions/details/{arn}")


def _results(run: Run) -> list[dict[str, Any]]:
    """Of a fleet, the result of each image builder; of a failed one whose history has none, the failed ones'."""
    summary = parsed(run.variables.get("summary", "{}"))
    results = summary.get("Results", run.summary.get("Results")) if isinstance(summary, dict) else None
    return [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []


def _end(run: Run) -> float:
    """Simulated seconds from the start to the end, or to now."""
    return run.seconds(datetime.now(UTC)) if run.ended is None else run.ended


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
    """Returns: the exit status: 0, or 2 when there is nothing to report."""
    parser = argparse.ArgumentParser(prog="make report", description=__doc__)
    parser.add_argument("--execution", default="", help="EXECUTION: the ARN of an execution")
    parser.add_argument("--output", help="OUTPUT: the file; by default report-NAME.html in the current directory")
    options = parser.parse_args()
    name = options.execution.rpartition(":")[2]
    path = Path(f"report-{name}.html" if options.output is None else options.output)
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
