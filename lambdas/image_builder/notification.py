"""The messages that operators read: one notice as a subject, a plain-text mail and a chat notification.

Requesters and third parties control much of the text: names, tags, execution names, AWS messages, causes of
StopExecution. `quote` makes all of it one inert line; commands and links are built by `command` and `console`.
"""

import json
import re
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lambdas.image_builder.errors import cut

# By partition. The consoles of the isolated partitions are not public: messages name the ARN only.
_CONSOLE_HOSTS = {"aws": "console.aws.amazon.com", "aws-us-gov": "console.amazonaws-us-gov.com"}
# Source: Amazon SNS API reference, Publish.
MAX_SNS_BYTES = 262_144
_MAX_SUBJECT = 99  # ASCII characters
_MIN_NAME = 12  # characters of the name that a subject keeps; then the cause is cut
# Characters. Source: Amazon Q Developer in chat applications administrator guide, Custom notifications.
_MAX_CHAT_DESCRIPTION = 8_000
_MAX_CHAT_TEXT = 1_000
MAX_ARGUMENT = 600  # of a request in the command of a step
_RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"  # in the function's code too (infra/bundling.py)
_LINK = re.compile(r"://|www\.|@|\.[a-z]{2,}/", re.IGNORECASE)
# Each character of Slack's and Teams' markdown, and its full-width form, which reads alike and means nothing.
_MARKDOWN = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "*~`[]<>|@#\\"})


class Step(NamedTuple):
    """One thing to do: a sentence, and a command for a shell, from `command`; empty without one."""

    text: str
    command: str = ""


class Reference(NamedTuple):
    """A thing that a notice is about: its kind, which one it is, and its page in the console or nothing."""

    heading: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What operators are notified of. Texts are as they came: what sends them quotes them."""

    outcome: str  # "FAILED" or "RUNNING"
    name: str  # of the image builder, the fleet or the schedule
    cause: str  # the most specific code; empty for a success
    headline: str  # one line, without its full stop
    message: str  # what happened
    error: str  # the Error of the execution; empty for a success
    actor: str  # who has to act; empty where nobody has to
    steps: Sequence[Step]  # in order
    history: Sequence[str]  # when it began and ended, and who started it
    references: Sequence[Reference]  # in the order in which an operator needs them
    arn: str  # of the execution, or of what could not start one; messages with the same one share a chat thread
    event: str  # the kind of event that chat shows
    section: str  # of the runbook; empty without one


def quote(text: object, most: int = 8_000, *, markdown: bool = False) -> str:
    """A text of a requester or a third party as one inert line.

    Line breaks become spaces; control characters, invisible characters and Unicode bidirectional marks become question
    marks. What a mail program or a chat client makes a link of is broken. A name of the form `a.b` stays as it is: an
    image builder can have it.

    Args:
        text: anything.
        most: characters that are kept.
        markdown: whether the line goes to a chat client, which must not read markdown in it.
    """
    visible = "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in str(text))
    words = (word.replace(":", "[:]").replace(".", "[.]") if _LINK.search(word) else word for word in visible.split())
    line = " ".join(words)
    if markdown:
        # Within a word an underscore is no markdown.
        line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", "\uff3f", line.translate(_MARKDOWN))
    return _short(line, most)


def json_argument(value: object) -> str:
    """A value as JSON that means the same, yet holds no quotation mark of a shell, no link and no markdown."""
    unsafe = re.compile(r"['`<>&|@*~/]|(?<=www)\.", re.IGNORECASE)
    return unsafe.sub(lambda char: f"\\u{ord(char[0]):04x}", json.dumps(value))


def command(service: str, arn: str, *words: str) -> str:
    """A command of the AWS CLI in the Region of an ARN, for a POSIX shell. What is not printable becomes `?`."""
    words = ("aws", service, "--region", part(arn, 3), *words)
    return shlex.join("".join(char if char.isprintable() else "?" for char in word) for word in words)


def start_command(machine: str) -> str:
    """The command that starts an execution of a state machine or an alias, but for the request at its end."""
    return command("stepfunctions", machine, "start-execution", "--state-machine-arn", machine, "--input")


def part(arn: str, index: int) -> str:
    """A part of an ARN: 1 is the partition, 3 the Region, 4 the account; empty where there is none."""
    return f"{arn}:::::".split(":")[index]


def console(arn: str, path: str, fragment: str) -> str:
    """A page of the console of the partition and Region of an ARN; empty where the partition's console is unknown."""
    host, region = _CONSOLE_HOSTS.get(part(arn, 1)), part(arn, 3)
    if not host or not re.fullmatch(r"[a-z0-9-]+", region):
        return ""
    # The one host of a partition leads on to the Region's own.
    return f"https://{host}/{path}?region={region}#{urllib.parse.quote(fragment, safe='/:?=', errors='replace')}"


def sns_message(notice: Notice, runbook_url: str, *, with_chat: bool) -> dict[str, str]:
    """The parameters of an SNS Publish call, which has at most 262,144 bytes.

    Args:
        notice: what it is about.
        runbook_url: of the page with a section for each error; empty where the deployment has none.
        with_chat: whether HTTPS subscribers get the form for chat.
    """
    line, text = subject(notice), mail(notice, runbook_url)
    # What matters comes first, so the end is cut.
    end = f"... (cut: {len(text)} characters)\n"
    if not with_chat:
        return {"Subject": line, "Message": cut(text, MAX_SNS_BYTES, end)}
    custom = chat(notice, runbook_url)
    forms = {"default": cut(text, MAX_SNS_BYTES - len(json.dumps(custom)) - 100, end), "https": custom}
    return {"Subject": line, "MessageStructure": "json", "Message": json.dumps(forms, ensure_ascii=False)}


