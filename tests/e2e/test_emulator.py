"""What local/ministack_launcher.py adds to MiniStack: each patch has a test that fails without it."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from local.emulator import Emulator
from tests.e2e.conftest import PATIENCE_SECONDS, Deployment

ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def new_machine(emulator: Emulator) -> Any:
    """Creates a state machine of one state, or of several, in JSONata. Returns its ARN."""

    def new(states: dict[str, Any]) -> str:
        text = json.dumps({"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states})
        name = f"machine-{uuid4().hex[:8]}"
        arn: str = emulator.client("stepfunctions").create_state_machine(name=name, definition=text, roleArn=ROLE)[
            "stateMachineArn"
        ]
        return arn

    return new


def returns(value: Any) -> dict[str, Any]:
    return {"Return": {"Type": "Pass", "Output": value, "End": True}}


def output(emulator: Emulator, arn: str, execution_input: Any = None) -> Any:
    """Run a state machine, a version or an alias."""
    client = emulator.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn, input=json.dumps(execution_input or {}))["executionArn"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (described := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def test_an_error_has_the_name_of_the_functions_exception(deployment: Deployment) -> None:
    logs = deployment.wait(deployment.start({"Name": ""}))
    assert logs["error"] == "InvalidRequest"
    history = deployment.stepfunctions.get_execution_history(executionArn=logs["executionArn"])["events"]
    (failed,) = [event["taskFailedEventDetails"] for event in history if "taskFailedEventDetails" in event]
    assert failed["error"] == "InvalidRequest"
    assert "stackTrace" in json.loads(failed["cause"])


def test_cloudformation_has_versions_and_aliases_and_alarms_on_metric_math(emulator: Emulator) -> None:
    cloudformation = emulator.client("cloudformation")
    stack = f"patches-{uuid4().hex[:8]}"

    def deploy(create: bool, result: str) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": "Return", "States": returns(result)}
        version = {"Type": "AWS::StepFunctions::StateMachineVersion", "DeletionPolicy": "Retain", "Properties": {}}
        version["Properties"] = {
            "StateMachineArn": {"Ref": "Machine"},
            "StateMachineRevisionId": {"Fn::GetAtt": ["Machine", "StateMachineRevisionId"]},
            "Description": result,
        }
        routing = [{"StateMachineVersionArn": {"Ref": f"Version{result}"}, "Weight": 100}]
        metric = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
        resources = {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"StateMachineName": stack, "RoleArn": ROLE, "DefinitionString": json.dumps(definition)},
            },
            f"Version{result}": version,
            "Alias": {
                "Type": "AWS::StepFunctions::StateMachineAlias",
                "Properties": {"Name": "live", "Description": "d", "RoutingConfiguration": routing},
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": stack,
                    "ComparisonOperator": "GreaterThanThreshold",
                    "EvaluationPeriods": 1,
                    "Threshold": 0,
                    "Metrics": [{"Id": "m", "MetricStat": metric, "ReturnData": False}, {"Id": "e", "Expression": "m"}],
                },
            },
        }
        template = json.dumps({"Resources": resources, "Outputs": {"Alias": {"Value": {"Ref": "Alias"}}}})
        (cloudformation.create_stack if create else cloudformation.update_stack)(StackName=stack, TemplateBody=template)
        done = cloudformation.get_waiter("stack_create_complete" if create else "stack_update_complete")
        done.wait(StackName=stack, WaiterConfig={"Delay": 1})
        return emulator.outputs(stack)["Alias"]

    alias = deploy(True, "First")
    assert output(emulator, alias) == "First"
    assert deploy(False, "Second") == alias
    assert output(emulator, alias) == "Second"
    assert emulator.client("cloudwatch").describe_alarms(AlarmNames=[stack])["MetricAlarms"]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})


def test_a_version_runs_its_own_definition_and_can_be_waited_for(emulator: Emulator, new_machine: Any) -> None:
    client = emulator.client("stepfunctions")
    machine = new_machine(returns("old"))
    version = client.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    changed = {"QueryLanguage": "JSONata", "StartAt": "Return", "States": returns("new")}
    client.update_state_machine(stateMachineArn=machine, definition=json.dumps(changed))
    assert (output(emulator, version), output(emulator, machine)) == ("old", "new")
    started = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": version, "Input": {}},
        "Output": "{% $states.result.Output %}",
        "End": True,
    }
    assert output(emulator, new_machine({"Start": started})) == "old"


def test_a_distributed_map_takes_its_items_from_jsonata(emulator: Emulator, new_machine: Any) -> None:
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Return"}
    each = {
        "Type": "Map",
        "Items": "{% $states.input.numbers %}",
        "ItemSelector": {
            "number": "{% $states.context.Map.Item.Value %}",
            "index": "{% $states.context.Map.Item.Index %}",
        },
        "ItemProcessor": {**processor, "States": returns("{% [$states.input.index, $states.input.number] %}")},
        "End": True,
    }
    assert output(emulator, new_machine({"Each": each}), {"numbers": [7, 8]}) == [[0, 7], [1, 8]]


def test_the_exit_from_a_state_has_the_variables_that_it_assigned(emulator: Emulator, new_machine: Any) -> None:
    assigns = {"Type": "Pass", "Assign": {"count": "{% 1 + 1 %}"}, "Next": "Return"}
    machine = new_machine({"Assign": assigns, **returns("done")})
    output(emulator, machine)
    client = emulator.client("stepfunctions")
    (execution,) = client.list_executions(stateMachineArn=machine)["executions"]
    history = client.get_execution_history(executionArn=execution["executionArn"])["events"]
    exits = [event["stateExitedEventDetails"] for event in history if "stateExitedEventDetails" in event]
    assert [details.get("assignedVariables") for details in exits] == [{"count": "2"}, None]
