"""The synthesized template: what exists, how it is sized and protected, and that it can be deployed as it is."""

import json
import re

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template
from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

from infra.config.settings import Settings
from infra.stack import StartImageBuilderStack
from tests.infra.conftest import FLAGS, PROJECT, STRICT, WITHOUT_BUNDLING, Assembly, Synthesize, listed, refers_to

pytestmark = pytest.mark.xdist_group("template")

STATEFUL = {
    "AWS::Logs::LogGroup": {("Delete", "Delete")},
    "AWS::KMS::Key": {("Delete", "Delete")},
    "AWS::SQS::Queue": {("Delete", "Delete")},
    # The version before stays, so that the alias can be moved back to it, and executions in flight go on.
    "AWS::StepFunctions::StateMachineVersion": {("Delete", "Retain")},
    "AWS::Lambda::Version": {("Retain", "Retain")},
}


def test_inputs_and_outputs_are_in_the_histories_alone(assembly: Assembly) -> None:
    for machine in assembly.properties("AWS::StepFunctions::StateMachine"):
        assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_what_can_be_lost_is_deleted_or_retained_by_an_explicit_policy(assembly: Assembly, strict: Assembly) -> None:
    def policies(found: Assembly) -> dict[str, set[tuple[str, str]]]:
        return {
            kind: {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in found.resources(kind).values()}
            for kind in STATEFUL
        }

    assert policies(assembly) == STATEFUL
    kept = {("Retain", "Retain")}
    # The topic's key encrypts nothing that stays; kept logs need theirs.
    assert policies(strict) == {**STATEFUL, "AWS::Logs::LogGroup": kept, "AWS::KMS::Key": {("Delete", "Delete"), *kept}}


def test_every_log_group_has_the_configured_retention(assembly: Assembly, strict: Assembly) -> None:
    for found, days in ((assembly, 90), (strict, STRICT["logRetentionDays"])):
        groups = found.properties("AWS::Logs::LogGroup")
        assert [group["RetentionInDays"] for group in groups] == [days] * 9


def test_kept_logs_do_not_stop_a_later_stack_of_the_same_name(assembly: Assembly) -> None:
    names = [group["LogGroupName"] for group in assembly.properties("AWS::Logs::LogGroup") if "LogGroupName" in group]
    assert len(names) == 3
    assert all("AWS::StackId" in str(name) for name in names)


def test_a_definition_has_the_versions_of_its_functions_and_the_aliases_of_other_workflows(assembly: Assembly) -> None:
    versions = assembly.resources("AWS::Lambda::Version")
    functions = {refers_to(version["Properties"]["FunctionName"]) for version in versions.values()}
    assert functions == set(assembly.resources("AWS::Lambda::Function"))
    for machine in assembly.properties("AWS::StepFunctions::StateMachine"):
        for name, value in machine["DefinitionSubstitutions"].items():
            if name.endswith("FunctionArn"):
                assert refers_to(value) in versions
                assert name.removesuffix("Arn") in refers_to(value)
            elif name.endswith("AliasArn"):
                assert refers_to(value) in assembly.resources("AWS::StepFunctions::StateMachineAlias")


def test_each_alias_points_to_the_version_of_what_was_deployed(assembly: Assembly) -> None:
    machines = assembly.resources("AWS::StepFunctions::StateMachine")
    versions = assembly.resources("AWS::StepFunctions::StateMachineVersion")
    published = {version["Properties"]["StateMachineArn"]["Ref"]: name for name, version in versions.items()}
    assert set(published) == set(machines)
    for version in versions.values():
        machine = version["Properties"]["StateMachineArn"]["Ref"]
        assert version["Properties"]["StateMachineRevisionId"] == {"Fn::GetAtt": [machine, "StateMachineRevisionId"]}
    aliases = assembly.properties("AWS::StepFunctions::StateMachineAlias")
    assert sorted((alias["RoutingConfiguration"] for alias in aliases), key=str) == [
        [{"StateMachineVersionArn": {"Fn::GetAtt": [version, "Arn"]}, "Weight": 100}] for version in sorted(versions)
    ]


def test_every_result_without_success_is_an_event_for_the_newest_function_that_notifies(assembly: Assembly) -> None:
    (rule,) = assembly.properties("AWS::Events::Rule")
    detail = rule["EventPattern"]["detail"]
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    for machine in assembly.resources("AWS::StepFunctions::StateMachine"):
        assert {"Ref": machine} in detail["stateMachineArn"]
        # With a version or an alias.
        assert {"prefix": {"Fn::Join": ["", [{"Ref": machine}, ":"]]}} in detail["stateMachineArn"]
    (target,) = rule["Targets"]
    assert refers_to(target["Arn"]) in assembly.resources("AWS::Lambda::Function")
    assert refers_to(target["DeadLetterConfig"]["Arn"]).startswith("NotificationsDeadLetters")
    (invocation,) = assembly.properties("AWS::Lambda::EventInvokeConfig")
    assert invocation["Qualifier"] == "$LATEST"
    assert refers_to(invocation["DestinationConfig"]["OnFailure"]["Destination"]).startswith("NotificationsDeadLetters")


