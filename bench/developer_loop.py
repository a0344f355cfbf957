"""Where a developer's time goes: synth, `make demo` and `make test`, step by step.

The share counts; the seconds are those of the machine at hand. `python -m bench.developer_loop` prints the table of
docs/performance.md, and takes as long as all steps together.
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


def _run(*command: str) -> None:
    tools = os.pathsep.join(map(str, (PROJECT / ".venv/bin", PROJECT / "node_modules/.bin", os.environ["PATH"])))
    environment = {**os.environ, "PATH": tools}
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL)  # nosec B603


def table() -> str:
    """Measure; the table, in Markdown: the share of each step in its command."""
    taken: dict[tuple[str, str], float] = {}

    @contextmanager
    def step(*name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        taken[name[0], name[1]] = time.perf_counter() - began

    with tempfile.TemporaryDirectory() as directory:
        with step("synth", "the app alone"):
            run_app(Path(directory) / "alone")
        with step("synth", "with the CDK CLI, again"):
            _run("cdk", "synth", "--quiet", "--output", f"{directory}/cli")
    starting = step("make demo", "start MiniStack and the fake")
    starting.__enter__()
    with running_emulator(time_scale=0.015) as emulator:
        starting.__exit__(None, None, None)
        with step("make demo", "synth, bootstrap and deploy"):
            emulator.deploy()
        emulator.appstream.put_builder(BUILDER)
        stepfunctions = emulator.client("stepfunctions")
        alias = emulator.outputs("StartImageBuilder")["StateMachineAliasArn"]
        with step("make demo", "the execution, 7 minutes of simulated time"):
            started = stepfunctions.start_execution(stateMachineArn=alias, input=f'{{"Name": "{BUILDER}"}}')
            while stepfunctions.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
                time.sleep(0.1)
    for level in LEVELS:
        with step("make test", f"tests/{level}"):
            _run(sys.executable, "-m", "pytest", "-q", f"tests/{level}")
    lines = ["| command | step | share | seconds here |", "| --- | --- | ---: | ---: |"]
    for (command, name), seconds in taken.items():
        whole = sum(each for (other, _), each in taken.items() if other == command)
        lines.append(f"| {command} | {name} | {seconds / whole:.0%} | {seconds:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
