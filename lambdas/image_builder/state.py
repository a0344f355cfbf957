"""What an answer of AppStream means for a start: phase, whose start it is, when to poll next, what to say of it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict

from lambdas.image_builder.appstream import ImageBuilder
from lambdas.image_builder.errors import ADVICE, GENERIC_CODES, RoutedError, cut


class Phase(StrEnum):
    """What a start does next about an image builder; the workflow's Choice depends on it."""

    STOPPED = "Stopped"  # can be started; no other phase can be
    TRANSITIONAL = "Transitional"  # between two states: no action is possible until it is over
    RUNNING = "Running"
    FAILED = "Failed"
    DELETING = "Deleting"


STARTING = ("PENDING", "UPDATING_AGENT")
MAINTENANCE = ("REBOOTING", "UPDATING")
ENDED = ("STOPPING", "STOPPED", "DELETING", "FAILED")
_SYNCING = ("PENDING_QUALIFICATION", "PENDING_SYNCING_APPS", "SYNCING_APPS", "PENDING_IMAGE_IMPORT")

# Every ImageBuilderState that AppStream models. Source: AppStream 2.0 API reference, ImageBuilder, State.
PHASES: Mapping[str, Phase] = {
    **dict.fromkeys((*STARTING, *MAINTENANCE, *_SYNCING, "STOPPING", "SNAPSHOTTING"), Phase.TRANSITIONAL),
    "STOPPED": Phase.STOPPED,
    "RUNNING": Phase.RUNNING,
    "FAILED": Phase.FAILED,
    "DELETING": Phase.DELETING,
}

# After the function that starts has broken off, RUNNING within so many seconds of waiting is no start of its own: a
# start takes at least 5 minutes (AppStream 2.0 administration guide, Image Builder Actions), tasks that hang included.
SURE_SECONDS = 100
# Characters for the image builder as JSON, of a Cause's 32,768. Source: AWS Step Functions API reference, HistoryEvent
# details.
MAX_BUILDER = 12_000
_MOST_WANTED = ("Name", "State", "StateChangeReason", "Arn", "ImageBuilderErrors")
_MAX_REASONS = 6_000
_MAX_ADVICE = 1_500
UNKNOWN_ADVICE = "See the image builder in the AppStream console."


class Claim(StrEnum):
    """Whether the start that is under way is this execution's own."""

    NONE = "None"
    PRESUMED = "Presumed"  # this execution sent the call, and no answer came back
    CONFIRMED = "Confirmed"  # AppStream accepted this execution's call


class Tracking(TypedDict):
    """What the workflow carries from one poll to the next."""

    Claim: Claim  # on the start that is under way
    Ran: bool  # whether a poll has found RUNNING under this claim, and no reboot or update since
    SentSeconds: int  # seconds waited when the call to start was sent under this claim
    Crashed: bool  # whether the function broke off under this claim: then the call may not have been sent
    AgentVersionBefore: str | None  # AppstreamAgentVersion before the start; None where AppStream does not say
    Progress: list[dict[str, Any]]  # the states that polls found, in order, with the seconds waited until then


Problem = dict[str, str]
"""As `failure` makes it."""


class BuilderStatus(TypedDict):
    """What one poll means for the workflow."""

    Phase: Phase
    Tracking: Tracking  # for the next poll
    PollSeconds: int  # until the next poll
    ImageBuilder: dict[str, Any]  # as `readable` returns it
    Seen: dict[str, Any]  # {"ImageBuilder": the same}, for the Cause
    Result: dict[str, Any]  # of the execution if it ends now, without Polls and the auto-stop that is scheduled
    Problem: Problem  # the failure that the phase means, if it means one
    TimedOut: Problem  # the failure if the deadline has passed
    DryRun: dict[str, Any]  # what a run would do: WouldStart, Route and Why
    LostAnswer: Problem | None  # why it is not known whether AppStream took the call to start


