"""What is typed on make's command line reaches the commands as it was typed, and what cannot work is said."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def command(*arguments: str, **environment: str) -> str:
    """The last command that `make demo` would run."""
    make = shutil.which("make")
    assert make
    run = subprocess.run(
        [make, "--dry-run", "demo", *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip().splitlines()[-1].strip()


@pytest.mark.parametrize(
    ("typed", "quoted"),
    [
        ("gold", "'gold'"),
        ('"; touch x; "', "'\"; touch x; \"'"),
        ("$(touch x)`touch x`", "'$(touch x)`touch x`'"),
        ("it's", "'it'\\''s'"),
        ("--fault=x", "'--fault=x'"),
    ],
)
def test_a_name_is_quoted_for_the_shell(typed: str, quoted: str) -> None:
    assert command(f"NAME={typed}") == f".venv/bin/python -m local.demo --name={quoted}"


def test_the_environment_names_nothing() -> None:
    # Some systems have NAME set for every process.
    assert command(NAME="machine") == ".venv/bin/python -m local.demo"


@pytest.mark.parametrize("target", ["watch", "report"])
def test_an_execution_reaches_its_command(target: str) -> None:
    run = make("--dry-run", target, "EXECUTION=arn:$x")
    assert run.stdout.strip().splitlines()[-1].strip() == f".venv/bin/python -m local.{target} --execution='arn:$x'"


def make(*arguments: str, directory: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    found = shutil.which("make")
    assert found
    return subprocess.run([found, *arguments], cwd=directory, capture_output=True, text=True, check=False)


PYTHON_OF_AGE = 'if [ "$1" = -c ]; then exit 0; fi; '
"""What the Makefile asks first, in a stand-in for Python."""

MAKES_A_VENV = (
    PYTHON_OF_AGE
    + """if [ "$2" = venv ]; then mkdir -p "$4/bin"; printf '#!/bin/sh\\n%s\\n' "$FAKE_PIP" > "$4/bin/python"
printf '#!/bin/sh\\nexit 1\\n' > "$4/bin/npm"; chmod +x "$4/bin/python" "$4/bin/npm"; fi"""
)


@pytest.mark.parametrize(
    ("python", "pip", "sentence"),
    [
        ('[ "$1" = --version ] && echo Python 3.9.2; exit 1', "", "Python 3.11 or later is needed"),
        (
            '[ "$1" = --version ] && echo Python 3.9.2; exit 1',
            "",
            "python is: Python 3.9.2. Name another with: make PYTHON=",
        ),
        (PYTHON_OF_AGE + "echo ensurepip is not available; exit 1", "", "install python3-venv"),
        (MAKES_A_VENV, "exit 1", "is the Python package index reachable from here (proxy, firewall)?"),
        (MAKES_A_VENV, "exit 1", "install a C compiler and the headers of Python"),
        (MAKES_A_VENV, "exit 0", "is the npm registry reachable from here (proxy, firewall)?"),
    ],
    ids=["old", "how-old", "no-venv", "no-index", "no-compiler", "no-npm"],
)
def test_a_machine_that_lacks_something_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, pip: str, sentence: str
) -> None:
    (tmp_path / "local").mkdir()
    for file in ("Makefile", "requirements-dev.txt", "package-lock.json", "local/requirements.txt"):
        shutil.copy(PROJECT / file, tmp_path / file)
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("FAKE_PIP", pip)
    run = make("setup", f"PYTHON={stand_in}", directory=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stdout
    assert not list(tmp_path.glob("*.log"))


def test_make_without_a_target_lists_the_commands() -> None:
    listed = make().stdout
    assert all(f"make {command}" in listed for command in ("demo", "test", "watch", "report", "deploy", "destroy"))
