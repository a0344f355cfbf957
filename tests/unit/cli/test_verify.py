"""What `make verify` makes of AWS's answers. What it asks: tests/workflow/test_recorder.py."""

import json
from typing import Any

import pytest

from cli import verify
from cli.account import run_command
from tests.unit.cli.conftest import Aws
from tests.unit.cli.test_deployment import IDENTITY, VALID

CASE = next(case for case in verify.recorded() if case["state"] == "Return result" and case["machine"] == "stop")


def answered(**changed: object) -> dict[str, Any]:
    recorded = {"variables": json.dumps(CASE["variables"])}
    answer = {"status": "SUCCEEDED", "output": json.dumps(CASE["answer"]["output"]), "inspectionData": recorded}
    return {**answer, **changed}


@pytest.fixture
def one_case(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(verify, "recorded", lambda partition="aws": [CASE])
    aws.answers = {"GetCallerIdentity": IDENTITY, "ValidateStateMachineDefinition": VALID, "TestState": answered()}
    return aws


def test_a_case_that_aws_answers_alike_passes(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(verify.verify) == 0
    assert "0 problems of the definitions; 0 of 1 cases differ." in capsys.readouterr().out
    assert one_case.called == ["GetCallerIdentity", *["ValidateStateMachineDefinition"] * 3, "TestState"]


def test_a_throttled_call_is_tried_again(one_case: Aws) -> None:
    throttled = ("ThrottlingException", "Rate exceeded")
    one_case.answers["TestState"] = [throttled, throttled, answered()]
    assert run_command(verify.verify) == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answered(nextState="Elsewhere"), 'nextState\n    recorded: null\n    AWS:      "Elsewhere"'),
        (answered(inspectionData={"variables": '{"polls": 3}'}), 'AWS:      {"polls": 3}'),
        (("InvalidDefinition", "Not so."), "(InvalidDefinition) when calling the TestState operation: Not so."),
    ],
    ids=["next-state", "variables", "refused"],
)
def test_what_differs_is_shown_in_full_and_fails(
    answer: Any, said: str, one_case: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    one_case.answers["TestState"] = answer
    assert run_command(verify.verify) == 1
    printed = capsys.readouterr().out
    assert said in printed
    assert "0 problems of the definitions; 1 of 1 cases differ." in printed


def test_a_definition_that_is_not_valid_fails(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"severity": "ERROR", "code": "MISSING", "message": "No Next.", "location": "/States/Return result"}
    failed = {"result": "FAIL", "diagnostics": [problem]}
    one_case.answers["ValidateStateMachineDefinition"] = [VALID, failed, VALID]
    assert run_command(verify.verify) == 1
    said = capsys.readouterr().out
    assert "stop: No Next. (/States/Return result)\n1 problems of the definitions; 0 of 1 cases differ." in said


def test_the_recording_names_the_partition_of_the_region() -> None:
    text = json.dumps(verify.recorded("aws-us-gov"))
    assert "arn:aws-us-gov:states:" in text
    assert "arn:aws:" not in text
