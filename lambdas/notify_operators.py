"""Lambda task "Notify operators", and what is told where no workflow could: how an execution ended, or never began."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from lambdas.image_builder import notification
from lambdas.image_builder.dead_letter import read_dead_letter
from lambdas.image_builder.execution_result import ExecutionResult, read_execution_result
from lambdas.image_builder.notification import Notice

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True, slots=True)
class Settings:
    """Attributes: topic_arn: who is told. chat: whether HTTPS subscribers get the form for chat. runbook_url: or ""."""

    topic_arn: str
    chat: bool
    runbook_url: str

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises KeyError naming the variable that is missing."""
        return cls(environment["TOPIC_ARN"], environment["CHAT"] == "true", environment["RUNBOOK_URL"])


logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
# At worst a call takes 3 attempts of 2 + 5 seconds and pauses of 1 and 2: two fit into the function's time.
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
sns = boto3.client("sns", config=CONFIG)


@cache
def stepfunctions() -> Any:
    """Only an event needs it."""
    return boto3.client("stepfunctions", config=CONFIG)


class NotYetKnown(Exception):
    """Step Functions does not yet show how an execution ended. Lambda tries the event again, after a minute and two."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Notify operatorss of an end, unless the workflow has told them already, or of a start that never came about.

    Args:
        event: a status change event of Step Functions; or, without "detail-type", the workflow's own words: {"detail":
            ...} as `image_builder.execution_result.read_execution_result` takes it; or {"Records": [...]}, one message of the queue of
            undelivered starts.
        context: of the invocation.

    Returns:
        {"Told": whether it told them now}, with the "Subject" and "Message", which so stand in the execution's history.

    Raises:
        NotYetKnown: an event came before Step Functions shows the end that it is about.
    """
    metrics.add_metric("OperatorsNotified", MetricUnit.Count, 0)
    if "Records" in event:
        (record,) = event["Records"]
        letter = read_dead_letter(record)
        logger.append_keys(source=letter.arn)
        metrics.add_dimension("Route", "undelivered")
        return _tell(notification.of_dead_letter(letter))
    logger.append_keys(execution=event["detail"]["executionArn"])
    ending = _ending(event)
    logger.append_keys(image_builder=ending.name)
    metrics.add_dimension("Route", ending.route or "success")
    if ending.told:
        logger.info("The workflow has told the operators itself", error=ending.error)
        return {"Told": False}
    told = _tell(notification.of_execution_result(ending))
    if ending.error:
        # Without the route, for the alarm that compares it with the executions that failed.
        with single_metric(name="FailuresNotified", unit=MetricUnit.Count, value=1):
            pass
    return told


def _ending(event: dict[str, Any]) -> ExecutionResult:
    detail = event["detail"]
    if "detail-type" not in event:
        return read_execution_result(detail)
    # What the events show of Error and Cause is not documented, and a long input is left out of them.
    described = stepfunctions().describe_execution(executionArn=detail["executionArn"])
    # DescribeExecution is eventually consistent: what the workflow has told would be told again. After a redrive it is
    # RUNNING in truth. Source: AWS Step Functions API reference, DescribeExecution.
    if described["status"] == "RUNNING" and not described.get("redriveDate"):
        raise NotYetKnown(f"{detail['executionArn']} is {detail['status']}, and DescribeExecution still shows RUNNING")
    said = {member: detail[member] for member in ("error", "cause") if detail.get(member)}
    # The status is the event's: the execution may have been redriven since.
    return read_execution_result({**described, **said, "status": detail["status"]})


def _tell(notice: Notice) -> dict[str, Any]:
    subject, text = notification.subject(notice), notification.mail(notice, settings.runbook_url)
    forms: dict[str, Any] = {"Message": text}
    if settings.chat:
        forms = {
            "MessageStructure": "json",
            "Message": json.dumps({"default": text, "https": notification.chat(notice, settings.runbook_url)}),
        }
    sns.publish(TopicArn=settings.topic_arn, Subject=subject, **forms)
    metrics.add_metric("OperatorsNotified", MetricUnit.Count, 1)
    logger.info("Operators told", event=notice.event, error=notice.error)
    return {"Told": True, "Subject": subject, "Message": text}
