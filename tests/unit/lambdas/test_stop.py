import json
from typing import Any

import pytest

from lambdas.image_builder.request import parse_stop_request
from lambdas.image_builder.stop import CONFIRM_SECONDS, STARTING_MINUTES, WAIT_SECONDS, Action, stop_status

MINUTE = 60
STARTED_AGAIN = "This execution stopped it, and somebody has started it again since."


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


@pytest.mark.parametrize(
    ("state", "message", "advice"),
    [
        ("RUNNING", "still RUNNING 60 minutes after it was due to be stopped.", "it is billed while it runs"),
        ("SNAPSHOTTING", "still SNAPSHOTTING 60 minutes", "An image is being created"),
        ("STOPPING", "still STOPPING 60 minutes", "AWS Support"),
        ("PENDING", "still PENDING 60 minutes", "No action is possible while it is PENDING"),
    ],
)
def test_a_stop_that_is_given_up_has_advice_that_is_possible(state: str, message: str, advice: str) -> None:
    timed_out = polls([(0, state)])["TimedOut"]
    assert (timed_out["Error"], timed_out["Route"]) == ("ImageBuilderStopTimedOut", "notify")
    assert message in timed_out["Message"]
    assert advice in timed_out["Advice"]


@pytest.mark.parametrize(
    ("states", "outcome", "why"),
    [
        (["RUNNING", "STOPPED"], "Stopped", "This execution stopped it."),
        (["RUNNING", "STOPPING"], "", ""),
        (["RUNNING", "RUNNING"], "", ""),
        (["RUNNING", "PENDING"], "", ""),
        (["RUNNING", "PENDING", "PENDING"], "Stopped", STARTED_AGAIN),
    ],
)
def test_after_the_call_the_polls_show_whether_it_took_effect(states: list[str], outcome: str, why: str) -> None:
    request = parse_stop_request({"Name": "gold"})
    found = stop_status({"State": states[0]}, request, {}, 0, called=True)
    assert found["Action"] is Action.WAIT
    for state in states[1:]:
        found = stop_status({"State": state}, request, found["Tracking"], 30)
    assert (found["Outcome"], found["Why"]) == (outcome, why)
    # A call that did not take effect is repeated.
    assert (found["Action"] is Action.STOP) is (states[-1] == "RUNNING")
