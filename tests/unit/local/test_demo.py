"""The demo's options are validated before anything starts; its end is compared with the one that was to be shown."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local import demo
from local.demo_faults import FAULTS, Fault, named
from tests.unit.cli.test_history import Event, ended, run, succeeded


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--fault=no such thing", "FAULT: 'no such thing' is neither an error code nor one of ConcurrentMod"),
        ("--fault=", "FAULT: '' is neither an error code nor one of"),
        ("--fault=lost_answer", "FAULT: 'lost_answer' is neither an error code nor one of"),
        ("--stop-after=abc", "STOP_AFTER: must be an integer from 1 to 10080, not 'abc'"),
        ("--stop-after=", "STOP_AFTER: must be an integer from 1 to 10080, not ''"),
        ("--stop-after=0", "STOP_AFTER: must be an integer from 1 to 10080, not '0'"),
        ("--name=a b", "NAME: must be the name of an image builder: 1 to 101 letters"),
        ("--name=", "NAME: must be the name of an image builder: 1 to 101 letters"),
    ],
)
def test_a_wrong_option_is_refused_by_its_rule_before_anything_starts(
    option: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo", option])
    monkeypatch.setattr(demo, "running_emulator", lambda **_: pytest.fail("something was started"))
    assert demo.main() == 2
    assert capsys.readouterr().out.startswith(sentence)


@pytest.mark.parametrize("code", ["ThrottledException", "ResourceNotFound", "AccessDenied", "Odd"])
def test_any_other_error_code_is_answered_to_every_start(code: str) -> None:
    added: list[Any] = []
    named(code).inject(SimpleNamespace(add_fault=lambda **fault: added.append(fault)), "gold")  # type: ignore[arg-type]
    assert [(fault.get("times"), fault["error"]["code"]) for fault in added] == [(None, code)]


def test_no_message_of_a_fault_names_the_demo() -> None:
    added: list[Any] = []
    control = SimpleNamespace(
        add_fault=lambda **fault: added.append(fault), put_builder=lambda *_, **given: added.append(given)
    )
    for fault in FAULTS.values():
        fault.inject(control, "gold")  # type: ignore[arg-type]
    assert len(added) == len(FAULTS)
    assert "FAULT" not in json.dumps(added)


@pytest.mark.parametrize(
    ("fault", "end", "expected"),
    [
        (None, succeeded(1, {}), True),
        (None, ended(1, "Failed", "E"), False),
        (FAULTS["LostAnswer"], succeeded(1, {}), True),
        (FAULTS["LostAnswer"], ended(1, "Failed", "E"), False),
        (FAULTS["ImageBuilderFailed"], ended(1, "Failed", "ImageBuilderFailed"), True),
        (FAULTS["ImageBuilderFailed"], ended(1, "Failed", "E"), False),
        (FAULTS["ImageBuilderFailed"], succeeded(1, {}), False),
        (named("ThrottledException"), ended(1, "Failed", "ThrottlingException"), True),
        (named("ThrottledException"), succeeded(1, {}), False),
    ],
)
def test_the_demo_succeeds_when_the_run_ends_as_the_fault_makes_it(
    fault: Fault | None, end: Event, expected: bool
) -> None:
    assert demo._as_expected([run(end)], fault) is expected
