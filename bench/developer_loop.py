"""Where a developer's time goes: synth, `make demo` and `make test`, step by step.

`PYTHONPATH=lambdas python -m bench.developer_loop` prints the table of docs/performance.md. It takes as long as all of
them together. What counts is the share; the seconds are of the machine at hand.
"""

import os
import subprocess  # nosec B404 # runs this project's own commands
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.emulator import running_emulator
from tests.infra.conftest import run_app
from tests.scenarios import BUILDER

PROJECT = Path(__file__).parent.parent
LEVELS = ("unit", "infra", "workflow", "e2e")


class Steps:
    """Seconds of each step, by its group."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, float]] = []

    @contextmanager
    def step(self, group: str, name: str) -> Iterator[None]:
        """Take the time of a step."""
        began = time.perf_counter()
        yield
        self.taken.append((group, name, time.perf_counter() - began))

    def table(self) -> str:
        """The table, in Markdown: the share of each step in its group."""
        lines = ["| what | step | share | seconds here |", "| --- | --- | ---: | ---: |"]
        for group, name, seconds in self.taken:
            whole = sum(each for other, _, each in self.taken if other == group)
            lines.append(f"| {group} | {name} | {seconds / whole:.0%} | {seconds:.0f} |")
        return "\n".join(lines)


def _run(*command: str) -> None:
    tools = os.pathsep.join(
        [str(PROJECT / ".venv" / "bin"), str(PROJECT / "node_modules" / ".bin"), os.environ["PATH"]]
    )
    subprocess.run(  # nosec B603 # commands of this file
        command, cwd=PROJECT, env={**os.environ, "PATH": tools}, check=True, stdout=subprocess.DEVNULL
    )


def table() -> str:
    """Measure; the table, in Markdown."""
    steps = Steps()
    with tempfile.TemporaryDirectory() as directory:
        with steps.step("synth", "the app alone"):
            run_app(Path(directory) / "alone")
        with steps.step("synth", "with the CDK CLI, again"):
            _run("cdk", "synth", "--quiet", "--output", f"{directory}/cli")
    with Path(os.devnull).open("w") as nowhere:
        began = time.perf_counter()
        with running_emulator(time_scale=0.015) as stack:
            steps.taken.append(("make demo", "MiniStack and the double come up", time.perf_counter() - began))
            with steps.step("make demo", "synth, bootstrap and deploy"):
                stack.deploy(nowhere)
            stack.appstream.put_builder(BUILDER)
            stepfunctions = stack.client("stepfunctions")
            alias = stack.outputs("StartImageBuilder")["StateMachineAliasArn"]
            with steps.step("make demo", "the run, 7 minutes of simulated time"):
                started = stepfunctions.start_execution(stateMachineArn=alias, input=f'{{"Name": "{BUILDER}"}}')
                while stepfunctions.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
                    time.sleep(0.1)
    for level in LEVELS:
        with steps.step("make test", f"tests/{level}"):
            _run(sys.executable, "-m", "pytest", "-q", f"tests/{level}")
    return steps.table()


if __name__ == "__main__":
    print(table())
