"""What the report says of an execution. In a browser: tests/e2e/test_report_in_browser.py."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import report as module
from cli.definition import FLEET, START, definition
from cli.diagram import Way
from cli.history import Run
from cli.report import Period, periods, report, rows, taken_ways
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

pytestmark = pytest.mark.needs("Node packages")

WORKFLOW = json.loads(definition(START))


def test_polls_that_find_nothing_new_are_one_row() -> None:
    found = rows(run(*poll(0, *["PENDING"] * 4, "RUNNING"), succeeded(300, {})))
    assert [(row.name, [line.text for line in row.lines]) for row in found] == [
        (WAIT, []),
        (POLL, ["the image builder is PENDING"]),
        ("Evaluate builder state", []),
        ("Polled 3 times", ["the image builder is still PENDING"]),
        (WAIT, []),
        (POLL, ["the image builder is RUNNING"]),
        ("Evaluate builder state", []),
    ]
    assert (found[3].begin, found[3].length) == (60, 180)


def test_the_strip_shows_each_state_for_as_long_as_it_lasted() -> None:
    found = periods(run(*poll(0, "PENDING", "PENDING", "RUNNING"), succeeded(199, {})))
    assert found == [Period("PENDING", 59, 179), Period("RUNNING", 179, 199)]


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
        ),
        WORKFLOW,
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def card(found: Run) -> dict[str, str]:
    """The terms of the card and their texts; a text that is a link with its address before it."""
    facts = re.search(r"<dl>(.*?)</dl>", report(found, WORKFLOW), re.DOTALL)
    assert facts
    linked = re.sub(r'<a href="([^"]*)"[^>]*>(.*?)</a>', r"[\1] \2", facts[1])
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", linked))


def test_an_execution_that_goes_on_is_neither_a_success_nor_a_failure() -> None:
    page = report(run(entered(1, "Validate request")), WORKFLOW)
    assert 'class="card running"' in page
    assert "The execution goes on: this report was written" in page
    assert "the execution is here now" in page
    assert "The Cause" not in page


def test_the_state_of_an_execution_that_goes_on_lasts_until_now() -> None:
    found = run(entered(1, WAIT, "Wait"))
    found.began = datetime.now(UTC) - timedelta(minutes=10)
    found.steps[0].entered = 60
    (row,) = rows(found)
    assert 9 * 60 <= row.length < 10 * 60


CAUSE = json.dumps({"Route": "notify", "Message": "m", "Advice": "a"})
CONSOLE = "https://console.aws.amazon.com"


def test_a_failure_shows_what_to_do_who_acts_and_what_was_retried() -> None:
    attempts = (called(1), failed(2, "ThrottlingException", "m"), called(3), failed(4, "E", "m"))
    found = card(run(entered(1, POLL), *attempts, ended(5, "Failed", "E", CAUSE)))
    assert {key: found[key] for key in ("What happened", "What to do", "Route", "Retries")} == {
        "What happened": "m",
        "What to do": "a",
        "Route": "notify: an operator acts",
        "Retries": "ThrottlingException once",
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
    assert module._runbook("Aborted").url == "https://wiki/runbook#Aborted"


RESULT = {
    "Outcome": "Running",
    "Started": True,
    "WaitedSeconds": 730,
    "Polls": 2,
    "Advice": "Connect to it.",
    "AutoStop": {"Execution": ARN.replace("Start", "Stop"), "Why": "It stops it."},
}


def test_a_success_shows_what_to_do_next_and_links_to_the_console() -> None:
    accepted = (entered(1, "Start image builder"), called(1), answered(2, ACCEPTED))
    assert card(run(*accepted, succeeded(3, RESULT))) == {
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
    page = report(run(succeeded(3, RESULT)), WORKFLOW)
    assert f'href="{CONSOLE}/states/home?region=eu-west-1#/v2/executions/details/{ARN}"' in page
    assert "Notification of the operators</h2>\n<p>None.</p>" in page


def test_the_emulator_has_no_console_to_link_to() -> None:
    local = ARN.replace("123456789012", "000000000000")
    assert "<a " not in report(run(*poll(0, "RUNNING"), succeeded(60, {}), execution=local), WORKFLOW)


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
    page = report(run(*events), json.loads(definition(FLEET)))
    assert ("Running: started" in page) is complete
    assert "Failed: InvalidRequest</span> Name: is required" in page


@pytest.mark.parametrize("output", [{"Results": 7}, {"Results": [7]}, [], 7])
def test_what_is_no_list_of_results_is_not_shown_as_one(output: Any) -> None:
    assert "<h2>Results</h2>" not in report(run(succeeded(1, output)), WORKFLOW)


@pytest.mark.parametrize("output", ["", ".", "/", "a/.."])
def test_what_names_no_file_is_refused_before_anything_else(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["report", "--output", output])
    assert module.main() == 2
    assert capsys.readouterr().err == f"OUTPUT: must be a file to write, not {output!r}\n"


class StepFunctions:
    def describe_state_machine_for_execution(self, **_: Any) -> Any:
        return {"definition": definition(START)}


def test_a_file_that_cannot_be_replaced_leaves_no_other_behind(tmp_path: Path) -> None:
    taken = tmp_path / "report.html"
    taken.mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        module.write_report(StepFunctions(), run(), taken)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [taken]
