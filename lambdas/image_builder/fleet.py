"""The contract of a fleet: many image builders in one request, named one by one or found by a tag."""

import json
from collections.abc import Iterator, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from lambdas.image_builder.request import (
    FIELDS,
    POLL_INTERVAL_SECONDS,
    Field,
    InvalidRequest,
    is_integer,
    parse,
    parse_request,
)

if TYPE_CHECKING:
    from mypy_boto3_resourcegroupstaggingapi.client import ResourceGroupsTaggingAPIClient

MOST = 1_000
"""Image builders in a fleet. Their results, within the 256 KiB that a state may hand on, set this bound."""

RESULTS_BYTES = 240_000
"""Of the 262,144 that a state may hand on. Source: AWS Step Functions developer guide, Service quotas."""

RESULT_BYTES = 230
"""Of one result at most, without its message: an index, a name of 101 characters, an Error of 60, and the keys."""

RUNS_PER_SECOND = 4.5
"""Polls of all runs together, and starts (statemachine/start_fleet.asl.json, "Wait for start slot"): all have had their
look before the first one looks again. AWS does not publish AppStream's limits; five a second are a usual one."""

LONGEST_MESSAGE = 1_000

CONFIG = Config(
    # At worst a call takes 3 attempts of 2 + 10 seconds and pauses of 1 and 2; the function has time for two like that.
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=2,
    read_timeout=10,
)


class Tag(TypedDict):
    """A resource tag."""

    Key: str
    Value: str


class FleetRequest(TypedDict):
    """A request for a fleet that keeps the contract, with every default filled in.

    Attributes:
        ImageBuilders: names, or requests of the workflow that starts one; those are left as they are given.
        Tag: instead of those: every image builder that carries it.
        Defaults: fields of every request that does not have them itself.
        MaxConcurrency: how many runs go on at once.
    """

    ImageBuilders: NotRequired[list[Any]]
    Tag: NotRequired[Tag]
    Defaults: dict[str, Any]
    MaxConcurrency: int


class Fleet(TypedDict):
    """What is started.

    Attributes:
        Requests: one for each image builder.
        Defaults: fields of each that does not have them itself.
        MaxConcurrency: how many runs go on at once.
        MessageLength: how many characters of a failure's message its result keeps.
    """

    Requests: list[dict[str, Any]]
    Defaults: dict[str, Any]
    MaxConcurrency: int
    MessageLength: int


class TaggingUnavailable(Exception):
    """The Resource Groups Tagging API answered an error, or nothing."""


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
    "ImageBuilders": Field(
        f"a list of 1 to {MOST} names or requests of image builders",
        lambda value: isinstance(value, list) and bool(value),
    ),
    "Tag": Field('an object {"Key": ..., "Value": ...}, two strings', _is_tag),
    "Defaults": Field(
        f"an object with fields of a request other than Name: {', '.join(list(FIELDS)[1:])}",
        # With detail-type, each request would be taken for an event, and its detail for the request.
        lambda value: isinstance(value, dict) and not value.keys() & {"Name", "detail-type"},
        default={},
    ),
    # All at once by default: the runs take turns to start, and look the more rarely the more of them there are, so that
    # the load on AppStream does not grow with their number. docs/scale.md has the measurement.
    "MaxConcurrency": Field(f"an integer from 1 to {MOST}", lambda value: is_integer(value, 1, MOST), default=MOST),
}


def parse_fleet_request(execution_input: object) -> FleetRequest:
    """Check an execution input against the contract of a fleet, but not the request of each image builder.

    Args:
        execution_input: the request itself, or an EventBridge event whose `detail` is the request.

    Raises:
        InvalidRequest: the input breaks the contract; the message lists every problem.
    """
    request = parse(execution_input, FLEET_FIELDS)
    if ("ImageBuilders" in request) is ("Tag" in request):
        raise InvalidRequest("ImageBuilders, Tag: exactly one of the two is required")
    try:
        parse_request({"Name": "any", **request["Defaults"]})  # type: ignore[dict-item]  # checked
    except InvalidRequest as problems:
        raise InvalidRequest(f"Defaults: {problems}") from None
    if "ImageBuilders" in request:
        distinct(request["ImageBuilders"])  # type: ignore[arg-type]  # checked
    return request  # type: ignore[return-value]  # checked


