"""The synthesized template: what exists, what it may do, and that it can be deployed as it is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from bench.runbook_page import ALARMS
from infra.config.settings import Settings, Subscriber
from infra.notifications import Notifications
from infra.stack import StartImageBuilderStack
from tests.infra.conftest import PROJECT, Assembly, synthesize

pytestmark = pytest.mark.xdist_group("infra")


def properties(assembly: Assembly, kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in assembly.resources(kind).values()]


def test_the_same_source_gives_the_same_template_and_assets(assembly: Assembly, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "cdk.out")
    assert again.template == assembly.template
    assert again.asset.name == assembly.asset.name


def test_the_asset_has_powertools_and_the_handlers_but_no_sdk(assembly: Assembly) -> None:
    names = {path.name for path in assembly.asset.iterdir()}
    assert {"aws_lambda_powertools", "lambdas"} <= names
    assert (assembly.asset / "lambdas" / "start_image_builder.py").exists()
    assert not names & {"boto3", "botocore", "s3transfer", "urllib3", "requirements.txt", "requirements.in", "bin"}
    assert not list(assembly.asset.rglob("__pycache__"))


def test_the_asset_is_small_and_runs_on_any_machine(assembly: Assembly, tmp_path: Path) -> None:
    assert not list(assembly.asset.rglob("*.so"))
    package = shutil.make_archive(str(tmp_path / "package"), "zip", assembly.asset)
    assert Path(package).stat().st_size <= 2**20
    # Nothing that the handlers import was left out: of this environment they get botocore and what that needs.
    handlers = sorted(f"lambdas.{path.stem}" for path in (assembly.asset / "lambdas").glob("*.py"))
    imports = f"import sys; sys.path.insert(0, {str(assembly.asset)!r}); import {', '.join(handlers)}; "
    where = "import aws_lambda_powertools; print(aws_lambda_powertools.__file__)"
    run = subprocess.run([sys.executable, "-c", imports + where], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(str(assembly.asset))


def test_functions_are_sized_timed_and_traced_on_purpose(assembly: Assembly) -> None:
    functions = properties(assembly, "AWS::Lambda::Function")
    assert sorted(function["Handler"] for function in functions) == [
        "lambdas.validate_request.handler",
        "lambdas.describe_image_builder.handler",
        "lambdas.list_image_builders.handler",
        "lambdas.start_image_builder.handler",
        "lambdas.stop_image_builder.handler",
        "lambdas.notify_operators.handler",
    ]
    for function in functions:
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Timeout"] == 80
        assert function["MemorySize"] == 256
        assert "LogGroup" in function["LoggingConfig"]


def test_every_log_group_has_a_retention_and_goes_with_the_stack(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup").values()
    assert len(groups) == 9
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == 90
        assert group["DeletionPolicy"] == "Delete"


def test_the_state_machines_are_standard_logged_and_traced(assembly: Assembly) -> None:
    machines = properties(assembly, "AWS::StepFunctions::StateMachine")
    assert len(machines) == 3
    for machine in machines:
        assert machine["StateMachineType"] == "STANDARD"
        assert machine["TracingConfiguration"] == {"Enabled": True}
        assert machine["LoggingConfiguration"]["Level"] == "ALL"
        # What an input holds stands in the history alone.
        assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_topic_takes_messages_over_tls_only_and_keeps_them_encrypted(assembly: Assembly) -> None:
    (topic,) = properties(assembly, "AWS::SNS::Topic")
    (key,) = assembly.resources("AWS::KMS::Key")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    (policy,) = properties(assembly, "AWS::SNS::TopicPolicy")
    assert denials_without_tls(policy) == ["sns:Publish"]


def denials_without_tls(policy: dict[str, Any]) -> list[str]:
    return [
        statement["Action"]
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_the_dead_letters_are_encrypted_and_take_tls_only(assembly: Assembly) -> None:
    queues = properties(assembly, "AWS::SQS::Queue")
    assert len(queues) == 2
    for queue in queues:
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3_600
    for policy in properties(assembly, "AWS::SQS::QueuePolicy"):
        assert denials_without_tls(policy) == ["sqs:*"]


def test_alarms_of_this_account_alone_may_publish_and_use_the_key_for_it(assembly: Assembly) -> None:
    (topic_policy,) = properties(assembly, "AWS::SNS::TopicPolicy")
    (key,) = properties(assembly, "AWS::KMS::Key")
    for document in (topic_policy["PolicyDocument"], key["KeyPolicy"]):
        (statement,) = [one for one in document["Statement"] if "Service" in one["Principal"]]
        assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        if document is topic_policy["PolicyDocument"]:
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert key["EnableKeyRotation"] is True


def test_no_name_stops_a_second_deployment(assembly: Assembly) -> None:
    for resource in assembly.template["Resources"].values():
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::StepFunctions::StateMachineAlias"):
            continue  # the name is inside its role, or its state machine
        for key, value in resource.get("Properties", {}).items():
            if key.endswith("Name") and key not in ("AttributeName", "DisplayName", "MetricName"):
                referred = [value.get("Ref"), *value.get("Fn::GetAtt", [])] if isinstance(value, dict) else []
                if set(referred) & set(assembly.template["Resources"]):
                    continue  # the name of another resource of the stack
                assert "AWS::StackName" in json.dumps(value), f"{resource['Type']} has the physical name {value}"


def test_the_template_names_no_account_region_or_partition(assembly: Assembly) -> None:
    text = json.dumps(assembly.template)
    assert "arn:aws:" not in text
    assert "us-east-1" not in text


def test_cfn_lint_has_nothing_to_say(assembly: Assembly) -> None:
    (template,) = assembly.directory.glob("*.template.json")
    lint = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--template", str(template)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.stdout + lint.stderr == ""


def test_subscribers_are_told() -> None:
    queue = "arn:aws:sqs:us-east-1:111122223333:ops"
    told = [
        Subscriber(protocol="email", endpoint="ops@example.com"),
        # The CDK would make one construct id of these two.
        Subscriber(protocol="https", endpoint="https://example.com/a/b"),
        Subscriber(protocol="https", endpoint="https://example.com/a--b"),
        Subscriber(protocol="sqs", endpoint=queue),
    ]
    stack = cdk.Stack()
    Notifications(stack, "Notifications", subscribers=told)
    subscriptions = Template.from_stack(stack).find_resources("AWS::SNS::Subscription").values()
    assert [(one["Properties"]["Protocol"], one["Properties"]["Endpoint"]) for one in subscriptions] == [
        ("email", "ops@example.com"),
        ("https", "https://example.com/a/b"),
        ("https", "https://example.com/a--b"),
        ("sqs", queue),
    ]


def test_what_a_subscriber_did_not_get_is_a_dead_letter_and_no_validator_minds(tmp_path: Path) -> None:
    told = [
        {"protocol": "email", "endpoint": "ops@example.com"},
        {"protocol": "https", "endpoint": "https://a.example"},
    ]
    assembly = synthesize(tmp_path / "cdk.out", subscribers=told)
    (queue,) = [name for name in assembly.resources("AWS::SQS::Queue") if name.startswith("NotificationsDeadLetters")]
    subscriptions = properties(assembly, "AWS::SNS::Subscription")
    assert len(subscriptions) == 2
    for subscription in subscriptions:
        assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [queue, "Arn"]}}
    test_cfn_lint_has_nothing_to_say(assembly)
    test_a_finding_of_cdk_nag_fails_the_synth_and_there_is_none(assembly)


def test_a_wrong_configuration_fails_synth_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        synthesize(tmp_path / "cdk.out", subscribers=[{"protocol": "sms", "endpoint": "+1"}])
    assert caught.value.stderr == (
        "The settings (CDK context) are wrong:\n"
        '- subscribers[0].protocol: must be one of email, https, sqs, not "sms"\n'
    )


def test_what_can_be_lost_goes_or_stays_by_an_explicit_policy(assembly: Assembly) -> None:
    policies = {
        kind: {(resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) for resource in found.values()}
        for kind in STATEFUL
        if (found := assembly.resources(kind))
    }
    assert policies == STATEFUL


STATEFUL = {
    "AWS::Logs::LogGroup": {("Delete", "Delete")},
    "AWS::KMS::Key": {("Delete", "Delete")},
    "AWS::SQS::Queue": {("Delete", "Delete")},
    # The version before stays, so that the alias can be put back on it.
    "AWS::StepFunctions::StateMachineVersion": {("Delete", "Retain")},
}


def test_each_alias_goes_to_the_version_of_what_was_deployed(assembly: Assembly) -> None:
    machines = assembly.resources("AWS::StepFunctions::StateMachine")
    versions = assembly.resources("AWS::StepFunctions::StateMachineVersion")
    published = {version["Properties"]["StateMachineArn"]["Ref"]: name for name, version in versions.items()}
    assert set(published) == set(machines)
    for version in versions.values():
        machine = version["Properties"]["StateMachineArn"]["Ref"]
        assert version["Properties"]["StateMachineRevisionId"] == {"Fn::GetAtt": [machine, "StateMachineRevisionId"]}
    routes = [alias["RoutingConfiguration"] for alias in properties(assembly, "AWS::StepFunctions::StateMachineAlias")]
    assert sorted(routes, key=str) == [
        [{"StateMachineVersionArn": {"Fn::GetAtt": [version, "Arn"]}, "Weight": 100}] for version in sorted(versions)
    ]


def test_every_end_without_success_is_an_event_for_the_function_that_tells(assembly: Assembly) -> None:
    (rule,) = properties(assembly, "AWS::Events::Rule")
    assert rule["EventPattern"]["source"] == ["aws.states"]
    assert rule["EventPattern"]["detail-type"] == ["Step Functions Execution Status Change"]
    detail = rule["EventPattern"]["detail"]
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    for machine in assembly.resources("AWS::StepFunctions::StateMachine"):
        assert {"Ref": machine} in detail["stateMachineArn"]
        # With a version or an alias.
        assert {"prefix": {"Fn::Join": ["", [{"Ref": machine}, ":"]]}} in detail["stateMachineArn"]
    (queue,) = [name for name in assembly.resources("AWS::SQS::Queue") if name.startswith("NotificationsDeadLetters")]
    dead_letters = {"Fn::GetAtt": [queue, "Arn"]}
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": dead_letters}
    (invocation,) = properties(assembly, "AWS::Lambda::EventInvokeConfig")
    assert invocation["DestinationConfig"]["OnFailure"] == {"Destination": dead_letters}
    assert (invocation["MaximumRetryAttempts"], invocation["MaximumEventAgeInSeconds"]) == (2, 21_600)


def test_every_alarm_speaks_to_the_operators_and_leads_to_its_section_of_the_runbook(tmp_path: Path) -> None:
    linked = synthesize(tmp_path / "cdk.out", runbookUrl="https://example.com/runbook.md")
    (topic,) = linked.resources("AWS::SNS::Topic")
    sections = []
    for alarm in properties(linked, "AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"
        sections.append(alarm["AlarmDescription"].rpartition("https://example.com/runbook.md#")[2])
    assert sorted(sections) == sorted(ALARMS)


def test_an_alarm_counts_the_failures_that_nobody_was_told_of(assembly: Assembly) -> None:
    (alarm,) = [
        one
        for one in properties(assembly, "AWS::CloudWatch::Alarm")
        if "FailuresNotNotified" in one["AlarmDescription"]
    ]
    metrics = {metric["Id"]: metric for metric in alarm["Metrics"]}
    (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
    assert expression == (
        "(FILL(failedstart, 0) + FILL(timedoutstart, 0) + FILL(abortedstart, 0)"
        " + FILL(failedstop, 0) + FILL(timedoutstop, 0) + FILL(abortedstop, 0)"
        " + FILL(failedfleet, 0) + FILL(timedoutfleet, 0) + FILL(abortedfleet, 0))"
        " - (FILL(told, 0))"
    )
    metric = metrics["told"]["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == ({"Ref": "AWS::StackName"}, "FailuresNotified")
    assert metric["Dimensions"] == [{"Name": "service", "Value": "start-image-builder"}]
    assert alarm["EvaluationWindow"] == {"WallClockWindow": {"Timezone": "UTC"}}
    # Ten at most. Source: Amazon CloudWatch user guide, Using metric math.
    assert len(alarm["Metrics"]) - 1 <= 10


def test_the_dashboard_shows_what_operators_ask_for(assembly: Assembly) -> None:
    (dashboard,) = properties(assembly, "AWS::CloudWatch::Dashboard")
    body = json.dumps(dashboard["DashboardBody"])
    for metric in (
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "StartDuration",
        "ExecutionThrottled",
        "StartAttempts",
        "StartsAccepted",
        "Polls",
        "OperatorsNotified",
        "AppStreamErrors",
        "Errors",
        "Throttles",
    ):
        assert metric in body, metric


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-west-1", "aws-us-gov"), ("us-iso-east-1", "aws-iso"), ("us-isob-east-1", "aws-iso-b")],
)
def test_other_partitions_get_their_own_arns(region: str, partition: str) -> None:
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    # Nothing of the code depends on the partition: it need not be put together.
    app = cdk.App(context=context | {"aws:cdk:bundling-stacks": []})
    stage = cdk.Stage(app, "Stage", env=cdk.Environment(account="111122223333", region=region))
    stack = StartImageBuilderStack(stage, "Start", config=Settings.load({"stackName": "Start"}))
    text = json.dumps(Template.from_stack(stack).to_json())
    assert set(re.findall(r"arn:(aws[\w-]*):", text)) == {partition}
    principals = set(re.findall(r'"Service": "([^"]+)"', text))
    assert principals == {f"{service}.amazonaws.com" for service in ("cloudwatch", "events", "lambda", "states")}


def test_a_finding_of_cdk_nag_fails_the_synth_and_there_is_none(assembly: Assembly) -> None:
    report = json.loads((assembly.directory / "validation-report.json").read_text())
    assert {plugin["pluginName"] for plugin in report["pluginReports"]} >= {"AwsSolutions", "Serverless"}
    assert [plugin["pluginName"] for plugin in report["pluginReports"] if plugin["conclusion"] != "success"] == []
