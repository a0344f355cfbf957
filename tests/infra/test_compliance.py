"""Every rule of the security packs that finds something has a verdict in docs/compliance.md."""

import pytest

from bench import compliance
from tests.infra.conftest import STRICT

pytestmark = pytest.mark.xdist_group("permissions")


@pytest.mark.parametrize("settings", [{}, STRICT], ids=["default", "strict"])
def test_every_rule_that_finds_something_has_a_verdict_and_no_other(settings: dict[str, object]) -> None:
    assert compliance.nag(settings) == compliance.expected(settings, of_checkov=False)


@pytest.mark.full
@pytest.mark.needs("checkov")
@pytest.mark.parametrize("settings", [{}, STRICT], ids=["default", "strict"])
def test_every_rule_of_checkov_that_finds_something_has_a_verdict_and_no_other(settings: dict[str, object]) -> None:
    assert compliance.checkov(settings) == compliance.expected(settings, of_checkov=True)
