"""What the settings accept fits into what AWS takes, measured in the template as it is written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.config.schedules import Schedule
from infra.config.settings import InvalidSettings, Settings
from tests.infra.conftest import PROJECT, TOOLS, Assembly

pytestmark = pytest.mark.xdist_group("infra")

TAG = {"key": "k" * 128, "value": "v" * 256}
FLEET: dict[str, Any] = {
    "expression": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "workflow": "fleet",
    "request": {"ImageBuilders": [f"golden-{number:04}-{'x' * 89}" for number in range(1_000)]},
}


def run_app(directory: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run app.py as the CDK CLI does, with a file of settings. The functions' code is not bundled."""
    file = directory / "settings.json"
    file.write_text(json.dumps({"stackName": "Night", **settings}), "utf-8")
    flags = json.loads((PROJECT / "cdk.json").read_text("utf-8"))["context"]
    return subprocess.run(
        [sys.executable, "-W", "error", "app.py"],
        cwd=PROJECT,
        env={
            **{key: value for key, value in os.environ.items() if key.startswith(("HOME", "JSII_"))},
            "PATH": TOOLS,
            "CDK_OUTDIR": str(directory / "cdk.out"),
            "CDK_CONTEXT_JSON": json.dumps({**flags, "settings": str(file), "aws:cdk:bundling-stacks": []}),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def most_names() -> list[str]:
    """As many of the longest names of image builders as the settings accept, with the longest tag."""
    names: list[str] = []
    while True:
        more = [*names, f"{len(names):02}{'n' * 99}"]
        try:
            Settings.load({"stackName": "Night", "imageBuilders": {"names": more, "tag": TAG}})
        except InvalidSettings:
            return names
        names = more


@pytest.fixture(scope="module")
def largest(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    directory = tmp_path_factory.mktemp("largest")
    done = run_app(
        directory,
        runbookUrl=f"https://example.com/{'r' * 580}",
        imageBuilders={"names": most_names(), "tag": TAG},
        schedules=[{"name": "night", **FLEET}],
    )
    assert done.returncode == 0, done.stderr
    return Assembly(directory / "cdk.out")


def written(value: Any) -> str:
    """A part of the template with its longest values."""
    if isinstance(value, dict) and "Fn::Join" in value:
        return "".join(written(part) for part in value["Fn::Join"][1])
    if isinstance(value, dict) and set(value) & {"Ref", "Fn::GetAtt", "Fn::Sub"}:
        pseudo = {"AWS::Partition": "aws-us-gov", "AWS::Region": "us-gov-west-1", "AWS::AccountId": "123456789012"}
        return pseudo.get(value.get("Ref", ""), "x" * 140)
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{written(member)}' for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(member) for member in value) + "]"
    return f'"{value}"'


def test_every_policy_fits_into_iam(largest: Assembly) -> None:
    # Source: IAM user guide, IAM and AWS STS quotas: of a managed policy, and of all inline policies of a role.
    for kind, limit in (("AWS::IAM::ManagedPolicy", 6_144), ("AWS::IAM::Policy", 10_240)):
        for name, policy in largest.resources(kind).items():
            assert len(written(policy["Properties"]["PolicyDocument"])) <= limit, name
    assert json.dumps(largest.template).count(TAG["key"]) == 2


def test_every_alarm_describes_itself_within_cloudwatchs_limit(largest: Assembly) -> None:
    alarms = largest.resources("AWS::CloudWatch::Alarm").values()
    lengths = [len(alarm["Properties"]["AlarmDescription"]) for alarm in alarms]
    assert lengths
    assert 600 < max(lengths) <= 1_024


def test_a_request_is_written_as_it_was_measured(largest: Assembly) -> None:
    (schedule,) = largest.resources("AWS::Scheduler::Schedule").values()
    written_input = schedule["Properties"]["Target"]["Input"]
    assert written_input == Schedule.model_validate({"name": "night", **FLEET}).input
    assert json.loads(written_input)["detail"] == FLEET["request"]


def test_the_synth_warns_of_a_time_that_daylight_saving_skips(largest: Assembly) -> None:
    assert "(night): EventBridge Scheduler skips" in (largest.directory / "validation-report.json").read_text("utf-8")


def test_a_template_that_cloudformation_refuses_fails_the_synth(tmp_path: Path) -> None:
    schedules = [{"name": f"night-{number}", **FLEET} for number in range(9)]
    done = run_app(tmp_path, schedules=schedules)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The template is too large for CloudFormation: 1,")
    assert "Traceback" not in done.stderr
