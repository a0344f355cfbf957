"""What a cold start of each function costs beside a bare botocore client, measured side by side.

`python -m bench.cold_start` prints the table of docs/performance.md. Each measurement is a Python process of
its own that imports and makes its clients, as Lambda does once for a new sandbox. What counts is the ratio of the
instructions, which valgrind counts and which hardly differ from run to run. The times are beside it: the variants take
turns, so that whatever else the machine does befalls all of them alike.
"""

import os
import re
import shutil
import statistics
import subprocess  # nosec B404 # runs Python
import sys
import time
from pathlib import Path

from local.emulator import CREDENTIALS

PROJECT = Path(__file__).parent.parent
BARE = "bare botocore client"
POWERTOOLS = "from aws_lambda_powertools import Logger, Metrics; Logger(); Metrics()"
APPSTREAM = "import botocore.session; botocore.session.get_session().create_client('appstream')"
BOTO3 = "import boto3; boto3.client('appstream')"
VARIANTS = {
    BARE: APPSTREAM,
    "plain boto3 client": BOTO3,
    "botocore client, Powertools Logger and Metrics": f"{APPSTREAM}; {POWERTOOLS}",
    "boto3 client, Powertools Logger and Metrics": f"{BOTO3}; {POWERTOOLS}",
    "validate_request": "import lambdas.validate_request",
    "start_image_builder": "import lambdas.start_image_builder",
    "stop_image_builder": "import lambdas.stop_image_builder",
    "describe_image_builder": "import lambdas.describe_image_builder",
    "list_image_builders": "import lambdas.list_image_builders",
    "notify_operators": "import lambdas.notify_operators",
}
ENVIRONMENT = {
    **dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), CREDENTIALS, strict=True)),
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "start-image-builder",
    "POWERTOOLS_METRICS_NAMESPACE": "StartImageBuilder",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:operators",
    "CHAT": "false",
    "RUNBOOK_URL": "",
    "PYTHONPATH": str(PROJECT),
    "PYTHONHASHSEED": "0",
}


def seconds(code: str) -> float:
    """How long a new Python takes for some code, its own start included."""
    began = time.perf_counter()
    subprocess.run(  # nosec B603 # code of this file
        [sys.executable, "-c", code], env={"PATH": os.environ["PATH"], **ENVIRONMENT}, check=True
    )
    return time.perf_counter() - began


def instructions(code: str) -> int | None:
    """How many instructions a new Python takes for some code; None on a machine without valgrind."""
    valgrind = shutil.which("valgrind")
    if not valgrind:
        return None
    run = subprocess.run(  # nosec B603 # code of this file
        [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    (counted,) = re.findall(r"Collected : (\d+)", run.stderr)
    return int(counted)


def table(repeats: int = 40) -> str:
    """Measure; the table, in Markdown."""
    for code in VARIANTS.values():
        seconds(code)  # compiled, and in the file cache
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    empty = []
    for _ in range(repeats):
        empty.append(seconds("pass"))
        for name, code in VARIANTS.items():
            found[name].append(seconds(code))
    start, none = statistics.median(empty), instructions("pass") or 0
    bare, least = statistics.median(found[BARE]) - start, (instructions(APPSTREAM) or 0) - none
    lines = [
        "| variant | instructions, times the bare client's | time, likewise | milliseconds here |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, each in found.items():
        own, counted = statistics.median(each) - start, instructions(VARIANTS[name])
        ratio = f"{(counted - none) / least:.2f}" if counted else "no valgrind"
        lines.append(f"| {name} | {ratio} | {own / bare:.2f} | {own * 1000:.0f} |")
    lines.append(
        f"\nTimes: medians of {repeats} runs, taken in turns, less Python's own start ({start * 1000:.0f} ms)."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
