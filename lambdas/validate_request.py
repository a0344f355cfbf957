"""Lambda task "Validate request": validate an execution input against the request contract. Makes no AWS call."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder.errors import routed
from lambdas.image_builder.request import (
    InvalidRequest,
    Request,
    StopRequest,
    parse_request,
    parse_stop_request,
    short_name,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()

CONTRACTS: Mapping[str, Callable[[object], Request | StopRequest]] = {
    "start": parse_request,
    "stop": parse_stop_request,
}


class Validated(TypedDict):
    """What a workflow goes on with. ShortName: of the execution, for the names of those that it starts."""

    Request: Request | StopRequest
    ShortName: str


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> Validated:
    """Validate an execution input.

    Args:
        event: {"Contract": "start" | "stop", "Input": the execution input, "Execution": its ARN}.
        context: of the invocation.

    Raises:
        RoutedError: InvalidRequest, with every problem.
    """
    logger.append_keys(execution=event["Execution"])
    try:
        request = CONTRACTS[event["Contract"]](event["Input"])
    except InvalidRequest as problems:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        logger.warning("Request refused", problems=str(problems))
        raise routed("InvalidRequest", str(problems)) from None
    metrics.add_metric("RequestsRefused", MetricUnit.Count, 0)
    logger.append_keys(image_builder=request["Name"])
    logger.info("Request accepted", request=request)
    return {"Request": request, "ShortName": short_name(event["Execution"])}
