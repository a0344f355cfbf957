"""A fleet on the deployed template: each image builder by an execution of its own, side by side."""

import json
from uuid import uuid4

from tests.e2e.conftest import Deployment


def test_a_fleet_by_tag_starts_what_has_it_by_executions_with_its_name(deployment: Deployment) -> None:
    tag = uuid4().hex[:8]
    names = [f"{tag}-{number:02}" for number in range(6)]
    for name in names:
        deployment.stack.appstream.put_builder(name, tags={"Patch": tag})
    other = deployment.builder(tags={"Patch": "never"})
    request = {"Tag": {"Key": "Patch", "Value": tag}, "MaxConcurrency": 3}
    end = deployment.run(request, deployment.outputs["FleetAliasArn"])
    assert end["status"] == "SUCCEEDED", end
    output = json.loads(end["output"])
    assert (output["Requested"], output["Running"], output["Failed"]) == (6, 6, 0)
    assert output["Results"] == [
        {"Index": index, "Name": name, "Outcome": "Running", "Started": True} for index, name in enumerate(names)
    ]
    of_one = deployment.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    child = deployment.stepfunctions.describe_execution(executionArn=f"{of_one}:{end['name']}-5")
    assert json.loads(child["input"])["Name"] == names[5]
    assert deployment.state(other) == "STOPPED"


def test_valid_requests_run_and_each_invalid_one_has_one_message(deployment: Deployment) -> None:
    good, broken = deployment.builder("good"), deployment.builder("broken", state="FAILED")
    request = {"ImageBuilders": [broken, {"Nmae": 1}, good, good, 7]}
    end = deployment.run(request, deployment.outputs["FleetAliasArn"])
    assert (end["status"], end["error"]) == ("FAILED", "FleetStartIncomplete")
    cause = json.loads(end["cause"])
    assert (cause["Requested"], cause["Running"], cause["Failed"], cause["OperatorsNotified"]) == (4, 1, 3, True)
    assert [(result["Index"], result["Error"]) for result in cause["Results"]] == [
        (0, "ImageBuilderFailed"),
        (1, "InvalidRequest"),
        (3, "InvalidRequest"),
    ]
    assert deployment.state(good) == "RUNNING"
    # Each of the three names the fleet that started it, and the fleet adds no fourth.
    messages = deployment.messages(end["executionArn"])
    assert [message.splitlines()[0].endswith("did not start.") for message in messages] == [True] * 3
    assert all(f"by the execution {end['executionArn']}." in message for message in messages)
