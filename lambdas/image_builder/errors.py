"""Canonical AWS error codes: one name for each thing that can go wrong, with its route and advice as data."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from botocore.exceptions import ClientError, ConnectionError, ConnectTimeoutError, EndpointConnectionError
from botocore.exceptions import HTTPClientError as BotocoreHTTPClientError

THROTTLING = "ThrottlingException"
UNAVAILABLE = "ServiceUnavailableException"
ACCESS_DENIED = "AccessDeniedException"
VALIDATION = "ValidationException"
NOT_PERMITTED = "OperationNotPermittedException"
UNKNOWN = "Unknown"

ALIASES: Mapping[str, str] = {
    # botocore, standard retry mode, throttling errors (botocore/retries/standard.py); Amazon EC2 API, Error codes.
    "Throttling": THROTTLING,
    "ThrottledException": THROTTLING,
    "RequestThrottled": THROTTLING,
    "RequestThrottledException": THROTTLING,
    "TooManyRequestsException": THROTTLING,
    "RequestLimitExceeded": THROTTLING,
    "RequestLimitExceededException": THROTTLING,
    "SlowDown": THROTTLING,
    # AppStream 2.0 API reference, Common errors; botocore, transient errors; Amazon EC2 API, Error codes.
    "ServiceUnavailable": UNAVAILABLE,
    "InternalError": UNAVAILABLE,
    "InternalFailure": UNAVAILABLE,
    "InternalServerError": UNAVAILABLE,
    "InternalServerException": UNAVAILABLE,
    "InternalServiceError": UNAVAILABLE,
    # Resource Groups Tagging API reference, GetResources.
    "InternalServiceException": UNAVAILABLE,
    "RequestTimeout": UNAVAILABLE,
    "RequestTimeoutException": UNAVAILABLE,
    "RequestAbortedException": UNAVAILABLE,
    # AppStream 2.0 API reference, UpdateImageBuilder and DeleteImageBuilder: the image builder is in use.
    "ResourceInUseException": NOT_PERMITTED,
    # AppStream 2.0 API reference, Common errors and StartImageBuilder; Amazon EC2 API, Error codes.
    "ValidationError": VALIDATION,
    "InvalidParameterCombination": VALIDATION,
    "InvalidParameterCombinationException": VALIDATION,
    "InvalidParameterException": VALIDATION,
    "InvalidParameterValue": VALIDATION,
    "InvalidParameterValueException": VALIDATION,
    "MissingParameter": VALIDATION,
    # AppStream 2.0 API reference, Common errors; AWS Signature Version 4, Troubleshooting: the credentials of the role.
    "AccessDenied": ACCESS_DENIED,
    "UnauthorizedOperation": ACCESS_DENIED,
    "NotAuthorized": ACCESS_DENIED,
    "OptInRequired": ACCESS_DENIED,
    "ExpiredToken": ACCESS_DENIED,
    "ExpiredTokenException": ACCESS_DENIED,
    "IncompleteSignature": ACCESS_DENIED,
    "InvalidClientTokenId": ACCESS_DENIED,
    "InvalidSignatureException": ACCESS_DENIED,
    "MissingAuthenticationToken": ACCESS_DENIED,
    "MissingAuthenticationTokenException": ACCESS_DENIED,
    "RequestExpired": ACCESS_DENIED,
    "SignatureDoesNotMatch": ACCESS_DENIED,
    "UnrecognizedClient": ACCESS_DENIED,
    "UnrecognizedClientException": ACCESS_DENIED,
}
"""Each alias, with where AWS documents it, and its canonical code."""

_MAX_CODE = 60
_MAX_MESSAGE = 8_000
"""Characters, as JSON. A Cause has 32,768 at most. Source: AWS Step Functions API reference, HistoryEvent details."""


class Routing(TypedDict):
    """What the advice table says of an error: the route `fail` or `notify`, and what to do."""

    Route: str
    Advice: str
    Source: str


class RoutedError(Exception):
    """An error that the workflow routes by the name of its class, which is the canonical code.

    Its text is JSON, {"Message", "Route", "Advice"}, which the workflow reads from Lambda's errorMessage.

    Attributes:
        message: what happened, for a person, at most 8,000 characters as JSON.
        sent: whether the call may have taken effect: it was sent, and no answer refused it.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        self.message = cut(message, _MAX_MESSAGE)
        self.sent = sent
        super().__init__(json.dumps(self.report()))

    def report(self) -> dict[str, str]:
        """What the workflow reads of this error."""
        routing = routing_of(type(self).__name__)
        return {"Message": self.message, "Route": routing["Route"], "Advice": routing["Advice"]}


def cut(text: str, most: int) -> str:
    """The text, cut so that it takes at most so many characters as JSON in ASCII, where one can take twelve."""
    if len(json.dumps(text)) <= most:
        return text
    kept = text[:most]
    while len(json.dumps(kept)) > most - 3:
        kept = kept[: len(kept) * 3 // 4]
    return f"{kept}..."


def routed(code: str, message: str, *, sent: bool = False) -> RoutedError:
    """An exception whose class is named after a canonical code: Step Functions matches the class name."""
    kind: type[RoutedError] = type(code, (RoutedError,), {"__doc__": f"AWS answered {code}."})
    return kind(message, sent=sent)


def canonical(code: str, http_status: int = 400) -> str:
    """The canonical name of an error code.

    A known code decides; else HTTP status 429 or 5xx; else the code keeps its name, as far as a class can have it.
    """
    if code in ALIASES:
        return ALIASES[code]
    if code in errors():
        return code
    if http_status == 429:
        return THROTTLING
    if http_status >= 500:
        return UNAVAILABLE
    # A Fail state's Error may not begin with "States.": those are Step Functions' own.
    return re.sub(r"[^A-Za-z0-9_.-]", "", code).replace("States.", "States")[:_MAX_CODE] or UNKNOWN


def call(operation: Callable[[], Any]) -> dict[str, Any]:
    """The answer to one call of an AWS service.

    Raises:
        RoutedError: in canonical form, with the original code and the message of AWS.
    """
    try:
        answer: dict[str, Any] = operation()
    except ClientError as error:
        details = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        # Without a code in the answer, botocore puts the HTTP status in its place.
        original = str(details.get("Code") or UNKNOWN)
        code = canonical(original, int(original) if original.isdecimal() and len(original) == 3 else status)
        message = str(details.get("Message") or error)
        # A 5xx does not say that nothing was done.
        raise routed(code, f"{original}: {message}", sent=code == UNAVAILABLE) from error
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise routed(UNAVAILABLE, f"{type(error).__name__}: {error}") from error
    except (BotocoreHTTPClientError, ConnectionError) as error:
        raise routed(UNAVAILABLE, f"No answer. {type(error).__name__}: {error}", sent=True) from error
    return answer


def routing_of(code: str) -> Routing:
    """The route of a canonical error and what to do about it. What nobody has heard of goes to an operator."""
    return errors().get(code) or errors()[UNKNOWN]


@cache
def errors() -> Mapping[str, Routing]:
    """The advice table's section about errors, by canonical code."""
    table: dict[str, dict[str, Routing]] = json.loads(Path(__file__).with_name("advice.json").read_text("utf-8"))
    return table["Errors"]
