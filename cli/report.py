"""`make report` and the demo: an execution as one HTML file to keep, send or print; it needs no other file."""

import argparse
import json
import sys
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cli import diagram
from cli.account import AccountError, execution_client, run_command, said_plainly
from cli.history import Follower, Run, clock, minutes, parsed, timeline
from lambdas.image_builder.execution_result import json_object
from lambdas.image_builder.notification import console, part

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

RUNBOOK = diagram.PROJECT / "docs" / "runbook.md"


def report(run: Run, definition: dict[str, Any]) -> str:
    """An execution as an HTML page. Args: definition: of its state machine, as it was for this execution."""
    # Everything that AWS or a requester wrote is escaped; the diagram and its style are this project's own.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "clock": clock,
        "minutes": minutes,
        "pretty": lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False),
    }
    answers = [json_object(step.answer) for step in run.steps]
    return environment.get_template("report.html.jinja").render(
        run=run,
        console=_console,
        style=diagram.STYLE,
        outcome=run.outcome,
        runbook=_runbook(run.failure.section) if run.failure else "",
        retries=retries(run),
        diagram=diagram.svg(definition, [*(step.name for step in run.steps), *taken_ways(run, definition)]),
        results=_results(run),
        periods=periods(run),
        entries=timeline(run),
        end=run.elapsed,
        cause=parsed(run.cause),
        messages=[answer for answer in answers if {"Subject", "Message"} <= answer.keys()],
    )


def taken_ways(run: Run, definition: dict[str, Any]) -> list[diagram.Way]:
    """The ways between states that an execution went."""
    ways = diagram.ways(definition)
    taken = []
    for step, following in pairwise(run.steps):
        between = [way for way in ways if (way.source, way.target) == (step.name, following.name)]
        # A task can lead to one state by its success and by its failure.
        taken += [way for way in between if (way.kind == "error") == step.failed] or between[:1]
    return taken


def periods(run: Run) -> list[tuple[str, float, float]]:
    """The States of the image builder, as far as they were described: from when to when, in simulated seconds."""
    described = [(step.builder, line.seconds) for step in run.steps for line in step.lines if line.kind == "result"]
    changes = [next(group) for _, group in groupby(described, key=lambda each: each[0])]
    return [(state, begin, end) for (state, begin), (_, end) in pairwise([*changes, ("", run.elapsed)])]


def retries(run: Run) -> str:
    """The errors after which a call was made again: all but the one that the execution ended with."""
    errors = [error for step in run.steps for error in step.errors]
    if errors and run.failure and errors[-1] == run.error:
        errors.pop()
    return ", ".join(f"{error} {'once' if n == 1 else f'{n} times'}" for error, n in Counter(errors).items())


def _runbook(section: str) -> tuple[str, str]:
    """The section of the runbook, or its beginning, where it has none for the Error: its name and its address."""
    anchor = f"#{section}" if f'<a id="{section}"></a>' in RUNBOOK.read_text("utf-8") else ""
    published = json_object((diagram.PROJECT / "settings.json").read_text("utf-8")).get("runbookUrl")
    return f"docs/runbook.md{anchor}", f"{published or RUNBOOK.as_uri()}{anchor}"


def _console(arn: str, page: str, fragment: str) -> str:
    """A page of the AWS console; empty for the account of the emulator, which has none."""
    return "" if part(arn, 4) == "000000000000" else console(arn, page, fragment)


def _results(run: Run) -> list[dict[str, Any]]:
    """Of a fleet, the result of each image builder; of a failed one whose history has none, the failed ones'."""
    results = json_object(run.variables.get("summary")).get("Results") or run.summary.get("Results")
    return [each for each in results if isinstance(each, dict)] if isinstance(results, list) else []


def write_report(stepfunctions: "SFNClient", run: Run, path: Path) -> None:
    """Write the report of an execution, with the definition that it runs by. Raises: AccountError, OSError."""
    with said_plainly():
        described = stepfunctions.describe_state_machine_for_execution(executionArn=run.execution)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report(run, json.loads(described["definition"])), "utf-8")


def main(execution: str, output: str | None) -> int:
    """Returns: the exit status."""
    path = Path(f"report-{execution.rpartition(':')[2]}.html" if output is None else output)
    client = execution_client(execution)
    found = Follower(client, execution).run()
    try:
        write_report(client, found, path)
    except OSError as problem:
        raise AccountError(f"OUTPUT: the report could not be written: {problem}") from None
    print(f"Report: {path}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make report", description=__doc__)
    parser.add_argument("--execution", default="", help="EXECUTION: the ARN of an execution")
    parser.add_argument("--output", help="OUTPUT: the file; by default report-NAME.html in the current directory")
    sys.exit(run_command(main, **vars(parser.parse_args())))
