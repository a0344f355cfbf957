"""The faults that `make demo FAULT=...` can show, named after the Error that the run ends with or recovers from."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.fake_appstream.control import Control

FOR_EVER = None
SUCCESS = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        story: what it is and what the run does about it.
        inject: makes the fault; called with the fake's control and the name of the image builder.
        ends: the Error that the run has to end with; `SUCCESS`, or None for any error.
    """

    story: str
    inject: Callable[[Control, str], object]
    ends: str | None = SUCCESS


def error(code: str, story: str, message: str, times: int | None = FOR_EVER) -> Fault:
    """AppStream answers the start with an error, so many times, then accepts it."""

    def inject(appstream: Control, name: str) -> None:
        answer = {"code": code, "message": message.format(name=name)}
        appstream.add_fault(operation="StartImageBuilder", name=name, times=times, error=answer)

    return Fault(story, inject, code if times is FOR_EVER else SUCCESS)


def state(story: str, ends: str, **settings: Any) -> Fault:
    """The image builder goes through other states than usual: settings of the fake's put_builder."""
    return Fault(story, lambda appstream, name: appstream.put_builder(name, **settings), ends)


# The messages are those of AppStream's API model, and for what no model lists, of IAM and of API throttling.
FAULTS: Mapping[str, Fault] = {
    "ConcurrentModificationException": error(
        "ConcurrentModificationException",
        "Another operation holds the image builder for two attempts; minutes later the start is accepted.",
        "An API error occurred. Wait a few minutes and try again.",
        times=2,
    ),
    "ResourceNotAvailableException": error(
        "ResourceNotAvailableException",
        "No capacity, at every attempt: the retries are spent, then the operators are notified.",
        "The specified resource exists and is not in use, but isn't available.",
    ),
    "ResourceNotFoundException": error(
        "ResourceNotFoundException",
        "There is no such image builder: the requester must change the request.",
        "The specified resource was not found.",
    ),
    "InvalidAccountStatusException": error(
        "InvalidAccountStatusException",
        "The account is suspended: the operators are notified at once.",
        "The resource cannot be created because your AWS account is suspended. For assistance, contact AWS Support.",
    ),
    "IncompatibleImageException": error(
        "IncompatibleImageException",
        "The image is not compatible: the requester must choose another image builder.",
        "The image can't be updated because it's not compatible for updates.",
    ),
    "OperationNotPermittedException": error(
        "OperationNotPermittedException",
        "The image builder was not STOPPED when the start arrived: describe it again, and go on.",
        "The attempted operation is not permitted.",
        times=1,
    ),
    "ThrottlingException": error(
        "ThrottlingException",
        "AppStream throttles ten calls: Step Functions retries, in seconds and then in minutes.",
        "Rate exceeded",
        times=10,
    ),
    "AccessDeniedException": error(
        "AccessDeniedException",
        "The function's role may not start image builders: the operators are notified at once.",
        "User: arn:aws:sts::000000000000:assumed-role/StartImageBuilder/StartImageBuilder is not authorized to "
        "perform: appstream:StartImageBuilder on resource: arn:aws:appstream:us-east-1:000000000000:image-builder/"
        "{name} because no identity-based policy allows the appstream:StartImageBuilder action",
    ),
    "ImageBuilderFailed": state(
        "The image builder fails while it starts: the operators are notified of the cause, and what to do.",
        "ImageBuilderFailed",
        next_start={
            "stages": [("PENDING", 120), ("FAILED", FOR_EVER)],
            "at_end": {
                "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "The image builder could not be started."},
                "ImageBuilderErrors": [
                    {
                        "ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES",
                        "ErrorMessage": "subnet-0123456789abcdef0 has insufficient IP addresses.",
                    }
                ],
            },
        },
    ),
    "ImageBuilderStartTimedOut": state(
        "The image builder stays PENDING: after TimeoutMinutes, an hour, the operators are notified.",
        "ImageBuilderStartTimedOut",
        next_start=[("PENDING", FOR_EVER)],
    ),
    "ImageBuilderDeleting": state(
        "Somebody deletes the image builder: the requester must choose another.",
        "ImageBuilderDeleting",
        state="DELETING",
    ),
    "AlreadyRunning": state("The image builder is RUNNING already: nothing is started.", SUCCESS, state="RUNNING"),
    "LostAnswer": Fault(
        "The answer to the start is lost: the run joins the start that it made.",
        lambda appstream, name: appstream.add_fault(operation="StartImageBuilder", name=name, times=1, drop="after"),
    ),
}


def named(name: str) -> Fault:
    """The fault of that name; any other error code of the form that AWS uses is answered to every start.

    Raises:
        ValueError: it is neither; the message names the fault that was probably meant.
    """
    if name in FAULTS:
        return FAULTS[name]
    is_code = re.fullmatch(r"[A-Z][A-Za-z]{2,63}", name)
    lower = {fault.lower(): fault for fault in FAULTS}
    # ThrottledException, which is a code of its own, is 0.86 alike to ThrottlingException; one wrong letter is more.
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.9 if is_code else 0.6)
    if close:
        raise ValueError(f"FAULT: there is no {name!r}: did you mean {lower[close[0]]}?")
    if not is_code:
        raise ValueError(f"FAULT: {name!r} is neither an error code nor one of {', '.join(FAULTS)}")
    story = f"AppStream answers {name} to every start."
    return Fault(story, error(name, story, "The request could not be completed.").inject, ends=None)
