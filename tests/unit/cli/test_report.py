"""What the report says of an execution. In a browser: tests/e2e/test_report_in_browser.py."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from cli import report as module
from cli.definition import START, definition
from cli.diagram import Way
from cli.history import Run
from cli.report import periods, taken_ways
from tests.unit.cli.test_history import (
    ACCEPTED,
    ARN,
    POLL,
    WAIT,
    Event,
    answered,
    called,
    ended,
    entered,
    failed,
    poll,
    run,
    succeeded,
)

WORKFLOW = json.loads(definition(START))
CONSOLE = "https://console.aws.amazon.com"
CAUSE = json.dumps({"Route": "notify", "Message": "m", "Advice": "a"})


@pytest.fixture(autouse=True)
def _no_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.diagram.svg", lambda *_: "")


def report(found: Run) -> str:
    return module.report(found, WORKFLOW)


def card(found: Run) -> dict[str, str]:
    """The terms of the card and their texts; a text that is a link with its address before it."""
    (facts,) = re.findall(r"<dl>(.*?)</dl>", report(found), re.DOTALL)
    linked = re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', r"[\1] \2", facts)
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", linked))


def rows(found: Run) -> list[list[str]]:
    """The timeline: from, for, the state and what happened."""
    body = report(found).partition("<h2>Timeline</h2>")[2].partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)[:4] for row in body.split("</tr>")[:-1]]
    return [[re.sub(r"<[^>]*>|\n", "", unescape(cell)) for cell in row] for row in cells]


def test_polls_that_find_nothing_new_are_one_row() -> None:
    assert rows(run(*poll(0, *["PENDING"] * 4, "RUNNING"), succeeded(300, {}))) == [
        ["00:00", "00:58", WAIT, ""],
        ["00:58", "00:01", POLL, "the image builder is PENDING"],
        ["00:59", "00:01", "Evaluate builder state", ""],
        ["01:00", "03:00", "Polled 3 times", "the image builder is still PENDING"],
        ["04:00", "00:58", WAIT, ""],
        ["04:58", "00:01", POLL, "the image builder is RUNNING"],
        ["04:59", "00:01", "Evaluate builder state", ""],
    ]


def test_the_strip_shows_each_state_for_as_long_as_it_lasted() -> None:
    found = periods(run(*poll(0, "PENDING", "PENDING", "RUNNING"), succeeded(199, {})))
    assert found == [("PENDING", 59, 179), ("RUNNING", 179, 199)]


def test_the_way_of_a_failed_task_is_not_that_of_a_success() -> None:
    calls = ("Publish failure event", "Notify operators")
    notified = run(entered(1, calls[0]), called(1), answered(2, {}), entered(3, calls[1]))
    unpublished = run(entered(1, calls[0]), called(1), failed(2, "E", "m"), entered(3, calls[1]))
    assert taken_ways(notified, WORKFLOW) == [Way(*calls, "", ())]
    assert taken_ways(unpublished, WORKFLOW) == [Way(*calls, "error", ())]


def test_a_text_by_somebody_else_is_never_markup() -> None:
    hostile = "<script>alert(1)</script>"
    page = report(
        run(
            *(entered(1, "Notify operators"), called(1), failed(2, hostile, hostile), called(2)),
            answered(3, {"Subject": hostile, "Message": hostile, "ImageBuilder": {"State": hostile}}),
            ended(4, "Failed", hostile, json.dumps({"Route": hostile, "Message": hostile, "Advice": hostile})),
            request=json.dumps({"Name": hostile}),
        )
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def test_an_execution_that_goes_on_is_neither_a_success_nor_a_failure() -> None:
    found = run(entered(60, WAIT, "Wait"))
    found.began = datetime.now(UTC) - timedelta(minutes=10)
    ((begin, length, *state),) = rows(found)
    assert (begin, length[:4], state) == ("01:00", "09:0", [WAIT, "the execution is here now"])
    page = report(found)
    assert 'class="card running"' in page
    assert "The execution goes on: this report was written 10 minutes after its start." in page
    assert "The Cause" not in page


def test_a_failure_shows_what_to_do_who_acts_and_what_was_retried() -> None:
    attempts = (called(1), failed(2, "ThrottlingException", "m"), called(3), failed(4, "E", "m"))
    found = card(run(entered(1, POLL), *attempts, ended(5, "Failed", "E", CAUSE)))
    assert found.items() >= {
        ("What happened", "m"),
        ("What to do", "a"),
        ("Route", "notify: an operator acts"),
        ("Retries", "ThrottlingException once"),
    }


@pytest.mark.parametrize(
    ("found", "section"),
    [
        (ended(1, "Failed", "Odd.Error", CAUSE), ""),
        (ended(1, "Failed", "ImageBuilderFailed", "{}"), "#ImageBuilderFailed"),
        (ended(1, "TimedOut"), "#States.Timeout"),
        (ended(1, "Aborted", "by hand", "It was me."), "#Aborted"),
    ],
)
def test_the_runbook_is_linked_with_the_section_that_it_has(found: Event, section: str) -> None:
    assert card(run(found))["Runbook"] == f"[{module.RUNBOOK.as_uri()}{section}] docs/runbook.md{section}"


def test_the_runbook_is_linked_where_it_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.json").write_text('{"runbookUrl": "https://wiki/runbook"}')
    monkeypatch.setattr("cli.diagram.PROJECT", tmp_path)
    assert card(run(ended(1, "Aborted")))["Runbook"] == "[https://wiki/runbook#Aborted] docs/runbook.md#Aborted"


def test_a_success_shows_what_to_do_next_and_links_to_the_console() -> None:
    result = {
        "Outcome": "Running",
        "Started": True,
        "WaitedSeconds": 730,
        "Polls": 2,
        "Advice": "Connect to it.",
        "AutoStop": {"Execution": ARN.replace("Start", "Stop"), "Why": "It stops it."},
    }
    found = run(entered(1, "Start image builder"), called(1), answered(2, ACCEPTED), succeeded(3, result))
    assert card(found) == {
        "What happened": "gold is PENDING. This execution started it. The execution waited 12 minutes.",
        "What to do": "Connect to it.",
        "Outcome": "Running",
        "Started": "true",
        "Polls": "2",
        "WaitedSeconds": "730 (12 minutes)",
        "Auto-stop": f"[{CONSOLE}/states/home?region=eu-west-1#/v2/executions/details/{ARN.replace('Start', 'Stop')}] "
        "It stops it.",
        "Image builder": f"[{CONSOLE}/appstream2/home?region=eu-west-1#/images] gold was PENDING when last described",
    }
    page = report(found)
    assert f'href="{CONSOLE}/states/home?region=eu-west-1#/v2/executions/details/{ARN}"' in page
    assert "Notification of the operators</h2>\n<p>None.</p>" in page


def test_the_emulator_has_no_console_to_link_to() -> None:
    local = ARN.replace("123456789012", "000000000000")
    assert "<a " not in report(run(*poll(0, "RUNNING"), succeeded(60, {}), execution=local))


GOOD = {"Index": 0, "Name": "gold", "Outcome": "Running", "Started": True}
BAD = {"Index": 1, "Name": None, "Outcome": "Failed", "Error": "InvalidRequest", "Message": "Name: is required"}
SUMMARY = {"Requested": 2, "Running": 1, "Failed": 1, "Results": [GOOD, BAD]}
INCOMPLETE = ended(3, "Failed", "FleetStartIncomplete", json.dumps({**json.loads(CAUSE), **SUMMARY, "Results": [BAD]}))
COUNTED: Event = (1, "PassStateExited", {"name": "Count", "assignedVariables": {"summary": json.dumps(SUMMARY)}})


@pytest.mark.parametrize(
    ("events", "complete"),
    [
        ([succeeded(1, SUMMARY)], True),
        ([entered(1, "Count", "Pass"), COUNTED, INCOMPLETE], True),
        ([INCOMPLETE], False),
    ],
    ids=["succeeded", "failed", "failed-without-variables"],
)
def test_a_fleet_shows_its_counts_and_the_result_of_each(events: list[Event], complete: bool) -> None:
    facts = card(run(*events))
    assert (facts["Requested"], facts["Running"], facts["Failed"]) == ("2", "1", "1")
    page = report(run(*events))
    assert ("Running: started" in page) is complete
    assert "Failed: InvalidRequest</span> Name: is required" in page


@pytest.mark.parametrize("output", [{"Results": 7}, {"Results": [7]}, [], 7])
def test_what_is_no_list_of_results_is_not_shown_as_one(output: Any) -> None:
    assert "<h2>Results</h2>" not in report(run(succeeded(1, output)))
