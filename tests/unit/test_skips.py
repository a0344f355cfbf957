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
    options = [*("-p", "tests.conftest", "-p", "no:cacheprovider"), "-c", os.devnull, "-rs"]
    clean = {key: value for key, value in os.environ.items() if key != "NO_SKIPS" and not key.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", *options, str(directory)]
    done = subprocess.run(command, cwd=PROJECT, env=clean | environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_skip_is_a_failure_where_everything_is_installed_but_for_chromium(tmp_path: Path) -> None:
    tests = """
def test_itself(): pytest.skip('no time')
@pytest.mark.skip(reason='no time')
def test_by_a_mark(): pass
@pytest.fixture
def time(): pytest.skip('no time')
def test_in_a_fixture(time): pass
def test_chromium(): pytest.skip('needs Chromium')
@pytest.mark.xfail(reason='known')
def test_expected_failure(): assert False
"""
    _, output = run(tmp_path, tests, NO_SKIPS="1")
    assert "1 failed, 1 skipped, 1 xfailed, 2 errors in" in output
    assert output.count("Skipped, although everything is installed") == output.count("no time") == 3


def test_a_module_that_skips_itself_is_a_failure_where_everything_is_installed(tmp_path: Path) -> None:
    status, output = run(tmp_path, "pytest.skip('no time', allow_module_level=True)", NO_SKIPS="1")
    assert status == pytest.ExitCode.INTERRUPTED
    assert "Skipped, although everything is installed" in output
    assert "no time" in output


def test_what_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    missing = "from tests import conftest\nconftest.NEEDS['MiniStack'] = (False, '`make setup` installs it')\n"
    status, output = run(tmp_path, missing + "@pytest.mark.needs('MiniStack')\ndef test_it(): assert False")
    assert status == pytest.ExitCode.OK
    assert "needs MiniStack: `make setup` installs it" in output
