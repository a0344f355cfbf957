"""Bundling the functions' code where a part of it is missing."""

import sys
from pathlib import Path

import pytest

from infra.bundling import BundlingFailed, PipBundling


def test_an_environment_without_pip_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(BundlingFailed, match=r"has no pip, which bundles the functions. Install it: .* -m ensurepip"):
        PipBundling().try_bundle(str(tmp_path))
