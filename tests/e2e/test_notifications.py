"""Every execution that fails is notified exactly once, by the workflow or by its status change event."""

import json
import shlex
import time
from collections import Counter
from uuid import uuid4

import pytest

from lambdas.image_builder import notification
from tests import scenarios
from tests.e2e.conftest import PATIENCE_SECONDS, Deployment, Played

pytestmark = pytest.mark.xdist_group("e2e")


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


def test_no_execution_is_notified_twice(deployment: Deployment, played: Played) -> None:
    failed = [played.outcome(scenario) for scenario in scenarios.ALL if scenario.error]
    assert len(failed) > 40
    arns = [message.partition("EXECUTION\n")[2].partition("\n")[0] for run in failed for message in run.messages]
    assert len(set(arns)) == len(failed)
    # The events of all of them have been handled once the event of a later execution has.
    last = deployment.start({"Name": ""})
    deployment.wait(last)
    wait_for_event(deployment, [*arns, last])
    notified = Counter(message.partition("EXECUTION\n")[2].partition("\n")[0] for message in deployment.messages())
    assert {arn: notified[arn] for arn in arns} == dict.fromkeys(arns, 1)


def wait_for_event(deployment: Deployment, executions: list[str]) -> None:
    """Wait until the function has seen the events of executions that the workflow has notified itself."""
    logs = deployment.stack.client("logs")
    (group,) = [
        group["logGroupName"]
        for group in logs.describe_log_groups()["logGroups"]
        if "NotifyOperators" in group["logGroupName"]
    ]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        lines = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
        entries = [json.loads(line) for line in lines if line.startswith("{") and '"level"' in line]
        seen = {entry["execution"] for entry in entries if "operators have been notified" in entry["message"]}
        if seen >= set(executions):
            return
        time.sleep(0.2)
    raise AssertionError(f"no event came of {set(executions) - seen}")
