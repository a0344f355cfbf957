"""What is typed on make's command line reaches the commands as it was typed."""

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
