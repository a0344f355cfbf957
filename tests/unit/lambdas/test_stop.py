import json
from typing import Any

import pytest

from lambdas.image_builder.request import parse_stop_request
from lambdas.image_builder.stop import CONFIRM_SECONDS, STARTING_MINUTES, WAIT_SECONDS, Action, stop_status

MINUTE = 60


def polls(states: list[tuple[int, str]], **request: Any) -> Any:
    """The status of the last of some polls, each at seconds waited."""
    tracking: Any = {}
    found: Any = None
    for waited, state in states:
        found = stop_status({"State": state}, parse_stop_request({"Name": "gold", **request}), tracking, waited)
        tracking = json.loads(json.dumps(found["Tracking"]))
    return found


@pytest.mark.parametrize(
    ("states", "request_", "action", "seconds"),
    [
        ([(0, "RUNNING")], {}, Action.STOP, 30),
        ([(0, "PENDING")], {}, Action.WAIT, 30),
        ([(0, "FAILED")], {}, Action.DONE, 30),
        ([(3_000, "PENDING")], {}, Action.WAIT, 300),
        ([(3_590, "PENDING")], {}, Action.WAIT, 10),
        ([(3_600, "PENDING")], {}, Action.TIMED_OUT, 0),
        ([(0, "PENDING")], {"StopAfterMinutes": 5}, Action.WAIT, WAIT_SECONDS),
        ([(0, "RUNNING")], {"StopAfterMinutes": 1}, Action.WAIT, 60),
        ([(100, "RUNNING"), (160, "RUNNING")], {"StopAfterMinutes": 1}, Action.STOP, 30),
        # With CONFIRM_SECONDS less than 300: two polls find the shortest start by somebody else.
        ([(0, "RUNNING")], {"StopAfterMinutes": 10_080}, Action.WAIT, 268),
        ([(0, "PENDING"), (STARTING_MINUTES * MINUTE, "PENDING")], {"StopAfterMinutes": 5}, Action.WAIT, WAIT_SECONDS),
        ([((STARTING_MINUTES + 60) * MINUTE, "PENDING")], {"StopAfterMinutes": 5}, Action.TIMED_OUT, 0),
        ([(0, "RUNNING"), (240, "PENDING")], {"StopAfterMinutes": 60}, Action.WAIT, CONFIRM_SECONDS),
        ([(0, "RUNNING"), (240, "PENDING"), (260, "RUNNING")], {"StopAfterMinutes": 60}, Action.WAIT, WAIT_SECONDS),
        ([(0, "RUNNING"), (240, "PENDING"), (260, "PENDING")], {"StopAfterMinutes": 60}, Action.DONE, WAIT_SECONDS),
    ],
)
def test_what_to_do_and_when_to_poll_next(
    states: list[tuple[int, str]], request_: dict[str, Any], action: Action, seconds: int
) -> None:
    found = polls(states, **request_)
    assert (found["Action"], found["PollSeconds"]) == (action, seconds)


def test_the_deadline_follows_the_time_when_the_stop_is_due() -> None:
    request = {"StopAfterMinutes": 30, "TimeoutMinutes": 10}
    starting = polls([(0, "PENDING")], **request)
    assert starting["DeadlineSeconds"] == (STARTING_MINUTES + 10) * MINUTE
    assert "still PENDING 13 hours after its start" in starting["TimedOut"]["Message"]
    assert polls([(0, "PENDING"), (500, "RUNNING")], **request)["DeadlineSeconds"] == 500 + 40 * MINUTE
    assert polls([(0, "RUNNING")], TimeoutMinutes=10)["DeadlineSeconds"] == 10 * MINUTE


def test_a_call_is_waited_for_and_repeated_if_the_next_poll_finds_that_it_did_not_take_effect() -> None:
    request = parse_stop_request({"Name": "gold"})
    after = stop_status({"State": "RUNNING"}, request, {}, 0, called=True)
    assert after["Action"] is Action.WAIT
    assert stop_status({"State": "RUNNING"}, request, after["Tracking"], 30)["Action"] is Action.STOP
