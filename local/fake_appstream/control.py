"""A client of the control interface, with nothing but the standard library."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from local.fake_appstream.validation import Refused
from local.loopback import OPENER

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Control:
    """Sets the stage for a test or the demo, and tells what the double has seen.

    Every method raises Refused, naming the field and the rule, where the double refuses.

    Attributes:
        url: of the double; also the endpoint URL of AppStream's own clients.
    """

    url: str

    def put_builder(self, name: str, **settings: Any) -> dict[str, Any]:
        """Make a builder: the settings and the answer of `FakeAppStream.put_builder`."""
        return self._object("PUT", _builder(name), settings)

    def patch_builder(self, name: str, **settings: Any) -> dict[str, Any]:
        """Change a builder: the settings and the answer of `FakeAppStream.patch_builder`."""
        return self._object("PATCH", _builder(name), settings)

    def builder(self, name: str, *, region: str | None = None) -> dict[str, Any]:
        """The ImageBuilder as it is now, without an API call; timestamps in seconds since the epoch."""
        return self._object("GET", _builder(name, region))

    def delete_builder(self, name: str, *, region: str | None = None) -> None:
        """Take a builder away at once, if there is one."""
        self._request("DELETE", _builder(name, region))

    def add_fault(self, **fault: Any) -> None:
        """Put a rule after the others: the fields are those that `Fault.parse` takes."""
        self._request("POST", "faults", fault)

    def clear_faults(self) -> None:
        """Take all rules away."""
        self._request("DELETE", "faults")

    def calls(self) -> list[dict[str, Any]]:
        """Every API call seen, in order, with the fields of `Call`."""
        calls: list[dict[str, Any]] = self._request("GET", "calls")
        return calls

    def clear_calls(self) -> None:
        """Forget the calls seen."""
        self._request("DELETE", "calls")

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return float(self._object("GET", "clock")["now"])

    def reset(self) -> None:
        """Forget every builder, rule and call."""
        self._request("POST", "reset")

    def _object(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._request(method, path, content)
        return answer

    def _request(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/_fake/{path}", data=body, method=method)
        try:
            with OPENER.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Refused(json.load(refusal)["error"]) from None


def _builder(name: str, region: str | None = None) -> str:
    query = f"?{urlencode({'region': region})}" if region else ""
    return f"builders/{quote(name, safe='')}{query}"
