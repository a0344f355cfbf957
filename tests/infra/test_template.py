"""The synthesized template: what exists, what it may do, and that it can be deployed as it is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from infra.config import Subscriber
from infra.notifications import Notifications
from tests.infra.conftest import PROJECT, Assembly, synthesize

pytestmark = pytest.mark.xdist_group("infra")


def properties(assembly: Assembly, kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in assembly.resources(kind).values()]


def granted(assembly: Assembly, principal: str) -> set[str]:
    """Every action that the roles whose logical id holds `principal` are granted."""
    statements = [
        statement
        for policy in properties(assembly, "AWS::IAM::Policy")
        if any(principal in role["Ref"] for role in policy["Roles"])
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    actions = [statement["Action"] for statement in statements]
    return {one for action in actions for one in ([action] if isinstance(action, str) else action)}


def test_the_same_source_gives_the_same_template_and_assets(assembly: Assembly, tmp_path: Path) -> None:
    again = synthesize(tmp_path / "cdk.out")
    assert again.template == assembly.template
    assert again.asset.name == assembly.asset.name


def test_the_asset_has_powertools_and_the_handlers_but_no_sdk(assembly: Assembly) -> None:
    names = {path.name for path in assembly.asset.iterdir()}
    assert {"aws_lambda_powertools", "image_builder", "check_request.py", "start_image_builder.py"} <= names
    assert not names & {"boto3", "botocore", "s3transfer", "urllib3", "requirements.txt", "requirements.in", "bin"}
    assert not list(assembly.asset.rglob("__pycache__"))


def test_compiled_parts_of_the_asset_are_for_lambda_on_arm(assembly: Assembly) -> None:
    assert {path.name.split(".", 1)[1] for path in assembly.asset.rglob("*.so")} == {"cpython-313-aarch64-linux-gnu.so"}


def test_functions_are_sized_timed_and_traced_on_purpose(assembly: Assembly) -> None:
    functions = properties(assembly, "AWS::Lambda::Function")
    assert sorted(function["Handler"] for function in functions) == [
        "check_request.handler",
        "describe_image_builder.handler",
        "start_image_builder.handler",
    ]
    for function in functions:
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Timeout"] == 60
        assert function["MemorySize"] == 256
        assert "LogGroup" in function["LoggingConfig"]


def test_every_log_group_has_a_retention_and_goes_with_the_stack(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup").values()
    assert len(groups) == 4
    for group in groups:
        assert group["Properties"]["RetentionInDays"] == 90
        assert group["DeletionPolicy"] == "Delete"


TRACES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        ("CheckRequest", set()),
        ("FunctionsStartImageBuilder", {"appstream:DescribeImageBuilders", "appstream:StartImageBuilder"}),
        ("DescribeImageBuilder", {"appstream:DescribeImageBuilders"}),
    ],
)
def test_a_function_may_make_its_calls_and_no_other(assembly: Assembly, function: str, calls: set[str]) -> None:
    assert granted(assembly, function) == calls | TRACES | LOGS


def test_starting_is_granted_on_image_builders_only(assembly: Assembly) -> None:
    (resource,) = {
        json.dumps(statement["Resource"])
        for policy in properties(assembly, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "appstream:StartImageBuilder"
    }
    assert ":image-builder/*" in resource
    assert '{"Ref": "AWS::Partition"}' in resource


def test_the_state_machine_may_invoke_publish_log_and_trace(assembly: Assembly) -> None:
    actions = granted(assembly, "StateMachine")
    assert {action for action in actions if not action.startswith(("logs:", "xray:"))} == {
        "lambda:InvokeFunction",
        "sns:Publish",
    }


def test_only_describing_logging_and_tracing_are_granted_on_everything(assembly: Assembly) -> None:
    on_everything = [
        statement["Action"]
        for policy in properties(assembly, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == "*"
    ]
    flat = {one for action in on_everything for one in ([action] if isinstance(action, str) else action)}
    assert {action for action in flat if not action.startswith(("logs:", "xray:"))} == {
        "appstream:DescribeImageBuilders"
    }


def test_the_state_machine_is_standard_logged_and_traced(assembly: Assembly) -> None:
    (machine,) = properties(assembly, "AWS::StepFunctions::StateMachine")
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"


def test_the_topic_takes_messages_over_tls_only_and_keeps_them_encrypted(assembly: Assembly) -> None:
    (topic,) = properties(assembly, "AWS::SNS::Topic")
    assert "alias/aws/sns" in json.dumps(topic["KmsMasterKeyId"])
    (policy,) = properties(assembly, "AWS::SNS::TopicPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_no_name_stops_a_second_deployment(assembly: Assembly) -> None:
    for resource in assembly.template["Resources"].values():
        if resource["Type"] == "AWS::IAM::Policy":
            continue  # an inline policy: its name is inside its role
        for key, value in resource.get("Properties", {}).items():
            if key.endswith("Name") and key not in ("AttributeName", "DisplayName"):
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
    told = [Subscriber("email", "ops@example.com"), Subscriber("https", "https://example.com/hook")]
    stack = cdk.Stack()
    Notifications(stack, "Notifications", subscribers=told)
    subscriptions = Template.from_stack(stack).find_resources("AWS::SNS::Subscription").values()
    assert [(one["Properties"]["Protocol"], one["Properties"]["Endpoint"]) for one in subscriptions] == [
        ("email", "ops@example.com"),
        ("https", "https://example.com/hook"),
    ]


def test_a_wrong_configuration_fails_synth_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        synthesize(tmp_path / "cdk.out", subscribers=[{"protocol": "sms", "endpoint": "+1"}])
    assert caught.value.stderr == (
        "The configuration (cdk.json, context) is wrong. "
        "subscribers[0].protocol: must be one of email, https, not 'sms'\n"
    )
