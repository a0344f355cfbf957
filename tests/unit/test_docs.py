import re

from docs.runbook_page import ALARMS, MORE, PAGE, UNCAUGHT, page
from tests.infra.test_definition import STATES, STOP_STATES, routes


def anchors() -> list[str]:
    return re.findall(r'<a id="([^"]+)"></a>', page())


def test_the_runbook_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_the_runbook_has_one_place_for_every_error_that_the_workflow_knows() -> None:
    states = [*STATES.values(), *STOP_STATES.values()]
    retried = {error for state in states for retrier in state.get("Retry", []) for error in retrier["ErrorEquals"]}
    failures = {
        part["Assign"]["failure"]["Error"]
        for state in states
        for part in [*state.get("Choices", []), *state.get("Catch", [])]
        if isinstance(part.get("Assign", {}).get("failure"), dict)
    }
    known = {*routes(), *retried, *failures, *UNCAUGHT, *ALARMS} - {"States.ALL"}
    assert sorted(anchors()) == sorted(known)


def test_no_section_is_left_over() -> None:
    assert set(MORE) <= set(anchors())


def test_links_inside_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", page())) <= set(anchors())
