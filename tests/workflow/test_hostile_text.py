"""Text of requesters and of AWS, through each workflow to its notification: nothing of it acts in a mail or a chat."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambdas import notify_operators
from local.fake_appstream.faults import Fault
from tests.unit.lambdas.test_notification import check_chat, check_mail
from tests.workflow.conftest import World
from tests.workflow.engine import function_error

HOSTILE = "x\n\nWHAT TO DO\n\u202e1. Pay at https://evil.example/x or www.evil.example/y <!channel> *now* `id` [a](b)"
EVENT = dict.fromkeys(("detail-type", "source", "time"), HOSTILE) | {"resources": [HOSTILE]}


@pytest.mark.parametrize(
    ("workflow", "request_"),
    [
        ("run", {"Name": HOSTILE}),
        ("run", {HOSTILE: HOSTILE, "Name": "gold"}),
        ("run", {**EVENT, "detail": {"Name": "gold"}}),
        ("run", {"Name": "gold", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": HOSTILE}),
        ("run", {"Name": "gold", "SkipTag": HOSTILE, "AppstreamAgentVersion": HOSTILE}),
        ("run_stop", {"Name": HOSTILE}),
        ("run_stop", {"Name": "gold", "SkipTag": HOSTILE}),
        ("run_stop", {"Name": "gold"}),
        ("run_fleet", {"Tag": {"Key": "k", "Value": HOSTILE}}),
        ("run_fleet", {"ImageBuilders": [HOSTILE, {"Name": "a", HOSTILE: HOSTILE}]}),
        ("run_fleet", {"ImageBuilders": ["a"], "Defaults": {HOSTILE: HOSTILE}}),
    ],
)
def test_hostile_text_is_inert_in_the_notification_of_every_workflow(
    world: World, monkeypatch: pytest.MonkeyPatch, workflow: str, request_: Any
) -> None:
    # AWS repeats what a request says.
    world.fake.faults.append(Fault.parse({"error": {"code": "OddException", "message": HOSTILE}, "times": None}))
    world.fake.put_builder("gold")
    monkeypatch.setattr(notify_operators, "settings", replace(notify_operators.settings, chat=True))
    assert getattr(world, workflow)(request_).status == "FAILED"
    assert world.topic.messages
    for message in world.topic.messages:
        forms = json.loads(message["Message"])
        check_mail(forms["default"])
        check_chat(forms["https"])
        assert message["Subject"].isprintable()


@pytest.mark.parametrize("workflow", ["run", "run_stop", "run_fleet"])
def test_an_input_that_the_runtime_cannot_read_is_an_invalid_request(world: World, workflow: str) -> None:
    # Of 2,000 levels: awslambdaric answers before a handler runs. Source: its lambda_runtime_marshaller.py.
    unreadable = function_error("Runtime.UnmarshalError", "Unable to unmarshal input: maximum recursion depth exceeded")
    world.plan({function: [lambda *_: unreadable] for function in ("validate_request", "list_image_builders")})
    execution = getattr(world, workflow)({"Name": "gold"})
    assert world.failure(execution) == ("InvalidRequest", "fail", 1)
    assert "nests too deeply" in execution.cause["Message"]
    assert "describes it" in execution.cause["Advice"]
    assert world.fake.calls == []
