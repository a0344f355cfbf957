"""What is run both on MiniStack with the deployed template and in process on a virtual clock, and has to end alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambdas.image_builder.notification import quote
from tests import contracts

FOR_EVER = None
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
        if run.status == "SUCCEEDED":
            contracts.check("result", run.output)
        else:
            contracts.check("cause", run.cause)
        assert run.starts == self.starts
        assert {call["operation"] for call in run.calls} <= {"DescribeImageBuilders", "StartImageBuilder"}
        effective = [call for call in run.calls if call["effective"]]
        assert all(call["state_before"] == "STOPPED" for call in effective)
        if self.error:
            self._check_failure(run)
        elif self.outcome == "DryRun":
            self._check_dry_run(run)
        else:
            self._check_success(run)
        self._check_events(run)

    def _check_events(self, run: Outcome) -> None:
        if self.outcome == "DryRun" and not self.error:
            assert run.events == []
            return
        (event,) = run.events
        contracts.check("events", event)
        assert event["detail-type"] == ("Image Builder Start Failed" if self.error else "Image Builder Running")
        said = {"Error": run.error, **run.cause} if self.error else run.output
        shared = event["detail"].keys() & said.keys()
        assert {key: event["detail"][key] for key in shared} == {key: said[key] for key in shared}

    def _check_dry_run(self, run: Outcome) -> None:
        assert run.status == "SUCCEEDED", (run.error, run.cause)
        assert set(run.output) == {"Outcome", "WouldStart", "Route", "Why", "ImageBuilder"}
        assert (run.output["Outcome"], run.output["Route"]) == ("DryRun", self.route)
        assert run.output["WouldStart"] is (self.route == "start")
        assert [call["operation"] for call in run.calls] == ["DescribeImageBuilders"]
        assert run.messages == []

    def _check_success(self, run: Outcome) -> None:
        assert run.status == "SUCCEEDED", (run.error, run.cause)
        agent = {"Agent"} if "AppstreamAgentVersion" in self.request else set()
        assert set(run.output) == {"Outcome", "Started", "ImageBuilder", "Polls", "WaitedSeconds", "Advice"} | agent
        assert run.output["Outcome"] == self.outcome
        assert run.output["Started"] is self.started
        assert run.output["ImageBuilder"]["State"] == "RUNNING"
        assert run.output["ImageBuilder"]["CreatedTime"].endswith("Z")
        assert type(run.output["Polls"]) is int
        assert type(run.output["WaitedSeconds"]) is int
        wanted = isinstance(self.request, dict) and self.request.get("NotifyOnSuccess", False)
        assert len(run.messages) == wanted
        assert all("is running." in message for message in run.messages)

    def _check_failure(self, run: Outcome) -> None:
        assert run.status == "FAILED", run.output
        assert run.error == self.error
        assert set(run.cause) - {"ImageBuilder"} == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}
        assert run.cause["OperatorsNotified"] is True
        assert run.cause["Route"] == self.route
        if self.error == "InvalidRequest":
            assert run.calls == [], "a refused request reaches no AWS call"
        assert run.cause["Advice"]
        assert self.message in run.cause["Message"]
        (message,) = run.messages
        assert self.error in message
        assert quote(run.cause["Message"]) in message
        assert quote(run.cause["Advice"]) in message


def parametrize(scenarios: Sequence[Scenario]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda scenario: scenario.id)


def start_answers(code: str, times: int | None = FOR_EVER) -> Mapping[str, Any]:
    return {
        "operation": "StartImageBuilder",
        "times": times,
        "error": {"code": code, "message": f"{code} is the answer."},
    }


def describe_answers(code: str, times: int | None = FOR_EVER) -> Mapping[str, Any]:
    return {
        "operation": "DescribeImageBuilders",
        "times": times,
        "error": {"code": code, "message": f"{code} is the answer."},
    }


def ends(code: str, route: str, canonical: str = "") -> Scenario:
    """AppStream answers every start with the code."""
    return Scenario(
        f"{code}-at-every-start",
        faults=[start_answers(code)],
        error=canonical or code,
        route=route,
        starts=0,
        message=f"{code}: {code} is the answer.",
    )


def recovers(code: str, times: int) -> Scenario:
    """AppStream answers some starts with the code, then behaves."""
    return Scenario(f"{code}-{times}-times", faults=[start_answers(code, times)])


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

POLLS = [
    Scenario("a-poll-is-throttled", faults=[{**describe_answers("ThrottlingException", 4), "skip": 2}]),
    Scenario(
        "every-poll-is-denied",
        faults=[describe_answers("AccessDeniedException")],
        error="AccessDeniedException",
        route="notify",
        starts=0,
    ),
    Scenario(
        "gone-while-starting",
        faults=[{**describe_answers("ResourceNotFoundException"), "skip": 2}],
        error="ResourceNotFoundException",
        route="fail",
    ),
    Scenario(
        "an-answer-without-state-at-every-poll",
        faults=[
            {
                "operation": "DescribeImageBuilders",
                "times": None,
                "skip": 1,
                "answer": {"ImageBuilders": [{"Name": "x"}]},
            }
        ],
        request={"Name": BUILDER, "TimeoutMinutes": 5},
        error="ImageBuilderStartTimedOut",
        route="notify",
        message="The last poll failed: ServiceUnavailableException.",
    ),
    Scenario(
        "an-empty-list-once",
        faults=[{"operation": "DescribeImageBuilders", "times": 1, "answer": {"ImageBuilders": []}}],
    ),
]

NETWORK = [
    Scenario(
        "the-answer-to-the-start-is-lost",
        faults=[{"operation": "StartImageBuilder", "drop": "after", "times": 1}],
        # It joins the start it made; AppStream never confirmed that it was this execution's.
        started=False,
    ),
    Scenario("the-start-never-arrives", faults=[{"operation": "StartImageBuilder", "drop": "before", "times": 1}]),
    Scenario(
        "no-answer-ever",
        faults=[{"operation": "*", "drop": "before", "times": None}],
        request={"Name": BUILDER, "TimeoutMinutes": 5},
        error="ServiceUnavailableException",
        route="notify",
        starts=0,
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
    Scenario(
        "no-network-interface-ever",
        {"state": "RUNNING", "durations": {"network_interface": 100_000}},
        request={"Name": BUILDER, "RequireNetworkInterface": True, "TimeoutMinutes": 5},
        error="ImageBuilderStartTimedOut",
        route="notify",
        starts=0,
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
    Scenario(
        "failed",
        {"state": "FAILED"},
        error="ImageBuilderFailed",
        route="notify",
        starts=0,
        message="The image builder is FAILED",
    ),
    Scenario(
        "fails-while-starting",
        {
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
        error="ImageBuilderFailed",
        route="notify",
        message="INTERNAL_ERROR: It broke.; SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES: No free addresses.",
    ),
    Scenario("deleting", {"state": "DELETING"}, error="ImageBuilderDeleting", route="fail", starts=0),
    Scenario("falls-back-to-stopped-once", {"next_start": [["PENDING", 60], ["STOPPED", None]]}, starts=2),
    Scenario("no-such-builder", None, error="ResourceNotFoundException", route="fail", starts=0),
    *(
        Scenario(
            f"stuck-in-{state.lower()}",
            {"state": state},
            request={"Name": BUILDER, "TimeoutMinutes": 5},
            error="ImageBuilderStartTimedOut",
            route="notify",
            starts=0,
            message=f"still {state} after 5 minutes",
        )
        for state in ("PENDING", "STOPPING", "SOMETHING_NEW")
    ),
]


def dry_run(builder: Mapping[str, Any], route: str) -> Scenario:
    """A dry run describes, and says what a run would do about such a builder."""
    request = {"Name": BUILDER, "DryRun": True}
    return Scenario(f"dry-run-{builder['state']}", builder, request=request, outcome="DryRun", route=route, starts=0)


DRY_RUNS = [
    dry_run({"state": "STOPPED"}, "start"),
    dry_run({"state": "RUNNING"}, "done"),
    dry_run({"state": "PENDING"}, "wait"),
    dry_run({"state": "STOPPING"}, "wait"),
    dry_run({"state": "SOMETHING_NEW"}, "wait"),
    dry_run({"state": "FAILED"}, "notify"),
    dry_run({"state": "DELETING"}, "fail"),
    Scenario(
        "dry-run-of-no-builder",
        None,
        request={"Name": BUILDER, "DryRun": True},
        error="ResourceNotFoundException",
        route="fail",
        starts=0,
    ),
]


def refused(name: str, execution_input: Any, message: str) -> Scenario:
    return Scenario(name, request=execution_input, error="InvalidRequest", route="fail", starts=0, message=message)


BAD_INPUT = [
    refused("nothing", {}, "Name: is required"),
    refused("null", None, "the input must be a JSON object"),
    refused("a-list", [{"Name": BUILDER}], "the input must be a JSON object"),
    refused("a-string", BUILDER, "the input must be a JSON object"),
    refused("empty-name", {"Name": ""}, "Name: must be"),
    refused("long-name", {"Name": "g" * 102}, "Name: must be"),
    refused("unicode-name", {"Name": "gölden-\U0001f5bc"}, "Name: must be"),
    refused("control-character", {"Name": "golden\n\x00"}, "Name: must be"),
    refused("number-for-name", {"Name": 7}, "Name: must be"),
    refused("misspelt-field", {"Name": BUILDER, "TimeoutMinute": 30}, "did you mean TimeoutMinutes?"),
    refused("dry-run-in-words", {"Name": BUILDER, "DryRun": "yes"}, "DryRun: must be true or false"),
    refused("bad-dry-run", {"Name": "", "DryRun": True}, "Name: must be"),
    refused("wrong-type", {"Name": BUILDER, "TimeoutMinutes": "30"}, "TimeoutMinutes: must be an integer"),
    refused("out-of-range", {"Name": BUILDER, "TimeoutMinutes": 721}, "TimeoutMinutes: must be an integer"),
    refused("quotes-and-braces", {"Name": "\"}'{% $states %} \\"}, "Name: must be"),
    refused("event-without-detail", {"detail-type": "Start", "source": "x"}, "detail: is required"),
    refused("event-with-a-list", {"detail-type": "Start", "detail": [1]}, "detail: must be the request"),
    refused(
        "every-problem-at-once",
        {"TimeoutMinutes": 1, "Nmae": "x"},
        'TimeoutMinutes: must be an integer from 5 to 720, not 1; "Nmae"',
    ),
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
