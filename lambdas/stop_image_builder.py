"""Lambda task "Stop image builder": describe it and, if it is RUNNING and no tag forbids it, stop it."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder import appstream
from lambdas.image_builder.metrics import counted_errors
from lambdas.image_builder.state import BuilderStatus, Phase, phase_of, status_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
client = appstream.connect()


class StopStatus(BuilderStatus):
    """A look of a stop: `Stopping`, whether AppStream accepted it; `Skipped`, whether the tag forbade it."""

    Stopping: bool
    Skipped: bool


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> StopStatus:
    """Args: event: {"Request": a checked request, "Execution": its ARN}. Raises what `image_builder.appstream` does."""
    request = event["Request"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    metrics.add_metric("StopAttempts", MetricUnit.Count, 1)
    stopping = skipped = False
    with counted_errors():
        builder = appstream.describe(client, request["Name"])
        if phase_of(builder) is Phase.RUNNING:
            skipped = request["SkipTag"] in appstream.tags(client, builder["Arn"])
            stopping = not skipped
            if stopping:
                builder = appstream.stop(client, request["Name"]) or builder
    metrics.add_metric("StopsAccepted", MetricUnit.Count, int(stopping))
    logger.info("Stop tried", state=builder["State"], stopping=stopping, skipped=skipped)
    return {**status_of(builder, request), "Stopping": stopping, "Skipped": skipped}
