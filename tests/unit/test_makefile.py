"""What is typed after `make` reaches the commands as it was typed; what cannot work is refused before anything runs."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
OPTIONS = ("NAME", "STOP_AFTER", "FAULT", "EXECUTION", "OUTPUT", "EXAMPLES", "PYTHON")
HOSTILE = [
    "$(shell touch x)",
    "$$(touch x)",
    "$(touch x)`touch x`",
    "${HOME}",
    '"; touch x; "',
    "it's; touch x",
    "two\nlines; touch x",
    "a # b",
    "a\\ b\\",
    "--fault=x",
    "",
]


def make(*arguments: str, directory: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("make")
    assert found
    inherited = {key: value for key, value in os.environ.items() if key not in OPTIONS and not key.startswith("MAKE")}
    return subprocess.run(
        [found, *arguments], cwd=directory, env=inherited | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile, with a Python that installs nothing and prints its arguments and what make exports to it."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for name in ("python", "python3"):
        program = tmp_path / ".venv" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\n[ "$2" = cli.environment ] || { printf "[%s]" "$@"; echo; env; }\n')
        program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("typed", HOSTILE)
def test_an_option_reaches_its_command_as_it_was_typed(project: Path, typed: str) -> None:
    run = make("demo", f"NAME={typed}", directory=project)
    assert run.stdout.startswith(f"[-m][local.demo][--name={typed}]\n"), run.stderr
    assert not (project / "x").exists()


@pytest.mark.parametrize("typed", HOSTILE)
@pytest.mark.parametrize("command", ["help", "demo", "watch", "nosuch"])
def test_no_option_is_run_as_a_command_on_the_way_to_a_refusal(project: Path, command: str, typed: str) -> None:
    for option in ("OUTPUT", "NOSUCH"):
        assert make(command, f"{option}={typed}", directory=project).returncode == 2
    assert not (project / "x").exists()


def test_options_are_not_exported_to_what_the_command_starts(project: Path) -> None:
    # make expands what it exports, and a make that the command starts would take the options for its own.
    output = make("demo", "NAME=gold", "FAULT=x", directory=project).stdout
    assert not [line for line in output.splitlines() if line.startswith(("NAME=", "FAULT=", "MAKEFLAGS="))]


@pytest.mark.parametrize(
    ("typed", "arguments"),
    [
        (["demo"], "[-m][local.demo]"),
        (["demo", "NAME=a", "STOP_AFTER=5", "FAULT="], "[-m][local.demo][--name=a][--stop-after=5][--fault=]"),
        (["watch", "EXECUTION=arn:$x"], "[-m][cli.watch][--execution=arn:$x]"),
        (["report", "EXECUTION=arn", "OUTPUT=a b"], "[-m][cli.report][--execution=arn][--output=a b]"),
        (["smoke", "NAME=a"], "[-m][cli.smoke][--name=a]"),
    ],
)
def test_a_command_gets_its_own_options(project: Path, typed: list[str], arguments: str) -> None:
    assert make(*typed, directory=project).stdout.splitlines()[0] == arguments


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        (["demo", "OUTPUT=x"], "OUTPUT is no option of make demo: its options are NAME STOP_AFTER FAULT"),
        (["demo", "FALUT=x"], "FALUT is no option of make demo: its options are NAME STOP_AFTER FAULT"),
        (["watch", "Execution=x"], "Execution is no option of make watch: its options are EXECUTION"),
        (["lint", "NAME="], "NAME is no option of make lint"),
        (["NAME=x"], "NAME is no option of make help"),
        (["nosuch"], "nosuch is no command. An option needs its name: make demo FAULT=... (see: make help)"),
        (["demo", "ImageBuilderFailed"], "ImageBuilderFailed is no command. An option needs its name"),
        (["README.md"], "README.md is no command"),
    ],
)
def test_what_is_no_option_or_no_command_is_refused(project: Path, typed: list[str], refusal: str) -> None:
    run = make(*typed, directory=project)
    assert (run.returncode, run.stdout) == (2, "")
    assert refusal in run.stderr


@pytest.mark.parametrize("option", ["NAME", "STOP_AFTER", "FAULT"])
def test_an_option_in_the_environment_is_refused(project: Path, option: str) -> None:
    run = make("demo", directory=project, **{option: "$(shell touch x)"})
    assert (run.returncode, run.stdout) == (2, "")
    assert (
        f"{option} is set in the environment. Unset it or type it after the command: make demo {option}=" in run.stderr
    )
    assert not (project / "x").exists()


def test_the_machine_s_name_and_other_commands_options_may_be_in_the_environment(project: Path) -> None:
    run = make("demo", directory=project, NAME=platform.node(), OUTPUT="x")
    assert run.stdout.startswith("[-m][local.demo]\n"), run.stderr


def test_a_python_of_a_folder_with_a_space_can_be_chosen(tmp_path: Path, project: Path) -> None:
    chosen = tmp_path / "my python" / "python3.12"
    chosen.parent.mkdir()
    chosen.write_text('#!/bin/sh\necho "chosen: $*"\n')
    chosen.chmod(0o755)
    assert make("synth", f"PYTHON={chosen}", directory=project).stdout.startswith("chosen: -m cli.environment app node")


def test_make_without_a_command_lists_the_commands_and_their_options() -> None:
    listed = make().stdout
    commands = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert all(f"  make {command} " in listed for command in commands)
    assert "live [NAME=... STOP_AFTER=... FAULT=...]" in listed
