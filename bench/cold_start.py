"""What a cold start of each function costs, beside a bare client, and how long one takes.

Each measurement is a new Python process that imports the function and creates its clients, as Lambda does once for each
execution environment. Instructions, which valgrind counts, hardly differ from run to run; times do by a tenth and more.
"""

import os
import re
import statistics
import subprocess  # nosec B404 # runs Python
import sys
from pathlib import Path

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench import table

PROJECT = Path(__file__).parent.parent
BOTO3 = "import boto3; boto3.client('appstream')"
POWERTOOLS = "from aws_lambda_powertools import Logger, Metrics; Logger(); Metrics()"
FUNCTIONS = sorted(file.stem for file in (PROJECT / "lambdas").glob("*.py") if file.stem != "__init__")
BARE = "bare botocore client"
VARIANTS = {
    BARE: "import botocore.session; botocore.session.get_session().create_client('appstream')",
    "boto3 client": BOTO3,
    "boto3 client, Powertools Logger and Metrics": f"{BOTO3}; {POWERTOOLS}",
    **{name: f"import lambdas.{name}" for name in FUNCTIONS},
}
VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
READY = """
import time
began = time.process_time()
import lambdas.describe_image_builder
print(time.process_time() - began, *[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""
"""Prints the seconds of CPU time of a cold start, and the KB of memory after it."""

VCPU_MB = 1_769
"""Memory with which Lambda assigns one vCPU. Source: AWS Lambda developer guide, Configure Lambda function memory."""

MEMORY_MB = 256
"""Of the functions (infra/functions.py)."""

REPEATS = 10


def run(code: str, *wrapper: str) -> str:
    """Run some code in a new Python; what it and the wrapper printed."""
    command = [*wrapper, sys.executable, "-W", "ignore", "-c", code]
    # Lambda has compiled code.
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)  # nosec B603
    return done.stdout + done.stderr


def instructions(code: str) -> int:
    """How many instructions a new Python takes for some code, its own start included."""
    run(code)  # From now on it is compiled, and in the file cache.
    return int(re.findall(r"Collected : (\d+)", run(code, *VALGRIND))[0])


def cold_start() -> str:
    """Measure; the table of cold starts, and the seconds and the memory of one of them."""
    start = instructions("pass")
    counts = {name: instructions(code) - start for name, code in VARIANTS.items()}
    rows = [(name, f"{count / counts[BARE]:.2f}") for name, count in counts.items()]
    compared = table("what is imported and created", "instructions, relative to the bare client:", rows=rows)
    ready = [map(float, run(READY).split()) for _ in range(REPEATS)]
    seconds, kilobytes = (statistics.median(each) for each in zip(*ready, strict=True))
    takes = f"takes {seconds * VCPU_MB / MEMORY_MB:.1f} s with {MEMORY_MB} MB, of which it uses {kilobytes / 1024:.0f}"
    return f"{compared}\n\nA cold start of describe_image_builder {takes}."
