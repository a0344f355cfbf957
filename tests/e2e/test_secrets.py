"""What the functions hold as a secret shows nowhere: not in histories, logs, metrics, outputs or messages."""

from collections.abc import Iterator

from local.emulator import CREDENTIALS
from tests.e2e.conftest import Deployment
from tests.scenarios import Scenario

MISPLACED_PASSWORD = "Pa55-in-a-wrong-field"


def everything_written(deployment: Deployment) -> Iterator[str]:
    yield from deployment.logs()
    yield from deployment.messages()
    stepfunctions = deployment.stepfunctions
    for machine in stepfunctions.list_state_machines()["stateMachines"]:
        pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"])
        for execution in (each for page in pages for each in page["executions"]):
            arn = execution["executionArn"]
            yield str(stepfunctions.describe_execution(executionArn=arn))
            for events in stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn):
                yield str(events["events"])


def test_no_secret_is_written_anywhere(deployment: Deployment) -> None:
    assert deployment.play(Scenario("starts")).status == "SUCCEEDED"
    assert deployment.play(Scenario("fails", {"state": "FAILED"})).messages
    _, secret = CREDENTIALS
    written = list(everything_written(deployment))
    assert len(written) > 30
    assert not [text for text in written if secret in text]


def test_a_password_in_an_unknown_field_is_nowhere_but_in_the_input(deployment: Deployment) -> None:
    end = deployment.wait(deployment.start({"Name": "gold", "Password": MISPLACED_PASSWORD}))
    assert end["error"] == "InvalidRequest"
    assert MISPLACED_PASSWORD not in end["cause"]
    assert not [text for text in (*deployment.messages(), *deployment.logs()) if MISPLACED_PASSWORD in text]
