"""How long the commands of a developer take, on the machine at hand."""

import os
import platform
import re
import subprocess  # nosec B404 # runs this project's own commands
import sys
import tempfile
import time
from pathlib import Path

from bench import table

PROJECT = Path(__file__).parent.parent


def developer_loop() -> str:
    """Measure; the table of the commands, and the machine."""
    python = sys.executable
    with tempfile.TemporaryDirectory() as directory:
        rows = [("make synth", f"{_seconds('cdk', 'synth', '--quiet', '--output', directory)[0]:.0f}")]
    seconds, printed = _seconds(python, "-m", "local.demo")
    for step, taken in re.findall(r"^done (.*) \(([\d.]+) s\)$", printed, re.MULTILINE):
        rows.append((f"make demo: {step}", f"{float(taken):.0f}"))
    rows.append(("make demo, in all", f"{seconds:.0f}"))
    for level in ("unit", "infra", "workflow", "e2e"):
        rows.append((f"make test: tests/{level}", f"{_seconds(python, '-m', 'pytest', f'tests/{level}')[0]:.0f}"))
    machine = f"{platform.system()} on {os.cpu_count()} cores ({platform.machine()})"
    return f"{table('command', 'seconds:', rows=rows)}\n\nMeasured with {machine}, Python {platform.python_version()}."


def _seconds(*command: str) -> tuple[float, str]:
    """How long a command takes, and what it prints."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)  # nosec B603
    return time.perf_counter() - began, done.stdout
