"""What the functions hold as a secret shows nowhere: not in histories, logs, metrics, outputs or messages."""

from collections.abc import Iterator

import pytest

from local.emulator import CREDENTIALS, Emulator
from tests import scenarios
from tests.e2e.conftest import Deployment, Played

pytestmark = pytest.mark.xdist_group("e2e")

SHOWN_ONLY_WHERE_MEANT = "Pa55-in-a-wrong-field"


def everything_written(stack: Emulator) -> Iterator[str]:
    logs, stepfunctions = stack.client("logs"), stack.client("stepfunctions")
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            yield from (event["message"] for event in page["events"])
    for machine in stepfunctions.list_state_machines()["stateMachines"]:
        pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine["stateMachineArn"])
        for execution in (each for page in pages for each in page["executions"]):
            arn = execution["executionArn"]
            yield str(stepfunctions.describe_execution(executionArn=arn))
            for events in stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn):
                yield str(events["events"])


def test_no_secret_is_written_anywhere(deployment: Deployment, played: Played) -> None:
    for scenario in scenarios.ALL:
        played.outcome(scenario)
    _, secret = CREDENTIALS
    written = [*everything_written(deployment.stack), *deployment.messages()]
    assert len(written) > 1_000
    assert not [text for text in written if secret in text]


def test_a_password_in_a_field_that_is_none_goes_no_further_than_the_input(deployment: Deployment) -> None:
    execution = deployment.start({"Name": "gold", "Password": SHOWN_ONLY_WHERE_MEANT})
    end = deployment.wait(execution)
    assert end["error"] == "InvalidRequest"
    assert SHOWN_ONLY_WHERE_MEANT not in end["cause"]
    assert not [message for message in deployment.messages() if SHOWN_ONLY_WHERE_MEANT in message]
    logs = deployment.stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        assert not [event for page in pages for event in page["events"] if SHOWN_ONLY_WHERE_MEANT in event["message"]]
