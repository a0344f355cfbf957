"""AppStream access: each call with its time limits; every failure is raised in canonical form (see `errors`)."""

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lambdas.image_builder.errors import UNAVAILABLE, call, routed
from lambdas.image_builder.telemetry import counted_errors

if TYPE_CHECKING:
    from mypy_boto3_appstream.client import AppStreamClient

ImageBuilder = dict[str, Any]
"""An ImageBuilder as boto3 returns it. Source: AppStream 2.0 API reference, ImageBuilder."""

# FUNCTION_TIMEOUT (infra/functions.py) is above what a stop takes at worst: it describes, reads the tags and stops.
READ_SECONDS = 5
READ = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=2,
    read_timeout=READ_SECONDS,
)
# A slow answer is not a lost one: a call that changes something may take longer than a read does. One attempt: a second
# one would be answered OperationNotPermittedException, and hide that the first one worked.
MUTATE_SECONDS = 25
MUTATE = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=2,
    read_timeout=MUTATE_SECONDS,
)


def connect(config: Config = READ) -> "AppStreamClient":
    """A client for calls that read, or with MUTATE for calls that change something."""
    return boto3.client("appstream", config=config)


@counted_errors()
def describe(client: "AppStreamClient", name: str) -> ImageBuilder:
    """The image builder of that name, as it is now.

    Raises:
        RoutedError: AppStream answered an error, no answer, or one without the image builder's State.
    """
    answer = call(lambda: client.describe_image_builders(Names=[name]))
    for builder in answer.get("ImageBuilders", []):
        if builder.get("Name") == name and builder.get("State"):
            return dict(builder)
    raise routed(UNAVAILABLE, f"DescribeImageBuilders answered without the State of image builder {name}.")


@counted_errors()
def start(client: "AppStreamClient", name: str, agent_version: str | None) -> ImageBuilder | None:
    """Start a stopped image builder.

    Returns:
        The image builder as the answer shows it. None when AppStream accepted the call but showed no State.

    Raises:
        RoutedError: `sent` says whether the image builder may be starting all the same.
    """
    version = {"AppstreamAgentVersion": agent_version} if agent_version else {}
    return _shown(call(lambda: client.start_image_builder(Name=name, **version)))


@counted_errors()
def stop(client: "AppStreamClient", name: str) -> ImageBuilder | None:
    """Stop a running image builder. Returns and raises what `start` does."""
    return _shown(call(lambda: client.stop_image_builder(Name=name)))


@counted_errors()
def tags(client: "AppStreamClient", arn: str) -> dict[str, str]:
    """The tags of an image builder, by key. Raises what `describe` does."""
    return dict(call(lambda: client.list_tags_for_resource(ResourceArn=arn)).get("Tags", {}))


def _shown(answer: dict[str, Any]) -> ImageBuilder | None:
    builder = answer.get("ImageBuilder", {})
    return dict(builder) if builder.get("State") else None
