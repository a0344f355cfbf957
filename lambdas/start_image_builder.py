"""Lambda task "Start image builder": describe it and, only when it is STOPPED, call StartImageBuilder."""

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


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> BuilderStatus:
    """Args: event: {"Request": a checked request, "Execution": its ARN}. Raises what `image_builder.appstream` does."""
    request = event["Request"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    metrics.add_metric("StartAttempts", MetricUnit.Count, int(not request["DryRun"]))
    with counted_errors():
        before = appstream.describe(client, request["Name"])
        if phase_of(before) is not Phase.STOPPED or request["DryRun"]:
            metrics.add_metric("StartsAccepted", MetricUnit.Count, 0)
            logger.info("Not started", state=before["State"], dry_run=request["DryRun"])
            return status_of(before, request)
        # An accepted start counts even where its answer shows no builder: then the one just described stands in.
        builder = appstream.start(client, request["Name"], request.get("AppstreamAgentVersion")) or before
    metrics.add_metric("StartsAccepted", MetricUnit.Count, 1)
    logger.info("Start accepted", state=builder["State"])
    return status_of(builder, request, before=before)
