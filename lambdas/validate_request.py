"""Lambda task "Validate request": validate an execution input against the request contract. Makes no AWS call."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics

from lambdas.image_builder.metrics import counted_refusals
from lambdas.image_builder.request import FIELDS, STOP_FIELDS, parse, short_name

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Validate an execution input.

    The event: {"Contract": "start" | "stop", "Input": the execution input, "Execution": its ARN}. Returns the "Request"
    and the "ShortName" of the execution, for the names of those that it starts. Raises InvalidRequest as RoutedError.
    """
    logger.append_keys(execution=event["Execution"])
    with counted_refusals(logger, metrics):
        request = parse(event["Input"], {"start": FIELDS, "stop": STOP_FIELDS}[event["Contract"]])
    logger.append_keys(image_builder=request["Name"])
    logger.info("Request accepted", request=request)
    return {"Request": request, "ShortName": short_name(event["Execution"])}
