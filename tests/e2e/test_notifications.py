"""Every execution that fails is notified exactly once, by the workflow or by its status change event."""

import json
import shlex

from lambdas.image_builder import notification
from tests.e2e.conftest import Deployment, eventually


def test_a_stopped_execution_is_notified_by_its_event(deployment: Deployment) -> None:
    name = deployment.builder(state="PENDING")
    execution = deployment.start({"Name": name, "TimeoutMinutes": 720})
    deployment.stepfunctions.stop_execution(executionArn=execution, cause="{maintenance window}")
    (message,) = eventually(lambda: deployment.messages(execution), "a message about it")
    assert f"Image builder {name}: the execution did not end by itself." in message
    assert (
        "(StopExecution) before it ended. A start that AppStream has accepted goes on. {maintenance window}\n"
        in message
    )
    assert "by a StartExecution call" in message
    # The function's code has the runbook.
    assert all(step in message for step in notification._runbook()["Aborted"])
    (command,) = [line for line in message.splitlines() if "start-execution" in line]
    *_, machine, _, request = shlex.split(command)
    # MiniStack does not describe the alias of an execution.
    assert machine == deployment.outputs["StateMachineArn"]
    assert json.loads(request) == {"Name": name, "TimeoutMinutes": 720}


def test_an_execution_that_the_workflow_has_notified_of_has_no_second_notification(deployment: Deployment) -> None:
    execution = deployment.run({"Name": ""})["executionArn"]

    def event_is_handled() -> bool:
        handled = [line for line in deployment.logs("NotifyOperators") if "operators have been notified" in line]
        return any(execution in line for line in handled)

    eventually(event_is_handled, "its status change event handled")
    assert len(deployment.messages(execution)) == 1


def test_an_input_of_2000_levels_is_an_invalid_request_with_one_message(deployment: Deployment) -> None:
    machine, text = deployment.outputs["StateMachineAliasArn"], f'{{"Name": {"[" * 2_000}{"]" * 2_000}}}'
    execution = deployment.stepfunctions.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    end = deployment.wait(execution)
    assert (end["status"], end["error"]) == ("FAILED", "InvalidRequest"), end
    assert json.loads(end["cause"])["Message"].endswith("not a list")
    assert len(deployment.messages(execution)) == 1
