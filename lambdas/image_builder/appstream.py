"""AppStream access: two calls, with every failure raised under the name that the workflow routes by."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

if TYPE_CHECKING:
    from mypy_boto3_appstream.client import AppStreamClient

ImageBuilder = dict[str, Any]
"""An ImageBuilder as boto3 returns it. Source: AppStream 2.0 API reference, ImageBuilder."""

CONFIG = Config(
    # At worst a call takes 3 attempts of 2 + 5 seconds and two pauses of at most 1 and 2 seconds: 24 seconds. The start
    # function makes two calls, which leaves 12 seconds of its 60 to itself.
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=2,
    read_timeout=5,
)


class AppStreamError(Exception):
    """An error that AppStream answered. Raised as a subclass named after the error code: see `service_error`."""


class AppStreamUnreachable(Exception):
    """No answer from AppStream: refused, dropped or timed-out connections. The call may have taken effect."""


class UnexpectedResponse(Exception):
    """An answer from AppStream without what it must hold: the image builder and its State."""


def service_error(code: str, message: str) -> AppStreamError:
    """An exception whose class is named after an error code of the service.

    Step Functions matches the class name of a Python exception. botocore has classes for the modelled errors only and
    raises plain ClientError for every other code, so the class is made from the code, whatever that is.
    """
    error = type(code, (AppStreamError,), {"__doc__": f"AppStream answered {code}."})(message)
    assert isinstance(error, AppStreamError)  # nosec B101 # for the type checker
    return error


def connect() -> "AppStreamClient":
    """The AppStream client of this function's region and role."""
    return boto3.client("appstream", config=CONFIG)


def describe(client: "AppStreamClient", name: str) -> ImageBuilder:
    """The image builder of that name, as it is now.

    Raises:
        AppStreamError: AppStream answered an error; the class has the name of its code.
        AppStreamUnreachable: AppStream gave no answer.
        UnexpectedResponse: the answer holds no image builder of that name, or one without State.
    """
    answer = _call(lambda: client.describe_image_builders(Names=[name]))
    for builder in answer.get("ImageBuilders", []):
        if builder.get("Name") == name and builder.get("State"):
            return dict(builder)
    raise UnexpectedResponse(f"DescribeImageBuilders answered without the State of image builder {name}")


def start(client: "AppStreamClient", name: str, agent_version: str | None) -> ImageBuilder | None:
    """Start a stopped image builder.

    Returns:
        The image builder as the answer shows it. None when AppStream accepted the call but showed no State.

    Raises:
        AppStreamError: AppStream answered an error; the class has the name of its code.
        AppStreamUnreachable: AppStream gave no answer; the image builder may be starting all the same.
    """
    version = {"AppstreamAgentVersion": agent_version} if agent_version else {}
    builder = _call(lambda: client.start_image_builder(Name=name, **version)).get("ImageBuilder", {})
    return dict(builder) if builder.get("State") else None


def stop(client: "AppStreamClient", name: str) -> ImageBuilder | None:
    """Stop a running image builder. Returns and raises what `start` does."""
    builder = _call(lambda: client.stop_image_builder(Name=name)).get("ImageBuilder", {})
    return dict(builder) if builder.get("State") else None


def tags(client: "AppStreamClient", arn: str) -> dict[str, str]:
    """The tags of an image builder, by key. Raises what `describe` does."""
    return dict(_call(lambda: client.list_tags_for_resource(ResourceArn=arn)).get("Tags", {}))


def _call(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = call()
    except ClientError as error:
        details = error.response.get("Error", {})
        status = str(details.get("Code"))
        if status == "429" or (status.isdigit() and status >= "500"):
            # Without an error code in the answer, botocore puts the HTTP status in its place.
            raise AppStreamUnreachable(f"HTTP status {status}: {error}") from error
        raise service_error(details.get("Code") or "Unknown", details.get("Message") or str(error)) from error
    except (HTTPClientError, ConnectionError) as error:
        raise AppStreamUnreachable(f"{type(error).__name__}: {error}") from error
    return answer
