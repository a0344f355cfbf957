"""What a cold start of each function costs, beside a bare client, and what memory size follows from it.

Each measurement is a new Python process that imports the function and creates its clients, as Lambda does once for each
execution environment. Instructions, which valgrind counts, hardly differ from run to run; times do by a tenth and more.
"""

import os
import re
import statistics
import subprocess  # nosec B404 # runs Python
import sys
import time
from pathlib import Path

import tests.conftest  # noqa: F401  # the environment variables of the functions
from bench.markdown import table
from bench.run_cost import DOLLARS_PER_CALL, DOLLARS_PER_GB_SECOND
from lambdas.image_builder.request import parse_request
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import run_handler

PROJECT = Path(__file__).parent.parent
BOTOCORE = "import botocore.session; botocore.session.get_session().create_client('appstream')"
BOTO3 = "import boto3; boto3.client('appstream')"
POWERTOOLS = "from aws_lambda_powertools import Logger, Metrics; Logger(); Metrics()"
FUNCTIONS = sorted(file.stem for file in (PROJECT / "lambdas").glob("*.py") if file.stem != "__init__")
VARIANTS = {
    "bare botocore client": BOTOCORE,
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

SIZES_MB = (128, 256, 512, 1_024, 1_769)
POLLS = 19
NETWORK_SECONDS = 0.05
"""Waiting for AppStream's answer in each poll: billed, but no CPU time."""


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
    """Measure; the table of cold starts."""
    start = instructions("pass")
    counts = {name: instructions(code) - start for name, code in VARIANTS.items()}
    rows = [(name, f"{count / counts['bare botocore client']:.2f}") for name, count in counts.items()]
    return table("what is imported and created", "instructions, relative to the bare client:", rows=rows)


def memory(repeats: int = 10, polls: int = 300) -> str:
    """Measure the CPU time of a cold start and of a poll; the table of memory sizes."""
    ready = [map(float, run(READY).split()) for _ in range(repeats)]
    cold, most = (statistics.median(each) for each in zip(*ready, strict=True))
    world = World.new()
    world.prepare({})
    request = parse_request({"Name": BUILDER})
    event = {"Contract": "start", "Request": request, "Tracking": {}, "WaitedSeconds": 0, "Execution": "arn"}
    handler = world.engine.handlers["describe_image_builder"]
    assert "FunctionError" not in run_handler(handler, event)  # nosec B101 # a measurement of failures is none
    began = time.process_time()
    for _ in range(polls):
        run_handler(handler, event)
    poll = (time.process_time() - began) / polls
    rows = []
    for size in SIZES_MB:
        slower = VCPU_MB / size
        # One cold start for each execution: its seconds are billed as well.
        gb_seconds = (cold * slower + POLLS * (poll * slower + NETWORK_SECONDS)) * size / 1024
        cents = 100 * (POLLS * DOLLARS_PER_CALL + gb_seconds * DOLLARS_PER_GB_SECOND)
        rows.append((f"{size:,}", f"{cold * slower:.2f}", f"{1000 * poll * slower:.0f}", f"{cents:.4f}"))
    columns = ("memory, MB:", "cold start, s:", "a poll, ms:", "polls of an execution, US cents:")
    return f"{table(*columns, rows=rows)}\n\nThe process used {most / 1024:.0f} MB when it was ready."
