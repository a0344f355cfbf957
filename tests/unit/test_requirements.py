"""The lock files hold what pyproject.toml asks for, and nothing that an installer could replace."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli import environment
from infra import bundling

PROJECT = Path(__file__).parents[2]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
GROUPS = DECLARED["dependency-groups"]
APP = DECLARED["project"]["dependencies"]
DEVELOPMENT = [
    requirement
    for name, group in GROUPS.items()
    if name not in ("checkov", "emulator", "functions")
    for requirement in group
    if isinstance(requirement, str)
]
LOCKS = {
    "requirements.txt": APP,
    "requirements-dev.txt": [*APP, *DEVELOPMENT],
    "lambdas/requirements.txt": GROUPS["functions"],
    "local/requirements.txt": GROUPS["emulator"],
    "bench/requirements.txt": GROUPS["checkov"],
}
"""What each is locked for."""


def locked(file: str) -> dict[str, Requirement]:
    """The requirements of a lock by name, without hashes."""
    entries = re.findall(r"^(\S.*?) \\$", (PROJECT / file).read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, entries)}


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_has_every_declared_package_in_the_declared_version(file: str) -> None:
    entries = locked(file)
    for requirement in map(Requirement, LOCKS[file]):
        (pin,) = entries[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version, prereleases=True), f"make lock: {requirement}"


@pytest.mark.parametrize("file", ["requirements.txt", "lambdas/requirements.txt"])
def test_the_locks_of_the_app_and_its_functions_agree_with_that_of_the_tests(file: str) -> None:
    tested = locked("requirements-dev.txt")
    for name, requirement in locked(file).items():
        assert requirement.specifier == tested[name].specifier, name


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_has_hashes_for_every_package_and_names_no_address(file: str) -> None:
    text = (PROJECT / file).read_text("utf-8")
    assert "://" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.fullmatch(r"\S.* \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n|$))+", entry), entry.splitlines()[0]


def test_the_functions_are_locked_bundled_and_emulated_for_one_python() -> None:
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    assert bundling.RUNTIME.name == f"python{bundling.PYTHON_VERSION}"
    assert bundling.PYTHON_VERSION == environment.LAMBDA_PYTHON
    assert f"--python-version {bundling.PYTHON_VERSION} --python-platform aarch64-manylinux2014" in makefile


def test_the_functions_move_to_the_next_python_once_ci_has_it() -> None:
    # Only in CI: a developer's newer Python is no reason to fail.
    newer = environment.find_python("3.14") if os.environ.get("CI") else None
    assert not newer, (
        f"{newer}: set PYTHON_VERSION and RUNTIME in infra/bundling.py, LAMBDA_PYTHON in cli/environment.py"
    )
