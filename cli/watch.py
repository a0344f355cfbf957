"""`make watch` and the demo: an execution shown live, from the first state to its result."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console, ConsoleOptions, RenderResult
from rich.highlighter import JSONHighlighter
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.account import AccountError, execution_client, said_plainly
from cli.history import Follower, Run, Step, read_run

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import MapRunItemCountsTypeDef

# What a colour says, the mark says too.
STYLES = {"state": "bold", "result": "", "retry": "cyan", "failure": "yellow", "end": "bold"}
MARKS = {"state": ">", "result": " ", "retry": " ", "failure": "!", "end": "="}

START = "Start image builder"
"""The state from which on a run is on its way to a running image builder."""

SECONDS_BETWEEN_LOOKS = 2
"""At Step Functions, on AWS: two calls a look, where the account's quota refills by 15 and more a second."""

PATIENCE_SECONDS = 5 * 60
"""For which looks may fail, as while a laptop changes its network or a person signs in anew."""

GOES_ON = "The execution goes on"

USUAL_SECONDS = 15 * 60
"""What a start hardly exceeds, for the first one of an image builder."""

EARLIER_RUNS = 20
"""Executions that are asked how long the starts of this image builder usually take."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened in a run.

    Attributes:
        seconds: simulated seconds since the execution started.
        kind: "state", "result", "retry", "end" or "failure", for the looks of it.
        text: what happened.
    """

    seconds: float
    kind: str
    text: str


def lines(run: Run) -> Iterator[Line]:
    """What happened in a run, in order: those of a run that goes on begin with those that it had before."""
    for step in run.steps:
        yield Line(step.entered, "state", step.name)
        for number, attempt in enumerate(step.attempts):
            if number:
                yield Line(attempt.began, "retry", "trying again")
            if attempt.error:
                reason = f": {attempt.reason}" if attempt.reason else ""
                yield Line(attempt.ended or attempt.began, "failure", f"{attempt.error}{reason}")
        if step.finding:
            yield Line(step.attempts[-1].ended or step.entered, "result", step.finding)
    if run.ended is not None:
        yield Line(run.ended, "end", " ".join(filter(None, (run.status, run.error))))


def watch(stepfunctions: "SFNClient", execution: str, console: Console, time_scale: float = 1) -> Run:
    """Show an execution until it has ended, and how it ended.

    Args:
        stepfunctions: a client.
        execution: its ARN.
        console: where. Below the lines a terminal shows how the run is just now.
        time_scale: real seconds that a simulated second lasts; 1 on AWS.

    Raises:
        AccountError: the first look at it failed, or all looks for `PATIENCE_SECONDS`.
    """
    follower = Follower(stepfunctions, execution, time_scale)
    with said_plainly():
        run = follower.run()
    now = _Now(run, _usual_seconds(stepfunctions, run))
    failing_since: float | None = None
    console.print(Text("minutes  state", "bold") + Text(_about_time(time_scale), ""))
    shown = 0
    # Without a terminal, as in CI, there is nothing to draw over.
    with Live(now, console=console, transient=True) if console.is_terminal else nullcontext():
        while True:
            happened = list(lines(run))
            for line in happened[shown:]:
                _print(console, line)
            shown = len(happened)
            if run.status != "RUNNING":
                break
            time.sleep(min(SECONDS_BETWEEN_LOOKS, 10 * time_scale))
            try:
                with said_plainly():
                    run = now.run = follower.run()
            except AccountError as problem:
                elapsed = run.seconds(datetime.now(UTC))
                if failing_since is None:
                    failing_since = elapsed
                    said = f"{GOES_ON}, but looking at it failed; trying again: {problem}"
                    _print(console, Line(elapsed, "failure", said))
                elif elapsed - failing_since > PATIENCE_SECONDS:
                    raise AccountError(f"{GOES_ON}, but is no longer watched: {problem}") from None
            else:
                failing_since = None
                now.items = _items(stepfunctions, run)
    console.print()
    console.rule(f"Execution {run.status}", align="left")
    ending = json.dumps(_ending(run), indent=2, ensure_ascii=False)
    console.print(JSONHighlighter()(printable(ending)), soft_wrap=True)
    return run


