"""Lambda task "Poll image builder": describe it and say what its state means for the start."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder import appstream
from lambdas.image_builder.metrics import counted_errors
from lambdas.image_builder.state import BuilderStatus, Phase, status_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
client = appstream.connect()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> BuilderStatus:
    """BuilderStatus at an image builder.

    Args:
        event: {"Request": a checked request, "Execution": its ARN}; from the workflow that starts, also "Started", as
            `BuilderStatus` has it, of what came before, and "WaitedSeconds".
        context: of the invocation.

    Raises:
        What `image_builder.appstream` does.
    """
    request = event["Request"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    metrics.add_metric("Polls", MetricUnit.Count, 1)
    with counted_errors():
        builder = appstream.describe(client, request["Name"])
    logger.info("Looked", state=builder["State"])
    look = status_of(builder, request)
    if look["Phase"] is Phase.RUNNING and event.get("Started"):
        metrics.add_metric("StartDuration", MetricUnit.Seconds, event["WaitedSeconds"])
    return look