def test_the_queues_keep_messages_for_14_days_and_are_encrypted(assembly: Assembly, strict: Assembly) -> None:
    for found in (assembly, strict):
        queues = found.properties("AWS::SQS::Queue")
        assert [queue["MessageRetentionPeriod"] for queue in queues] == [14 * 24 * 3_600] * 2
        assert all((queue.get("SqsManagedSseEnabled") is True) is not ("KmsMasterKeyId" in queue) for queue in queues)


def test_the_topic_and_the_queues_take_messages_over_tls_only(strict: Assembly) -> None:
    policies = [*strict.properties("AWS::SNS::TopicPolicy"), *strict.properties("AWS::SQS::QueuePolicy")]
    statements = [[one for one in each["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"] for each in policies]
    assert [[one["Action"] for one in each] for each in statements] == [["sns:Publish"], ["sqs:*"], ["sqs:*"]]
    for (denial,) in statements:
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_of_this_account_alone_may_publish_and_use_the_key_for_it(assembly: Assembly) -> None:
    (topic,) = assembly.properties("AWS::SNS::Topic")
    (topic_policy,) = assembly.properties("AWS::SNS::TopicPolicy")
    ((name, key),) = assembly.resources("AWS::KMS::Key").items()
    assert refers_to(topic["KmsMasterKeyId"]) == name
    policies = (topic_policy["PolicyDocument"], key["Properties"]["KeyPolicy"])
    publish, decrypt = (
        [one for one in policy["Statement"] if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
        for policy in policies
    )
    assert publish[0]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert (len(publish), len(decrypt)) == (1, 1)


def test_a_key_of_its_own_encrypts_log_groups_and_queues_and_admits_who_writes_to_them(strict: Assembly) -> None:
    ((name, key),) = [(name, key) for name, key in strict.resources("AWS::KMS::Key").items() if "Storage" in name]
    used = [group["KmsKeyId"] for group in strict.properties("AWS::Logs::LogGroup")]
    used += [queue["KmsMasterKeyId"] for queue in strict.properties("AWS::SQS::Queue")]
    assert {refers_to(each) for each in used} == {name}
    statements = [each for each in key["Properties"]["KeyPolicy"]["Statement"] if "Service" in each["Principal"]]
    logs, services = sorted(statements, key=lambda each: isinstance(each["Principal"]["Service"], list))
    assert "logs." in str(logs["Principal"]["Service"])
    assert services["Principal"]["Service"] == ["events.amazonaws.com", "sns.amazonaws.com"]
    # Of no other stack, and of no other account.
    groups = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert all("AWS::StackName" in str(group) and "AWS::AccountId" in str(group) for group in groups)
    # What sends or takes messages under a role.
    for role in ("FunctionsNotifyOperators", "TriggersSchedulesRole"):
        granted = [listed(each["Action"]) for each in strict.statements(role) if name in str(each["Resource"])]
        assert {action for actions in granted for action in actions} == {"kms:Decrypt", "kms:GenerateDataKey"}, role


def test_a_key_that_exists_is_used_in_its_place(synthesize: Synthesize) -> None:
    arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    given = synthesize(encryptionKey=arn)
    used = [group["KmsKeyId"] for group in given.properties("AWS::Logs::LogGroup")]
    used += [each["KmsMasterKeyId"] for each in given.properties("AWS::SQS::Queue")]
    assert used == [arn] * 11
    assert any(arn in listed(statement["Resource"]) for statement in given.statements("FunctionsNotifyOperators"))


def test_subscribers_get_messages_or_leave_a_dead_letter(strict: Assembly) -> None:
    subscriptions = strict.properties("AWS::SNS::Subscription")
    endpoints = [{"protocol": each["Protocol"], "endpoint": each["Endpoint"]} for each in subscriptions]
    assert endpoints == STRICT["subscribers"]
    for each in subscriptions:
        assert refers_to(each["RedrivePolicy"]["deadLetterTargetArn"]).startswith("NotificationsDeadLetters")


def test_every_alarm_calls_the_topic_and_names_its_section_of_the_runbook(assembly: Assembly, strict: Assembly) -> None:
    runbook = (PROJECT / "docs" / "runbook.md").read_text("utf-8")
    (topic,) = strict.resources("AWS::SNS::Topic")
    alarms = strict.properties("AWS::CloudWatch::Alarm")
    assert len(alarms) == 8
    for alarm in alarms:
        assert alarm["AlarmActions"] == [{"Ref": topic}, STRICT["secondAlarmAction"]]
        assert alarm["TreatMissingData"] == "notBreaching"
        section = alarm["AlarmDescription"].rpartition(f"Runbook: {STRICT['runbookUrl']}#")[2]
        assert f'<a id="{section}"></a>' in runbook
    for alarm in assembly.properties("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert "Runbook: docs/runbook.md#" in alarm["AlarmDescription"]


def test_an_alarm_counts_the_failures_without_a_notification(assembly: Assembly) -> None:
    alarms = assembly.properties("AWS::CloudWatch::Alarm")
    (alarm,) = [each for each in alarms if each["AlarmDescription"].endswith("#FailuresNotNotified")]
    metrics = {metric["Id"]: metric for metric in alarm["Metrics"]}
    (expression,) = [metric["Expression"] for metric in alarm["Metrics"] if "Expression" in metric]
    assert expression == (
        "(FILL(failedstart, 0) + FILL(timedoutstart, 0) + FILL(abortedstart, 0)"
        " + FILL(failedstop, 0) + FILL(timedoutstop, 0) + FILL(abortedstop, 0)"
        " + FILL(failedfleet, 0) + FILL(timedoutfleet, 0) + FILL(abortedfleet, 0))"
        " - FILL(notified, 0)"
    )
    metric = metrics["notified"]["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == ({"Ref": "AWS::StackName"}, "FailuresNotified")
    assert metric["Dimensions"] == [{"Name": "service", "Value": "start-image-builder"}]
    assert alarm["EvaluationWindow"] == {"WallClockWindow": {"Timezone": "UTC"}}
    # Ten at most. Source: Amazon CloudWatch user guide, Using metric math.
    assert len(alarm["Metrics"]) - 1 <= 10


def test_the_dashboard_shows_what_operators_ask_for(assembly: Assembly) -> None:
    (dashboard,) = assembly.properties("AWS::CloudWatch::Dashboard")
    body = json.dumps(dashboard["DashboardBody"])
    metrics = (
        "ExecutionsStarted ExecutionsSucceeded StartDuration ExecutionThrottled StartAttempts StartsAccepted "
        "StopAttempts StopsAccepted Polls OperatorsNotified AppStreamErrors Errors Throttles"
    )
    assert [metric for metric in metrics.split() if metric not in body] == []


def test_names_a_tag_and_a_boundary_narrow_what_the_roles_may_do(strict: Assembly) -> None:
    statements = [each for each in strict.statements() if "image-builder/" in str(each["Resource"])]
    actions = {each["Action"] for each in statements}
    assert actions == {"appstream:StartImageBuilder", "appstream:StopImageBuilder"}
    for statement in statements:
        names = [resource["Fn::Join"][1][-1] for resource in statement["Resource"]]
        assert names == [":image-builder/golden-*", ":image-builder/test.1"]
        assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/Start": "yes"}}
    for role in strict.properties("AWS::IAM::Role"):
        assert json.dumps(role["PermissionsBoundary"]).endswith(':policy/team/Boundary"]]}')


def test_the_stack_has_the_configured_tags(strict: Assembly) -> None:
    manifest = json.loads((strict.directory / "manifest.json").read_text())
    assert manifest["artifacts"]["StartImageBuilder"]["properties"]["tags"] == STRICT["tags"]


def test_no_name_stops_a_second_deployment(strict: Assembly) -> None:
    # What they name is inside a role, a state machine or a group.
    inside = ("AWS::IAM::Policy", "AWS::StepFunctions::StateMachineAlias", "AWS::Scheduler::Schedule")
    free = ("AttributeName", "DisplayName", "EventBusName", "MetricName")
    resources = strict.template["Resources"]
    for resource in (each for each in resources.values() if each["Type"] not in inside):
        for key, value in resource.get("Properties", {}).items():
            if key.endswith("Name") and key not in free:
                text = json.dumps(value)
                # The names of rules have that of the stack in them.
                is_own = "AWS::StackName" in text or text.startswith('"StartImageBuilder-')
                assert is_own or (isinstance(value, dict) and refers_to(value) in resources), (
                    f"{resource['Type']}: {text}"
                )


@pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("us-isob-east-1", "aws-iso-b")])
def test_other_partitions_get_their_own_arns(region: str, partition: str) -> None:
    app = cdk.App(context={**FLAGS, **WITHOUT_BUNDLING})
    stage = cdk.Stage(app, "Stage", env=cdk.Environment(account="111122223333", region=region))
    stack = StartImageBuilderStack(stage, "Start", settings=Settings.load({"stackName": "Start"}))
    text = json.dumps(Template.from_stack(stack).to_json())
    assert set(re.findall(r"arn:(aws[\w-]*):", text)) == {partition}
    assert "us-east-1" not in text
    principals = set(re.findall(r'"Service": "([^"]+)"', text))
    assert principals == {f"{service}.amazonaws.com" for service in ("cloudwatch", "events", "lambda", "states")}


def test_cfn_lint_finds_nothing(strict: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make lint` checks the default template."""
    # Where its configuration is.
    monkeypatch.chdir(PROJECT)
    assert list(Runner(ConfigMixIn(["--template", str(strict.template_file)])).run()) == []
