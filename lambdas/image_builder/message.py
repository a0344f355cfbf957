"""What operators are told about the end of an execution: a plain-text mail, and a form for chat."""

import json
from typing import Any

from image_builder.ending import Ending

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
"""Source: Amazon Q Developer in chat applications administrator guide, Custom notifications."""


def subject(ending: Ending) -> str:
    """One line, fit for the Subject of an SNS message."""
    line = f"{_headline(ending)}: {ending.error}" if ending.error else _headline(ending)
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in line)[:_MAX_SUBJECT]


def mail(ending: Ending, runbook_url: str) -> str:
    """Plain text. Paragraphs are single lines: mail programs wrap them to whatever they are read on.

    Args:
        ending: of the execution.
        runbook_url: of the page with a section for each error; empty where the deployment has none.
    """
    parts = [
        f"{_headline(ending)}.",
        f"ERROR\n{ending.error}" if ending.error else "",
        f"WHAT HAPPENED\n{ending.message}",
        f"WHAT TO DO\n{ending.advice}",
        f"WHOSE TURN IT IS\n{_WHOSE_TURN.get(ending.route, ending.route)}" if ending.route else "",
        "\n".join(
            [
                "IMAGE BUILDERS" if ending.aim == "fleet" else "IMAGE BUILDER",
                _builder(ending),
                *_link(builder_url(ending)),
            ]
        ),
        "\n".join(["EXECUTION", ending.execution, *_link(execution_url(ending))]),
        f"RUNBOOK\n{runbook(ending, runbook_url)}" if ending.error else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def chat(ending: Ending, runbook_url: str) -> str:
    """The same for a chat channel: a custom notification of Amazon Q Developer in chat applications, as JSON.

    Source: its administrator guide, Custom notifications (schema version 1.0).
    """
    steps = [ending.advice]
    if ending.error:
        steps.append(f"Runbook: {runbook(ending, runbook_url)}")
    steps += [
        f"<{url}|{text}>"
        for url, text in [
            (execution_url(ending), "Open the execution"),
            (builder_url(ending), "Open the image builders"),
        ]
        if url
    ]
    context = {
        "Error": ending.error,
        "Route": ending.route,
        "ImageBuilder": _builder(ending),
        "Execution": ending.execution,
    }
    notification: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": subject(ending)[:_MAX_CHAT_TITLE],
            "description": ending.message[:_MAX_CHAT_DESCRIPTION],
            "nextSteps": steps,
        },
        "metadata": {
            "threadId": ending.execution.rsplit(":", 1)[-1],
            "summary": subject(ending),
            "eventType": f"ImageBuilderStart{ending.status.title().replace('_', '')}",
            "relatedResources": [ending.execution],
            "additionalContext": {key: value for key, value in context.items() if value},
            # Messages carry text that AWS and requesters wrote: no button may act on it.
            "enableCustomActions": False,
        },
    }
    return json.dumps(notification)


def runbook(ending: Ending, runbook_url: str) -> str:
    """Where the runbook says what to do about an error."""
    return f"{runbook_url or 'docs/runbook.md'}#{ending.error}"


def execution_url(ending: Ending) -> str:
    """The execution in the Step Functions console; empty where the partition's console is unknown."""
    return _console(ending, "states/home", f"/v2/executions/details/{ending.execution}")


def builder_url(ending: Ending) -> str:
    """Images and image builders in the AppStream 2.0 console; empty where the partition's console is unknown."""
    return _console(ending, "appstream2/home", "/images")


def _console(ending: Ending, path: str, fragment: str) -> str:
    _, partition, _, region, *_ = ending.execution.split(":")
    host = _CONSOLE_HOSTS.get(partition)
    # The one host of a partition leads on to the Region's own.
    return f"https://{host}/{path}?region={region}#{fragment}" if host else ""


def _link(url: str) -> list[str]:
    return [url] if url else []


def _builder(ending: Ending) -> str:
    _, _, _, region, account, *_ = ending.execution.split(":")
    state = f" ({ending.state} when last seen)" if ending.state else ""
    who = "several" if ending.aim == "fleet" else "none that can exist was named"
    return f"{ending.name or who}{state}, account {account}, {region}"


def _headline(ending: Ending) -> str:
    who = f"Image builder {ending.name}" if ending.name else "An image builder"
    if ending.status == "SUCCEEDED":
        return f"{who} is running"
    if ending.error == "GuardNotLeft":
        return f"{who} has no guard that stops it"
    return {
        "start": f"{who} did not start",
        "stop": f"{who} was not stopped",
        "fleet": "Not all image builders of a fleet started",
    }.get(ending.aim, f"{who}: the execution broke off")