def printable(text: str) -> str:
    """A text of somebody else's as a terminal may show it: what would control the terminal as JSON escapes it."""
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def clock(seconds: float) -> str:
    """Simulated time as minutes and seconds: 07:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


@dataclass(slots=True)
class _Now:
    """How a run is at the moment it is drawn.

    Attributes:
        usual: seconds that a start of its image builder usually takes.
        items: of the Map Run that goes on; None where there is none, or nothing is known of it.
    """

    run: Run
    usual: float
    items: "MapRunItemCountsTypeDef | None" = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        run = self.run
        # This machine's clock may be behind AWS's.
        elapsed = max(0.0, run.seconds(datetime.now(UTC)))
        table = Table.grid(padding=(0, 2))
        table.add_row()
        if run.steps:
            table.add_row("Now", _text(_doing(run.steps[-1], elapsed)))
        if run.name:
            table.add_row("Image builder", _text(f"{run.name} {run.builder or 'not seen yet'}"))
        real = "" if run.time_scale == 1 else f" simulated, {clock(elapsed * run.time_scale)} real"
        table.add_row("Elapsed", f"{clock(elapsed)}{real}")
        if any(step.name == START for step in run.steps):
            table.add_row("Progress", _bar(elapsed, self.usual, _part(elapsed, self.usual)))
        if self.items:
            total, running = self.items["total"], self.items["running"]
            ended = total - running - self.items["pending"]
            table.add_row("Progress", _bar(ended, max(total, 1), f"{ended} of {total} ended, {running} running"))
        yield table


def _bar(completed: float, total: float, words: str) -> Table:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=total, completed=completed, width=30, complete_style="cyan"), words)
    return bar


def _text(text: str) -> Text:
    """One line of a text that somebody else wrote: no markup, no emoji, no control of the terminal."""
    return Text(printable(text.replace("\n", "\\n")), overflow="fold")


def _part(elapsed: float, usual: float) -> str:
    return f"{elapsed / usual:.0%} of the usual {clock(usual)}" if elapsed <= usual else f"usually {clock(usual)}"


def _doing(step: Step, elapsed: float) -> str:
    if step.pause is not None:
        return f"{step.name}: goes on in {clock(max(0, step.entered + step.pause - elapsed))}"
    failed = [attempt.error for attempt in step.attempts if attempt.error]
    if not failed or step.left is not None:
        return step.name
    return f"{step.name}: try {len(failed) + 1}, after {failed[-1]}"


def _print(console: Console, line: Line) -> None:
    when, mark, text = f"{clock(line.seconds):>7}", MARKS[line.kind], _text(line.text)
    if not console.is_terminal:
        console.print(Text(f"{when}  {mark} ") + text, soft_wrap=True)
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(width=8)
    table.add_row(when, mark, text, style=STYLES[line.kind])
    console.print(table)


def _about_time(time_scale: float) -> str:
    return "" if time_scale == 1 else f"   (simulated time: a minute lasts {time_scale * 60:.1f} seconds)"


def _ending(run: Run) -> dict[str, Any]:
    if run.status == "SUCCEEDED":
        return run.output if isinstance(run.output, dict) else {"Output": run.output}
    return {"Error": run.error, "Cause": run.cause}


def _usual_seconds(stepfunctions: "SFNClient", run: Run) -> float:
    """How long it took when executions lately started the same image builder: the median."""
    # An execution's ARN is its state machine's, with the name of the execution.
    state_machine = run.execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    waited: list[float] = []
    # Whoever may watch this execution need not be allowed to list others; the parent of a Map Run's has no such ARN.
    with suppress(BotoCoreError, ClientError):
        earlier = stepfunctions.list_executions(
            stateMachineArn=state_machine, statusFilter="SUCCEEDED", maxResults=EARLIER_RUNS
        )
        for execution in earlier["executions"]:
            other = read_run(stepfunctions.describe_execution(executionArn=execution["executionArn"]), [])
            if other.name == run.name and isinstance(other.output, dict) and other.output.get("Started"):
                waited.append(float(other.output["WaitedSeconds"]))
    return median(waited) if waited else USUAL_SECONDS


def _items(stepfunctions: "SFNClient", run: Run) -> "MapRunItemCountsTypeDef | None":
    """The items of the Map Run that goes on; None where there is none, or one may not look at it."""
    if run.steps and run.steps[-1].map_run and run.steps[-1].left is None:
        with suppress(BotoCoreError, ClientError):
            return stepfunctions.describe_map_run(mapRunArn=run.steps[-1].map_run)["itemCounts"]
    return None


def main() -> int:
    """Returns: the exit status: 0 when the execution succeeded, 1 when it did not, 2 when it cannot be watched."""
    parser = argparse.ArgumentParser(prog="make watch", description=__doc__)
    parser.add_argument("--execution", default="", help="EXECUTION: the ARN of an execution")
    execution = parser.parse_args().execution
    console = Console(highlight=False, emoji=False)
    try:
        run = watch(execution_client(execution), execution, console)
    except AccountError as problem:
        console.print(Text(printable(str(problem)), "bold red"), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print(f"{GOES_ON}, but is no longer watched.")
        return 130
    return 0 if run.status == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
