"""Where a developer's time goes: synth, `make demo` and `make test`, step by step.

The share counts; the seconds are those of the machine at hand.
"""

import json
import os
import platform
import subprocess  # nosec B404 # runs this project's own commands
import sys
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.markdown import table
from local.demo import TIME_SCALE
from local.emulator import running_emulator
from tests.infra.conftest import run_app
from tests.scenarios import BUILDER

PROJECT = Path(__file__).parent.parent


def developer_loop() -> str:
    """Measure; the table of the steps, and the machine."""
    steps: list[tuple[str, str, float]] = []
    last = time.perf_counter()

    def done(command: str, step: str) -> None:
        nonlocal last
        now = time.perf_counter()
        steps.append((command, step, now - last))
        last = now

    with TemporaryDirectory() as directory:
        run_app(Path(directory))
        done("make synth", "the app alone")
        _run("cdk", "synth", "--quiet", "--output", f"{directory}/again")
        done("make synth", "again, with the CDK CLI")
    with running_emulator(time_scale=TIME_SCALE) as emulator:
        done("make demo", "start MiniStack and the fake")
        emulator.deploy()
        done("make demo", "synth, bootstrap and deploy")
        emulator.appstream.put_builder(BUILDER)
        stepfunctions = emulator.client("stepfunctions")
        alias = emulator.outputs("StartImageBuilder")["StateMachineAliasArn"]
        started = stepfunctions.start_execution(stateMachineArn=alias, input=json.dumps({"Name": BUILDER}))
        while stepfunctions.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
            time.sleep(0.1)
        done("make demo", "the execution, 7 minutes of simulated time")
    done("make demo", "end MiniStack and the fake")
    for level in ("unit", "infra", "workflow", "e2e"):
        _run(sys.executable, "-m", "pytest", f"tests/{level}")
        done("make test", f"tests/{level}")
    whole = defaultdict[str, float](float)
    for command, _, seconds in steps:
        whole[command] += seconds
    rows = [(command, step, f"{seconds / whole[command]:.0%}", f"{seconds:.0f}") for command, step, seconds in steps]
    machine = (
        f"{platform.system()} on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    )
    return f"{table('command', 'step', 'share:', 'seconds here:', rows=rows)}\n\nMeasured with {machine}."


def _run(*command: str) -> None:
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # nosec B603
