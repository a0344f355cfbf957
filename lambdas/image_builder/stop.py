"""What an answer of AppStream means for a stop: wait, stop now, done, or given up."""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from typing import Any, TypedDict

from lambdas.image_builder.appstream import ImageBuilder
from lambdas.image_builder.state import STARTING, Problem, ends_start, failure, readable, still_ran

# Between two polls while an auto-stop waits. Shorter than the shortest start, so that none by others goes unseen.
WAIT_SECONDS = 240
# Polls of the longest wait, a week: with every other one, 9 events each, below the 25,000 events of a history. Source:
# AWS Step Functions developer guide, Service quotas.
MOST_WAITS = 2_260
# Until the poll that confirms an answer by which an auto-stop would end: two in a row, as one may be stale. With
# WAIT_SECONDS less than 300, the shortest start: both polls meet a start by somebody else.
CONFIRM_SECONDS = 20
# For which an auto-stop waits for RUNNING: the longest TimeoutMinutes of a start, and an hour.
STARTING_MINUTES = 780


class Action(StrEnum):
    """What a stop does next; the workflow's Choice depends on it."""

    WAIT = "Wait"
    STOP = "Stop"
    DONE = "Done"
    TIMED_OUT = "TimedOut"


class StopTracking(TypedDict):
    """What the workflow carries from one poll to the next."""

    Ran: bool  # whether a poll has found RUNNING, and none a reboot or an update since
    RunningSince: int | None  # seconds waited when RUNNING was first found
    Ended: int  # polls in a row that found the start over
    Called: bool  # whether StopImageBuilder was accepted, or sent without an answer


class StopStatus(TypedDict):
    """What one poll means for a stop."""

    Action: Action
    Tracking: StopTracking  # for the next poll
    PollSeconds: int  # until the next poll
    DeadlineSeconds: int  # seconds of waiting after which the stop is given up
    Outcome: str  # Stopped, AlreadyStopped, Skipped or LeftAlone; empty unless done
    Why: str  # in a sentence; empty unless done
    ImageBuilder: dict[str, Any]  # as `readable` returns it
    Seen: dict[str, Any]  # {"ImageBuilder": the same}, for the Cause
    TimedOut: Problem  # the failure if the deadline has passed


def stop_status(
    builder: ImageBuilder,
    request: Mapping[str, Any],
    tracking: Mapping[str, Any],
    waited_seconds: int,
    *,
    called: bool = False,
    skipped: bool = False,
) -> StopStatus:
    """What a poll means for a stop.

    It takes what `state.status_of` takes, and whether StopImageBuilder was `called` just now (accepted, or sent without
    an answer), or `skipped` because of the tag.
    """
    state, ran, since = builder["State"], tracking.get("Ran", False), tracking.get("RunningSince")
    ended = ends_start(state, ran=ran)
    after: StopTracking = {
        # An answer that a second one has yet to confirm changes nothing else.
        "Ran": ran if ended else still_ran(state, ran=ran),
        "RunningSince": waited_seconds if since is None and state == "RUNNING" else since,
        "Ended": tracking.get("Ended", 0) + 1 if ended else 0,
        "Called": called or tracking.get("Called", False),
    }
    due = _due(request, after)
    deadline = (STARTING_MINUTES * 60 if due is None else due) + request["TimeoutMinutes"] * 60
    outcome, why = _outcome(state, request, after)
    if skipped:
        outcome, why = "Skipped", f"It carries the tag {request['SkipTag']}."
    found = readable(builder)
    if outcome:
        action = Action.DONE
    elif waited_seconds >= deadline:
        action = Action.TIMED_OUT
    elif state == "RUNNING" and due is not None and waited_seconds >= due and not called:
        action = Action.STOP
    else:
        action = Action.WAIT
    return {
        "Action": action,
        "Tracking": after,
        "PollSeconds": max(0, min(_pause(request, after, due, waited_seconds), deadline - waited_seconds)),
        "DeadlineSeconds": deadline,
        "Outcome": outcome,
        "Why": why,
        "ImageBuilder": found,
        "Seen": {"ImageBuilder": found},
        "TimedOut": _timed_out(state, request["TimeoutMinutes"], due),
    }


def _due(request: Mapping[str, Any], tracking: StopTracking) -> int | None:
    """Seconds of waiting when the stop is due; None while an auto-stop has yet to see RUNNING."""
    if not request["StopAfterMinutes"]:
        return 0
    since = tracking["RunningSince"]
    return None if since is None else since + request["StopAfterMinutes"] * 60


def _outcome(state: str, request: Mapping[str, Any], tracking: StopTracking) -> tuple[str, str]:
    if tracking["Called"]:
        if state == "STOPPED":
            return "Stopped", "This execution stopped it."
        if state in STARTING and tracking["Ended"] >= 2:
            return "Stopped", "This execution stopped it, and somebody has started it again since."
    if state in ("FAILED", "DELETING") and (tracking["Ended"] >= 2 or not request["StopAfterMinutes"]):
        return "LeftAlone", f"It is {state}: there is nothing to stop."
    if not request["StopAfterMinutes"] and state == "STOPPED":
        return "AlreadyStopped", "It was STOPPED, or somebody else stopped it."
    if request["StopAfterMinutes"] and not tracking["Called"] and tracking["Ended"] >= 2:
        return "LeftAlone", f"It is {state}: the start that this auto-stop was scheduled for is over."
    return "", ""


def _pause(request: Mapping[str, Any], tracking: StopTracking, due: int | None, waited_seconds: int) -> int:
    if tracking["Ended"] == 1 and request["StopAfterMinutes"] and not tracking["Called"]:
        return CONFIRM_SECONDS
    if due is None or waited_seconds < due:
        pause = max(WAIT_SECONDS, ceil(request["StopAfterMinutes"] * 60 / MOST_WAITS))
        return pause if due is None else int(min(pause, due - waited_seconds))
    # A tenth of the time since it was due, from 30 seconds to 5 minutes.
    return int(min(max(30, (waited_seconds - due) // 10), 300))


# By the last known State.
_ADVICE = {
    "RUNNING": "Stop the image builder in the AppStream console: it is billed while it runs.",
    "STOPPING": "The stop was accepted, and does not end. Open an AWS Support case if it is STOPPING for much longer.",
    "SNAPSHOTTING": "An image is being created. It cannot be stopped until that has ended: "
    "then stop it if it is RUNNING.",
}


def _timed_out(state: str, minutes: int, due: int | None) -> Problem:
    since = f"{minutes} minutes after it was due to be stopped"
    if due is None:
        since = f"{STARTING_MINUTES // 60} hours after its start"
    other = f"No action is possible while it is {state}. Stop it when it is RUNNING: it is billed from then on."
    message = f"The image builder is still {state} {since}."
    return failure("ImageBuilderStopTimedOut", "notify", message, _ADVICE.get(state, other))
