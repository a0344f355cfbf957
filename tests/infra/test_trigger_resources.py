"""The template of a deployment with schedules and triggers."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.infra.conftest import Assembly, synthesize

pytestmark = pytest.mark.xdist_group("infra")

CONTEXT = {
    "schedules": [
        {
            "name": "patch-night",
            "expression": "cron(0 22 ? * MON-FRI *)",
            "timezone": "Europe/Berlin",
            "flexibleWindowMinutes": 15,
            "request": {"Name": "golden-image", "StopAfterMinutes": 240},
            "start": "2199-01-01T00:00:00Z",
            "end": "2199-12-31T23:00:00+01:00",
        },
        {"name": "off", "expression": "rate(1 day)", "workflow": "stop", "request": {"Name": "a"}, "enabled": False},
    ],
    "triggers": [
        {"name": "requests", "eventBus": "images", "pattern": {"source": ["my.app"]}},
    ],
}


@pytest.fixture(scope="module")
def triggered(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("triggered") / "cdk.out", **CONTEXT)


def test_a_schedule_starts_the_alias_with_its_request_and_keeps_what_it_cannot_deliver(triggered: Assembly) -> None:
    schedules = {
        s["Properties"]["Name"]: s["Properties"] for s in triggered.resources("AWS::Scheduler::Schedule").values()
    }
    night, off = schedules["patch-night"], schedules["off"]
    assert night["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    assert (night["State"], off["State"]) == ("ENABLED", "DISABLED")
    # With milliseconds, without which CloudFormation refuses them.
    assert (night["StartDate"], night["EndDate"]) == ("2199-01-01T00:00:00.000Z", "2199-12-31T22:00:00.000Z")
    assert not {"StartDate", "EndDate"} & set(off)
    assert json.loads(night["Target"]["Input"]) == {"Name": "golden-image", "StopAfterMinutes": 240}
    aliases = triggered.resources("AWS::StepFunctions::StateMachineAlias")
    starts, stops = (schedule["Target"]["Arn"]["Fn::GetAtt"][0] for schedule in (night, off))
    assert starts != stops
    assert {starts, stops} < set(aliases)
    assert night["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185}
    queue = night["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    assert triggered.resources("AWS::SQS::Queue")[queue]["Properties"]["SqsManagedSseEnabled"] is True


def test_a_trigger_hands_its_events_to_the_alias(triggered: Assembly) -> None:
    (rule,) = [
        r["Properties"] for r in triggered.resources("AWS::Events::Rule").values() if "EventBusName" in r["Properties"]
    ]
    assert rule["EventBusName"] == "images"
    (target,) = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] in triggered.resources("AWS::StepFunctions::StateMachineAlias")
    assert "Input" not in target
    assert target["DeadLetterConfig"]


def test_the_roles_may_start_what_they_start_and_nothing_else(triggered: Assembly) -> None:
    granted = {
        name: sorted(
            (action, str(statement.get("Condition")))
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        )
        for name, policy in triggered.resources("AWS::IAM::Policy").items()
        if name.startswith("Triggers")
    }
    through_the_alias = str({"ForAnyValue:StringEquals": {"states:StateMachineQualifier": ["live"]}})
    start = ("states:StartExecution", through_the_alias)
    assert sorted(granted.values()) == [[("sqs:SendMessage", "None"), start], [start]]


def test_only_this_accounts_services_may_assume_the_roles(triggered: Assembly) -> None:
    roles = [r for name, r in triggered.resources("AWS::IAM::Role").items() if name.startswith("Triggers")]
    assert len(roles) == 2
    for role in roles:
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_nothing_starts_by_itself_unless_it_is_configured(assembly: Assembly) -> None:
    assert assembly.resources("AWS::Scheduler::Schedule") == {}
    assert len(assembly.resources("AWS::Events::Rule")) == 1


def test_the_validators_are_silent_about_it(triggered: Assembly) -> None:
    template = next(triggered.directory.glob("*.template.json"))
    checked = subprocess.run(
        ["cfn-lint", "--template", str(template)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_a_wrong_schedule_fails_the_synth_with_its_name_and_field(tmp_path: Path) -> None:
    wrong = [{"name": "night", "expression": "cron(0 22 * * * *)", "request": {"Name": "a"}}]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        synthesize(tmp_path / "cdk.out", schedules=wrong)
    assert failed.value.stderr.startswith("The settings (CDK context) are wrong:\n- schedules[0] (night).expression:")
