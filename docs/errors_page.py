"""Writes docs/errors.md: every Error, its route and what to do, read from the workflow and the advice table.

`python -m docs.errors_page`; a test holds that the page is what this writes.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "errors.md"
DEFINITION = PROJECT / "statemachine" / "start_image_builder.asl.json"
ADVICE = PROJECT / "lambdas" / "image_builder" / "advice.json"

INTRODUCTION = """\
# Errors: what ended a run, and what to do

<!-- Written by `make docs` from statemachine/start_image_builder.asl.json and lambdas/image_builder/advice.json. -->

A run that does not bring the image builder to RUNNING ends FAILED. Its `Error` is one of those below, and its `Cause`
is a JSON text with `Name`, `Route`, `Message`, `Advice` and, once the builder was seen, `ImageBuilder`.

- Route **fail**: the caller has to mend something; nobody else is told.
- Route **notify**: a person is told through the operators' SNS topic first.

An Error that is in no table goes the route notify.
"""


def page() -> str:
    """The text of the page."""
    states = json.loads(DEFINITION.read_text("utf-8"))["States"]
    return "\n".join(
        [
            INTRODUCTION,
            "## Ends\n",
            _table(["Error", "Route", "Advice"], _ends(states)),
            "## On the way: retried or looked at again first\n",
            _table(["Error", "What happens"], _on_the_way(states)),
            "## ImageBuilderFailed: what AppStream reports, and what to do\n",
            "The Message carries every code that AppStream reports, the Advice a sentence for each.\n",
            _table(["Code", "Advice", "Source"], _codes()),
        ]
    )


def _ends(states: dict[str, Any]) -> Iterator[list[str]]:
    for rule in states["Choose the route of the error"]["Choices"]:
        assigned = rule["Assign"].get("failure", "")
        if not assigned:
            continue
        advice = re.search(r"'Advice': '([^']*)'", assigned)
        route = "fail" if "'Route': 'fail'" in assigned else "notify"
        yield [_codes_of(rule), route, advice.group(1) if advice else ""]
    for rule in states["Decide by the phase of the image builder"]["Choices"]:
        failure = rule.get("Assign", {}).get("failure")
        if failure:
            yield [
                f"`{failure['Error']}` ({rule['Comment'].split(':')[0]})",
                failure["Route"],
                _plain(failure["Advice"]),
            ]


def _on_the_way(states: dict[str, Any]) -> Iterator[list[str]]:
    for rule in states["Choose the route of the error"]["Choices"]:
        if "failure" not in rule["Assign"]:
            yield [_codes_of(rule), rule["Comment"]]
    for retrier in states["Start the image builder"]["Retry"]:
        errors = ", ".join(f"`{error}`" for error in retrier["ErrorEquals"])
        seconds = [retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"])]
        pauses = ", ".join(str(min(second, retrier["MaxDelaySeconds"])) for second in seconds)
        yield [errors, f"Retry of the task: up to {retrier['MaxAttempts']} times, each after 0 to {pauses} seconds."]


def _codes() -> Iterator[list[str]]:
    for member, codes in json.loads(ADVICE.read_text("utf-8")).items():
        for code, entry in codes.items():
            yield [f"`{code}` ({member})", entry["Advice"], f"[AWS]({entry['Source']})"]


def _codes_of(rule: dict[str, Any]) -> str:
    return ", ".join(f"`{error}`" for error in re.findall(r"'([A-Z]\w+)'", rule["Condition"]))


def _plain(text: str) -> str:
    """The words of an advice that is put together: what stands between quotes in the expression."""
    if not text.startswith("{%"):
        return text
    words = "".join(re.findall(r"'([^']*)'", text)).strip()
    return f"{words} Then the advice for what AppStream reports, below.".strip()


def _table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
