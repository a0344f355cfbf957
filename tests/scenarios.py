"""What is run both on MiniStack with the deployed template and in process on a virtual clock, and has to end alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas.image_builder.notification import quote
from tests import contracts

BUILDER = "golden-image"
"""Stands for the scenario's own builder in a request; each run puts its own name there."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended and what it did on the way, wherever it ran.

    Attributes:
        messages: the texts that reached the operators' topic.
        calls: what AppStream saw of it, as `local.fake_appstream.fake.Call`.
        events: what it announced: "source", "detail-type" and "detail".
    """

    status: str
    output: Any
    error: str
    cause: Mapping[str, Any]
    messages: Sequence[str]
    calls: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]

    @property
    def starts(self) -> int:
        """How many StartImageBuilder calls took effect."""
        return sum(call["effective"] for call in self.calls if call["operation"] == "StartImageBuilder")


@dataclass(frozen=True)
class Scenario:
    """A builder, trouble, a request, and how the run has to end.

    Attributes:
        builder: settings of the fake's put_builder; None: there is no such builder.
        faults: fields of the fake's faults; each befalls this builder only.
        request: the execution input.
        outcome: of a run that succeeds.
        error: of a run that fails, with its route.
        starts: how many StartImageBuilder calls have to take effect.
        message: what the Message of a failed run has to contain.
    """

    id: str
    builder: Mapping[str, Any] | None = field(default_factory=dict)
    faults: Sequence[Mapping[str, Any]] = ()
    request: Any = field(default_factory=lambda: {"Name": BUILDER})
    outcome: str = "Running"
    started: bool = True
    starts: int = 1
    error: str = ""
    route: str = ""
    message: str = ""

    def check(self, run: Outcome) -> None:
        """Assert that the run ended as it has to."""
        assert run.status == ("FAILED" if self.error else "SUCCEEDED"), (run.error, run.cause, run.output)
        assert run.starts == self.starts
        assert {call["operation"] for call in run.calls} <= {"DescribeImageBuilders", "StartImageBuilder"}
        assert all(call["state_before"] == "STOPPED" for call in run.calls if call["effective"])
        if self.error:
            self._check_failure(run)
        elif self.outcome == "DryRun":
            self._check_dry_run(run)
        else:
            self._check_success(run)

    def _check_event(self, run: Outcome, kind: str, said: Mapping[str, Any]) -> None:
        (event,) = run.events
        contracts.check("events", event)
        assert event["detail-type"] == kind
        shared = event["detail"].keys() & said.keys()
        assert {key: event["detail"][key] for key in shared} == {key: said[key] for key in shared}

    def _check_dry_run(self, run: Outcome) -> None:
        contracts.check("result", run.output)
        assert (run.output["Outcome"], run.output["Route"]) == ("DryRun", self.route)
        assert run.output["WouldStart"] is (self.route == "start")
        assert [call["operation"] for call in run.calls] == ["DescribeImageBuilders"]
        assert (run.messages, run.events) == ([], [])

    def _check_success(self, run: Outcome) -> None:
        contracts.check("result", run.output)
        assert ("Agent" in run.output) is ("AppstreamAgentVersion" in self.request)
        assert (run.output["Outcome"], run.output["Started"]) == (self.outcome, self.started)
        assert run.output["ImageBuilder"]["State"] == "RUNNING"
        assert len(run.messages) == self.request.get("NotifyOnSuccess", False)
        assert all("is running." in message for message in run.messages)
        self._check_event(run, "Image Builder Running", run.output)

    def _check_failure(self, run: Outcome) -> None:
        contracts.check("cause", run.cause)
        assert (run.error, run.cause["Route"]) == (self.error, self.route)
        assert run.cause["OperatorsNotified"] is True
        if self.error == "InvalidRequest":
            assert run.calls == [], "a refused request reaches no AWS call"
        assert run.cause["Advice"]
        assert self.message in run.cause["Message"]
        (message,) = run.messages
        assert self.error in message
        assert quote(run.cause["Message"]) in message
        assert quote(run.cause["Advice"]) in message
        self._check_event(run, "Image Builder Start Failed", {"Error": run.error, **run.cause})


def parametrize(scenarios: Sequence[Scenario]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda scenario: scenario.id)


def answers(operation: str, code: str, times: int | None = None, **when: Any) -> Mapping[str, Any]:
    """A fault: AppStream answers so many calls with an error code. times: None: all."""
    return {
        "operation": operation,
        "error": {"code": code, "message": f"{code} is the answer."},
        "times": times,
        **when,
    }


def fails(id_: str, error: str, route: str, **more: Any) -> Scenario:
    """A run that fails, and starts nothing if nothing else is said."""
    return Scenario(id_, **{"starts": 0, "error": error, "route": route, **more})


def ends(code: str, route: str, canonical: str = "") -> Scenario:
    """AppStream answers every start with the code."""
    faults, message = [answers("StartImageBuilder", code)], f"{code}: {code} is the answer."
    return fails(f"{code}-at-every-start", canonical or code, route, faults=faults, message=message)


def recovers(code: str, times: int) -> Scenario:
    """AppStream answers some starts with the code, then behaves."""
    return Scenario(f"{code}-{times}-times", faults=[answers("StartImageBuilder", code, times)])


FIVE_MINUTES = {"Name": BUILDER, "TimeoutMinutes": 5}
ENDS = [
    # The errors of the StartImageBuilder page, and OperationNotPermittedException, which AppStream models as well.
    ends("ConcurrentModificationException", "notify"),
    ends("ResourceNotAvailableException", "notify"),
    ends("ResourceNotFoundException", "fail"),
    ends("IncompatibleImageException", "fail"),
    ends("InvalidAccountStatusException", "notify"),
    ends("OperationNotPermittedException", "notify"),
    # One alias of each other canonical error.
    ends("InvalidParameterCombinationException", "fail", "ValidationException"),
    ends("ExpiredTokenException", "notify", "AccessDeniedException"),
    ends("InternalFailure", "notify", "ServiceUnavailableException"),
    ends("RequestLimitExceededException", "notify", "ThrottlingException"),
    # An unknown code.
    ends("SomethingNewException", "notify"),
]

RECOVERIES = [
    recovers("ConcurrentModificationException", 2),
    recovers("ResourceNotAvailableException", 1),
    recovers("OperationNotPermittedException", 1),
    recovers("ThrottlingException", 4),
    recovers("InternalFailure", 4),
]

DESCRIBE = "DescribeImageBuilders"
POLLS = [
    Scenario("a-poll-is-throttled", faults=[answers(DESCRIBE, "ThrottlingException", 4, skip=2)]),
    fails(
        "every-poll-is-denied", "AccessDeniedException", "notify", faults=[answers(DESCRIBE, "AccessDeniedException")]
    ),
    fails(
        "gone-while-starting",
        "ResourceNotFoundException",
        "fail",
        faults=[answers(DESCRIBE, "ResourceNotFoundException", skip=2)],
        starts=1,
    ),
    fails(
        "an-answer-without-state-at-every-poll",
        "ImageBuilderStartTimedOut",
        "notify",
        faults=[{"operation": DESCRIBE, "times": None, "skip": 1, "answer": {"ImageBuilders": [{"Name": "x"}]}}],
        request=FIVE_MINUTES,
        starts=1,
        message="The last poll failed: ServiceUnavailableException.",
    ),
    Scenario("an-empty-list-once", faults=[{"operation": DESCRIBE, "times": 1, "answer": {"ImageBuilders": []}}]),
]

NETWORK = [
    Scenario(
        "the-answer-to-the-start-is-lost",
        faults=[{"operation": "StartImageBuilder", "drop": "after", "times": 1}],
        # It joins the start it made; AppStream never confirmed that it was this execution's.
        started=False,
    ),
    Scenario("the-start-never-arrives", faults=[{"operation": "StartImageBuilder", "drop": "before", "times": 1}]),
    fails(
        "no-answer-ever",
        "ServiceUnavailableException",
        "notify",
        faults=[{"operation": "*", "drop": "before", "times": None}],
        request=FIVE_MINUTES,
        message="No answer. ConnectionClosedError",
    ),
]

STATES = [
    Scenario("stopped"),
    Scenario("agent-version", request={"Name": BUILDER, "AppstreamAgentVersion": "LATEST"}),
    Scenario(
        "a-network-interface-is-waited-for",
        {"durations": {"network_interface": 200}},
        request={"Name": BUILDER, "RequireNetworkInterface": True},
    ),
    fails(
        "no-network-interface-ever",
        "ImageBuilderStartTimedOut",
        "notify",
        builder={"state": "RUNNING", "durations": {"network_interface": 100_000}},
        request={**FIVE_MINUTES, "RequireNetworkInterface": True},
        message="RUNNING, but has no network interface after 5 minutes",
    ),
    Scenario("a-success-notifies-if-requested", request={"Name": BUILDER, "NotifyOnSuccess": True}),
    Scenario("already-running", {"state": "RUNNING"}, outcome="AlreadyRunning", started=False, starts=0),
    *(
        Scenario(f"{state.lower()}-is-joined", {"state": [[state, 2_400], ["RUNNING", None]]}, started=False, starts=0)
        for state in ("PENDING", "UPDATING_AGENT", "REBOOTING", "SOMETHING_NEW")
    ),
    *(
        Scenario(f"{state.lower()}-is-waited-out", {"state": [[state, 200], ["STOPPED", None]]})
        for state in ("STOPPING", "SNAPSHOTTING")
    ),
    fails("failed", "ImageBuilderFailed", "notify", builder={"state": "FAILED"}, message="The image builder is FAILED"),
    fails(
        "fails-while-starting",
        "ImageBuilderFailed",
        "notify",
        builder={
            "next_start": {
                "stages": [["PENDING", 120], ["FAILED", None]],
                "at_end": {
                    "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "It broke."},
                    "ImageBuilderErrors": [
                        {"ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES", "ErrorMessage": "No free addresses."}
                    ],
                },
            },
        },
        starts=1,
        message="SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES: No free addresses. INTERNAL_ERROR: It broke.",
    ),
    fails("deleting", "ImageBuilderDeleting", "fail", builder={"state": "DELETING"}),
    Scenario("falls-back-to-stopped-once", {"next_start": [["PENDING", 60], ["STOPPED", None]]}, starts=2),
    fails("no-such-builder", "ResourceNotFoundException", "fail", builder=None),
    *(
        fails(
            f"stuck-in-{state.lower()}",
            "ImageBuilderStartTimedOut",
            "notify",
            builder={"state": state},
            request=FIVE_MINUTES,
            message=f"still {state} after 5 minutes",
        )
        for state in ("PENDING", "STOPPING", "SOMETHING_NEW")
    ),
]

DRY_RUN = {"Name": BUILDER, "DryRun": True}
DRY_RUNS = [
    *(
        Scenario(f"dry-run-{state}", {"state": state}, request=DRY_RUN, outcome="DryRun", route=route, starts=0)
        for state, route in {
            "STOPPED": "start",
            "RUNNING": "done",
            "PENDING": "wait",
            "STOPPING": "wait",
            "SOMETHING_NEW": "wait",
            "FAILED": "notify",
            "DELETING": "fail",
        }.items()
    ),
    fails("dry-run-of-no-builder", "ResourceNotFoundException", "fail", builder=None, request=DRY_RUN),
]

BAD_INPUT = [
    fails(id_, "InvalidRequest", "fail", request=execution_input, message=message)
    for id_, execution_input, message in [
        ("nothing", {}, "Name: is required"),
        ("null", None, "the input must be a JSON object"),
        ("a-string", BUILDER, "the input must be a JSON object"),
        ("unicode-name", {"Name": "gölden-\U0001f5bc"}, "Name: must be"),
        ("number-for-name", {"Name": 7}, "Name: must be"),
        ("quotes-and-braces", {"Name": "\"}'{% $states %} \\"}, "Name: must be"),
        ("wrong-type", {"Name": BUILDER, "TimeoutMinutes": "30"}, "TimeoutMinutes: must be an integer"),
        ("event-without-detail", {"detail-type": "Start", "source": "x"}, "detail: must be the request"),
        ("event-with-a-list", {"detail-type": "Start", "detail": [1]}, "detail: must be the request"),
        (
            "every-problem-at-once",
            {"TimeoutMinutes": 1, "Nmae": "x"},
            'TimeoutMinutes: must be an integer from 5 to 720, not 1; "Nmae"',
        ),
    ]
]

GOOD_INPUT = [
    Scenario("eventbridge-event", request={"detail-type": "Start", "source": "x", "detail": {"Name": BUILDER}}),
    Scenario(
        "nested-execution", request={"Name": BUILDER, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:x"}
    ),
]

ALL = [*STATES, *ENDS, *RECOVERIES, *POLLS, *NETWORK, *DRY_RUNS, *BAD_INPUT, *GOOD_INPUT]


def with_name(value: Any, name: str) -> Any:
    """The value with a run's own builder name in the place of BUILDER."""
    if value == BUILDER:
        return name
    if isinstance(value, dict):
        return {key: with_name(member, name) for key, member in value.items()}
    if isinstance(value, list):
        return [with_name(member, name) for member in value]
    return value
