"""`python3 -m cli.environment [NAME...]`: install what a command needs and what is not installed yet.

A NAME is `app`, the dependencies of pyproject.toml, or one of its dependency groups, for .venv; `emulator`, MiniStack,
for .venv-ministack; `checkov`, for .venv-checkov; or `node`, the packages of package-lock.json, for node_modules.
Without a NAME, .venv gets only uv.

A stamp in each directory says what it was made from, and which names are in it. With another lock, Python or folder, or
after an interrupted installation, it is made again. Imports the standard library only: nothing else is installed yet.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 # what the older ones print
    sys.exit(
        f"Python 3.11 or later is needed, and {sys.executable} is {sys.version.split()[0]}. "
        "Name another, as in: make demo PYTHON=python3.12"
    )

import fcntl
import hashlib
import os
import re
import shutil
import ssl
import subprocess  # nosec B404 # runs venv, pip, uv and npm
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

PROJECT = Path(__file__).parents[1]
VENV = PROJECT / ".venv"
NODE_MODULES = PROJECT / "node_modules"
# An environment of its own, for a tool that pins what the app has in another version: its title, directory and lock.
TOOLS = {
    "emulator": ("MiniStack, which imitates AWS", PROJECT / ".venv-ministack", PROJECT / "local" / "requirements.txt"),
    "checkov": ("checkov, which examines the template", PROJECT / ".venv-checkov", PROJECT / "bench/requirements.txt"),
}
SOURCES = {
    VENV: [PROJECT / "requirements-dev.txt", PROJECT / "pyproject.toml"],
    NODE_MODULES: [PROJECT / "package-lock.json"],
    **{directory: [lock] for _, directory, lock in TOOLS.values()},
}

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix, "bin", f"python{VERSION}")
"""The Python behind the one that runs this, which may be that of .venv, which is replaced."""

LAMBDA_PYTHON = "3.13"
"""The functions' Python (infra.bundling.PYTHON_VERSION): where the machine has it, everything runs on it."""

INDEX_HELP = """\
If this names a connection: is the Python package index reachable from here (proxy, firewall)?
If it names a compiler: nobody has built that package for this platform, so install a C compiler and Python's headers.
If it names space: the disk is full."""


class SetupError(Exception):
    """Something cannot be installed. The message says why, and what to do."""


