"""What operators are told, in whatever form: a plain-text mail, and a notification for chat."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.image_builder.dead_letter import DeadLetter
from lambdas.image_builder.execution_result import ExecutionResult

_WHOSE_TURN = {
    "fail": "Whoever started this execution: the request has to change.",
    "notify": "An operator.",
    "uncaught": "An operator: the workflow did not end by itself.",
}

_CONSOLE_HOSTS = {"aws": "console.aws.amazon.com", "aws-us-gov": "console.amazonaws-us-gov.com"}
"""By partition. The consoles of the isolated partitions are not public: messages name the ARN only."""

_MAX_SUBJECT = 99
"""Below 100 characters, ASCII. Source: Amazon SNS API reference, Publish, Subject."""

_MAX_CHAT_TITLE = 250
_MAX_CHAT_DESCRIPTION = 8_000
_MAX_CHAT_CONTEXT = 1_000
"""Source: Amazon Q Developer in chat applications administrator guide, Custom notifications."""


@dataclass(frozen=True, slots=True)
class About:
    """Something that a notice is about. Attributes: heading: what it is. text: which. url: in the console, or ""."""

    heading: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told.

    Attributes:
        headline: one line, without its full stop.
        error: its name; empty for a success. The runbook has a section for it.
        happened: what happened.
        advice: what to do.
        turn: whose turn it is; empty where nobody's.
        about: what it is about, in the order in which a person looks for it.
        arn: of what it is about: messages about the same thing belong to one thread.
        event: its kind, as chat shows it.
        section: of the runbook; empty where there is none for it.
    """

    headline: str
    error: str
    happened: str
    advice: str
    turn: str
    about: Sequence[About]
    arn: str
    event: str
    section: str


def of_execution_result(ending: ExecutionResult) -> Notice:
    """The notice of how an execution ended."""
    return Notice(
        headline=_headline(ending),
        error=ending.error,
        happened=ending.message,
        advice=ending.advice,
        turn=_WHOSE_TURN.get(ending.route, ending.route),
        about=(
            About(
                "Image builders" if ending.aim == "fleet" else "Image builder",
                _builder(ending),
                console(ending.execution, "appstream2/home", "/images"),
            ),
            About(
                "Execution",
                ending.execution,
                console(ending.execution, "states/home", f"/v2/executions/details/{ending.execution}"),
            ),
        ),
        arn=ending.execution,
        event=f"ImageBuilderStart{ending.status.title().replace('_', '')}",
        section=ending.section,
    )


def of_dead_letter(letter: DeadLetter) -> Notice:
    """The notice of a schedule or an event that could not start its workflow."""
    # Scheduler counts its own attempts; the first is none that was repeated.
    tries = f" It tried again {letter.retries} times." if letter.retries else ""
    return Notice(
        headline=f"{letter.kind} {letter.name} could not start its workflow",
        error=letter.error,
        happened=f"{letter.service} could not start the workflow, and nothing was started: {letter.message}{tries}",
        advice="Mend what the error names: as a rule the role that starts the workflow, or a workflow that is gone. "
        "Then start the workflow by hand with the request below, if that is still wanted.",
        turn=_WHOSE_TURN["notify"],
        about=(
            About("Request", letter.request, ""),
            About(letter.kind, letter.arn, ""),
            About(
                "Workflow",
                letter.workflow,
                # The console lists executions by the state machine, whatever alias they were started by.
                console(letter.workflow, "states/home", f"/statemachines/view/{_without_alias(letter.workflow)}"),
            ),
        ),
        arn=letter.arn,
        event="ImageBuilderStartNotDelivered",
        section="StartsNotDelivered",
    )


def subject(notice: Notice) -> str:
    """One line, fit for the Subject of an SNS message."""
    line = f"{notice.headline}: {notice.error}" if notice.error else notice.headline
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in line)[:_MAX_SUBJECT]


def mail(notice: Notice, runbook_url: str) -> str:
    """Plain text. Paragraphs are single lines: mail programs wrap them to whatever they are read on.

    Args:
        notice: what is told.
        runbook_url: of the page with a section for each error; empty where the deployment has none.
    """
    parts = [
        f"{notice.headline}.",
        f"ERROR\n{notice.error}" if notice.error else "",
        f"WHAT HAPPENED\n{notice.happened}",
        f"WHAT TO DO\n{notice.advice}",
        f"WHOSE TURN IT IS\n{notice.turn}" if notice.turn else "",
        *("\n".join(filter(None, (each.heading.upper(), each.text, each.url))) for each in notice.about),
        f"RUNBOOK\n{_runbook(notice, runbook_url)}" if notice.section else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def chat(notice: Notice, runbook_url: str) -> str:
    """The same for a chat channel: a custom notification of Amazon Q Developer in chat applications, as JSON.

    Source: its administrator guide, Custom notifications (schema version 1.0).
    """
    steps = [notice.advice]
    if notice.section:
        steps.append(f"Runbook: {_runbook(notice, runbook_url)}")
    steps += [f"<{each.url}|Open: {each.heading.lower()}>" for each in reversed(notice.about) if each.url]
    context = {"Error": notice.error, "Whose turn": notice.turn, **{each.heading: each.text for each in notice.about}}
    notification: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": subject(notice)[:_MAX_CHAT_TITLE],
            "description": notice.happened[:_MAX_CHAT_DESCRIPTION],
            "nextSteps": steps,
        },
        "metadata": {
            "threadId": notice.arn.rsplit(":", 1)[-1],
            "summary": subject(notice),
            "eventType": notice.event,
            "relatedResources": [notice.arn],
            "additionalContext": {key: value[:_MAX_CHAT_CONTEXT] for key, value in context.items() if value},
            # Messages carry text that AWS and requesters wrote: no button may act on it.
            "enableCustomActions": False,
        },
    }
    return json.dumps(notification)


def _runbook(notice: Notice, runbook_url: str) -> str:
    return f"{runbook_url or 'docs/runbook.md'}#{notice.section}"


def console(arn: str, path: str, fragment: str) -> str:
    """A page of the console of the partition and Region of an ARN; empty where the partition's console is unknown."""
    _, partition, _, region, *_ = f"{arn}::::".split(":")
    host = _CONSOLE_HOSTS.get(partition)
    # The one host of a partition leads on to the Region's own.
    return f"https://{host}/{path}?region={region}#{fragment}" if host else ""


def _without_alias(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _builder(ending: ExecutionResult) -> str:
    _, _, _, region, account, *_ = ending.execution.split(":")
    state = f" ({ending.state} when last seen)" if ending.state else ""
    who = "several" if ending.aim == "fleet" else "none that can exist was named"
    return f"{ending.name or who}{state}, account {account}, {region}"


def _headline(ending: ExecutionResult) -> str:
    who = f"Image builder {ending.name}" if ending.name else "An image builder"
    if ending.status == "SUCCEEDED":
        return f"{who} is running"
    if ending.error == "AutoStopNotScheduled":
        return f"{who} has no guard that stops it"
    return {
        "start": f"{who} did not start",
        "stop": f"{who} was not stopped",
        "fleet": "Not all image builders of a fleet started",
    }.get(ending.aim, f"{who}: the execution broke off")