def parse_whole_fleet_request(execution_input: object) -> FleetRequest:
    """The same, and the request of each image builder as well: for what is known long before it is started."""
    fleet = parse_fleet_request(execution_input)
    problems = []
    for place, request in enumerate(fleet.get("ImageBuilders", [])):
        try:
            parse_request({**fleet["Defaults"], **_request(request)})
        except InvalidRequest as found:
            problems.append(f"ImageBuilders[{place}]: {found}")
    if problems:
        raise InvalidRequest("; ".join(problems[:20]))
    return fleet


def distinct(entries: list[Any]) -> list[dict[str, Any]]:
    """A request for each image builder, in the order in which each is named first.

    Raises:
        InvalidRequest: two requests for one image builder that differ, or too many image builders.
    """
    requests: dict[str, tuple[int, dict[str, Any]]] = {}
    for place, entry in enumerate(entries):
        request = _request(entry)
        name = request.get("Name")
        # What names no image builder has nothing to be the same as: its run says what is wrong with it.
        key = name if isinstance(name, str) else json.dumps([place])
        first, other = requests.setdefault(key, (place, request))
        if request != other:
            raise InvalidRequest(
                f"ImageBuilders[{place}]: asks for {key[:101]} in another way than ImageBuilders[{first}]"
            )
    if len(requests) > MOST:
        raise InvalidRequest(f"ImageBuilders: must be {FLEET_FIELDS['ImageBuilders'].rule}, not {len(requests)}")
    return [request for _, request in requests.values()]


def fleet(request: FleetRequest, tagged: list[str]) -> Fleet:
    """What is started for a request. Args: tagged: the names of the image builders that carry its Tag, if it has one.

    Raises:
        InvalidRequest: no image builder carries the tag, or too many do.
    """
    if "Tag" in request and not 1 <= len(tagged) <= MOST:
        tag = f"{request['Tag']['Key']}={request['Tag']['Value']}"
        count = f"{len(tagged)} do" if tagged else "none does"
        raise InvalidRequest(f"Tag: 1 to {MOST} image builders must carry {tag}, and {count}")
    requests = distinct(request.get("ImageBuilders", tagged))
    room = (RESULTS_BYTES // len(requests) - RESULT_BYTES) // 3  # a character takes up to 3 bytes as JSON has it here
    at_once = min(len(requests), request["MaxConcurrency"])
    pause = {"PollIntervalSeconds": max(POLL_INTERVAL_SECONDS, ceil(at_once / RUNS_PER_SECOND))}
    return {
        "Requests": requests,
        "Defaults": {**pause, **request["Defaults"]},
        "MaxConcurrency": request["MaxConcurrency"],
        "MessageLength": min(LONGEST_MESSAGE, max(0, room)),
    }


def names_by_tag(client: "ResourceGroupsTaggingAPIClient", tag: Tag) -> list[str]:
    """The names of the image builders of this account and Region that carry a tag, in their order.

    Raises:
        TaggingUnavailable: the API gave no answer, or an error.
    """
    return sorted(arn.rpartition(":image-builder/")[2] for arn in _arns_by_tag(client, tag))


def _arns_by_tag(client: "ResourceGroupsTaggingAPIClient", tag: Tag) -> Iterator[str]:
    pages = client.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["appstream:image-builder"],
        TagFilters=[{"Key": tag["Key"], "Values": [tag["Value"]]}],
        PaginationConfig={"PageSize": 100},
    )
    try:
        for page in pages:
            for resource in page["ResourceTagMappingList"]:
                yield resource["ResourceARN"]
    except (ClientError, HTTPClientError, ConnectionError) as error:
        raise TaggingUnavailable(f"{type(error).__name__}: {error}") from error


def _request(entry: Any) -> dict[str, Any]:
    """An entry of ImageBuilders as a request: a plain name is the request of that name."""
    return entry if isinstance(entry, dict) else {"Name": entry}
