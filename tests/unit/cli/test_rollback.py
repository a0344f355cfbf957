"""Which versions `make rollback TO=previous` moves the aliases to, from what AWS shows of versions and deployments."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from cli import rollback
from cli.account import AccountError
from cli.deployment import OUTPUTS, Deployment, Resource
from cli.smoke import subscriptions
from infra.config.settings import Config as Settings

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/S/1"


def at(minute: int) -> datetime:
    return datetime(2026, 1, 1, 12, minute, tzinfo=UTC)


def machine(name: str) -> str:
    return f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"


def deployment(monkeypatch: pytest.MonkeyPatch, versions: Mapping[str, list[int]], began: list[int]) -> Mock:
    """A stack on the last of the versions of each workflow. Args: versions: minutes of publication. began: likewise."""
    outputs = {}
    for name, (alias, state_machine) in OUTPUTS.items():
        outputs |= {alias: f"{machine(name)}:live", state_machine: machine(name)}
    resources = [
        Resource("V", "AWS::StepFunctions::StateMachineVersion", f"{machine(name)}:{len(minutes)}")
        for name, minutes in versions.items()
    ]
    client = Mock()
    client.list_state_machine_versions.side_effect = lambda stateMachineArn, maxResults: {  # noqa: N803
        "stateMachineVersions": [
            {"stateMachineVersionArn": f"{stateMachineArn}:{number}", "creationDate": at(minute)}
            for number, minute in enumerate(versions[stateMachineArn.rpartition(":")[2]], 1)
        ]
    }
    client.describe_state_machine_alias.side_effect = lambda stateMachineAliasArn: {  # noqa: N803
        "routingConfiguration": [
            {"stateMachineVersionArn": next(r.id for r in resources if r.id.startswith(stateMachineAliasArn[:-4]))}
        ]
    }
    event = {"ResourceType": "AWS::CloudFormation::Stack", "PhysicalResourceId": STACK, "StackId": STACK}
    events = [{**event, "ResourceStatus": "UPDATE_IN_PROGRESS", "Timestamp": at(minute)} for minute in began]
    client.get_paginator.return_value.paginate.return_value = [{"StackEvents": events}]
    stack = Deployment(boto3.Session(), Settings("S"), "UPDATE_COMPLETE", outputs, resources)
    monkeypatch.setattr(Deployment, "client", lambda _, service: client)
    monkeypatch.setattr(Deployment, "stepfunctions", client)
    monkeypatch.setattr(rollback, "deployed", lambda: stack)
    return client


def moved(client: Mock) -> dict[str, str]:
    calls = [call.kwargs for call in client.update_state_machine_alias.call_args_list]
    return {
        call["stateMachineAliasArn"].split(":")[6]: call["routingConfiguration"][0]["stateMachineVersionArn"][-1]
        for call in calls
    }


def test_all_three_go_back_behind_the_last_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"start": [1, 11, 21], "stop": [1, 20], "fleet": [2, 22]}
    client = deployment(monkeypatch, versions, began=[0, 10, 19])
    assert rollback.rollback("previous") == 0
    assert moved(client) == {"start": "2", "stop": "1", "fleet": "1"}


def test_a_workflow_that_the_last_deployment_did_not_change_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a deployment that published no version, such as one of a subscriber, does not count."""
    client = deployment(monkeypatch, {"start": [1, 21], "stop": [1], "fleet": [2]}, began=[0, 19, 30])
    assert rollback.rollback("previous") == 0
    assert moved(client) == {"start": "1"}


@pytest.mark.parametrize(
    ("began", "words"), [([0], "no version from before the last deployment"), ([], "no longer shows")]
)
def test_without_an_earlier_version_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, began: list[int], words: str
) -> None:
    client = deployment(monkeypatch, {"start": [1], "stop": [1], "fleet": [2]}, began)
    with pytest.raises(AccountError, match=words):
        rollback.rollback("previous")
    assert moved(client) == {}
