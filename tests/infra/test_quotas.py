"""What the settings accept fits into what AWS takes, measured in the template as it is written."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Assembly, Synthesize, run_app

TAG = {"key": "k" * 128, "value": "v" * 256}
FLEET: dict[str, Any] = {
    "expression": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "workflow": "fleet",
    "request": {"ImageBuilders": [f"golden-{number:04}-{'x' * 89}" for number in range(1_000)]},
}


@pytest.fixture(scope="module")
def largest(synthesize: Synthesize) -> Assembly:
    return synthesize(
        runbookUrl=f"https://example.com/{'r' * 580}",
        imageBuilders={"names": [f"{number:02}{'n' * 99}" for number in range(30)], "tag": TAG},
        schedules=[{"name": "night", **FLEET}],
    )


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


@pytest.mark.xdist_group("template")
def test_every_policy_fits_into_iam(largest: Assembly) -> None:
    # Source: IAM user guide, IAM and AWS STS quotas: of a managed policy, and of all inline policies of a role.
    for kind, limit in (("AWS::IAM::ManagedPolicy", 6_144), ("AWS::IAM::Policy", 10_240)):
        for name, policy in largest.resources(kind).items():
            assert len(written(policy["Properties"]["PolicyDocument"])) <= limit, name
    assert json.dumps(largest.template).count(TAG["key"]) == 2


@pytest.mark.xdist_group("template")
def test_every_alarm_describes_itself_within_cloudwatchs_limit(largest: Assembly) -> None:
    alarms = largest.resources("AWS::CloudWatch::Alarm").values()
    lengths = [len(alarm["Properties"]["AlarmDescription"]) for alarm in alarms]
    assert lengths
    assert 600 < max(lengths) <= 1_024


@pytest.mark.xdist_group("app")
def test_a_template_that_cloudformation_refuses_fails_the_synth_after_its_warnings(tmp_path: Path) -> None:
    schedules = [{"name": f"night-{number}", **FLEET} for number in range(9)]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_app(tmp_path, bundle=False, schedules=schedules)
    assert failed.value.returncode == 1
    assert "(night-0): EventBridge Scheduler skips" in failed.value.stderr
    assert failed.value.stderr.splitlines()[-1].startswith("The template is too large for CloudFormation: 1,")
    assert "Traceback" not in failed.value.stderr
