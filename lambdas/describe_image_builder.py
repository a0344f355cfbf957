"""Lambda task "Poll image builder": describe it and say what its state means for a start or a stop."""

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder import appstream
from lambdas.image_builder.state import BuilderStatus, Claim, Phase, status_of
from lambdas.image_builder.stop import StopStatus, stop_status
from lambdas.image_builder.telemetry import count, logger, metrics, task

client = appstream.connect()


@task
def handler(event: dict[str, Any], context: object) -> BuilderStatus | StopStatus:
    """Poll an image builder.

    The event: {"Contract": "start" | "stop", "Request": a checked request of that contract, "Tracking": of the last
    poll, "WaitedSeconds", "Execution": its ARN}. Raises RoutedError when the image builder cannot be described.
    """
    request, tracking, waited = event["Request"], event["Tracking"], event["WaitedSeconds"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    count("Polls")
    builder = appstream.describe(client, request["Name"])
    logger.info("Polled", state=builder["State"])
    if event["Contract"] == "stop":
        return stop_status(builder, request, tracking, waited)
    status = status_of(builder, request, tracking, waited)
    if status["Phase"] is Phase.RUNNING and status["Tracking"]["Claim"] is Claim.CONFIRMED:
        metrics.add_metric("StartDuration", MetricUnit.Seconds, waited)
    return status
