"""Lambda task "Notify operators"; it also gets status change events of executions, and dead letters of starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from lambdas.image_builder import dead_letter, execution_result
from lambdas.image_builder.notification import Notice, mail, sns_message
from lambdas.image_builder.request import STARTED_BY_EXECUTION
from lambdas.image_builder.telemetry import count, count_apart, logger, metrics, task


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the deployment."""

    topic_arn: str
    chat: bool  # whether HTTPS subscribers get the form for chat
    runbook_url: str


settings = Settings(os.environ["TOPIC_ARN"], os.environ["CHAT"] == "true", os.environ["RUNBOOK_URL"])
# At worst a call takes 3 attempts of 2 + 5 seconds and pauses of 1 and 2: two fit into the function's time.
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
sns = boto3.client("sns", config=CONFIG)
stepfunctions = boto3.client("stepfunctions", config=CONFIG)


class NotYetKnown(Exception):
    """Step Functions does not show the result of an execution yet. Lambda retries after one minute, then two."""


@task
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Notify the operators of the result of an execution, unless the workflow has, or of a start that never happened.

    The event: a status change event of Step Functions; or the workflow's own, {"detail": ...} without "detail-type", as
    `execution_result.read_execution_result` takes it; or {"Records": [...]}, one dead letter. Returns {"Notified":
    whether it published a message}, with its "Subject" and "Message" for the execution's history. Raises NotYetKnown
    when an event came before Step Functions shows the result that it is about.
    """
    count("OperatorsNotified", 0)
    if "Records" in event:
        (record,) = event["Records"]
        metrics.add_dimension("Route", "undelivered")
        return _publish(dead_letter.notice_of(record))
    detail, is_event = event["detail"], "detail-type" in event
    execution = detail["executionArn"]
    logger.append_keys(execution=execution)
    described = stepfunctions.describe_execution(executionArn=execution) if is_event else _describe(execution)
    # What an event shows of Error and Cause is not documented, and it leaves out a long input.
    result = execution_result.read_execution_result(described if is_event else detail)
    logger.append_keys(image_builder=result.name)
    if is_event and _is_superseded(detail, described):
        logger.info("Redriven since")
        return {"Notified": False}
    if is_event and (_is_stopped_with_its_fleet(described) or _is_cancelled_auto_stop(described)):
        logger.info("Stopped with its fleet, which has a message, or an auto-stop that an operator cancelled")
        count_apart("FailuresNotified")
        return {"Notified": False}
    metrics.add_dimension("Route", result.route or "success")
    answer: dict[str, Any] = {"Notified": False}
    if result.notified:
        logger.info("The operators have been notified", error=result.error)
    else:
        answer = _publish(execution_result.notice_of(result, described))
    if result.error and not (is_event and result.notified):
        # For the alarm that compares it with the executions that failed. A fleet sends no message if each failed image
        # builder has had its own, and counts all the same.
        count_apart("FailuresNotified")
    return answer


def _describe(execution: str) -> Mapping[str, Any]:
    """What Step Functions answers about an execution; empty if it does not."""
    try:
        return stepfunctions.describe_execution(executionArn=execution)
    except Exception:
        # The workflow's own words are enough: only who started it and the command to start again are missing.
        logger.exception("The execution could not be described")
        return {}


def _is_superseded(detail: Mapping[str, Any], described: Mapping[str, Any]) -> bool:
    """Whether an execution has been redriven since it ended: the person who did so knows, and its Cause is gone.

    Raises:
        NotYetKnown: DescribeExecution is eventually consistent, and what the workflow has notified would be repeated.
            Source: AWS Step Functions API reference, DescribeExecution.
    """
    if described["status"] == detail["status"]:
        return False
    redriven, ended = described.get("redriveDate"), detail.get("stopDate")
    if redriven and ended and redriven.timestamp() * 1_000 >= ended:
        return True
    raise NotYetKnown(f"{detail['executionArn']} is {detail['status']}; DescribeExecution shows {described['status']}")


def _is_cancelled_auto_stop(described: Mapping[str, Any]) -> bool:
    """Whether an operator ended an auto-stop on purpose. Of another workflow, that Error silences nothing."""
    is_stop, aborted = "StopImageBuilder" in described["executionArn"].split(":")[-2], described["status"] == "ABORTED"
    return is_stop and aborted and described.get("error") == execution_result.AUTO_STOP_CANCELLED


def _is_stopped_with_its_fleet(described: Mapping[str, Any]) -> bool:
    """Whether Step Functions stopped an execution because its fleet was stopped: one cause, one message."""
    parent = execution_result.json_object(described.get("input")).get(STARTED_BY_EXECUTION)
    if described["status"] != "ABORTED" or not isinstance(parent, str):
        return False
    fleet = _describe(parent)
    is_fleet = not {"ImageBuilders", "Tag"}.isdisjoint(execution_result.request_of(fleet))
    return is_fleet and fleet["status"] in ("ABORTED", "TIMED_OUT")


def _publish(notice: Notice) -> dict[str, Any]:
    message = sns_message(notice, settings.runbook_url, with_chat=settings.chat)
    sns.publish(TopicArn=settings.topic_arn, **message)  # type: ignore[arg-type]  # each is a string
    count("OperatorsNotified")
    logger.info("Operators notified", event=notice.event, error=notice.error)
    return {"Notified": True, "Subject": message["Subject"], "Message": mail(notice, settings.runbook_url)}
