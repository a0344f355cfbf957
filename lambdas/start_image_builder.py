"""Lambda task "Start image builder": describe it and, only when it is STOPPED, call StartImageBuilder."""

from typing import Any

from lambdas.image_builder import appstream
from lambdas.image_builder.errors import RoutedError
from lambdas.image_builder.state import BuilderStatus, Phase, phase_of, status_of, status_of_start
from lambdas.image_builder.telemetry import count, logger, task

client = appstream.connect()
mutating_client = appstream.connect(appstream.MUTATE)


@task
def handler(event: dict[str, Any], context: object) -> BuilderStatus:
    """Start an image builder.

    The event: {"Request": a checked request, "Tracking": of the last poll, "WaitedSeconds", "Execution": its ARN}.
    Raises RoutedError when the image builder cannot be described or AppStream refuses the call. An answer that was lost
    is no error: the status says that the start is presumed.
    """
    request, tracking, waited = event["Request"], event["Tracking"], event["WaitedSeconds"]
    logger.append_keys(execution=event["Execution"], image_builder=request["Name"])
    count("StartAttempts", int(not request["DryRun"]))
    before = appstream.describe(client, request["Name"])
    if phase_of(before) is not Phase.STOPPED or request["DryRun"]:
        count("StartsAccepted", 0)
        logger.info("Not started", state=before["State"], dry_run=request["DryRun"])
        return status_of(before, request, tracking, waited)
    try:
        # An accepted start counts even where its answer shows no image builder.
        builder = appstream.start(mutating_client, request["Name"], request.get("AppstreamAgentVersion")) or before
    except RoutedError as error:
        if not error.sent:
            raise
        count("StartsAccepted", 0)
        logger.warning("The answer to the start was lost", error=error.message)
        return status_of_start(before, request, tracking, waited, before=before, lost=error)
    count("StartsAccepted")
    logger.info("Start accepted", state=builder["State"])
    return status_of_start(builder, request, tracking, waited, before=before)
