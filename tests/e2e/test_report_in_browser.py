"""The report of real executions in a real browser: phone and desktop, light and dark, by keyboard and by axe."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cli.history import Follower
from cli.report import write_report
from tests.conftest import CHROMIUM
from tests.e2e.conftest import Deployment

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.needs("Chromium")]

PROJECT = Path(__file__).parents[2]
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"

WIDTHS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
FAILS = {"next_start": {"stages": [["PENDING", 60], ["FAILED", None]]}}


@pytest.fixture(scope="module")
def reports(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of a run that succeeded, of one that failed, of one whose request was refused, and of a fleet."""
    fleet = {"ImageBuilders": ["a-long-name-" * 8, {"Nmae": "gold"}]}
    found = {
        "succeeded": deployment.start({"Name": deployment.builder("succeeded")}),
        "failed": deployment.start({"Name": deployment.builder("failed", **FAILS)}),
        "refused": deployment.start({"Name": "<script>alert(1)</script>"}),
        "fleet": deployment.start(fleet, deployment.outputs["FleetAliasArn"]),
    }
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


@pytest.fixture
def heard() -> list[str]:
    """All that the opened pages request or complain about."""
    return []


@pytest.fixture
def opened(browser: Browser, reports: dict[str, Path], heard: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens a report."""
    with ExitStack() as stack:

        def open_report(kind: str, width: str = "desktop", scheme: str = "light") -> Page:
            page = browser.new_page(viewport=WIDTHS[width], color_scheme=scheme)  # type: ignore[arg-type]  # literals
            stack.callback(page.close)
            page.on("request", lambda request: heard.append(request.url))
            page.on("console", lambda message: heard.append(message.text))
            page.on("dialog", lambda dialog: heard.append(dialog.message))
            page.goto(reports[kind].as_uri())
            return page

        yield open_report


@pytest.mark.parametrize(("width", "scheme"), [("phone", "dark"), ("desktop", "light")])
@pytest.mark.parametrize("kind", ["succeeded", "failed", "refused", "fleet"])
def test_it_fits_loads_nothing_and_is_accessible(
    opened: Callable[..., Page], heard: list[str], kind: str, scheme: str, width: str
) -> None:
    page = opened(kind, width, scheme)
    assert heard == [page.url]
    assert page.evaluate(FITS)
    # The page allows no script: the audit is evaluated beside it.
    page.evaluate(AXE.read_text("utf-8"))
    violations = page.evaluate("axe.run().then(found => found.violations.map(v => [v.id, v.nodes.map(n => n.html)]))")
    assert violations == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_out_of_sight(opened: Callable[..., Page], width: str) -> None:
    page = opened("succeeded", width)
    states = page.locator(".strip span")
    assert states.evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
    for shown in (states.last, page.locator(".node").first, page.locator(".timeline td:nth-child(2)").first):
        box = shown.bounding_box()
        assert box
        assert 0 <= box["x"] <= box["x"] + box["width"] <= WIDTHS[width]["width"]


def test_a_phone_can_enlarge_the_diagram(opened: Callable[..., Page]) -> None:
    page = opened("succeeded", "phone")
    width = "document.querySelector('figure svg').getBoundingClientRect().width"
    assert page.evaluate(width) <= WIDTHS["phone"]["width"]
    page.get_by_label("Enlarge the diagram").click()
    assert page.evaluate(width) > 2 * WIDTHS["phone"]["width"]
    # The diagram scrolls, not the page.
    assert page.evaluate(FITS)
    assert page.evaluate("document.querySelector('figure .scroll').scrollWidth") > WIDTHS["phone"]["width"]


def test_the_results_of_a_fleet_keep_their_words_whole_on_a_phone(opened: Callable[..., Page]) -> None:
    index = opened("fleet", "phone").locator("th", has_text="Index").bounding_box()
    assert index
    assert index["height"] < 60


def test_what_is_folded_opens_by_the_keyboard(opened: Callable[..., Page]) -> None:
    page = opened("succeeded")
    history = page.locator("details.raw")
    assert history.get_attribute("open") is None
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.className") == "raw":
            break
    page.keyboard.press("Enter")
    assert history.locator("pre").first.is_visible()


def test_it_prints(opened: Callable[..., Page]) -> None:
    page = opened("failed")
    page.emulate_media(media="print")
    assert not page.locator("details.raw").is_visible()
    assert page.evaluate(FITS)
    assert len(page.pdf()) > 10_000
