"""Lambda task "Tell the operator", and what is told where the workflow could not tell: how an execution ended."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from image_builder import message
from image_builder.aws import client
from image_builder.ending import read_ending


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
sns = client("sns", CONFIG)


@cache
def stepfunctions() -> Any:
    """Only an event needs it."""
    return client("stepfunctions", CONFIG)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell the operators of an end, unless the workflow has told them already.

    Args:
        event: a status change event of Step Functions, or, without "detail-type", the workflow's own words:
            {"detail": ...} as `image_builder.ending.read_ending` takes it.
        context: of the invocation.

    Returns:
        {"Told": whether it told them now}, with the "Subject" and "Message", which so stand in the execution's history.
    """
    detail = event["detail"]
    if "detail-type" in event:
        # What the events show of Error and Cause is not documented, and a long input is left out of them. The status is
        # the event's: the execution may have been redriven since.
        described = stepfunctions().describe_execution(executionArn=detail["executionArn"])
        detail = {**described, "status": detail["status"]}
    ending = read_ending(detail)
    logger.append_keys(execution=ending.execution, image_builder=ending.name)
    metrics.add_dimension("Route", ending.route or "success")
    metrics.add_metric("OperatorsTold", MetricUnit.Count, 0)
    if ending.told:
        logger.info("The workflow has told the operators itself", error=ending.error)
        return {"Told": False}
    subject, text = message.subject(ending), message.mail(ending, settings.runbook_url)
    forms: dict[str, Any] = {"Message": text}
    if settings.chat:
        forms = {
            "MessageStructure": "json",
            "Message": json.dumps({"default": text, "https": message.chat(ending, settings.runbook_url)}),
        }
    sns.publish(TopicArn=settings.topic_arn, Subject=subject, **forms)
    metrics.add_metric("OperatorsTold", MetricUnit.Count, 1)
    if ending.error:
        # Without the route, for the alarm that compares it with the executions that failed.
        with single_metric(name="FailuresTold", unit=MetricUnit.Count, value=1):
            pass
    logger.info("Operators told", status=ending.status, error=ending.error, route=ending.route)
    return {"Told": True, "Subject": subject, "Message": text}
