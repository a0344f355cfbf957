"""Lambda task "Stop image builder": describe it and, if it is RUNNING and no tag forbids it, stop it."""

from typing import Any

from lambdas.image_builder import appstream
from lambdas.image_builder.errors import RoutedError
from lambdas.image_builder.stop import StopStatus, stop_status
from lambdas.image_builder.telemetry import count, logger, task

client = appstream.connect()
mutating_client = appstream.connect(appstream.MUTATE)


@task
def handler(event: dict[str, Any], context: object) -> StopStatus:
    """Stop an image builder.

    The event: {"Request": a checked stop request, "Tracking": of the last poll, "WaitedSeconds", "Execution": its ARN}.
    Raises RoutedError when a call failed and the image builder is not stopped by it.
    """
    request, tracking, waited = event["Request"], event["Tracking"], event["WaitedSeconds"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    count("StopAttempts")
    called = skipped = False
    builder = appstream.describe(client, request["Name"])
    if builder["State"] == "RUNNING":
        skipped = request["SkipTag"] in appstream.tags(client, builder["Arn"])
        if not skipped:
            builder, called = _stop(request["Name"], builder), True
    count("StopsAccepted", int(called))
    logger.info("Stop attempted", state=builder["State"], called=called, skipped=skipped)
    return stop_status(builder, request, tracking, waited, called=called, skipped=skipped)


def _stop(name: str, builder: appstream.ImageBuilder) -> appstream.ImageBuilder:
    """The image builder after the call, whose answer may have been lost: a poll then shows whether it took effect."""
    try:
        return appstream.stop(mutating_client, name) or builder
    except RoutedError as error:
        if not error.sent:
            raise
        logger.warning("The answer to the stop was lost", error=error.message)
        return builder
