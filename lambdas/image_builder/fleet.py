"""A fleet: many image builders in one request, named one by one or found by a tag, and what became of each."""

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from lambdas.image_builder.errors import call
from lambdas.image_builder.execution_result import json_object, read_execution_result
from lambdas.image_builder.notification import quote
from lambdas.image_builder.request import (
    FIELDS,
    POLL_INTERVAL_SECONDS,
    Field,
    InvalidRequest,
    integer,
    is_builder_name,
    parse,
    parse_request,
)
from lambdas.image_builder.stop import WAIT_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_appstream.client import AppStreamClient
    from mypy_boto3_resourcegroupstaggingapi.client import ResourceGroupsTaggingAPIClient

MAX_BUILDERS = 1_000  # as many as have results that fit into the output of a state
# Of the output of a state, and of a variable. Source: AWS Step Functions developer guide, Service quotas.
STATE_BYTES = 262_144
MAX_WITH_MESSAGE = 50  # failures whose messages, of 4 bytes a character, fit into the output of a state
_MAX_MESSAGE = 1_000
_MAX_ERROR = 60
_MAX_GONE = 100

# To AppStream by the polls of a fleet and of its auto-stops together, and starts (statemachine/start_fleet.asl.json,
# "Wait for start slot"). AWS does not publish AppStream's limits; five a second are a usual one.
CALLS_PER_SECOND = 4.5
MAX_POLL_INTERVAL_SECONDS = 300  # of a request


def _is_tag(value: object) -> bool:
    # Source: Resource Groups Tagging API reference, TagFilter.
    return (
        isinstance(value, dict)
        and set(value) == {"Key", "Value"}
        and all(isinstance(text, str) for text in value.values())
        and 1 <= len(value["Key"]) <= 128
        and len(value["Value"]) <= 256
    )


FLEET_FIELDS: Mapping[str, Field] = {
    # Not how many there are: the same name may come twice.
    "ImageBuilders": Field(
        f"a list of 1 to {MAX_BUILDERS} names or requests of image builders",
        lambda value: isinstance(value, list) and bool(value),
    ),
    "Tag": Field('an object {"Key": ..., "Value": ...}, two strings', _is_tag),
    "Defaults": Field(
        f"an object with fields of a request other than Name: {', '.join(list(FIELDS)[1:])}",
        # With detail-type, each request would be taken for an event, and its detail for the request.
        lambda value: isinstance(value, dict) and not value.keys() & {"Name", "detail-type"},
        default={},
    ),
    # All at the same time by default: the starts are spread, and the more image builders there are, the longer is the
    # interval between two polls of each, so that the load on AppStream does not grow. Measured in docs/performance.md.
    "MaxConcurrency": integer(1, MAX_BUILDERS, default=MAX_BUILDERS),
}


def parse_fleet_request(execution_input: object) -> dict[str, Any]:
    """A request for a fleet: see `parse`. The request of each image builder is not checked."""
    request = parse(execution_input, FLEET_FIELDS)
    if ("ImageBuilders" in request) is ("Tag" in request):
        raise InvalidRequest("ImageBuilders, Tag: exactly one of the two is required")
    try:
        parse_request({"Name": "any", **request["Defaults"]})
    except InvalidRequest as problems:
        raise InvalidRequest(f"Defaults: {problems}") from None
    return request


def parse_whole_fleet_request(execution_input: object) -> dict[str, Any]:
    """The same, and the request of each image builder too: for schedules, whose requests are known at synth."""
    fleet = parse_fleet_request(execution_input)
    named, problems = fleet.get("ImageBuilders", []), []
    distinct(named)
    for place, request in enumerate(named):
        try:
            parse_request({**fleet["Defaults"], **_request(request)})
        except InvalidRequest as found:
            problems.append(f"ImageBuilders[{place}]: {found}")
    if problems:
        raise InvalidRequest("; ".join(problems))
    return fleet


def distinct(entries: Sequence[Any]) -> list[dict[str, Any]]:
    """A request for each image builder, in the order in which each is named first.

    Raises:
        InvalidRequest: two requests for one image builder that differ, or too many image builders.
    """
    requests: dict[str | int, tuple[int, dict[str, Any]]] = {}
    for place, entry in enumerate(entries):
        request = _request(entry)
        if "detail-type" in request:
            # Its execution would take it for an event, and see nothing but its detail: no Defaults.
            raise InvalidRequest(f"ImageBuilders[{place}]: must be a name or a request, not an event")
        name = request.get("Name")
        # An entry that names nothing equals no other entry: its own execution says what is wrong with it.
        first, other = requests.setdefault(name if isinstance(name, str) else place, (place, request))
        # As texts, since 1 equals true.
        if json.dumps(request, sort_keys=True) != json.dumps(other, sort_keys=True):
            raise InvalidRequest(
                f"ImageBuilders[{place}]: differs from the request in ImageBuilders[{first}] for the same image builder"
            )
    if len(requests) > MAX_BUILDERS:
        raise InvalidRequest(f"ImageBuilders: must be {FLEET_FIELDS['ImageBuilders'].rule}, not {len(requests)}")
    return [request for _, request in requests.values()]


