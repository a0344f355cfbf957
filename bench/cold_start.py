"""What a cold start of each function costs, beside a bare client, and what memory size follows from it.

Each measurement is a new Python process that imports the function and creates its clients, as Lambda does once for each
execution environment. The ratio of instructions, which valgrind counts, hardly differs from run to run. Times are
measured in turns, so that other load on the machine affects all variants alike. `python -m bench.cold_start` prints
both tables of docs/performance.md.
"""

import json
import os
import re
import shutil
import statistics
import subprocess  # nosec B404 # runs Python
import sys
import time
from pathlib import Path

from bench.run_cost import DOLLARS_PER_CALL, DOLLARS_PER_GB_SECOND
from local.emulator import CREDENTIALS

PROJECT = Path(__file__).parent.parent
POWERTOOLS = "from aws_lambda_powertools import Logger, Metrics; Logger(); Metrics()"
BOTOCORE = "import botocore.session; botocore.session.get_session().create_client('appstream')"
BOTO3 = "import boto3; boto3.client('appstream')"
FUNCTIONS = sorted(file.stem for file in (PROJECT / "lambdas").glob("*.py") if file.stem != "__init__")
VARIANTS = {
    "bare botocore client": BOTOCORE,
    "two bare botocore clients, as to start and to stop": f"{BOTOCORE}; {BOTOCORE}",
    "boto3 client": BOTO3,
    "botocore client, Powertools Logger and Metrics": f"{BOTOCORE}; {POWERTOOLS}",
    "boto3 client, Powertools Logger and Metrics": f"{BOTO3}; {POWERTOOLS}",
    **{name: f"import lambdas.{name}" for name in FUNCTIONS},
}
ENVIRONMENT = {
    **dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), CREDENTIALS, strict=True)),
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "start-image-builder",
    "POWERTOOLS_METRICS_NAMESPACE": "StartImageBuilder",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:operators",
    "CHAT": "false",
    "RUNBOOK_URL": "",
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(PROJECT),
    "PYTHONHASHSEED": "0",
}

VCPU_MB = 1_769
"""Memory with which Lambda assigns one vCPU. Source: AWS Lambda developer guide, Configure Lambda function memory."""

SIZES_MB = (128, 256, 512, 1_024, 1_769)
POLLS = 19
NETWORK_SECONDS = 0.05
"""Waiting for AppStream's answer in each poll: billed, but no CPU time."""

WARM = 300
POLL = f"""
import json, sys, time

began = time.process_time()
from lambdas import describe_image_builder as function
cold = time.process_time() - began
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
most = int(status["VmHWM"].split()[0]) / 1024
from types import SimpleNamespace
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.in_process import install
fake = FakeAppStream(ManualClock())
fake.put_builder("gold")
install(fake, function.client)
context = SimpleNamespace(function_name="f", function_version="1", memory_limit_in_mb=256,
                          invoked_function_arn="arn", aws_request_id="1")
from lambdas.image_builder.request import parse_request
event = {{"Contract": "start", "Request": parse_request({{"Name": "gold"}}), "Tracking": {{}}, "WaitedSeconds": 0,
         "Execution": "arn"}}
function.handler(event, context)
began = time.process_time()
for _ in range({WARM}):
    function.handler(event, context)
print(json.dumps([cold, (time.process_time() - began) / {WARM}, most]), file=sys.stderr)
"""


def run(code: str, *wrapper: str) -> str:
    """Run some code in a new Python; returns what it, or the wrapper, wrote to stderr."""
    command = [*wrapper, sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stderr  # nosec B603


def seconds(code: str) -> float:
    """How long a new Python takes for some code, its own start included."""
    began = time.perf_counter()
    run(code)
    return time.perf_counter() - began


def instructions(code: str) -> int:
    """How many instructions a new Python takes for some code; 0 on a machine without valgrind."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        return 0
    counted = re.search(r"Collected : (\d+)", run(code, valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"))
    return int(counted.group(1)) if counted else 0


def cold_start(repeats: int = 40) -> str:
    """Measure; the table of cold starts, in Markdown."""
    codes = {"": "pass", **VARIANTS}
    for code in codes.values():
        seconds(code)  # compiled, and in the file cache
    turns = [{name: seconds(code) for name, code in codes.items()} for _ in range(repeats)]
    empty = statistics.median(turn[""] for turn in turns)
    times = {name: statistics.median(turn[name] for turn in turns) - empty for name in VARIANTS}
    none = instructions("pass")
    counts = {name: instructions(code) - none for name, code in VARIANTS.items()}
    time_of_bare, count_of_bare = times["bare botocore client"], counts["bare botocore client"]
    lines = [
        "| variant | instructions, relative to the bare client | time, relative | milliseconds here |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, taken in times.items():
        ratio = f"{counts[name] / count_of_bare:.2f}" if count_of_bare else "no valgrind"
        lines.append(f"| {name} | {ratio} | {taken / time_of_bare:.2f} | {taken * 1000:.0f} |")
    lines.append(f"\nTimes: medians of {repeats} runs, in turns, less Python's own start ({empty * 1000:.0f} ms).")
    return "\n".join(lines)


def memory(repeats: int = 10) -> str:
    """Measure the CPU time of a cold start and of a poll; the table of memory sizes, in Markdown."""
    found = [json.loads(run(POLL).splitlines()[-1]) for _ in range(repeats)]
    cold, poll, most = (statistics.median(each) for each in zip(*found, strict=True))
    lines = [
        "| memory, MB | cold start, s | a poll, ms | polls of an execution, US cents | of those at 256 MB |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]

    def dollars(size: int) -> float:
        # One cold start for each execution: its seconds are billed as well.
        billed = cold * VCPU_MB / size + POLLS * (poll * VCPU_MB / size + NETWORK_SECONDS)
        return float(POLLS * DOLLARS_PER_CALL + billed * size / 1024 * DOLLARS_PER_GB_SECOND)

    for size in SIZES_MB:
        lines.append(
            f"| {size:,} | {cold * VCPU_MB / size:.2f} | {1000 * poll * VCPU_MB / size:.0f} | "
            f"{100 * dollars(size):.4f} | {dollars(size) / dollars(256):.2f} |"
        )
    lines.append(f"\nThe process used {most:.0f} MB when it was ready.")
    return "\n".join(lines)


if __name__ == "__main__":
    print(f"{cold_start()}\n\n{memory()}")