_NEW = {
    "Claim": Claim.NONE,
    "Ran": False,
    "SentSeconds": 0,
    "Crashed": False,
    "AgentVersionBefore": None,
    "Progress": [],
}


def failure(error: str, route: str, message: str, advice: str) -> Problem:
    """Why a start or a stop ends without success, as the workflow fails with it."""
    return {"Error": error, "Route": route, "Message": message, "Advice": advice}


def phase_of(builder: ImageBuilder) -> Phase:
    """The phase of an image builder. An unknown state counts as transitional: the deadline bounds it."""
    return PHASES.get(builder["State"], Phase.TRANSITIONAL)


def ends_start(state: str, *, ran: bool) -> bool:
    """Whether a state shows that a start which was under way is over.

    The workflows that start and stop share this rule. PENDING after RUNNING is somebody else's start, unless a poll has
    found a reboot or an update between: `ran` is whether an earlier poll found RUNNING, and none those since.
    """
    return state in ENDED or (ran and state in STARTING)


def still_ran(state: str, *, ran: bool) -> bool:
    """Whether `ran` holds after a poll that found this state."""
    return state == "RUNNING" or (ran and state not in MAINTENANCE)


def status_of(
    builder: ImageBuilder, request: Mapping[str, Any], tracking: Mapping[str, Any], waited_seconds: int
) -> BuilderStatus:
    """What a poll means for a start. The request is a checked one; tracking is that of the poll before, at first {}."""
    state, before = builder["State"], {**_NEW, **tracking}
    # The function broke off before it said what it had found: an image builder that was RUNNING.
    was_running = state == "RUNNING" and before["Crashed"] and waited_seconds - before["SentSeconds"] < SURE_SECONDS
    over = was_running or ends_start(state, ran=before["Ran"])
    claim = Claim.NONE if over else Claim(before["Claim"])
    ran = claim is not Claim.NONE and still_ran(state, ran=before["Ran"])
    return _status(builder, request, {**before, "Claim": claim, "Ran": ran}, waited_seconds)


def status_of_start(
    builder: ImageBuilder,
    request: Mapping[str, Any],
    tracking: Mapping[str, Any],
    waited_seconds: int,
    *,
    before: ImageBuilder,
    lost: RoutedError | None = None,
) -> BuilderStatus:
    """What AppStream's answer to a call to start means.

    It takes what `status_of` takes, the image builder as it was described `before` the call, and why the answer was
    `lost`; None where AppStream accepted the call.
    """
    after = {
        **_NEW,
        "Claim": Claim.PRESUMED if lost else Claim.CONFIRMED,
        "SentSeconds": waited_seconds,
        "AgentVersionBefore": before.get("AppstreamAgentVersion"),
        "Progress": tracking.get("Progress", []),
    }
    status = _status(builder, request, after, waited_seconds)
    if status["Phase"] is Phase.STOPPED:
        # The call was sent: an answer that still says STOPPED must not start it once more.
        status["Phase"] = Phase.TRANSITIONAL
    if lost:
        report = lost.report()
        message = f"The last call to start it got no clear answer. {report['Message']}"
        status["LostAnswer"] = failure(type(lost).__name__, report["Route"], message, report["Advice"])
    return status