def fleet(request: Mapping[str, Any], tagged: Sequence[str] = (), gone: Sequence[str] = ()) -> dict[str, Any]:
    """What the workflow starts for a request.

    Args:
        request: that keeps the contract.
        tagged: the image builders that have its Tag.
        gone: image builders that had it, and no longer exist.

    Returns:
        "Requests": one for each image builder. "Defaults": fields of each request that does not have them itself.
        "MaxConcurrency": how many run at the same time. "MessageLength": characters of a failure's message that its
        result keeps. "Gone": at most 100 names.

    Raises:
        InvalidRequest: no image builder has the tag, too many have it, or the requests do not fit into a state.
    """
    if "Tag" in request and not 1 <= len(tagged) <= MAX_BUILDERS:
        tag = f"{json.dumps(request['Tag']['Key'])}: {json.dumps(request['Tag']['Value'])}"
        raise InvalidRequest(f"Tag: 1 to {MAX_BUILDERS} image builders must have the tag {tag}, not {len(tagged)}")
    requests = distinct(request.get("ImageBuilders", tagged))
    at_once, seconds = _plan([{**request["Defaults"], **each} for each in requests], request["MaxConcurrency"])
    listed = {
        "Requests": requests,
        "Defaults": {"PollIntervalSeconds": seconds, **request["Defaults"]},
        "MaxConcurrency": at_once,
        "MessageLength": _MAX_MESSAGE if len(requests) <= MAX_WITH_MESSAGE else 0,
        "Gone": list(gone[:_MAX_GONE]),
    }
    if (size := len(json.dumps(listed, ensure_ascii=False).encode(errors="replace"))) > STATE_BYTES:
        raise InvalidRequest(f"ImageBuilders: must take at most {STATE_BYTES} bytes, not {size}: split the fleet")
    return listed


def failed_result(item: Mapping[str, Any], failure: Mapping[str, Any]) -> dict[str, Any]:
    """The result of an image builder whose execution failed, or could not be started.

    Args:
        item: of the Map state: the Index, the Request and the MessageLength.
        failure: its Error and Cause. The Cause is usually the execution as DescribeExecution answers it; an emulator
            may hand on the execution's own Error and Cause. Any other text is a message.
    """
    run: Mapping[str, Any] = json_object(failure.get("Cause"))
    if "ExecutionArn" not in run:
        run = failure
    result = read_execution_result(
        {
            "executionArn": "",
            "status": run.get("Status", "FAILED"),
            "error": run.get("Error"),
            "cause": run.get("Cause"),
        }
    )
    name = item["Request"].get("Name")
    return {
        "Index": item["Index"],
        "Name": name if is_builder_name(name) else None,
        "Outcome": "Failed",
        "Error": quote(result.error, _MAX_ERROR),
        # An execution that fails notifies the operators itself, or its status change event does. The Cause may be cut.
        "Notified": '"ExecutionArn"' in str(failure.get("Cause")) or result.route != "uncaught",
        **({"Message": quote(result.message, item["MessageLength"])} if item["MessageLength"] else {}),
    }


def by_tag(
    tagging: "ResourceGroupsTaggingAPIClient", client: "AppStreamClient", tag: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """The image builders of this account and Region that have a tag: those that exist, and those that are gone.

    The tagging API may list deleted resources for a while (boto/boto3#3341).

    Raises:
        RoutedError: AWS answered an error, or nothing.
    """
    resources = tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["appstream:image-builder"],
        TagFilters=[{"Key": tag["Key"], "Values": [tag["Value"]]}],
        PaginationConfig={"PageSize": 100},
    )
    tagged = {
        resource["ResourceARN"].rpartition(":image-builder/")[2]
        for resource in call(resources.build_full_result)["ResourceTagMappingList"]
    }
    builders = client.get_paginator("describe_image_builders").paginate()
    existing = {builder["Name"] for builder in call(builders.build_full_result)["ImageBuilders"]}
    return sorted(tagged & existing), sorted(tagged - existing)


def _request(entry: Any) -> dict[str, Any]:
    """An entry of ImageBuilders as a request: a plain name is the request of that name."""
    return entry if isinstance(entry, dict) else {"Name": entry}


def _plan(requests: Sequence[Mapping[str, Any]], max_concurrency: int) -> tuple[int, int]:
    """How many executions run at the same time, and the seconds between two polls of each.

    With their auto-stops they make at most CALLS_PER_SECOND calls. With StopAfterMinutes there is an auto-stop beside
    each start and after it: in the end one for each image builder.
    """
    auto_stops = sum(1 for each in requests if each.get("StopAfterMinutes"))
    # Calls in WAIT_SECONDS, in which each auto-stop polls once.
    for_starts = int(CALLS_PER_SECOND * WAIT_SECONDS) - auto_stops
    at_once = min(len(requests), max_concurrency, for_starts * MAX_POLL_INTERVAL_SECONDS // WAIT_SECONDS)
    return at_once, max(POLL_INTERVAL_SECONDS, ceil(at_once * WAIT_SECONDS / for_starts))
