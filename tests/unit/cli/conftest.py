"""An AWS that answers as a test says. Retries, errors and pages are boto3's own."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.endpoint import Endpoint


@dataclass
class Aws:
    """Answers every call with an error, or as a test says.

    Attributes:
        answers: by operation; of a list, one after the other, the last again and again. A tuple is an error: its code
            and its message.
        called: the operations, in order.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    error: Any = ("AccessDenied", "User u is not authorized to perform this.")
    called: list[str] = field(default_factory=list)

    def answer(self, operation: str) -> Any:
        self.called.append(operation)
        given = self.answers.get(operation, self.error)
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(given, Exception):
            return None, given
        failed = isinstance(given, tuple)
        parsed = {"Error": dict(zip(("Code", "Message"), given, strict=True))} if failed else given
        return (
            SimpleNamespace(status_code=400 if failed else 200, headers={}),
            {**parsed, "ResponseMetadata": {}},
        ), None


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    found = Aws()

    def answer(_: Endpoint, __: Any, operation: Any, context: dict[str, Any]) -> Any:
        return found.answer(operation.name)

    monkeypatch.setattr(Endpoint, "_get_response", answer)
    return found
