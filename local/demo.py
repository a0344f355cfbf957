"""`make demo`: deploy the template to the local stand-in for AWS and start an image builder, shown live."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.account import AccountError
from cli.history import Run
from cli.report import REPORTS, write_report
from cli.watch import printable, watch
from local import demo_faults, interrupts
from local.emulator import PROJECT, Emulator, EmulatorError, running_emulator
from local.fake_appstream.validation import Refused

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_stepfunctions.client import SFNClient

TIME_SCALE = 0.015
"""A simulated minute lasts 0.9 seconds."""

console = Console(highlight=False, emoji=False)


def main() -> int:
    """Returns: the exit status: 0 when the builder is running, 1 when it is not, 2 for a wrong option."""
    # A user's own settings for AWS are not meant for the stand-in.
    for key in [key for key in os.environ if key.startswith("AWS_")]:
        del os.environ[key]
    options = _options()
    try:
        fault = None if options.fault is None else demo_faults.named(options.fault)
        stop_after = None if options.stop_after is None else _minutes(options.stop_after)
    except ValueError as problem:
        console.print(str(problem), style="bold red", markup=False)
        return 2
    # A terminated demo stops what it started, as an interrupted one does.
    interrupts.install()
    try:
        return _demo(options.name, stop_after, fault)
    except (EmulatorError, AccountError, OSError) as problem:
        # An OSError is a full disk or a temporary directory that cannot be written to.
        console.print(f"The demo could not go on: {problem}", style="bold red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted: everything that the demo started is stopped.")
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--name", default="golden-image", help="NAME: of the image builder")
    parser.add_argument(
        "--stop-after", metavar="MINUTES", help="STOP_AFTER: leave a guard that stops it so many minutes later"
    )
    parser.add_argument("--fault", help="FAULT: " + ", ".join(demo_faults.FAULTS) + ", or any other error code")
    return parser.parse_args()


def _minutes(text: str) -> int:
    if not re.fullmatch("[0-9]+", text):
        raise ValueError(f"STOP_AFTER: must be a whole number of minutes, not {text!r}")
    return int(text)


def _demo(name: str, stop_after: int | None, fault: demo_faults.Fault | None) -> int:
    with ExitStack() as running:
        with _step("Start MiniStack and the AppStream double on loopback"):
            stack = running.enter_context(running_emulator(time_scale=TIME_SCALE))
        return _run(stack, name, stop_after, fault)


def _run(stack: Emulator, name: str, stop_after: int | None, fault: demo_faults.Fault | None) -> int:
    with _step("Synthesize the template and deploy it with cdk deploy"):
        log = stack.directory / "cdk.log"
        try:
            with log.open("w") as output:
                stack.deploy(output)
        except EmulatorError as problem:
            raise EmulatorError(f"{problem}; its last words:\n{log.read_text()[-2000:]}") from None
    outputs = stack.outputs("StartImageBuilder")
    with _step("Subscribe a queue to the operators' topic"):
        mailbox = _mailbox(stack, outputs["OperatorTopicArn"])
    try:
        stack.appstream.put_builder(name, state="STOPPED")
        console.print(f"Image builder {name} created, STOPPED", markup=False)
    except Refused as refusal:
        console.print(f"AppStream can have no image builder of that name: {refusal}", markup=False)
        fault = None
    if fault:
        fault.inflict(stack.appstream, name)
        console.print(f"  Fault: {fault.story}", markup=False)
    console.print()
    stepfunctions: SFNClient = stack.client("stepfunctions")
    request = {"Name": name, **({} if stop_after is None else {"StopAfterMinutes": stop_after})}
    execution = stepfunctions.start_execution(
        stateMachineArn=outputs["StateMachineAliasArn"], input=json.dumps(request)
    )["executionArn"]
    runs = [watch(stepfunctions, execution, console, TIME_SCALE)]
    guard = _guard(runs[0])
    if guard:
        console.print("\nThe guard that the start has left:\n", style="bold")
        runs.append(watch(stepfunctions, guard, console, TIME_SCALE))
    succeeded = all(run.status == "SUCCEEDED" for run in runs)
    for message in mailbox():
        console.rule("What the operators are told", align="left")
        told = printable(f"{message['Subject']}\n\n{message['Message']}")
        console.print(told, markup=False, soft_wrap=True)
    console.rule()
    console.print(f"The local stack held {stack.resident_bytes() / 2**20:.0f} MiB of memory.", style="dim")
    for run, file in zip(runs, ("report.html", "report-guard.html"), strict=False):
        write_report(stepfunctions, run, REPORTS / file)
        console.print(f"Report to keep, open it in a browser: {(REPORTS / file).relative_to(PROJECT)}", markup=False)
    state = stack.appstream.builder(name)["State"] if succeeded else ""
    _next_steps(name, state)
    return 0 if succeeded else 1


def _guard(run: Run) -> str | None:
    """The execution that the run has left to stop the image builder; None where it has left none."""
    guard: str | None = (run.output or {}).get("AutoStop", {}).get("Execution")
    return guard


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    with console.status(what):
        yield
    console.print(f"[green]done[/] {what} [dim]({time.monotonic() - started:.1f} s)[/]")


def _mailbox(stack: Emulator, topic: str) -> Any:
    """Subscribe a new queue to a topic; call what is returned for the messages that have arrived."""
    sqs: SQSClient = stack.client("sqs")
    sns: SNSClient = stack.client("sns")
    url = sqs.create_queue(QueueName="operator")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def messages() -> list[dict[str, str]]:
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]

    return messages


def _next_steps(builder: str, state: str) -> None:
    meaning = {"RUNNING": "an administrator would now connect to it", "STOPPED": "it is no longer billed"}
    if state in meaning:
        console.print(f"The image builder {builder} is {state}: {meaning[state]}.", markup=False)
    console.print("\n[bold]What next[/]")
    console.print("  Run the tests:       make test")
    console.print("  Stop it again later: make demo STOP_AFTER=30")
    console.print("  Deploy it to AWS:    make deploy")
    console.print("  See another branch:  make demo FAULT=... with another error code, or one of")
    for name in demo_faults.FAULTS:
        console.print(f"                         {name}")


if __name__ == "__main__":
    sys.exit(main())