def main(names: set[str]) -> int:
    """Install what the names stand for. Returns: the exit status."""
    try:
        lock = _wait_for_others()
        todo = list(steps(names))
        for number, (title, install) in enumerate(todo, 1):
            print(f"[{number}/{len(todo)}] {title}", flush=True)
            install()
        os.close(lock)
    except (SetupError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: the next make command installs the rest.", file=sys.stderr)
        return 130
    return 0


def _wait_for_others() -> int:
    """Lock the project until the descriptor is closed, so that two commands do not install at once."""
    directory = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another make command, which is installing here", flush=True)
        fcntl.flock(directory, fcntl.LOCK_EX)
    except OSError:
        pass  # This file system has no locks.
    return directory


def steps(names: set[str]) -> Iterator[tuple[str, Callable[[], None]]]:
    """What is still to be done for the names: each with its title."""
    there = installed(VENV)
    # `make lock`, which names nothing, uses the uv that is there: pyproject.toml has just changed.
    if not there and (names or not (VENV / "bin" / "uv").exists()):
        yield f"Create .venv with Python {VERSION} and uv, which installs the rest", _create_venv
    missing = sorted(names - there - {*TOOLS, "node"})
    if missing:
        yield f"Install Python packages: {', '.join(missing)}", partial(_install_groups, missing)
    for name, (title, directory, _) in TOOLS.items():
        if name in names and not installed(directory):
            yield f"Install {title}", partial(_install_tool, name)
    if "node" in names and not installed(NODE_MODULES):
        yield "Install Node packages: the CDK CLI and others", _install_node_modules


def installed(directory: Path) -> set[str]:
    """The names that are in a directory; none if it is incomplete, or was made from something else."""
    try:
        made_from, *names = (directory / "stamp").read_text("utf-8").split()
    except (OSError, ValueError):
        return set()
    works = directory == NODE_MODULES or (directory / "bin" / "python").exists()
    return set(names) if works and made_from == _made_from(directory) else set()


def write_stamp(directory: Path, names: set[str]) -> None:
    """Say that a directory is complete, and from what it was made."""
    (directory / "stamp").write_text(" ".join([_made_from(directory), *names]), "utf-8")


def _made_from(directory: Path) -> str:
    """A digest of all that an installation depends on."""
    texts = [str(directory), sys.base_prefix, VERSION, *(file.read_text("utf-8") for file in SOURCES[directory])]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _create_venv() -> None:
    if subprocess.run([PYTHON, "-m", "venv", "--clear", VENV], check=False).returncode:  # nosec B603
        raise SetupError(
            f"{PYTHON} cannot make a virtual environment here. On Debian and Ubuntu, install python3-venv; otherwise "
            f"see whether the disk is full, or whether you may write to {PROJECT}."
        )
    (lock, _) = SOURCES[VENV]
    uv = "".join(re.findall(r"^uv==(?:.*\\\n)*.*\n", lock.read_text("utf-8"), re.MULTILINE))
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--require-hashes", "-r", "/dev/stdin"]
    if subprocess.run(command, input=uv, text=True, check=False).returncode:  # nosec B603
        raise SetupError(f"pip could not install uv.\n{INDEX_HELP}")
    write_stamp(VENV, {"uv"})


def _install_groups(groups: list[str]) -> None:
    there = installed(VENV)
    # What is interrupted is made again.
    (VENV / "stamp").unlink()
    options = [option for group in groups if group != "app" for option in ("--group", group)]
    # The lock of all groups has the versions and the hashes; pyproject.toml says which of them are wanted.
    lock, project = map(str, SOURCES[VENV])
    locked = ("--constraints", lock, "--require-hashes")
    _uv("pip", "install", "--python", str(VENV), "--requirement", project, *options, *locked)
    write_stamp(VENV, there.union(groups))


def _install_tool(name: str) -> None:
    _, directory, lock = TOOLS[name]
    # MiniStack runs the functions: on their Python, where the machine has it.
    _uv("venv", "--clear", "--python", find_python(LAMBDA_PYTHON) or str(PYTHON), str(directory))
    _uv("pip", "install", "--python", str(directory), "--require-hashes", "--requirement", str(lock))
    write_stamp(directory, {name})


def _install_node_modules() -> None:
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    npm = [str(VENV / "bin" / "npm"), "ci", "--loglevel=error"]
    if subprocess.run(npm, cwd=PROJECT, env={**os.environ, "PATH": path}, check=False).returncode:  # nosec B603
        raise SetupError("npm could not install package-lock.json. Does the npm registry answer (proxy, firewall)?")
    write_stamp(NODE_MODULES, {"node"})


def _uv(*arguments: str) -> None:
    """Run uv, and pass on what it reports, except for the list of what it has installed."""
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


def find_python(version: str) -> str | None:
    """An interpreter of a version, such as 3.13: on the search path, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    on_path = shutil.which(f"python{version}")
    found = [*([Path(on_path)] if on_path else []), *pyenv.glob(f"versions/{version}*/bin/python{version}")]
    for python in found:
        # A shim of pyenv on the search path may run none.
        if not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:  # nosec B603
            return str(python)
    return None


def chosen_python() -> str | None:
    """The Python to install with, where it is another one: the functions', unless the user or .venv has one already."""
    named = os.environ.get("typed_PYTHON") or os.environ.get("PYTHON")  # noqa: SIM112 # as the Makefile names it
    if named or VERSION == LAMBDA_PYTHON or Path(sys.prefix) == VENV:
        return None
    return find_python(LAMBDA_PYTHON)


if __name__ == "__main__":
    if python := chosen_python():
        os.execv(python, [python, "-m", "cli.environment", *sys.argv[1:]])  # nosec B606 # an interpreter of this machine
    sys.exit(main(set(sys.argv[1:])))
