"""The function that notifies: once, in the configured form, and not where the workflow has done so."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas import notify_operators
from lambdas.image_builder.request import STARTED_BY_EXECUTION
from lambdas.notify_operators import NotYetKnown

EXECUTIONS = "arn:aws:states:us-east-1:000000000000:execution"
ARN = f"{EXECUTIONS}:StartImageBuilder:test"
CAUSE = {"Name": "gold", "Route": "notify", "Message": "It broke.", "Advice": "Fix it."}
SUBJECT = "[FAILED] gold, Odd, us-east-1, 000000000000"
STOPPED = 1_795_656_000_000
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="1", function_version="1"
)
NO_ANSWER = ConnectionError("No answer.")


def failed(**cause: Any) -> dict[str, Any]:
    return {"executionArn": ARN, "status": "FAILED", "error": "Odd", "cause": json.dumps(CAUSE | cause)}


def event(**detail: Any) -> dict[str, Any]:
    detail = {"executionArn": ARN, "status": "FAILED", "stopDate": STOPPED, "input": None, **detail}
    return {"detail-type": "Step Functions Execution Status Change", "detail": detail}


@dataclass
class Aws:
    """SNS and Step Functions, and the metrics of the function."""

    output: Callable[[], str]
    answers: list[Any] = field(default_factory=list)  # of DescribeExecution, in order; an exception is raised
    published: list[dict[str, Any]] = field(default_factory=list)

    def describe_execution(self, executionArn: str) -> Any:  # noqa: N803  # as boto3 names it
        assert executionArn.startswith(EXECUTIONS)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def publish(self, **message: Any) -> None:
        self.published.append(message)

    def notify(self, event: dict[str, Any], *answers: Any) -> Any:
        self.answers += answers
        return notify_operators.handler(event, CONTEXT)

    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output().splitlines() if "_aws" in line]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Aws:
    services = Aws(lambda: capsys.readouterr().out)
    monkeypatch.setattr(notify_operators, "sns", services)
    monkeypatch.setattr(notify_operators, "stepfunctions", services)
    return services


def test_it_publishes_the_mail_and_answers_with_it(aws: Aws) -> None:
    described = {"input": '{"Name": "gold"}', "startDate": datetime.now(UTC), "stateMachineAliasArn": "alias"}
    answer = aws.notify({"detail": failed()}, described)
    mail = {"Subject": SUBJECT, "Message": answer["Message"]}
    assert aws.published == [{"TopicArn": "arn:aws:sns:us-east-1:000000000000:operators", **mail}]
    assert answer == {"Notified": True, **mail}
    assert '--state-machine-arn alias --input \'{"Name": "gold"}\'' in answer["Message"]


@pytest.mark.parametrize(
    ("is_event", "cause", "sends", "counts"),
    [
        (False, {}, True, True),
        (False, {"Route": "fail"}, True, True),
        (True, {}, True, True),
        # The workflow's own call has counted it.
        (True, {"OperatorsNotified": True}, False, False),
        # A fleet, each failure of which has a message of its own.
        (False, {"OperatorsNotified": True}, False, True),
    ],
)
def test_each_failure_is_counted_once_and_each_message_by_route(
    aws: Aws, is_event: bool, cause: Any, sends: bool, counts: bool
) -> None:
    # Of an event only the execution and its status count.
    answer = aws.notify(event(error="Not this.") if is_event else {"detail": failed(**cause)}, failed(**cause))
    assert [message["Subject"] for message in aws.published] == [SUBJECT] * sends
    assert answer["Notified"] is sends
    *without_route, metric = aws.metrics()
    assert (sum(metric["OperatorsNotified"]), metric["Route"]) == (sends, cause.get("Route", "notify"))
    counted = [(one["FailuresNotified"], one["service"]) for one in without_route]
    assert counted == [([1.0], "start-image-builder")] * counts


def test_a_message_that_cannot_be_published_is_not_counted(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "publish", None)
    with pytest.raises(TypeError):
        aws.notify({"detail": failed()}, {})
    assert "FailuresNotified" not in aws.output()


def test_an_execution_that_cannot_be_described_is_notified_by_the_workflow_and_retried_by_an_event(aws: Aws) -> None:
    assert aws.notify({"detail": failed()}, NO_ANSWER)["Notified"] is True
    with pytest.raises(ConnectionError):
        aws.notify(event(), NO_ANSWER)
    assert len(aws.published) == 1


@pytest.mark.parametrize("redriven", [None, STOPPED - 1])
def test_a_result_that_step_functions_does_not_show_yet_is_retried(aws: Aws, redriven: int | None) -> None:
    # DescribeExecution is eventually consistent, after a redrive as well.
    date = redriven and datetime.fromtimestamp(redriven / 1_000, UTC)
    stale = {"executionArn": ARN, "status": "RUNNING", "input": "{}", "redriveDate": date}
    with pytest.raises(NotYetKnown, match="is FAILED; DescribeExecution shows RUNNING"):
        aws.notify(event(), stale)
    assert aws.notify(event(), failed(OperatorsNotified=True)) == {"Notified": False}
    assert aws.published == []


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_a_failure_that_has_been_redriven_since_is_not_notified(aws: Aws, status: str) -> None:
    redriven = datetime.fromtimestamp((STOPPED + 60_000) / 1_000, UTC)
    described = {"executionArn": ARN, "status": status, "redriveDate": redriven, "input": "{}"}
    assert aws.notify(event(), described) == {"Notified": False}
    assert aws.published == []


IN_A_FLEET = {"input": json.dumps({"Name": "gold", STARTED_BY_EXECUTION: f"{EXECUTIONS}:StartFleet:f"})}
OF_A_STOP = {"executionArn": f"{EXECUTIONS}:S-StopImageBuilderStateMachine1A:x"}


@pytest.mark.parametrize(
    ("stopped", "fleet", "sends"),
    [
        (IN_A_FLEET, {"status": "ABORTED", "input": '{"ImageBuilders": ["gold"]}'}, False),
        (IN_A_FLEET, {"status": "TIMED_OUT", "input": '{"detail-type": "x", "detail": {"Tag": {}}}'}, False),
        (IN_A_FLEET, {"status": "RUNNING", "input": '{"ImageBuilders": ["gold"]}'}, True),
        # By the start of an auto-stop.
        (IN_A_FLEET, {"status": "ABORTED", "input": '{"Name": "gold"}'}, True),
        (IN_A_FLEET, NO_ANSWER, True),
        # An auto-stop that an operator cancels.
        ({**OF_A_STOP, "error": "AutoStopCancelled"}, None, False),
        ({**OF_A_STOP, "error": "Other"}, None, True),
        ({"error": "AutoStopCancelled"}, None, True),
    ],
)
def test_an_execution_stopped_on_purpose_is_counted_and_sends_no_message_of_its_own(
    aws: Aws, stopped: dict[str, Any], fleet: Any, sends: bool
) -> None:
    execution = {"executionArn": ARN, "status": "ABORTED", "input": '{"Name": "gold"}', **stopped}
    stop = event(executionArn=execution["executionArn"], status="ABORTED")
    assert aws.notify(stop, execution, fleet)["Notified"] is sends
    assert len(aws.published) == sends
    assert aws.output().count('"FailuresNotified":[1.0]') == 1


def test_a_dead_letter_is_notified_and_is_no_failed_execution(aws: Aws) -> None:
    schedule = {"stringValue": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/patch-night"}
    letter = {"body": '{"Name": "gold"}', "messageAttributes": {"SCHEDULE_ARN": schedule}}
    assert aws.notify({"Records": [letter]})["Notified"] is True
    assert aws.published[0]["Subject"] == "[FAILED] schedule patch-night, Unknown, us-east-1, 000000000000"
    (metric,) = aws.metrics()
    assert (metric["Route"], sum(metric["OperatorsNotified"])) == ("undelivered", 1)
