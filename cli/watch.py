"""`make watch` and the demo: an execution shown live, from the first state to its result."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.account import AccountError, execution_client, printable, run_command, said_plainly
from cli.history import Follower, Line, Run, Step, clock, parsed, timeline
from lambdas.image_builder.execution_result import json_object

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import MapRunItemCountsTypeDef

RED = "bold red"
APPEARANCE = {
    "state": (">", "dim"),
    "result": (" ", "bold"),
    "retry": (" ", ""),
    "failure": ("!", RED),
    "success": ("=", "bold"),
    "failed": ("=", RED),
}
"""Of each kind of line, the mark and the style. Of a terminal's colours, red can be read on white and on black."""

PATIENCE_SECONDS = 5 * 60
"""For which requests may fail, as while a laptop changes its network or a person signs in again."""

GOES_ON = "The execution goes on"


def lines(run: Run) -> Iterator[Line]:
    """What happened in a run, in order. Later events add lines, and change none."""
    entries = timeline(run)
    # What may yet become a poll that found nothing new is left out until that is known.
    while run.ended is None and entries and not entries[-1].settled:
        entries.pop()
    for entry in entries:
        yield from entry.lines()
    if run.ended is not None:
        kind = "success" if run.status == "SUCCEEDED" else "failed"
        yield Line(run.ended, kind, f"{run.status} {run.error}".rstrip())


def watch(stepfunctions: "SFNClient", execution: str, console: Console, time_scale: float = 1) -> Run:
    """Show an execution until it has ended, and how it ended. A terminal shows below the lines how it is just now.

    Raises:
        AccountError: the first request failed, or all requests for `PATIENCE_SECONDS`.
    """
    follower = Follower(stepfunctions, execution, time_scale)
    with said_plainly():
        run = follower.run()
    usual = _usual_seconds(stepfunctions, run)
    items: MapRunItemCountsTypeDef | None = None
    failing_since: float | None = None
    shown = 0
    live = Live(console=console, transient=True, get_renderable=lambda: now(run, usual, items))
    _print_heading(console, time_scale)
    # No `with`: an interrupt may arrive while it starts.
    try:
        # Without a terminal, as in CI, there is nothing to draw over.
        if console.is_terminal:
            live.start()
        while True:
            for line in islice(lines(run), shown, None):
                _print(console, line)
                shown += 1
            if run.status != "RUNNING":
                break
            # The quota of GetExecutionHistory refills by 15 and more a second.
            time.sleep(min(2, 10 * time_scale))
            try:
                with said_plainly():
                    run = follower.run()
                failing_since, items = None, _items(stepfunctions, run)
            except AccountError as problem:
                if failing_since is None:
                    failing_since = time.monotonic()
                    text = f"{GOES_ON}, but reading its history failed; trying again: {problem}"
                    _print(console, Line(run.elapsed, "failure", text))
                elif time.monotonic() - failing_since > PATIENCE_SECONDS:
                    raise AccountError(f"{GOES_ON}, but is no longer watched: {problem}") from None
    finally:
        live.stop()
    _print_outcome(console, run)
    result = run.output if run.status == "SUCCEEDED" else {"Error": run.error, "Cause": parsed(run.cause)}
    for part in json.dumps(result, indent=2, ensure_ascii=False).splitlines():
        say(console, _text(part))
    return run


def picture(run: Run) -> str:
    """What a terminal shows of a run, without the JSON at the end, as an SVG image."""
    console = Console(record=True, file=StringIO(), width=80, force_terminal=True, highlight=False, emoji=False)
    _print_heading(console, run.time_scale)
    for line in lines(run):
        _print(console, line)
    _print_outcome(console, run)
    image = console.export_svg(title="make watch", unique_id="watch")
    # Without the web fonts: a README shows no image that loads files of other hosts.
    return re.sub(r"@font-face {.*?}\s*", "", image, flags=re.DOTALL).replace("Fira Code, ", "")


def now(run: Run, usual: float | None, items: "MapRunItemCountsTypeDef | None") -> Table:
    """How a run is at this moment. Args: usual: seconds that a start of its image builder takes, if known."""
    elapsed = run.elapsed
    table = Table.grid(padding=(0, 2))
    table.add_row()
    if run.steps:
        table.add_row("Now", _text(_doing(run.steps[-1], elapsed)))
    if run.name:
        polls = sum(bool(step.builder) for step in run.steps)
        state = f"{run.builder}, described {polls} times" if run.builder else "not described yet"
        table.add_row("Image builder", _text(f"{run.name}: {state}"))
    real = "" if run.time_scale == 1 else f" simulated, {clock(elapsed * run.time_scale)} real"
    table.add_row("Elapsed", f"{clock(elapsed)}{real}")
    if any(step.name == "Start image builder" for step in run.steps):
        table.add_row("Progress", _progress(elapsed, usual))
    if items:
        ended = items["total"] - items["running"] - items["pending"]
        words = f"{ended} of {items['total']} ended, {items['running']} running"
        table.add_row("Progress", _bar(ended, max(items["total"], 1), words))
    return table


