"""The command blocks of the documentation, run as a reader would paste them, against the emulator instead of AWS."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.xdist_group("commands")

PROJECT = Path(__file__).parents[2]
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, and why no test runs it; empty where one does."""

    id: str
    language: str
    text: str
    not_run: str


def blocks(page: Path) -> list[Block]:
    found = re.finditer(
        r"(?:<!-- not run by the tests: (?P<why>[^>]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
        page.read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return [
        Block(f"{page.name}-{number}", block["language"], block["text"], block["why"] or "")
        for number, block in enumerate(found, 1)
    ]


COMMANDS = [block for page in PAGES for block in blocks(page) if block.language == "sh"]


RUN = [
    # `make test` runs what these two run: the demo, and the tests.
    pytest.param(block, id=block.id, marks=pytest.mark.full if re.search("make demo|pytest", block.text) else ())
    for block in COMMANDS
    if not block.not_run
]


@pytest.mark.parametrize("block", RUN)
def test_a_command_block_works_when_it_is_pasted(deployment: Deployment, block: Block) -> None:
    deployment.stack.appstream.put_builder("golden-image", state="STOPPED")
    environment = dict(deployment.stack.environment)
    if "$EXECUTION" in block.text and "EXECUTION=" not in block.text:
        # The reader has it from a notification.
        environment["EXECUTION"] = deployment.start({"Name": "no-such-builder"})
        deployment.wait(environment["EXECUTION"])
    before = set(PROJECT.iterdir())
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    for report in set(PROJECT.glob("report-*.html")) - before:
        report.unlink()
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
