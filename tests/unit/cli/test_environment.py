"""What `make` installs before a command, and what it says where it cannot."""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
READS = (
    *("cli/environment.py", "pyproject.toml", "package-lock.json"),
    *("requirements-dev.txt", "local/requirements.txt", "bench/requirements.txt"),
)
CREATE = f"Create .venv with Python {sys.version_info.major}.{sys.version_info.minor} and uv, which installs the rest"
APP = "Install Python packages: app"
MINISTACK = "Install MiniStack, which imitates AWS"
CHECKOV = "Install checkov, which examines the template"
NODE = "Install Node packages: the CDK CLI and others"


def load(project: Path) -> Any:
    """The module as it is in a copy of the project."""
    spec = importlib.util.spec_from_file_location("copy", project / "cli" / "environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def steps(project: Path, *names: str) -> list[str]:
    """What is still to be done for the names."""
    return [title for title, _ in load(project).steps(set(names))]


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of the project as an installation reads, with nothing installed."""
    for file in READS:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / file, tmp_path / file)
    return tmp_path


@pytest.fixture
def installed(project: Path) -> Path:
    """The project with its directories and their stamps, but programs that do nothing."""
    module = load(project)
    for name, names in [(".venv", {"uv", "app"}), (".venv-ministack", {"emulator"}), ("node_modules", {"node"})]:
        program(project / name / "bin" / "python", "")
        module.write_stamp(project / name, names)
    return project


def test_a_fresh_clone_gets_what_its_command_needs_and_no_more(project: Path) -> None:
    assert steps(project) == [CREATE]
    assert steps(project, "app", "checkov") == [CREATE, APP, CHECKOV]
    assert steps(project, "app", "demo", "emulator", "node") == [CREATE, f"{APP}, demo", MINISTACK, NODE]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements-dev.txt", [CREATE, APP]),
        ("pyproject.toml", [CREATE, APP]),
        ("local/requirements.txt", [MINISTACK]),
        ("package-lock.json", [NODE]),
        (".venv/bin/python", [CREATE, APP]),
        (".venv/stamp", [CREATE, APP]),
        (".venv-ministack/bin/python", [MINISTACK]),
        ("node_modules/stamp", [NODE]),
    ],
)
def test_what_is_outdated_or_incomplete_is_installed_again(installed: Path, changed: str, again: list[str]) -> None:
    file = installed / changed
    if file.name in ("python", "stamp"):
        file.unlink()
    else:
        file.write_text(file.read_text() + "\n")
    assert steps(installed, "app", "emulator", "node") == again


def test_a_moved_project_is_installed_again(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    names = ("app", "emulator", "node")
    assert steps(installed, *names) == steps(installed) == []
    moved = installed.rename(tmp_path_factory.mktemp("moved") / "project")
    assert steps(moved, *names) == [CREATE, APP, MINISTACK, NODE]


def test_locking_a_changed_pyproject_uses_the_uv_that_is_there(installed: Path) -> None:
    (installed / "pyproject.toml").write_text("nothing")
    (installed / ".venv" / "bin" / "uv").touch()
    assert steps(installed) == []


def test_another_group_is_added_with_progress_and_an_interrupted_one_is_made_again(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uv = program(installed / ".venv" / "bin" / "uv", "printf 'Resolved 2 packages\\n + attrs==1\\n' >&2")
    assert load(installed).main({"app", "test"}) == 0
    assert capsys.readouterr().out == "[1/1] Install Python packages: test\n      Resolved 2 packages\n"
    assert steps(installed, "app", "test") == []
    program(uv, "exit 1")
    assert load(installed).main({"lint"}) == 1
    assert "uv could not install the packages." in capsys.readouterr().err
    assert steps(installed, "app") == [CREATE, APP]


@pytest.mark.parametrize(
    ("in_the_way", "sentence"),
    [
        (False, "is the Python package index reachable from here (proxy, firewall)?"),
        (True, "cannot make a virtual environment here. On Debian and Ubuntu, install python3-venv"),
    ],
    ids=["no-network", "no-venv"],
)
def test_what_cannot_be_installed_is_a_sentence_and_the_next_command_starts_again(
    project: Path, in_the_way: bool, sentence: str
) -> None:
    if in_the_way:
        (project / ".venv").write_text("in the way")
    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    variables = os.environ | unreachable | {"PYTHON": sys.executable, "PIP_FIND_LINKS": ""}
    command = [sys.executable, "-m", "cli.environment", "app"]
    run = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"[1/2] {CREATE}\n" in run.stdout
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert steps(project, "app") == [CREATE, APP]


def test_uv_uses_the_index_that_pip_is_set_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(PROJECT)
    module.VENV = Path(sys.prefix)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert module.uv_environment()["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "own")
    assert module.uv_environment()["UV_DEFAULT_INDEX"] == "own"


def test_two_commands_at_once_install_one_after_the_other(installed: Path) -> None:
    directory = os.open(installed, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    command = [sys.executable, "-c", "import cli.environment; cli.environment.main({'app'})"]
    with subprocess.Popen(command, cwd=installed, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout
        assert second.stdout.readline() == "Waiting for another make command, which is installing here\n"
        assert second.poll() is None
        os.close(directory)
        assert second.wait(timeout=60) == 0


def test_the_functions_python_is_preferred_where_it_runs_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(PROJECT)
    module.VERSION, module.VENV = "3.11", tmp_path
    for variable in ("PYTHON", "typed_PYTHON"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert module.chosen_python() is None
    # A shim of pyenv is on the path, but runs no Python.
    python = f"python{module.LAMBDA_PYTHON}"
    shim = program(tmp_path / python, "exit 127")
    assert module.chosen_python() is None
    there = program(tmp_path / "pyenv" / "versions" / f"{module.LAMBDA_PYTHON}.0" / "bin" / python, "")
    assert module.chosen_python() == str(there)
    program(shim, "")
    assert module.chosen_python() == str(shim)
    for variable in ("PYTHON", "typed_PYTHON"):
        with monkeypatch.context() as named:
            named.setenv(variable, "python3.12")
            assert module.chosen_python() is None
    module.VENV = Path(sys.prefix)
    assert module.chosen_python() is None