def subject(notice: Notice) -> str:
    """One line for the Subject of an SNS message: the name is shortened before the cause is."""
    cause, region, account = (
        f", {_ascii(text)}" if text else "" for text in (notice.cause, part(notice.arn, 3), part(notice.arn, 4))
    )
    room = _MAX_SUBJECT - len(f"[{notice.outcome}] {region}{account}")
    name = _short(_ascii(notice.name), max(_MIN_NAME, room - len(cause)))
    return f"[{notice.outcome}] {name}{_short(cause, room - len(name))}{region}{account}"[:_MAX_SUBJECT]


def mail(notice: Notice, runbook_url: str) -> str:
    """Plain text. Paragraphs are single lines: mail programs wrap them to the width of the screen."""
    steps = [f"{quote(step.text)}\n   {step.command}".rstrip() for step in _steps(notice, runbook_url)]
    if link := _runbook_link(notice, runbook_url):
        steps.append(f"The runbook has more: {link}")
    to_do = f"WHAT TO DO ({notice.actor})" if notice.actor else "WHAT TO DO"
    references = [
        "\n".join(filter(None, (each.heading.upper(), _line(each.text, MAX_SNS_BYTES), each.url)))
        for each in notice.references
    ]
    paragraphs = [
        f"{quote(notice.headline)}.",
        f"WHAT HAPPENED\n{_line(notice.message)}",
        f"Error: {quote(notice.error)}" if notice.error else "",
        "\n".join([to_do, *(f"{number}. {step}" for number, step in enumerate(steps, start=1))]),
        "\n".join(["WHEN AND WHO", *map(_line, notice.history)]) if notice.history else "",
        *references,
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def chat(notice: Notice, runbook_url: str) -> str:
    """A custom notification of Amazon Q Developer in chat applications, as JSON (schema version 1.0)."""

    def text(value: str, most: int = _MAX_CHAT_TEXT) -> str:
        return quote(value, most, markdown=True)

    steps = [f"{text(step.text)} `{step.command}`".removesuffix(" ``") for step in _steps(notice, runbook_url)]
    if link := _runbook_link(notice, runbook_url):
        steps.append(f"<{link}|Open: runbook>")
    steps += [f"<{each.url}|Open: {each.heading.lower()}>" for each in reversed(notice.references) if each.url]
    context = {
        "Error": notice.error,
        "Who acts": notice.actor,
        "When and who": " ".join(notice.history),
        **{each.heading: each.text for each in notice.references},
    }
    outcome = f"[{notice.outcome}] "
    title = outcome + text(subject(notice).removeprefix(outcome))
    notification: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": text(f"{notice.headline}. {notice.message}", _MAX_CHAT_DESCRIPTION),
            "nextSteps": steps,
        },
        "metadata": {
            "threadId": text(notice.arn.rpartition(":")[2]),
            "summary": title,
            "eventType": notice.event,
            "relatedResources": [text(notice.arn)],
            "additionalContext": {key: text(value) for key, value in context.items() if value},
            # Messages carry text that AWS and requesters wrote: no button may act on it.
            "enableCustomActions": False,
        },
    }
    return json.dumps(notification, ensure_ascii=False)


def _line(text: str, most: int = 8_000) -> str:
    """A quoted text that stands on a line of its own in a mail: in quotation marks if it reads like a heading."""
    line = quote(text, most)
    return f'"{line}"' if re.match(r"[A-Z ]+(\(|$)", line) else line


def _steps(notice: Notice, runbook_url: str) -> list[Step]:
    """The steps of a notice; where no runbook is published, with those of its section after the advice."""
    section = [] if runbook_url else _runbook().get(notice.section, [])
    advice, *others = notice.steps or [Step("")]
    return [step for step in (advice, *map(Step, section), *others) if step.text]


@cache
def _runbook() -> Mapping[str, Sequence[str]]:
    """The numbered steps of each section of docs/runbook.md, by its anchors, as plain text.

    Without those that a notice has for its own execution: describe the image builder, and start again.
    """
    steps: dict[str, Sequence[str]] = {}
    for section in _RUNBOOK.read_text("utf-8").split("\n### ")[1:]:
        found = re.findall(r"^\d+\. (.+(?:\n {3}.+)*)", section, re.MULTILINE)
        plain = [" ".join(re.sub(r"\[([^]]+)\]\([^)]+\)|[`*]", r"\1", step).split()) for step in found]
        own = [step for step in plain if not re.search(r"start-execution|describe-image-builders --names", step)]
        steps |= dict.fromkeys(re.findall(r'<a id="([^"]+)"></a>', section.partition("\n")[0]), own)
    return steps


def _runbook_link(notice: Notice, runbook_url: str) -> str:
    section = urllib.parse.quote(notice.section[:100], errors="replace")
    return f"{runbook_url}#{section}" if section and runbook_url else ""


def _ascii(text: str) -> str:
    return quote(text).encode("ascii", "replace").decode()


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."
