"""`python3 -m cli.environment [NAME...]`: install what a command needs and what is not installed yet.

A NAME is `app`, the dependencies of pyproject.toml, or one of its dependency groups, for .venv; `emulator`, MiniStack,
for .venv-ministack; `checkov`, for .venv-checkov; or `node`, the packages of package-lock.json, for node_modules.
Without a NAME, .venv gets only uv.

A stamp in each directory says what it was made from. With another lock, Python or folder, or after an interrupted
installation, the directory is made again. Imports the standard library only: nothing else is installed yet.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 # what the older ones print
    sys.exit(
        f"Python 3.11 or later is needed, and {sys.executable} is {sys.version.split()[0]}. "
        "Name another, as in: make demo PYTHON=python3.12"
    )

import fcntl
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess  # nosec B404 # runs venv, pip, uv and npm
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
VENV = PROJECT / ".venv"
MINISTACK = PROJECT / ".venv-ministack"
CHECKOV = PROJECT / ".venv-checkov"
NODE_MODULES = PROJECT / "node_modules"
LOCKS = {
    VENV: PROJECT / "requirements-dev.txt",
    MINISTACK: PROJECT / "local" / "requirements.txt",
    CHECKOV: PROJECT / "bench" / "requirements.txt",
    NODE_MODULES: PROJECT / "package-lock.json",
}

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix, "bin", f"python{VERSION}")
"""The Python behind the one that runs this, which may be that of .venv, which is replaced."""

LAMBDA_PYTHON = "3.13"
"""The functions' Python (infra.bundling.PYTHON_VERSION): where the machine has it, everything runs on it."""

Step = tuple[str, Callable[[], None]]
"""What it does, for the progress, and the function that does it."""

INDEX_HELP = """\
If this names a connection: is the Python package index reachable from here (proxy, firewall)?
If it names a compiler: nobody has built that package for this platform, so install a C compiler and Python's headers.
If it names space: the disk is full."""


class SetupError(Exception):
    """Something cannot be installed. The message says why, and what to do."""


def main(names: set[str]) -> int:
    """Install what the names stand for.

    Returns: the exit status.
    """
    try:
        lock = _wait_for_others()
        todo = steps(names)
        if todo and not os.access(PROJECT, os.W_OK):
            raise SetupError(f"{PROJECT} is read-only for you, and packages must be installed there. Work in a copy.")
        for number, (title, do) in enumerate(todo, 1):
            print(f"[{number}/{len(todo)}] {title}", flush=True)
            do()
        os.close(lock)
    except SetupError as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"{problem.filename or PROJECT}: {problem.strerror}. Nothing can be installed there.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: the next make command installs the rest.", file=sys.stderr)
        return 130
    return 0


def steps(names: set[str]) -> list[Step]:
    """What is still to be done for the names."""
    return [
        *_venv(names - {"emulator", "checkov", "node"}),
        *(_separate(MINISTACK, "MiniStack, which imitates AWS", LAMBDA_PYTHON) if "emulator" in names else ()),
        *(_separate(CHECKOV, "checkov, which examines the template") if "checkov" in names else ()),
        *(_node_modules() if "node" in names else ()),
    ]


def _wait_for_others() -> int:
    """Lock the project until the process ends, so that two commands do not install at once."""
    directory = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another make command, which is installing here", flush=True)
        fcntl.flock(directory, fcntl.LOCK_EX)
    except OSError:
        pass  # This file system has no locks.
    return directory


def _venv(groups: set[str]) -> Iterator[Step]:
    """The environment of the app and of this project's commands."""
    works = _version(VENV / "bin" / "python", "pip") == [sys.base_prefix, *VERSION.split(".")]
    if not groups and works and (VENV / "bin" / "uv").exists():
        return  # `make lock`, after pyproject.toml changed: what is installed can lock it.
    made_from = current_stamp(VENV)
    stamp = _stamp(VENV)
    groups_there = set(stamp.pop("groups", ())) if stamp else set()
    # Without a stamp it was made by hand: what is in it stays.
    kept = works and stamp in (None, made_from)
    installed = groups_there if kept else set()
    if not kept:
        yield f"Create .venv with Python {VERSION}", _create_venv
    if not kept or stamp is None:
        yield "Install uv, which installs the rest", partial(_install_uv, made_from)
    if groups - installed:
        wanted = sorted(groups | installed)
        yield f"Install Python packages: {', '.join(wanted)}", partial(_install_groups, wanted, made_from)


def _separate(venv: Path, what: str, version: str = VERSION) -> Iterator[Step]:
    """An environment for a tool that pins what the app has in another version."""
    made_from = current_stamp(venv)

    def install() -> None:
        _uv("venv", "--clear", "--python", str(find_python(version) or PYTHON), str(venv))
        _uv("pip", "install", "--python", str(venv), "--require-hashes", "--requirement", str(LOCKS[venv]))
        write_stamp(venv, made_from)

    if _stamp(venv) != made_from or not _version(venv / "bin" / "python"):
        yield f"Install {what}", install


def _node_modules() -> Iterator[Step]:
    """The CDK CLI and the other Node packages."""
    made_from = current_stamp(NODE_MODULES)

    def install() -> None:
        path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        npm = [str(VENV / "bin" / "npm"), "ci", "--loglevel=error"]
        if subprocess.run(npm, cwd=PROJECT, env={**os.environ, "PATH": path}, check=False).returncode:  # nosec B603
            raise SetupError("npm could not install package-lock.json. Does the npm registry answer (proxy, firewall)?")
        write_stamp(NODE_MODULES, made_from)

    if _stamp(NODE_MODULES) != made_from:
        yield "Install Node packages: the CDK CLI and others", install


