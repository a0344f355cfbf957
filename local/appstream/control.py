"""A client of the double's control interface."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from local.loopback import OPENER


class ControlError(Exception):
    """The double refused; the message says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """Sets the stage for a test or the demo, and tells what the double has seen.

    Attributes:
        url: of the double; also the endpoint URL for AppStream's own clients.
    """

    url: str

    def put_builder(self, name: str, **settings: Any) -> None:
        """Set a builder into a state: the settings are those of `AppStream.put_builder`."""
        self._request("PUT", f"builders/{name}", settings)

    def state(self, name: str) -> str | None:
        """The state of a builder; None where there is none."""
        state: str | None = self._request("GET", f"builders/{name}")["state"]
        return state

    def remove_builder(self, name: str) -> None:
        """Take a builder away at once."""
        self._request("DELETE", f"builders/{name}")

    def add_fault(self, **fault: Any) -> None:
        """Script trouble: the fields are those of `Fault`."""
        self._request("POST", "faults", fault)

    def clear_faults(self) -> None:
        """End all scripted trouble."""
        self._request("DELETE", "faults")

    def calls(self, name: str | None = None) -> list[dict[str, Any]]:
        """The API calls so far, as `Call`; with a name, only those about that builder."""
        calls: list[dict[str, Any]] = self._request("GET", "calls")
        return [
            call
            for call in calls
            if name is None or name in (call["parameters"].get("Name"), *call["parameters"].get("Names", []))
        ]

    def reset(self) -> None:
        """Forget every builder, fault and call."""
        self._request("POST", "reset")

    def _request(self, method: str, path: str, content: object = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/_double/{path}", data=body, method=method)
        try:
            with OPENER.open(request, timeout=30) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as refusal:
            raise ControlError(json.loads(refusal.read())["error"]) from None
