"""The environment that Lambda gives the handlers, and what a test does where not everything is installed."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    POWERTOOLS_SERVICE_NAME="start-image-builder",
    POWERTOOLS_METRICS_NAMESPACE="StartImageBuilder",
    TOPIC_ARN="arn:aws:sns:us-east-1:000000000000:operators",
    CHAT="false",
    RUNBOOK_URL="",
    # What they log and measure is written to standard output, a line a call.
    POWERTOOLS_LOG_LEVEL="CRITICAL",
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS = {
    "checkov": ((PROJECT / ".venv-checkov").exists(), "`make test-full` installs it"),
    "MiniStack": ((PROJECT / ".venv-ministack").exists(), "`make setup` installs it"),
    "Node packages": ((PROJECT / "node_modules").exists(), "`make setup` installs them"),
    "Chromium": (bool(CHROMIUM), "on Debian, `apt install chromium` installs it"),
}
"""For `@pytest.mark.needs("Chromium")`: whether it is there, and the command that installs it."""

EVERYTHING_IS_INSTALLED = bool(os.environ.get("NO_SKIPS"))
"""In `make test`, where a skipped test is a failure, unless it needs Chromium, which make cannot install."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for what in (what for marker in item.iter_markers("needs") for what in marker.args):
        there, command = NEEDS[what]
        if not there:
            pytest.skip(f"needs {what}: {command}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    expected_failure = hasattr(report, "wasxfail")
    if EVERYTHING_IS_INSTALLED and report.skipped and not expected_failure and "Chromium" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"Skipped, although everything is installed: {report.longrepr}"
