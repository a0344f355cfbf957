"""A client of the fake's control interface."""

import json
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, cast

_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Control:
    """Sets up and inspects a fake, from any process.

    Attributes:
        url: of the fake; also the endpoint URL of AppStream's own clients.
    """

    url: str

    def put_builder(self, name: str, **settings: Any) -> None:
        """Create an image builder: the settings are those of `FakeAppStream.put_builder`."""
        self._request("put_builder", name=name, **settings)

    def builder(self, name: str) -> dict[str, Any]:
        """The ImageBuilder as it is now, without an API call; timestamps in seconds since the epoch."""
        return cast(dict[str, Any], self._request("builder", name=name))

    def add_fault(self, **fault: Any) -> None:
        """Add a fault after the others: the fields are those of `Fault`."""
        self._request("add_fault", **fault)

    def calls(self) -> list[dict[str, Any]]:
        """Every API call seen, in order, with the fields of `Call`."""
        return cast(list[dict[str, Any]], self._request("calls"))

    def _request(self, action: str, **arguments: Any) -> Any:
        with closing(HTTPConnection(self.url.removeprefix("http://"), timeout=_TIMEOUT_SECONDS)) as connection:
            connection.request("POST", f"/_fake/{action}", json.dumps(arguments))
            return json.load(connection.getresponse())
