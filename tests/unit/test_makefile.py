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


def copy_of_the_project(directory: Path) -> None:
    """As much of it as `make setup` reads."""
    (directory / "local").mkdir()
    for file in ("Makefile", "requirements-dev.txt", "package-lock.json", "local/requirements.txt"):
        shutil.copy(PROJECT / file, directory / file)


def program(path: Path, script: str, interpreter: str = "/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{interpreter}\n{script}\n")
    path.chmod(0o755)
    return path


def set_up(directory: Path) -> None:
    """A copy of the project with its environments made; their tools are stand-ins that work."""
    copy_of_the_project(directory)
    for tool in (".venv/bin/python", ".venv/bin/node", ".venv-ministack/bin/python"):
        program(directory / tool, "exit 0")
    (directory / "node_modules").mkdir()
    for environment in (".venv", ".venv-ministack", "node_modules"):
        (directory / environment / ".ready").touch()


@pytest.mark.parametrize(
    ("broken", "recreated"),
    [
        ([], []),
        ([".venv/bin/node"], ["Installing the Python packages into .venv"]),
        ([".venv/bin/python"], ["Installing the Python packages into .venv"]),
        ([".venv-ministack/bin/python"], ["Installing MiniStack into .venv-ministack"]),
    ],
    ids=["nothing", "moved", "python-replaced", "python-of-ministack-replaced"],
)
def test_an_environment_that_no_longer_works_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: list[str], recreated: list[str]
) -> None:
    set_up(tmp_path)
    for tool in broken:
        program(tmp_path / tool, "exit 0", "/gone/python")
    monkeypatch.setenv("FAKE_PIP", "exit 0")
    run = make("setup", f"PYTHON={program(tmp_path / 'python', MAKES_A_VENV)}", directory=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [line.partition(" (")[0] for line in run.stdout.splitlines()] == recreated


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
    copy_of_the_project(tmp_path)
    monkeypatch.setenv("FAKE_PIP", pip)
    run = make("setup", f"PYTHON={program(tmp_path / 'python', python)}", directory=tmp_path)
    assert run.returncode == 2
    assert sentence in run.stdout
    assert not list(tmp_path.glob("*.log"))


@pytest.mark.parametrize("typed", ["FALUT=x", "Execution=x", "FALUT="])
def test_an_option_that_there_is_not_is_refused_with_those_that_there_are(typed: str) -> None:
    run = make("--dry-run", "demo", typed, "NAME=x")
    assert run.returncode == 2
    assert f"There is no option {typed.partition('=')[0]}, only: NAME STOP_AFTER FAULT EXECUTION OUTPUT" in run.stderr


def test_the_options_that_there_are_pass_through_the_make_within(tmp_path: Path) -> None:
    set_up(tmp_path)
    options = ("NAME=x", "STOP_AFTER=1", "FAULT=x", "EXECUTION=x", "OUTPUT=x", "EXAMPLES=1")
    run = make("setup", *options, directory=tmp_path)
    assert run.returncode == 0, run.stderr


def test_an_empty_option_is_not_the_default() -> None:
    assert command("FAULT=").split() == [".venv/bin/python", "-m", "local.demo", "--fault=''"]


def test_a_command_that_there_is_not_is_refused_with_where_they_are_listed() -> None:
    run = make("nosuch")
    assert (run.returncode, run.stdout) == (2, "")
    assert "There is no command or file nosuch (see: make help)" in run.stderr


def test_npm_says_why_it_cannot_install(tmp_path: Path) -> None:
    set_up(tmp_path)
    (tmp_path / "node_modules/.ready").unlink()
    program(tmp_path / ".venv/bin/npm", 'case "$*" in *silent*) ;; *) echo ECONNREFUSED >&2;; esac; exit 1')
    assert "ECONNREFUSED" in make("setup", directory=tmp_path).stderr


def test_make_without_a_target_lists_the_commands() -> None:
    listed = make().stdout
    assert all(f"make {command}" in listed for command in ("demo", "test", "watch", "report", "deploy", "destroy"))
