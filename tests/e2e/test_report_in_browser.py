"""The report of real executions in a real browser: phone and desktop, light and dark, by keyboard and by axe."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cli.history import Follower
from cli.report import write_report
from tests.conftest import CHROMIUM
from tests.e2e.conftest import Deployment

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.needs("Chromium")]

PROJECT = Path(__file__).parents[2]
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"

WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}
FAILS = {"next_start": {"stages": [["PENDING", 60], ["FAILED", None]]}}


@pytest.fixture(scope="module")
def reports(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a run that succeeded, of one that failed, of one whose request was refused, and of a fleet."""
    found = {}
    for kind, builder in {"succeeded": {}, "failed": FAILS}.items():
        name = f"{kind}-{uuid4().hex[:8]}"
        deployment.stack.appstream.put_builder(name, **builder)
        found[kind] = deployment.start({"Name": name})
    found["refused"] = deployment.start({"Name": "<script>alert(1)</script>"})
    fleet = deployment.stack.outputs("StartImageBuilder")["FleetAliasArn"]
    request = json.dumps({"ImageBuilders": ["a-long-name-" * 8, {"Nmae": "gold"}]})
    started = deployment.stepfunctions.start_execution(stateMachineArn=fleet, input=request)
    found["fleet"] = started["executionArn"]
    directory = tmp_path_factory.mktemp("reports")
    for kind, execution in found.items():
        deployment.wait(execution)
        run = Follower(deployment.stepfunctions, execution, deployment.stack.time_scale).run()
        write_report(deployment.stepfunctions, run, directory / f"{kind}.html")
    return {kind: directory / f"{kind}.html" for kind in found}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root, as which containers run.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def opened(browser: Browser, report: Path, width: str, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page, and all that it requested or complained about."""
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # literals
    heard: list[str] = []
    page.on("request", lambda request: heard.append(request.url))
    page.on("console", lambda message: heard.append(message.text))
    page.on("dialog", lambda dialog: heard.append(dialog.message))
    page.goto(report.as_uri())
    return page, [what for what in heard if what != report.as_uri()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["succeeded", "failed", "refused", "fleet"])
def test_it_fits_loads_nothing_and_is_accessible(
    browser: Browser, reports: dict[str, Path], kind: str, scheme: str, width: str
) -> None:
    page, heard = opened(browser, reports[kind], width, scheme)
    assert heard == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    # The page allows no script: the audit runs beside it.
    page.close()
    page = browser.new_context(bypass_csp=True, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
    page.goto(reports[kind].as_uri())
    page.add_script_tag(path=AXE)
    violations = page.evaluate("axe.run().then(found => found.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
    assert violations == []
    page.context.close()


def test_it_shows_the_failure_its_way_and_the_notification(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["failed"], "desktop")
    assert page.locator("h2").first.inner_text() == "FAILED: ImageBuilderFailed"
    assert "failed-" in page.locator("article h3").inner_text()
    assert "The image builder is FAILED." in page.locator("article pre").inner_text()
    assert page.locator(".node.taken").count() < page.locator(".node").count()
    assert page.locator(".edge.failure.taken").count() == 1
    assert page.locator(".strip span").all_inner_texts() == ["PENDING", "FAILED"]
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_out_of_sight(browser: Browser, reports: dict[str, Path], width: str) -> None:
    page, _ = opened(browser, reports["succeeded"], width)
    states = page.locator(".strip span")
    assert states.all_inner_texts() == ["PENDING", "RUNNING"]
    assert states.evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
    for shown in (states.last, page.locator(".node").first, page.locator(".timeline td:nth-child(2)").first):
        box = shown.bounding_box()
        assert box
        assert 0 <= box["x"] <= box["x"] + box["width"] <= WIDTHS[width][0]
    page.close()


def test_a_phone_can_enlarge_the_diagram(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["succeeded"], "phone")
    width = "document.querySelector('figure svg').getBoundingClientRect().width"
    assert page.evaluate(width) <= WIDTHS["phone"][0]
    page.get_by_label("Enlarge the diagram").click()
    assert (
        page.evaluate(width) == float(page.locator("figure svg").get_attribute("width") or 0) > 2 * WIDTHS["phone"][0]
    )
    # The diagram scrolls, not the page.
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("document.querySelector('figure .scroll').scrollWidth") > WIDTHS["phone"][0]
    page.close()


def test_the_results_of_a_fleet_keep_their_words_whole_on_a_phone(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["fleet"], "phone")
    assert page.locator("h2").nth(1).inner_text() == "Results"
    index = page.locator("th", has_text="Index").bounding_box()
    assert index
    assert index["height"] < 60
    page.close()


def test_what_is_folded_opens_by_the_keyboard(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["succeeded"], "desktop")
    history = page.locator("details.raw")
    assert history.get_attribute("open") is None
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.className") == "raw":
            break
    page.keyboard.press("Enter")
    assert history.locator("pre").first.is_visible()
    assert "ExecutionStarted" in history.locator("pre").first.inner_text()
    page.close()


def test_a_request_that_carries_markup_is_shown_as_it_was(browser: Browser, reports: dict[str, Path]) -> None:
    page, _ = opened(browser, reports["refused"], "desktop")
    assert page.locator("h1").inner_text() == "Start of image builder <script>alert(1)</script>"
    assert page.locator("h2").first.inner_text() == "FAILED: InvalidRequest"
    page.close()


def test_it_prints(browser: Browser, reports: dict[str, Path], tmp_path: Path) -> None:
    page, _ = opened(browser, reports["failed"], "desktop")
    page.emulate_media(media="print")
    assert not page.locator("details.raw").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert len(page.pdf()) > 10_000
    page.close()
