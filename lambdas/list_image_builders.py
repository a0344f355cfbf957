"""Lambda task "List image builders": hold a fleet's request against its contract, and find what it names."""

from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.image_builder.fleet import CONFIG, Fleet, fleet, names_by_tag, parse_fleet_request
from lambdas.image_builder.request import InvalidRequest

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


def tagging() -> Any:
    """Only a fleet by tag needs it."""
    return boto3.client("resourcegroupstaggingapi", config=CONFIG)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: "LambdaContext") -> Fleet:
    """Check a fleet's execution input, and list its image builders.

    Args:
        event: {"Input": the execution input, "Execution": its ARN}.
        context: of the invocation.

    Raises:
        InvalidRequest: with every problem.
        TaggingUnavailable: the image builders that carry the tag could not be listed.
    """
    logger.append_keys(execution=event["Execution"])
    metrics.add_metric("RequestsRefused", MetricUnit.Count, 0)
    try:
        request = parse_fleet_request(event["Input"])
        tagged = names_by_tag(tagging(), request["Tag"]) if "Tag" in request else []
        listed = fleet(request, tagged)
    except InvalidRequest as problems:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
        logger.warning("Request refused", problems=str(problems))
        raise
    logger.info("Fleet listed", image_builders=len(listed["Requests"]))
    return listed
