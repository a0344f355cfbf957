"""What `make` installs before a command, and what it says where it cannot."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.environment import LAMBDA_PYTHON, find_python

PROJECT = Path(__file__).parents[3]
READS = (
    *("cli/__init__.py", "cli/environment.py", "pyproject.toml", "package-lock.json"),
    *("requirements-dev.txt", "local/requirements.txt", "bench/requirements.txt"),
)
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = str(Path(sys.base_prefix, "bin", f"python{VERSION}"))
CREATE = f"Create .venv with Python {VERSION}"
UV = "Install uv, which installs the rest"
APP = "Install Python packages: app"
MINISTACK = "Install MiniStack, which imitates AWS"
CHECKOV = "Install checkov, which examines the template"
NODE = "Install Node packages: the CDK CLI and others"
UNREACHABLE = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
STAMPS = """
import cli.environment as e
for directory in (e.MINISTACK, e.NODE_MODULES):
    e.write_stamp(directory, e.current_stamp(directory))
e.write_stamp(e.VENV, {**e.current_stamp(e.VENV), "groups": ["app", "demo"]})
"""


def python(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, *arguments], cwd=directory, env=clean() | variables, capture_output=True, text=True, check=False
    )


def clean() -> dict[str, str]:
    """The variables of a shell in which PYTHON names this Python and nothing else is set for an installation."""
    rest = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "PYTHON"))}
    return rest | {"PYTHON": PYTHON}


def steps(directory: Path, *names: str) -> list[str]:
    """What is still to be done for the names."""
    code = f"import cli.environment as e, json; print(json.dumps([title for title, _ in e.steps(set({names!r}))]))"
    done = python(directory, "-c", code)
    assert done.returncode == 0, done.stderr
    titles: list[str] = json.loads(done.stdout)
    return titles


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of the project as an installation reads, with nothing installed."""
    for file in READS:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / file, tmp_path / file)
    return tmp_path


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment, to copy."""
    directory = tmp_path_factory.mktemp("environment") / ".venv"
    subprocess.run([PYTHON, "-m", "venv", str(directory)], check=True)
    return directory


@pytest.fixture
def installed(project: Path, environment: Path) -> Path:
    """The project, with its environments and their stamps."""
    for name in (".venv", ".venv-ministack"):
        shutil.copytree(environment, project / name, symlinks=True)
    (project / "node_modules").mkdir()
    assert python(project, "-c", STAMPS).returncode == 0
    return project


def test_what_is_installed_is_not_installed_again(installed: Path) -> None:
    assert steps(installed, "app", "demo", "emulator", "node") == []


def test_a_fresh_clone_gets_what_its_command_needs_and_no_more(project: Path) -> None:
    assert steps(project) == [CREATE, UV]
    assert steps(project, "app") == [CREATE, UV, APP]
    assert steps(project, "app", "demo", "emulator", "node") == [CREATE, UV, f"{APP}, demo", MINISTACK, NODE]
    assert steps(project, "app", "checkov") == [CREATE, UV, APP, CHECKOV]


def test_another_group_is_added_to_those_that_are_there(installed: Path) -> None:
    assert steps(installed, "app", "test") == [f"{APP}, demo, test"]


@pytest.mark.parametrize(
    ("lock", "again"),
    [
        ("requirements-dev.txt", [CREATE, UV, APP]),
        ("local/requirements.txt", [MINISTACK]),
        ("package-lock.json", [NODE]),
    ],
)
def test_another_lock_is_installed_again(installed: Path, lock: str, again: list[str]) -> None:
    (installed / lock).write_text((installed / lock).read_text().replace("1", "2", 1))
    assert steps(installed, "app", "emulator", "node") == again


def test_another_requirement_is_installed_and_another_setting_is_not(installed: Path) -> None:
    pyproject = installed / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("line-length = 120", "line-length = 100"))
    assert steps(installed, "app") == []
    pyproject.write_text(pyproject.read_text().replace("demo = [", 'demo = ["attrs",', 1))
    assert steps(installed, "app") == [CREATE, UV, APP]


def test_locking_a_changed_pyproject_uses_the_uv_that_is_there(installed: Path) -> None:
    (installed / "pyproject.toml").write_text("nothing")
    (installed / ".venv" / "bin" / "uv").touch()
    assert steps(installed) == []


def test_a_moved_project_is_installed_again(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = installed.rename(tmp_path_factory.mktemp("moved") / "project")
    assert steps(moved, "app", "emulator", "node") == [CREATE, UV, APP, MINISTACK, NODE]


@pytest.mark.parametrize(("name", "again"), [(".venv", [CREATE, UV, APP]), (".venv-ministack", [MINISTACK])])
def test_an_environment_whose_python_is_gone_is_installed_again(installed: Path, name: str, again: list[str]) -> None:
    link = installed / name / "bin" / "python"
    link.unlink()
    link.symlink_to("/gone/python")
    assert steps(installed, "app", "emulator") == again


@pytest.mark.parametrize("stamp", ["{}", '{"directory": "/', ""], ids=["interrupted", "cut", "empty"])
def test_a_half_made_environment_is_installed_again(installed: Path, stamp: str) -> None:
    for name in (".venv", ".venv-ministack", "node_modules"):
        (installed / name / "stamp.json").write_text(stamp)
    assert steps(installed, "app", "emulator", "node") == [CREATE, UV, APP, MINISTACK, NODE]


def test_packages_are_added_to_an_environment_that_was_made_by_hand(installed: Path) -> None:
    (installed / ".venv" / "stamp.json").unlink()
    assert steps(installed, "app") == [UV, APP]


def test_a_machine_without_network_gets_a_sentence_and_the_next_run_starts_again(project: Path) -> None:
    run = python(project, "-m", "cli.environment", "app", **UNREACHABLE)
    assert run.returncode == 1
    assert run.stdout.splitlines() == [f"[1/3] {CREATE}", f"[2/3] {UV}"]
    assert "is the Python package index reachable from here (proxy, firewall)?" in run.stderr
    assert "Traceback" not in run.stderr
    assert steps(project, "app") == [CREATE, UV, APP]


@pytest.mark.parametrize("where", ["a file", "the environment"])
def test_uv_uses_the_index_that_pip_is_set_to(installed: Path, where: str) -> None:
    configuration = installed / "pip.conf"
    configuration.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\n" if where == "a file" else "")
    variables = {"PIP_CONFIG_FILE": str(configuration)}
    if where == "the environment":
        variables["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    code = "import cli.environment as e; print(e.uv_environment().get('UV_DEFAULT_INDEX'))"
    assert python(installed, "-c", code, **variables).stdout == "http://127.0.0.1:9/simple\n"
    assert python(installed, "-c", code, **variables, UV_DEFAULT_INDEX="own").stdout == "own\n"


def test_a_python_without_venv_gets_a_sentence(project: Path) -> None:
    (project / ".venv").write_text("in the way")
    run = python(project, "-m", "cli.environment", "app")
    assert run.returncode == 1
    assert "cannot make a virtual environment here. On Debian and Ubuntu, install python3-venv" in run.stderr
    assert "Traceback" not in run.stderr


def test_two_commands_at_once_install_one_after_the_other(installed: Path) -> None:
    directory = os.open(installed, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    command = [PYTHON, "-m", "cli.environment", "app"]
    with subprocess.Popen(command, cwd=installed, env=clean(), stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout
        assert second.stdout.readline() == "Waiting for another make command, which is installing here\n"
        assert second.poll() is None
        os.close(directory)
        assert second.wait(timeout=60) == 0


@pytest.mark.parametrize("version", ["3.13", "3.14"])
def test_an_interpreter_is_found_only_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_python(version) is None
    # A shim of pyenv is on the path, but does not run.
    shim = tmp_path / f"python{version}"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert find_python(version) is None
    major, minor = version.split(".")
    there = interpreter(tmp_path / "pyenv" / "versions" / f"{version}.0" / "bin" / f"python{version}", major, minor)
    assert find_python(version) == there


def test_the_functions_python_is_preferred_unless_another_is_named(project: Path, tmp_path: Path) -> None:
    found = interpreter(tmp_path / "bin" / f"python{LAMBDA_PYTHON}", *LAMBDA_PYTHON.split("."))
    code = "import cli.environment as e; e.VERSION = '3.11'; print(e.chosen_python())"
    variables = {"PATH": str(found.parent), "PYENV_ROOT": str(tmp_path)}
    assert python(project, "-c", code, **variables, PYTHON="").stdout == f"{found}\n"
    assert python(project, "-c", code, **variables).stdout == "None\n"
    assert python(project, "-c", code, **variables, PYTHON="", typed_PYTHON="python3.12").stdout == "None\n"
    assert (
        python(project, "-c", f"import sys; sys.prefix = '{project / '.venv'}'; {code}", **variables, PYTHON="").stdout
        == "None\n"
    )
    found.unlink()
    assert python(project, "-c", code, **variables, PYTHON="").stdout == "None\n"


def interpreter(path: Path, major: str, minor: str) -> Path:
    """What answers as an interpreter of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nprintf '/usr\\n{major}\\n{minor}\\n'\n")
    path.chmod(0o755)
    return path