def poll_seconds(waited_seconds: int, request: Mapping[str, Any], *, since_start: int | None) -> int:
    """Seconds until the next poll.

    After an own start, `since_start` seconds ago: after one minute, as it may fail at once, and after four, before
    which none becomes RUNNING. Then every PollIntervalSeconds, later a fortieth of the time waited, at most 5 minutes;
    the last poll is at the deadline. docs/performance.md compares this with other schedules.
    """
    interval: int = request["PollIntervalSeconds"]
    first = 0
    if since_start is not None and since_start < 240:
        first = (60 if since_start < 60 and interval < 60 else 240) - since_start
    remaining: int = request["TimeoutMinutes"] * 60 - waited_seconds
    return max(0, min(max(first, interval, waited_seconds // 40), 300, remaining))


def readable(builder: ImageBuilder) -> dict[str, Any]:
    """An image builder as JSON: every field that AppStream returned, timestamps such as 2026-01-31T22:00:00Z.

    One that takes more than MAX_BUILDER characters keeps its state and the reasons for it, and of the rest what fits.
    """
    found: dict[str, Any] = json.loads(json.dumps(builder, default=_timestamp))
    if len(json.dumps(found)) <= MAX_BUILDER:
        return found
    kept: dict[str, Any] = {}
    for key in sorted(found, key=lambda key: key not in _MOST_WANTED):
        value = _cut(found[key])
        if len(json.dumps({**kept, key: value})) <= MAX_BUILDER:
            kept[key] = value
    return kept


def advice_for(member: str, code: str | None) -> str:
    """One sentence on what to do about a code of StateChangeReason or ImageBuilderErrors."""
    entry = ADVICE[member].get(code or "")
    return entry["Advice"] if entry else UNKNOWN_ADVICE


def _status(
    builder: ImageBuilder, request: Mapping[str, Any], before: Mapping[str, Any], waited_seconds: int
) -> BuilderStatus:
    state, phase, progress = builder["State"], phase_of(builder), before["Progress"]
    if phase is Phase.RUNNING and request["RequireNetworkInterface"] and not _has_network_interface(builder):
        phase = Phase.TRANSITIONAL
    if not progress or progress[-1]["State"] != state:
        progress = [*progress, {"State": state, "WaitedSeconds": waited_seconds}]
    tracking: Tracking = {
        "Claim": before["Claim"],
        "Ran": before["Ran"],
        "SentSeconds": before["SentSeconds"],
        "Crashed": before["Crashed"],
        "AgentVersionBefore": before["AgentVersionBefore"] or builder.get("AppstreamAgentVersion"),
        "Progress": progress[-50:],
    }
    found = readable(builder)
    since_start = None if tracking["Claim"] is Claim.NONE else waited_seconds - tracking["SentSeconds"]
    return {
        "Phase": phase,
        "Tracking": tracking,
        "PollSeconds": poll_seconds(waited_seconds, request, since_start=since_start),
        "ImageBuilder": found,
        "Seen": {"ImageBuilder": found},
        "Result": _result(found, request, tracking, waited_seconds),
        "Problem": _problem(builder, phase),
        "TimedOut": _timed_out(state, request["TimeoutMinutes"]),
        "DryRun": _dry_run(state, phase),
        "LostAnswer": None,
    }


def _has_network_interface(builder: ImageBuilder) -> bool:
    # RUNNING can precede it. Source: AppStream 2.0 API reference, NetworkAccessConfiguration.
    interface = builder.get("NetworkAccessConfiguration", {})
    return bool(interface.get("EniPrivateIpAddress") or interface.get("EniIpv6Addresses"))


def _problem(builder: ImageBuilder, phase: Phase) -> Problem:
    """The failure that a phase means: of FAILED, of DELETING, and of STOPPED after the last attempt to start."""
    if phase is Phase.DELETING:
        advice = "Name another image builder, or create this one again when it is gone."
        return failure("ImageBuilderDeleting", "fail", "The image builder is being deleted.", advice)
    again, then = "", "A FAILED image builder cannot be started: delete it, and create it again once this is fixed."
    if phase is Phase.STOPPED:
        again = " again, although it was started"
        then = "AWS CloudTrail lists who called StopImageBuilder. Start the execution again once this is fixed."
    reported = list(_reported(builder))
    reasons = " ".join(reason for _, reason, _ in reported) or "AppStream gives no reason."
    message = f"The image builder is {builder['State']}{again}. {reasons}"
    # Where a code says why, the advice for those that do not is left out.
    specific = [advice for code, _, advice in reported if code not in GENERIC_CODES and advice != UNKNOWN_ADVICE]
    advice = " ".join(dict.fromkeys(specific or [advice for *_, advice in reported]))[:_MAX_ADVICE] or UNKNOWN_ADVICE
    return failure("ImageBuilderFailed", "notify", cut(message, _MAX_REASONS), f"{advice} {then}")


def _reported(builder: ImageBuilder) -> Iterator[tuple[str | None, str, str]]:
    """What AppStream reports as wrong: code, sentence and advice of each; codes that do not say why come last."""
    reason = builder.get("StateChangeReason", {})
    found = [("StateChangeReason", reason.get("Code"), reason.get("Message"))] if reason else []
    for error in builder.get("ImageBuilderErrors", []):
        found.append(("ImageBuilderErrors", error.get("ErrorCode"), error.get("ErrorMessage")))
    for member, code, message in sorted(found, key=lambda each: each[1] in GENERIC_CODES):
        reason = ": ".join(filter(None, [code, message])) or "no code"
        yield code, reason if reason.endswith(".") else f"{reason}.", advice_for(member, code)


def _timed_out(state: str, minutes: int) -> Problem:
    """The failure of a start whose deadline has passed."""
    if state == "RUNNING":
        message = f"The image builder is RUNNING, but has no network interface after {minutes} minutes of waiting."
        advice = "It is billed now: stop it if nobody can use it. Check the subnet in its VpcConfig for free addresses."
    else:
        message = f"The image builder is still {state} after {minutes} minutes of waiting."
        advice = (
            "See the image builder in the AppStream console. Start the execution again to go on waiting, with a larger "
            "TimeoutMinutes if starts are this slow."
        )
    return failure("ImageBuilderStartTimedOut", "notify", message, advice)


def _dry_run(state: str, phase: Phase) -> dict[str, Any]:
    without = " without a network interface" if state == "RUNNING" else ""
    route, why = {
        Phase.STOPPED: ("start", "It is STOPPED: a run would start it."),
        Phase.RUNNING: ("done", "It is RUNNING: a run would report that and do nothing."),
        Phase.TRANSITIONAL: (
            "wait",
            f"It is {state}{without}: a run would wait for it, and start it when it is STOPPED.",
        ),
        Phase.FAILED: ("notify", "It is FAILED, and cannot be started: a run would fail as ImageBuilderFailed."),
        Phase.DELETING: ("fail", "It is being deleted: a run would fail as ImageBuilderDeleting."),
    }[phase]
    return {"WouldStart": phase is Phase.STOPPED, "Route": route, "Why": why}


def _result(
    builder: dict[str, Any], request: Mapping[str, Any], tracking: Tracking, waited_seconds: int
) -> dict[str, Any]:
    claim = tracking["Claim"]
    advice = "Connect to it from the AppStream console, and stop it when done: it is billed while it runs."
    if claim is Claim.PRESUMED:
        advice += " The answer to the call was lost: the start is presumed to be this execution's own."
    result = {
        "Outcome": "AlreadyRunning" if claim is not Claim.CONFIRMED and not waited_seconds else "Running",
        "Started": claim is Claim.CONFIRMED,
        "ImageBuilder": builder,
        "WaitedSeconds": waited_seconds,
        "Advice": advice,
    }
    if "AppstreamAgentVersion" in request:
        now = {"After": "AppstreamAgentVersion", "LatestAppstreamAgentVersion": "LatestAppstreamAgentVersion"}
        result["Agent"] = {
            "Requested": request["AppstreamAgentVersion"],
            "Before": tracking["AgentVersionBefore"],
            **{name: builder[member] for name, member in now.items() if member in builder},
            "Progress": tracking["Progress"],
        }
    if "StopAfterMinutes" in request and claim is Claim.NONE:
        why = "This execution is not known to have started the image builder, and schedules no auto-stop."
        result |= {"Advice": f"{advice} {why}", "AutoStop": {"Execution": None, "Why": why}}
    return result


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cut(value: Any) -> Any:
    """The same value with long texts and lists cut."""
    if isinstance(value, str):
        return cut(value, 300)
    if isinstance(value, dict):
        return {key: _cut(member) for key, member in value.items()}
    return [_cut(member) for member in value[:20]] if isinstance(value, list) else value
