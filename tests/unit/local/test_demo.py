"""The demo's options are validated before anything starts; its end is compared with the one that was to be shown."""

import pytest

from local import demo
from local.demo_faults import FAULTS, Fault, named
from local.fake_appstream.control import Control
from local.fake_appstream.server import serving
from tests.scenarios import BUILDER
from tests.unit.cli.test_history import Event, ended, run, succeeded
from tests.workflow.conftest import World


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--fault=no such thing", "FAULT: 'no such thing' is neither an error code nor one of ConcurrentMod"),
        ("--fault=", "FAULT: '' is neither an error code nor one of"),
        ("--stop-after=", "STOP_AFTER: must be an integer from 1 to 10080, not ''"),
        ("--name=a b", "NAME: must be the name of an image builder: 1 to 101 letters"),
    ],
)
def test_a_wrong_option_is_refused_by_its_rule_before_anything_starts(
    option: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo", option])
    monkeypatch.setattr(demo, "running_emulator", lambda **_: pytest.fail("something was started"))
    assert demo.main() == 2
    assert capsys.readouterr().out.startswith(sentence)


@pytest.mark.parametrize("name", [*FAULTS, "ThrottledException", "Odd"])
def test_an_execution_ends_as_the_fault_says(name: str) -> None:
    fault, world = named(name), World.new()
    world.prepare({})
    with serving(world.fake) as url:
        fault.inject(Control(url), BUILDER)
    execution = world.run({"Name": BUILDER})
    assert execution.status == ("SUCCEEDED" if fault.ends == "" else "FAILED")
    assert fault.ends in ("", None, execution.error)


@pytest.mark.parametrize(
    ("fault", "end", "expected"),
    [
        (None, succeeded(1, {}), True),
        (None, ended(1, "Failed", "E"), False),
        (FAULTS["LostAnswer"], ended(1, "Failed", "E"), False),
        (FAULTS["ImageBuilderFailed"], ended(1, "Failed", "ImageBuilderFailed"), True),
        (FAULTS["ImageBuilderFailed"], ended(1, "Failed", "E"), False),
        (FAULTS["ImageBuilderFailed"], succeeded(1, {}), False),
        (named("ThrottledException"), ended(1, "Failed", "ThrottlingException"), True),
    ],
)
def test_the_demo_succeeds_when_the_run_ends_as_the_fault_makes_it(
    fault: Fault | None, end: Event, expected: bool
) -> None:
    assert demo._as_expected([run(end)], fault) is expected
