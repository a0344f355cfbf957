"""A client of the fake's control interface, with nothing but the standard library."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from local.fake_appstream.validation import Refused
from local.loopback import OPENER

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Control:
    """Sets up and inspects a fake that runs in another process.

    Every method raises Refused, naming the field and the rule, where the fake refuses.

    Attributes:
        url: of the fake; also the endpoint URL of AppStream's own clients.
    """

    url: str

    def put_builder(self, name: str, **settings: Any) -> dict[str, Any]:
        """Create an image builder: the settings and the answer of `FakeAppStream.put_builder`."""
        builder: dict[str, Any] = self._request("put_builder", name=name, **settings)
        return builder

    def builder(self, name: str) -> dict[str, Any]:
        """The ImageBuilder as it is now, without an API call; timestamps in seconds since the epoch."""
        builder: dict[str, Any] = self._request("builder", name=name)
        return builder

    def add_fault(self, **fault: Any) -> None:
        """Add a fault after the others: the fields are those of `Fault`."""
        self._request("add_fault", **fault)

    def calls(self) -> list[dict[str, Any]]:
        """Every API call seen, in order, with the fields of `Call`."""
        calls: list[dict[str, Any]] = self._request("calls")
        return calls

    def _request(self, action: str, **arguments: Any) -> Any:
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self.url}/_fake/{action}", data=body, method="POST")
        try:
            with OPENER.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise Refused(json.load(refusal)["error"]) from None
