"""What operators read about a start that a schedule or an event rule could not deliver: its dead letter."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdas.image_builder import notification
from lambdas.image_builder.execution_result import request_of
from lambdas.image_builder.notification import Notice, Reference, Step, console, json_argument


def notice_of(record: Mapping[str, Any]) -> Notice:
    """Read a message of the dead-letter queue, as Lambda gets it.

    Sources: EventBridge Scheduler user guide, Configuring a dead-letter queue; Amazon EventBridge user guide, Using
    dead-letter queues to process undelivered events.
    """
    attributes = {name: each.get("stringValue", "") for name, each in record.get("messageAttributes", {}).items()}
    scheduled = "SCHEDULE_ARN" in attributes
    kind, service = ("Schedule", "EventBridge Scheduler") if scheduled else ("Event rule", "EventBridge")
    arn = attributes.get("SCHEDULE_ARN") or attributes.get("RULE_ARN") or "an unknown source"
    workflow, error = attributes.get("TARGET_ARN", ""), attributes.get("ERROR_CODE") or "Unknown"
    retries = attributes.get("RETRY_ATTEMPTS", "0")
    name, body = arn.rpartition("/")[2], record.get("body", "")
    request = json_argument(request_of({"input": body}) or body)
    sent = record.get("attributes", {}).get("SentTimestamp")
    short = len(request) <= notification.MAX_ARGUMENT
    start = notification.start_command(workflow)
    return Notice(
        outcome="FAILED",
        name=f"{kind.lower()} {name}",
        cause=error,
        headline=f"{kind} {name} could not start its workflow",
        message=f"{service} could not start the workflow, and nothing was started. "
        + (f"It tried {retries} more times. " if retries != "0" else "")
        + f"It says: {attributes.get('ERROR_MESSAGE') or 'nothing.'}",
        error=error,
        actor="an operator",
        steps=(
            Step("Fix what the error names: usually the role that starts the workflow, or a deleted workflow."),
            Step(
                "If the start is still wanted, start the workflow by hand."
                + ("" if short else " First save the request below as request.json."),
                f"{start} '{request}'" if short else f"{start} file://request.json",
            ),
        ),
        history=(f"Given up at {datetime.fromtimestamp(int(sent) / 1_000, UTC):%Y-%m-%d %H:%M} UTC.",) if sent else (),
        references=(
            Reference("Request", request),
            Reference(kind, arn),
            Reference(
                "Workflow",
                workflow,
                # The console lists executions by the state machine, whatever alias started them.
                console(workflow, "states/home", f"/statemachines/view/{':'.join(workflow.split(':')[:7])}"),
            ),
        ),
        arn=arn,
        event="ImageBuilderStartNotDelivered",
        section="StartsNotDelivered",
    )
