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
        ([(3_000, "PENDING")], {}, Action.WAIT, 300),
        ([(3_590, "PENDING")], {}, Action.WAIT, 10),
        ([(3_600, "PENDING")], {}, Action.TIMED_OUT, 0),
        ([(0, "PENDING")], {"StopAfterMinutes": 5}, Action.WAIT, WAIT_SECONDS),
        ([(0, "RUNNING")], {"StopAfterMinutes": 1}, Action.WAIT, 60),
        ([(100, "RUNNING"), (160, "RUNNING")], {"StopAfterMinutes": 1}, Action.STOP, 30),
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


def test_the_shortest_start_by_somebody_else_is_found_by_two_polls() -> None:
    assert 268 + CONFIRM_SECONDS < 300


def test_the_deadline_follows_the_time_when_the_stop_is_due() -> None:
    request = {"StopAfterMinutes": 30, "TimeoutMinutes": 10}
    assert polls([(0, "PENDING")], **request)["DeadlineSeconds"] == (STARTING_MINUTES + 10) * MINUTE
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


def test_an_auto_stop_that_never_sees_running_says_so() -> None:
    assert (
        "still PENDING 13 hours after its start" in polls([(0, "PENDING")], StopAfterMinutes=5)["TimedOut"]["Message"]
    )


@pytest.mark.parametrize(
    ("states", "outcome", "why"),
    [
        (["RUNNING", "STOPPED"], "Stopped", "This execution stopped it."),
        (["RUNNING", "STOPPING"], "", ""),
        (["RUNNING", "RUNNING"], "", ""),
        (["RUNNING", "PENDING"], "", ""),
        (
            ["RUNNING", "PENDING", "PENDING"],
            "Stopped",
            "This execution stopped it, and somebody has started it again since.",
        ),
    ],
)
def test_after_the_call_the_polls_show_whether_it_took_effect(states: list[str], outcome: str, why: str) -> None:
    request = parse_stop_request({"Name": "gold"})
    tracking: Any = stop_status({"State": states[0]}, request, {}, 0, called=True)["Tracking"]
    for state in states[1:]:
        found = stop_status({"State": state}, request, tracking, 30)
        tracking = found["Tracking"]
    assert (found["Outcome"], found["Why"]) == (outcome, why)


def test_a_call_that_did_not_take_effect_is_repeated_by_the_next_poll() -> None:
    request = parse_stop_request({"Name": "gold"})
    called = stop_status({"State": "RUNNING"}, request, {}, 0, called=True)
    assert called["Action"] is Action.WAIT
    assert stop_status({"State": "RUNNING"}, request, called["Tracking"], 30)["Action"] is Action.STOP