def _progress(elapsed: float, usual: float | None) -> RenderableType:
    if usual is None:
        return "no earlier starts known"
    part = f"{elapsed / usual:.0%} of" if elapsed < usual else "longer than"
    return _bar(elapsed, usual, f"{part} the usual {clock(usual)}")


def _bar(completed: float, total: float, words: str) -> Table:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total, completed, width=30, complete_style="magenta", finished_style="magenta"), words)
    return bar


def _doing(step: Step, elapsed: float) -> str:
    if step.pause is not None:
        return f"{step.name}: goes on in {clock(max(0, step.entered + step.pause - elapsed))}"
    if not step.errors or step.left is not None:
        return step.name
    return f"{step.name}: attempt {len(step.errors) + 1}, after {step.errors[-1]}"


def _print_heading(console: Console, time_scale: float) -> None:
    simulated = "" if time_scale == 1 else f"   (simulated time: a minute lasts {time_scale * 60:.1f} seconds)"
    console.print(Text.assemble(("elapsed  state", "bold"), simulated))


def _print(console: Console, line: Line) -> None:
    (mark, style), when = APPEARANCE[line.kind], f"{clock(line.seconds):>7} "
    if not console.is_terminal:
        return say(console, Text(f"{when} {mark} ") + _text(line.text))
    table = Table.grid(padding=(0, 1))
    table.add_row(when, mark, _text(line.text), style=style)
    console.print(table)


def _print_outcome(console: Console, run: Run) -> None:
    style, colour = ("bold", "green") if run.status == "SUCCEEDED" else (RED, "red")
    console.print()
    console.rule(Text(f"Execution {run.status}", style), align="left", style=colour)
    happened, advice = run.outcome
    if happened:
        say(console, _text(happened, style))
    if advice:
        say(console, Text.assemble(("What to do: ", "bold"), _text(advice)))
    console.print()


def say(console: Console, text: Text) -> None:
    """Print a paragraph: a terminal wraps it at words; elsewhere it stays one line."""
    console.print(text, soft_wrap=not console.is_terminal)


def _text(text: str, style: str = "") -> Text:
    """One line of a text that somebody else wrote: no markup, no emoji, no control of the terminal."""
    return Text(printable(text.replace("\n", "\\n")), style, overflow="fold")


def _usual_seconds(stepfunctions: "SFNClient", run: Run) -> float | None:
    """The median of what earlier starts of the same image builder took."""
    # An execution's ARN is its state machine's, with the name of the execution.
    state_machine = run.execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    waited: list[float] = []
    # Permission to read this execution need not include the others; a Map Run's child has a parent with another ARN.
    with suppress(BotoCoreError, ClientError):
        found = stepfunctions.list_executions(stateMachineArn=state_machine, statusFilter="SUCCEEDED", maxResults=20)
        for execution in found["executions"]:
            described = stepfunctions.describe_execution(executionArn=execution["executionArn"])
            output = json_object(described.get("output"))
            if output.get("Started") and output["ImageBuilder"]["Name"] == run.name:
                waited.append(output["WaitedSeconds"])
    return median(waited) if waited else None


def _items(stepfunctions: "SFNClient", run: Run) -> "MapRunItemCountsTypeDef | None":
    """The items of the Map Run that goes on; None where there is none, or permission to describe it is missing."""
    if run.steps and run.steps[-1].map_run and run.steps[-1].left is None:
        with suppress(BotoCoreError, ClientError):
            return stepfunctions.describe_map_run(mapRunArn=run.steps[-1].map_run)["itemCounts"]
    return None


def main(execution: str) -> int:
    """Returns: the exit status: 0 when the execution succeeded."""
    try:
        found = watch(execution_client(execution), execution, Console(highlight=False, emoji=False))
    except KeyboardInterrupt:
        raise AccountError(f"{GOES_ON}, but is no longer watched.") from None
    return 0 if found.status == "SUCCEEDED" else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make watch", description=__doc__)
    parser.add_argument("--execution", default="", help="EXECUTION: the ARN of an execution")
    sys.exit(run_command(main, **vars(parser.parse_args())))
