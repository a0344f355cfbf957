"""The documentation is current, complete and plain."""

import json
import re
from pathlib import Path

import pytest

from bench import fleet_load
from bench.write_docs import DOCS, FILES, PARTS, with_part
from infra.config.settings import Settings
from lambdas.image_builder.fleet import parse_whole_fleet_request
from lambdas.image_builder.request import FIELDS, STOP_FIELDS, parse_request
from tests.e2e.test_commands import PAGES, PROJECT, Block, blocks
from tests.infra.test_definition import FLEET_STATES, STATES, STOP_STATES

README = (PROJECT / "README.md").read_text("utf-8")
REFERENCE = (DOCS / "reference.md").read_text("utf-8")
RUNBOOK = (DOCS / "runbook.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### (<a .*?)\n(.*?)(?=^###? |^<a |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
ERRORS = {heading: text for heading, text in SECTIONS.items() if text not in RUNBOOK.partition("## Alarms")[2]}

UNCAUGHT = ("Aborted", "States.DataLimitExceeded", "States.QueryEvaluationError", "States.Runtime", "States.Timeout")
"""What ends an execution that no state can catch. Source: lambdas/image_builder/execution_result.py."""

OLD_WORDS = (
    r"look(s|ed|ing)?|tells?|told|untold|mend(s|ed)?|anew|whoever|guard(s|ed)?|doubles?|stand-ins?|on its way|"
    r"comes? up|whose turn"
)
"""In their place: poll, notify, fix, again, requester, auto-stop, fake, emulator, pending, becomes RUNNING."""


def anchors(text: str) -> list[str]:
    return re.findall(r'<a id="([^"]+)"></a>', text)


def known_errors() -> set[str]:
    """Every Error with which an execution can end, as the definitions and the advice table have it."""
    advice = json.loads((PROJECT / "lambdas" / "image_builder" / "advice.json").read_text("utf-8"))["Errors"]
    definitions = json.dumps([STATES, STOP_STATES, FLEET_STATES])
    functions = "".join(file.read_text("utf-8") for file in (PROJECT / "lambdas" / "image_builder").glob("*.py"))
    named = re.findall(r'"Error": "([A-Z]\w+)"|_failure\("([A-Z]\w+)"', definitions + functions)
    retried = set(re.findall(r'"((?:Lambda|Runtime|Sandbox)\.\w+)"', definitions))
    return {*advice, *map("".join, named), *retried, *UNCAUGHT}


def test_the_runbook_has_one_section_for_every_error() -> None:
    found = [error for heading in ERRORS for error in anchors(heading)]
    assert len(found) == len(set(found))
    assert known_errors() - set(found) == set()
    # Lambda has more errors than the definitions name: States.ALL catches those.
    assert {error for error in set(found) - known_errors() if "." not in error} == {"StatesTimeout"}


@pytest.mark.parametrize("heading", SECTIONS, ids=lambda heading: re.sub(r"<.*?>", "", heading))
def test_a_section_of_the_runbook_says_what_an_operator_asks_at_night(heading: str) -> None:
    text = SECTIONS[heading]
    assert "**Can it wait?**" in text
    if heading in ERRORS:
        assert re.search(r"^1\. ", text, re.MULTILINE)
        assert "aws stepfunctions start-execution" in text, "the command to start again"


@pytest.mark.parametrize("page", PARTS, ids=lambda page: page.name)
def test_what_is_written_from_the_code_is_current(page: Path) -> None:
    for name, part in PARTS[page].items():
        assert page.read_text("utf-8") == with_part(page, name, part()), "run `make docs`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_that_is_written_from_the_code_is_current(file: Path) -> None:
    assert file.read_text("utf-8") == FILES[file](), "run `make docs`"


def test_what_make_bench_measures_of_a_fleet_can_be_measured() -> None:
    makespan, *_, lost = fleet_load.run(2, shared=True)
    assert 1 <= float(makespan) < 1.2
    assert lost == "0"


def test_the_readme_shows_the_thing_first_and_is_short() -> None:
    lines, words = README.splitlines(), README.split()
    assert len(lines) <= 120
    assert 250 <= len(words) <= 600
    assert next(number for number, line in enumerate(lines) if line.startswith("![")) < 25


def test_the_readme_has_the_costs_of_the_tables() -> None:
    deploy = (DOCS / "deploy.md").read_text("utf-8")
    (cents,) = re.findall(r"10 minutes costs ([\d.]+) US cents", README)
    assert re.search(rf"a start of 10 minutes \|.*\| {re.escape(cents)} \|", deploy)
    ((least, most),) = re.findall(r"(\d+) to (\d+) US\s+dollars a\s+month", README)
    (together,) = re.findall(r"\| together \| ([\d.]+) \| ([\d.]+) \|", deploy)
    assert (least, most) == tuple(f"{float(dollars):.0f}" for dollars in together)


@pytest.mark.parametrize("field", [*FIELDS, *STOP_FIELDS])
def test_the_reference_has_every_field_of_a_request(field: str) -> None:
    assert f"\n| `{field}` |" in REFERENCE


@pytest.mark.parametrize("page", [*PAGES, *(PROJECT / "bench").glob("*.py")], ids=lambda page: page.name)
def test_no_word_that_the_field_does_not_use(page: Path) -> None:
    text = page.read_text("utf-8")
    if page.name == "CHANGELOG.md":
        text = re.sub(r"^\| (result|Error|metrics|alarms|states) \|.*", "", text, flags=re.MULTILINE)
    assert [found.group() for found in re.finditer(rf"\b({OLD_WORDS})\b", text, re.IGNORECASE)] == []


def test_every_picture_is_shown_on_a_page() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    shown = set(re.findall(r"!\[.*?\]\((?:docs/)?([^)]+)\)", text))
    assert shown == {file.name for file in DOCS.iterdir() if file.suffix in (".svg", ".png")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text("utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if place:
            text = linked.read_text("utf-8")
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            # As GitHub makes them of headings.
            made = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert place in made | set(anchors(text)), f"{target}#{place}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:bench|cli|docs|infra|lambdas|local|tests)/[\w./-]+|test_\w+\.py)`", page.read_text("utf-8")
    )
    assert [path for path in named if not (PROJECT / path).exists() and not [*PROJECT.glob(f"tests/*/{path}")]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_that_is_measured_is_not_empty(page: Path) -> None:
    for name, table in re.findall(r"<!-- (\w[\w ]*) -->\n(.*?)<!-- /\1 -->", page.read_text("utf-8"), re.DOTALL):
        assert table.strip(), f"{name}: run `make bench` or `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_names_its_language(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= {"sh", "json", "text", "mermaid"}
    # An indented block has no language, and no test runs it.
    assert not re.search(r"^\n {4}\S", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)


JSON = [block for page in PAGES for block in blocks(page) if block.language == "json"]


@pytest.mark.parametrize("block", JSON, ids=lambda block: block.id)
def test_an_example_in_json_is_valid(block: Block) -> None:
    example = json.loads(block.text)
    if "Name" in example:
        parse_request(example)
    elif "ImageBuilders" in example:
        parse_whole_fleet_request(example)
    elif "detail-type" in example:
        published = json.loads((DOCS / "events.schema.json").read_text("utf-8"))["properties"]
        assert set(example["detail-type"]) <= set(published["detail-type"]["enum"])
        assert example["source"] == [published["source"]["const"]]
    elif "Effect" not in example:
        least = {"stackName": "StartImageBuilder"}
        assert Settings.load({**least, **example}) != Settings.load(least)


def test_every_command_of_make_is_documented() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    prose = "".join(page.read_text("utf-8") for page in PAGES)
    commands = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert [command for command in commands if f"make {command}" not in prose] == []