def _create_venv() -> None:
    command = [str(PYTHON), "-m", "venv", "--clear", str(VENV)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603 # fixed arguments
    if run.returncode:
        raise SetupError(
            f"{run.stdout}{run.stderr}{PYTHON} cannot make a virtual environment here. On Debian and Ubuntu, install "
            "python3-venv; otherwise see whether the disk is full, or whether .venv belongs to another user."
        )


def _install_uv(made_from: Mapping[str, Any]) -> None:
    write_stamp(VENV, {})
    locked = re.search(r"^uv==(?:.*\\\n)*.*\n", LOCKS[VENV].read_text("utf-8"), re.MULTILINE)
    if not locked:
        raise SetupError("requirements-dev.txt does not lock uv. Restore it from the repository.")
    pip = [*("-m", "pip", "install", "--quiet", "--disable-pip-version-check"), "--require-hashes", "-r", "/dev/stdin"]
    if subprocess.run(  # nosec B603 # fixed arguments
        [str(VENV / "bin" / "python"), *pip], input=locked[0], text=True, check=False
    ).returncode:
        raise SetupError(f"pip could not install uv.\n{INDEX_HELP}")
    write_stamp(VENV, {**made_from, "groups": []})


def _install_groups(groups: Sequence[str], made_from: Mapping[str, Any]) -> None:
    write_stamp(VENV, {})
    options = [option for group in groups if group != "app" for option in ("--group", group)]
    # The lock of all groups has the versions and the hashes; pyproject.toml says which of them are wanted.
    locked = ("--constraints", str(LOCKS[VENV]), "--require-hashes")
    _uv("pip", "install", "--python", str(VENV), "--requirement", "pyproject.toml", *options, *locked)
    write_stamp(VENV, {**made_from, "groups": groups})


def _uv(*arguments: str) -> None:
    """Run uv, and pass on what it reports, except for the list of what it has installed.

    Raises:
        SetupError: it failed.
    """
    uv, variables = [str(VENV / "bin" / "uv"), *arguments], uv_environment()
    with subprocess.Popen(uv, cwd=PROJECT, env=variables, stderr=subprocess.PIPE, text=True) as process:  # nosec B603
        for line in process.stderr or ():
            if not line.startswith((" + ", " - ", " ~ ", "Using ", "Creating ", "Activate ")):
                print(f"      {line}", end="", flush=True)
    if process.returncode:
        raise SetupError(f"uv could not install the packages.\n{INDEX_HELP}")


def uv_environment() -> dict[str, str]:
    """This environment, with pip's index and the machine's certificates for uv, which reads neither by itself."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "config", "list"]
    settings = subprocess.run(pip, capture_output=True, text=True, check=False).stdout  # nosec B603 # fixed arguments
    index = re.findall(r"^(?:global|user|site|install|:env:)\.index-url='(.*)'$", settings, re.MULTILINE)
    certificates = {"UV_SYSTEM_CERTS": "true"} if ssl.get_default_verify_paths().cafile else {}
    return {**certificates, **({"UV_DEFAULT_INDEX": index[-1]} if index else {}), **os.environ}


def find_python(version: str) -> Path | None:
    """An interpreter of a version, such as 3.13: on the search path, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    on_path = shutil.which(f"python{version}")
    found = [*([Path(on_path)] if on_path else []), *pyenv.glob(f"versions/{version}*/bin/python{version}")]
    return next((python for python in found if _version(python)[1:] == version.split(".")), None)


def _version(python: Path, module: str = "sys") -> list[str]:
    """An interpreter's installation and version; empty if it does not run or does not have the module."""
    probe = f"import sys, {module}; print(sys.base_prefix, *sys.version_info[:2], sep='\\n')"
    try:
        run = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=False)  # nosec B603
    except OSError:
        return []
    return run.stdout.splitlines()


def current_stamp(directory: Path) -> dict[str, Any]:
    """What the stamp of a complete installation holds now, without .venv's groups: all that it depends on."""
    contents: object = LOCKS[directory].read_text("utf-8")
    if directory == VENV:
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
        contents = [contents, project["project"]["dependencies"], project["dependency-groups"]]
    digest = hashlib.sha256(json.dumps(contents).encode()).hexdigest()
    return {"directory": str(directory), "python": [sys.base_prefix, VERSION], "contents": digest}


def _stamp(directory: Path) -> dict[str, Any] | None:
    """An installation's stamp; empty while it is incomplete, None where there is none."""
    try:
        stamp: dict[str, Any] = json.loads((directory / "stamp.json").read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        return {}
    return stamp


def write_stamp(directory: Path, stamp: Mapping[str, Any]) -> None:
    """Say from what a directory was made; empty while it is not complete."""
    (directory / "stamp.json").write_text(json.dumps(stamp), "utf-8")


def chosen_python() -> str | None:
    """The Python to install with, where it is another one: the functions', unless the user or .venv has one already."""
    named = os.environ.get("typed_PYTHON") or os.environ.get("PYTHON")  # noqa: SIM112 # as the Makefile names it
    if named or VERSION == LAMBDA_PYTHON or Path(sys.prefix) == VENV:
        return None
    found = find_python(LAMBDA_PYTHON)
    return str(found) if found else None


if __name__ == "__main__":
    if python := chosen_python():
        os.execv(python, [python, "-m", "cli.environment", *sys.argv[1:]])  # nosec B606 # an interpreter of this machine
    sys.exit(main(set(sys.argv[1:])))
