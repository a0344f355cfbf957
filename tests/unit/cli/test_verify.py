"""What `make verify` makes of AWS's answers. What it asks: tests/workflow/test_recorder.py."""

import json

import pytest

from cli import verify
from tests.unit.cli.conftest import Answer, Aws
from tests.unit.cli.test_deployment import IDENTITY, VALID

CASE = next(case for case in verify.recorded() if case["state"] == "Return result" and case["machine"] == "stop")


def answered(**changed: object) -> Answer:
    return 200, json.dumps({"status": "SUCCEEDED", "output": json.dumps(CASE["answer"]["output"]), **changed})


THROTTLED = 400, json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})
AS_RECORDED = answered(inspectionData={"variables": json.dumps(CASE["variables"])})


@pytest.fixture
def one_case(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setattr(verify, "recorded", lambda partition="aws": [CASE])
    aws.answers = {"GetCallerIdentity": IDENTITY, "ValidateStateMachineDefinition": VALID, "TestState": AS_RECORDED}
    return aws


def test_a_case_that_aws_answers_alike_passes(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main() == 0
    assert "0 problems of the definitions; 0 of 1 cases differ." in capsys.readouterr().out
    assert one_case.called == ["GetCallerIdentity", *["ValidateStateMachineDefinition"] * 3, "TestState"]


def test_a_throttled_call_is_tried_again(one_case: Aws) -> None:
    one_case.answers["TestState"] = [THROTTLED, THROTTLED, AS_RECORDED]
    assert verify.main() == 0


def test_what_differs_is_shown_in_full_and_fails(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    one_case.answers["TestState"] = answered(nextState="Elsewhere", inspectionData={"variables": '{"polls": 3}'})
    assert verify.main() == 1
    said = capsys.readouterr().out
    assert 'nextState\n    recorded: null\n    AWS:      "Elsewhere"' in said
    assert 'AWS:      {"polls": 3}' in said
    assert "1 of 1 cases differ" in said


def test_a_state_that_aws_refuses_differs(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    one_case.answers["TestState"] = 400, json.dumps({"__type": "InvalidDefinition", "message": "Not so."})
    assert verify.main() == 1
    assert "(InvalidDefinition) when calling the TestState operation: Not so." in capsys.readouterr().out


def test_a_definition_that_is_not_valid_fails(one_case: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"severity": "ERROR", "code": "MISSING", "message": "No Next.", "location": "/States/Return result"}
    failed = 200, json.dumps({"result": "FAIL", "diagnostics": [problem]})
    one_case.answers["ValidateStateMachineDefinition"] = [VALID, failed, VALID]
    assert verify.main() == 1
    said = capsys.readouterr().out
    assert "stop: No Next. (/States/Return result)\n1 problems of the definitions; 0 of 1 cases differ." in said


def test_the_recording_names_the_partition_of_the_region() -> None:
    text = json.dumps(verify.recorded("aws-us-gov"))
    assert "arn:aws-us-gov:states:" in text
    assert "arn:aws:" not in text
