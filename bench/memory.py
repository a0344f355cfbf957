"""How much memory the functions are given: what a cold start and a run then take and cost.

`PYTHONPATH=lambdas python -m bench.memory` prints the table of docs/performance.md. Lambda gives processor time in
proportion to memory, one whole processor at 1,769 MB. Measured here is the processor time of the function that is run
most, for its cold start and for a look; the table is what that comes to at each size, on a processor like this one's.
"""

import json
import os
import statistics
import subprocess  # nosec B404 # runs Python
import sys
from pathlib import Path

from bench.cold_start import ENVIRONMENT
from bench.run_cost import DOLLARS_PER_CALL, DOLLARS_PER_GB_SECOND

WHOLE_PROCESSOR_MB = 1_769
"""Source: AWS Lambda developer guide, Configure Lambda function memory."""

SIZES_MB = (128, 256, 512, 1_024, 1_769)
LOOKS = 19
NETWORK_SECONDS = 0.05
"""That a look waits for AppStream's answer: billed, but no processor time."""

PROJECT = Path(__file__).parent.parent
WARM = 300
MEASURE = f"""
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
double = FakeAppStream(ManualClock())
double.put_builder("gold")
install(double, function.client)
context = SimpleNamespace(function_name="f", function_version="1", memory_limit_in_mb=256,
                          invoked_function_arn="arn", aws_request_id="1")
event = {{"Request": {{"Name": "gold", "RequireNetworkInterface": False}}, "Execution": "arn"}}
function.handler(event, context)
began = time.process_time()
for _ in range({WARM}):
    function.handler(event, context)
look = (time.process_time() - began) / {WARM}
print(json.dumps([cold, look, most]), file=sys.stderr)
"""


def measured(repeats: int = 10) -> tuple[float, float, float]:
    """Medians: processor seconds of a cold start and of a look, the double's part included; MB after the start."""
    found = []
    for _ in range(repeats):
        run = subprocess.run(  # nosec B603 # code of this file
            [sys.executable, "-W", "ignore", "-c", MEASURE],
            env={"PATH": os.environ["PATH"], **ENVIRONMENT},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        found.append(json.loads(run.stderr.splitlines()[-1]))
    cold, look, most = (statistics.median(each) for each in zip(*found, strict=True))
    return cold, look, most


def table() -> str:
    """Measure; the table, in Markdown."""
    cold, look, most = measured()
    lines = [
        "| memory, MB | cold start, s | a look, ms | looks of a run, US cents | of those at 256 MB |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]

    def seconds_of(processor_seconds: float, size: int) -> float:
        return processor_seconds * WHOLE_PROCESSOR_MB / size

    def dollars(size: int) -> float:
        # One cold start a run: what is billed of it is its seconds as well.
        billed = seconds_of(cold, size) + LOOKS * (seconds_of(look, size) + NETWORK_SECONDS)
        return LOOKS * DOLLARS_PER_CALL + billed * size / 1024 * DOLLARS_PER_GB_SECOND

    for size in SIZES_MB:
        lines.append(
            f"| {size:,} | {seconds_of(cold, size):.2f} | {1000 * seconds_of(look, size):.0f} | "
            f"{100 * dollars(size):.4f} | {dollars(size) / dollars(256):.2f} |"
        )
    lines.append(f"\nThe process had taken {most:.0f} MB when it was ready.")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
