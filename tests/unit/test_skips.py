"""A test that cannot run is skipped with the command that helps, except in `make test`, where it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def run(directory: Path, test: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of pytest on one test file, with this project's hooks."""
    (directory / "test_it.py").write_text(f"import pytest\n{test}\n")
    command = [
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "-rs",
        str(directory),
    ]
    clean = {key: value for key, value in os.environ.items() if key != "NO_SKIPS" and not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=clean | environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "test",
    [
        "def test_it(): pytest.skip('no time')",
        "@pytest.mark.skip(reason='no time')\ndef test_it(): pass",
        "pytest.skip('no time', allow_module_level=True)",
        "@pytest.fixture\ndef time(): pytest.skip('no time')\ndef test_it(time): pass",
    ],
    ids=["in-the-test", "by-a-mark", "the-module", "in-a-fixture"],
)
def test_a_skip_is_a_failure_where_everything_is_installed(tmp_path: Path, test: str) -> None:
    status, output = run(tmp_path, test, NO_SKIPS="1")
    assert status in (1, 2)
    assert "Skipped, although everything is installed" in output
    assert "no time" in output


@pytest.mark.parametrize(
    "test",
    [
        "def test_it(): pytest.skip('needs Chromium')",
        "@pytest.mark.xfail(reason='known')\ndef test_it(): assert False",
    ],
    ids=["chromium", "expected-failure"],
)
def test_chromium_may_be_missing_and_a_failure_may_be_expected(tmp_path: Path, test: str) -> None:
    assert run(tmp_path, test, NO_SKIPS="1")[0] == 0


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    missing = "from tests import conftest\nconftest.NEEDS['MiniStack'] = (False, '`make setup` installs it')\n"
    status, output = run(tmp_path, missing + "@pytest.mark.needs('MiniStack')\ndef test_it(): assert False")
    assert status == 0
    assert "needs MiniStack: `make setup` installs it" in output
