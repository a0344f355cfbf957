"""Canonical AWS error codes: one name for each thing that can go wrong; its aliases, route and advice are data."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore import exceptions
from botocore.parsers import ResponseParserError

THROTTLING = "ThrottlingException"
UNAVAILABLE = "ServiceUnavailableException"
UNKNOWN = "Unknown"
# Of an image builder: they say that it failed, and not why.
GENERIC_CODES = ("INTERNAL_ERROR", "INTERNAL_SERVICE_ERROR", "VALIDATION_ERROR")

_MAX_CODE = 60
# Characters, as JSON. A Cause has 32,768 at most. Source: AWS Step Functions API reference, HistoryEvent details.
_MAX_MESSAGE = 8_000

# What to do about "Errors", "Uncaught" executions (by status), "StateChangeReason" and "ImageBuilderErrors".
ADVICE: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(
    Path(__file__).with_name("advice.json").read_text("utf-8")
)
# By canonical code: the Route, `fail` or `notify`, the Advice, and the Aliases; each with where AWS says so.
ERRORS = ADVICE["Errors"]
# The canonical code of each alias.
ALIASES: Mapping[str, str] = {alias: code for code, each in ERRORS.items() for alias in each.get("Aliases", ())}


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
        """What the workflow reads of this error. What nobody has heard of goes to an operator."""
        routing = ERRORS.get(type(self).__name__, ERRORS[UNKNOWN])
        return {"Message": self.message, "Route": routing["Route"], "Advice": routing["Advice"]}


def cut(text: str, most: int, end: str = "...") -> str:
    """The text, cut so that it takes at most so many characters as JSON in ASCII, where one can take twelve."""
    if len(json.dumps(text)) <= most:
        return text
    kept = text[:most]
    while len(json.dumps(kept + end)) > most:
        kept = kept[: len(kept) * 7 // 8]
    return kept + end


def routed(code: str, message: str, *, sent: bool = False) -> RoutedError:
    """An exception whose class is named after a canonical code: Step Functions matches the class name."""
    kind: type[RoutedError] = type(code, (RoutedError,), {})
    return kind(message, sent=sent)


def canonical(code: str, http_status: int = 400) -> str:
    """The canonical name of an error code.

    A known code decides; else HTTP status 429 or 5xx; else the code keeps its name, as far as a class can have it.
    """
    if code in ALIASES:
        return ALIASES[code]
    if code in ERRORS:
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
    except exceptions.ClientError as error:
        details = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        # Without a code in the answer, botocore puts the HTTP status in its place.
        original = str(details.get("Code") or UNKNOWN)
        code = canonical(original, int(original) if original.isdecimal() and len(original) == 3 else status)
        # A 5xx does not say that nothing was done.
        raise routed(code, f"{original}: {details.get('Message') or error}", sent=code == UNAVAILABLE) from error
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError) as error:
        raise routed(UNAVAILABLE, f"{type(error).__name__}: {error}") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise routed(UNAVAILABLE, f"No answer. {type(error).__name__}: {error}", sent=True) from error
    except exceptions.BotoCoreError:
        raise  # before anything was sent
    except (ResponseParserError, ValueError, TypeError, AttributeError, LookupError) as error:
        # boto3 could not read the answer.
        raise routed(UNAVAILABLE, f"Unreadable answer. {type(error).__name__}: {error}", sent=True) from error
    return answer
