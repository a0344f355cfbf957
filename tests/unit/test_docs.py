import json
import re
from pathlib import Path

import pytest

from bench.runbook_page import ALARMS, MORE, PAGE, UNCAUGHT, page
from bench.write_docs import TABLES, with_tables
from infra.config.settings import Settings
from lambdas.image_builder.fleet import parse_whole_fleet_request
from lambdas.image_builder.request import parse_request
from tests.e2e.test_commands import PAGES, PROJECT, Block, blocks
from tests.infra.test_definition import FLEET_STATES, STATES, STOP_STATES, routes


def anchors() -> list[str]:
    return re.findall(r'<a id="([^"]+)"></a>', page())


def test_the_runbook_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_the_runbook_has_one_place_for_every_error_that_the_workflow_knows() -> None:
    states = [*STATES.values(), *STOP_STATES.values(), *FLEET_STATES.values()]
    retried = {error for state in states for retrier in state.get("Retry", []) for error in retrier["ErrorEquals"]}
    failures = {
        part["Assign"]["failure"]["Error"]
        for state in states
        for part in [*state.get("Choices", []), *state.get("Catch", [])]
        if isinstance(part.get("Assign", {}).get("failure"), dict)
    }
    retried = {error.replace("States.", "States") for error in retried - {"States.ALL"}}
    known = {*routes(), *retried, "TaggingUnavailable", *failures, *UNCAUGHT, *ALARMS}
    assert sorted(anchors()) == sorted(known)


def test_no_section_is_left_over() -> None:
    assert set(MORE) <= set(anchors())


def test_links_inside_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", page())) <= set(anchors())


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_tables_are_up_to_date(page: Path) -> None:
    assert page.read_text("utf-8") == with_tables(page, TABLES[page]), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [target for target in targets if not target.startswith("https://")]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_a_place_in_a_page_lead_there(page: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
        text = ((page.parent / target) if target else page).read_text("utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        # As GitHub makes them of headings.
        made = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
        assert place in made | set(re.findall(r'<a id="([^"]+)"', text)), f"{target}#{place}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_that_is_measured_is_not_empty(page: Path) -> None:
    for name, table in re.findall(r"<!-- (\w[\w ]*) -->\n(.*?)<!-- /\1 -->", page.read_text("utf-8"), re.DOTALL):
        assert "|" in table, f"{name}: run `make bench`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_says_what_it_is(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= {"sh", "json", "text"}
    # An indented block would be none of these, and nobody would run it.
    assert not re.search(r"^\n {4}\S", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)


JSON = [block for page in PAGES for block in blocks(page) if block.language == "json"]


@pytest.mark.parametrize("block", JSON, ids=lambda block: block.id)
def test_an_example_in_json_would_be_taken(block: Block) -> None:
    example = json.loads(block.text)
    if "Name" in example:
        parse_request(example)
    elif "ImageBuilders" in example:
        parse_whole_fleet_request(example)
    elif "detail-type" in example:
        announced = json.loads((PROJECT / "docs" / "events.schema.json").read_text("utf-8"))["properties"]
        assert set(example["detail-type"]) <= set(announced["detail-type"]["enum"])
        assert example["source"] == [announced["source"]["const"]]
    elif "Effect" not in example:
        assert Settings.load({"stackName": "StartImageBuilder", **example}) != Settings(stackName="StartImageBuilder")


def test_every_command_of_make_is_documented() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    prose = "".join(page.read_text("utf-8") for page in PAGES)
    commands = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)
    assert [command for command in commands if f"make {command}" not in prose] == []
