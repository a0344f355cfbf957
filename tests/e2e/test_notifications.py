"""Every execution that fails is notified exactly once, by the workflow or by its status change event."""

import json
import shlex
import time
from uuid import uuid4

from lambdas.image_builder import notification
from tests.e2e.conftest import PATIENCE_SECONDS, Deployment


def wait_for_message(deployment: Deployment, execution: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := [message for message in deployment.messages() if execution in message]):
        assert time.monotonic() < deadline, f"nobody was notified of {execution}"
        time.sleep(0.1)
    return found[0]


def test_a_stopped_execution_is_notified_by_its_event(deployment: Deployment) -> None:
    name = f"builder-{uuid4().hex[:12]}"
    deployment.stack.appstream.put_builder(name, state="PENDING")
    execution = deployment.start({"Name": name, "TimeoutMinutes": 720})
    deployment.stepfunctions.stop_execution(executionArn=execution, cause="{maintenance window}")
    message = wait_for_message(deployment, execution)
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
    assert machine == deployment.state_machine.removesuffix(":live")
    assert json.loads(request) == {"Name": name, "TimeoutMinutes": 720}


def test_an_input_of_2000_levels_is_an_invalid_request_with_one_message(deployment: Deployment) -> None:
    text = f'{{"Name": {"[" * 2_000}{"]" * 2_000}}}'
    machine = deployment.state_machine
    execution = deployment.stepfunctions.start_execution(stateMachineArn=machine, input=text)["executionArn"]
    end = deployment.wait(execution)
    assert (end["status"], end["error"]) == ("FAILED", "InvalidRequest"), end
    assert json.loads(end["cause"])["Message"].endswith("not a list")
    assert len([message for message in deployment.messages() if execution in message]) == 1
