"""Lambda task "Validate request": validate an execution input against the request contract. Makes no AWS call."""

from typing import Any

from lambdas.image_builder.request import FIELDS, STOP_FIELDS, parse, short_name
from lambdas.image_builder.telemetry import counted_refusals, logger, task


@task
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Validate an execution input.

    The event: {"Contract": "start" | "stop", "Input": the execution input, "Execution": its ARN}. Returns the "Request"
    and the "ShortName" of the execution, for the names of those that it starts. Raises InvalidRequest as RoutedError.
    """
    logger.append_keys(execution=event["Execution"])
    with counted_refusals():
        request = parse(event["Input"], {"start": FIELDS, "stop": STOP_FIELDS}[event["Contract"]])
    logger.append_keys(image_builder=request["Name"])
    logger.info("Request accepted", request=request)
    return {"Request": request, "ShortName": short_name(event["Execution"])}
