"""The troubles that `make demo FAULT=...` can show, each by the Error that the run ends with or goes through."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.fake_appstream.control import Control

FOR_EVER = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble.

    Attributes:
        story: what it is and what will be seen, for a person.
        inflict: makes the trouble; called with the double's control and the name of the image builder.
    """

    story: str
    inflict: Callable[[Control, str], object]


def error(code: str, story: str, times: int | None = FOR_EVER, operation: str = "StartImageBuilder") -> Fault:
    """AppStream answers an operation with an error code, so many times, then behaves."""
    answer = {"code": code, "message": f"Made up by FAULT={code}."}
    return Fault(
        story,
        lambda appstream, name: appstream.add_fault(operation=operation, name=name, times=times, error=answer),
    )


def life(story: str, **settings: Any) -> Fault:
    """The builder lives otherwise than usual: settings of the double's put_builder."""
    return Fault(story, lambda appstream, name: appstream.put_builder(name, **settings))


FAULTS: Mapping[str, Fault] = {
    "ConcurrentModificationException": error(
        "ConcurrentModificationException",
        "Another operation holds the builder, twice; minutes later the start works.",
        2,
    ),
    "ResourceNotAvailableException": error(
        "ResourceNotAvailableException", "No capacity, at every attempt: the retries are spent, then a person is told."
    ),
    "ResourceNotFoundException": error(
        "ResourceNotFoundException", "There is no such builder: the caller has to mend the request."
    ),
    "InvalidAccountStatusException": error(
        "InvalidAccountStatusException", "The account is suspended: a person is told at once."
    ),
    "IncompatibleImageException": error(
        "IncompatibleImageException", "The image does not fit: the caller has to choose another builder."
    ),
    "OperationNotPermittedException": error(
        "OperationNotPermittedException", "The builder was not STOPPED when the start arrived: look again, go on.", 1
    ),
    "ThrottlingException": error(
        "ThrottlingException", "AppStream throttles ten calls: boto3 and Step Functions retry, in seconds.", 10
    ),
    "ImageBuilderFailed": life(
        "The builder fails while it starts: a person is told what AppStream reports, and what to do.",
        next_start={
            "stages": [("PENDING", 120), ("FAILED", FOR_EVER)],
            "at_end": {
                "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "The image builder could not be started."},
                "ImageBuilderErrors": [
                    {
                        "ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES",
                        "ErrorMessage": "subnet-0123456789abcdef0 has no free addresses.",
                    }
                ],
            },
        },
    ),
    "ImageBuilderStartTimedOut": life(
        "The builder stays PENDING: after TimeoutMinutes, an hour, a person is told.",
        next_start=[("PENDING", FOR_EVER)],
    ),
    "ImageBuilderDeleting": life("Somebody deletes the builder: the caller has to choose another.", state="DELETING"),
    "AlreadyRunning": life("The builder is RUNNING already: nothing is started.", state="RUNNING"),
    "LostAnswer": Fault(
        "The answer to the start is lost: the run joins the start that it made.",
        lambda appstream, name: appstream.add_fault(operation="StartImageBuilder", name=name, times=1, drop="after"),
    ),
    "AccessDeniedException": error(
        "AccessDeniedException", "The function's role may not start builders: a person is told at once."
    ),
}


def named(name: str) -> Fault:
    """The fault of that name; any other error code of the form that AWS uses is answered at every start.

    Raises:
        ValueError: it is no name of a fault and cannot be an error code.
    """
    if name in FAULTS:
        return FAULTS[name]
    if re.fullmatch(r"[A-Z][A-Za-z]{2,63}", name):
        return error(name, f"AppStream answers {name} to every start.")
    raise ValueError(f"FAULT: {name!r} is neither an error code nor one of {', '.join(FAULTS)}")
