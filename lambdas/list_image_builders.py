"""Lambda tasks "List image builders" and "Read failure" of a fleet."""

from typing import Any

import boto3

from lambdas.image_builder import appstream
from lambdas.image_builder.fleet import by_tag, failed_result, fleet, parse_fleet_request
from lambdas.image_builder.telemetry import counted_refusals, logger, task

client = appstream.connect()
tagging = boto3.client("resourcegroupstaggingapi", config=appstream.READ)


@task
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Check a fleet's execution input and list its image builders; or read why one of them failed.

    The event: {"Input": the execution input, "Execution": its ARN}, or {"Item": of the Map state, "Failure": its Error
    and Cause, "Execution": the ARN of the fleet}. Returns what `fleet` or `failed_result` returns. Raises RoutedError:
    InvalidRequest, or that the image builders that have the tag could not be listed.
    """
    logger.append_keys(execution=event["Execution"])
    with counted_refusals():
        if "Failure" in event:
            result = failed_result(event["Item"], event["Failure"])
            logger.info("Image builder failed", result=result)
            return result
        request = parse_fleet_request(event["Input"])
        listed = fleet(request, *by_tag(tagging, client, request["Tag"])) if "Tag" in request else fleet(request)
    logger.info("Fleet listed", image_builders=len(listed["Requests"]), gone=listed["Gone"])
    return listed
