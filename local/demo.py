"""`make demo`: deploy the template to a local emulator of AWS and start an image builder, shown live."""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.account import AccountError, option, printable
from cli.history import Run
from cli.report import write_report
from cli.watch import RED, say, watch
from local import demo_faults, processes
from local.demo_faults import Fault
from local.emulator import Emulator, EmulatorError, running_emulator

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

TIME_SCALE = 0.015
"""A simulated minute lasts 0.9 seconds."""

console = Console(highlight=False, emoji=False)


def main() -> int:
    """Returns: the exit status: 0 when everything ended as expected, 1 when it did not, 2 for a wrong option."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--name", default="golden-image", help="NAME: of the image builder")
    parser.add_argument("--stop-after", metavar="MINUTES", help="STOP_AFTER: stop it so many minutes after its start")
    parser.add_argument("--fault", help="FAULT: " + ", ".join(demo_faults.FAULTS) + ", or any other error code")
    options = parser.parse_args()
    try:
        request = {"Name": option("NAME", "Name", options.name)}
        if options.stop_after is not None:
            request["StopAfterMinutes"] = option("STOP_AFTER", "StopAfterMinutes", options.stop_after)
        fault = None if options.fault is None else demo_faults.named(options.fault)
    except (AccountError, ValueError) as problem:
        say(console, Text(printable(str(problem)), RED))
        return 2
    # A user's own settings for AWS are not meant for the emulator.
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        del os.environ[key]
    # A terminated demo ends what it started, as an interrupted one does.
    processes.interrupt_once(lambda: console.print("Stopping..."))
    try:
        with ExitStack() as stack:
            with _step("Start MiniStack and the fake of AppStream on 127.0.0.1"):
                emulator = stack.enter_context(running_emulator(time_scale=TIME_SCALE))
            with _step("Synthesize the template and deploy it with cdk deploy"):
                emulator.deploy()
            return show(emulator, request, fault)
    except (EmulatorError, AccountError, OSError) as problem:
        # An OSError is a full disk or a temporary directory that cannot be written to.
        say(console, Text(printable(f"The demo could not go on: {problem}"), RED))
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted: everything that the demo started has ended.")
        return 130


def show(emulator: Emulator, request: Mapping[str, Any], fault: Fault | None) -> int:
    """Start an image builder by the deployed template and show what comes of it.

    Returns:
        The exit status.
    """
    outputs = emulator.outputs("StartImageBuilder")
    with _step("Subscribe a queue to the operators' topic"):
        queue = emulator.subscribe_queue(outputs["OperatorTopicArn"])
    name = request["Name"]
    emulator.appstream.put_builder(name, state="STOPPED")
    console.print(f"Image builder {name} created, STOPPED", markup=False)
    if fault:
        fault.inject(emulator.appstream, name)
        say(console, Text(f"Fault: {fault.story}", "bold"))
    console.print()
    stepfunctions: SFNClient = emulator.client("stepfunctions")
    execution = stepfunctions.start_execution(
        stateMachineArn=outputs["StateMachineAliasArn"], input=json.dumps(request)
    )["executionArn"]
    runs = [watch(stepfunctions, execution, console, emulator.time_scale)]
    auto_stop = runs[0].summary.get("AutoStop", {}).get("Execution")
    if auto_stop:
        console.print(f"\nThe auto-stop that this start has scheduled, {request['StopAfterMinutes']} minutes:\n")
        runs.append(watch(stepfunctions, auto_stop, console, emulator.time_scale))
    for mail in (each for each in emulator.received(queue) if execution in each["Message"]):
        console.print()
        console.rule(Text("Notification of the operators", "bold"), align="left", style="none")
        for line in [mail["Subject"], "", *mail["Message"].splitlines()]:
            say(console, Text(printable(line)))
    console.print()
    console.rule(style="none")
    reports = Path(tempfile.mkdtemp(prefix="image-builder-demo-"))
    for run, file in zip(runs, ("report.html", "report-auto-stop.html"), strict=False):
        write_report(stepfunctions, run, reports / file)
        console.print(f"Report to keep, open it in a browser: {reports / file}", markup=False, soft_wrap=True)
    console.print(f"The emulator held {processes.resident_bytes() / 2**20:.0f} MiB of memory.", style="dim")
    expected = _as_expected(runs, fault)
    _print_outcome(expected, runs[0], fault, emulator.appstream.builder(name)["State"])
    return 0 if expected else 1


def _as_expected(runs: Sequence[Run], fault: Fault | None) -> bool:
    if fault and fault.ends != "":
        return runs[0].status == "FAILED" and fault.ends in (None, runs[0].error)
    return all(run.status == "SUCCEEDED" for run in runs)


def _print_outcome(expected: bool, run: Run, fault: Fault | None, state: str) -> None:
    """Print what the demo has shown, and which other commands there are."""
    if not expected:
        say(console, Text(f"Not as expected: the run ended as {run.status} {run.error}", RED))
    elif run.failure:
        say(console, Text(f"As expected, the run failed with {run.error}: that was the fault to show.", "bold"))
    else:
        meaning = {"RUNNING": ": an administrator would now connect to it", "STOPPED": ": it is no longer billed"}
        recovered = " As expected, the run recovered from the fault." if fault else ""
        say(console, Text(f"{run.name} is {state}{meaning.get(state, '')}.{recovered}", "bold"))
    console.print("\nWhat next", style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_row("  make test", "run the tests")
    table.add_row("  make deploy", "deploy to AWS")
    table.add_row("  make demo STOP_AFTER=30", "stop the image builder again after 30 minutes")
    table.add_row("  make demo FAULT=...", f"show a fault: any error code of AWS, or {', '.join(demo_faults.FAULTS)}")
    console.print(table)


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(what):
        yield
    console.print(f"[bold]done[/] {what} [dim]({time.monotonic() - started:.1f} s)[/]")


if __name__ == "__main__":
    sys.exit(main())
