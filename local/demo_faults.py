"""The faults that `make demo FAULT=...` can show, named after the Error that the run ends with or recovers from."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.fake_appstream.control import Control


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        story: what it is and what the run does about it.
        ends: the Error that the run has to end with; empty for a success, None for any error.
        fault: of StartImageBuilder: fields that the fake's add_fault takes.
        builder: settings of the fake's put_builder.
    """

    story: str
    ends: str | None
    fault: Mapping[str, Any] = field(default_factory=dict)
    builder: Mapping[str, Any] = field(default_factory=dict)

    def inject(self, appstream: Control, name: str) -> None:
        """Let it happen to the image builder of that name."""
        if self.builder:
            appstream.put_builder(name, **self.builder)
        if self.fault:
            fault = json.loads(json.dumps(self.fault).replace("{name}", name))
            appstream.add_fault(operation="StartImageBuilder", name=name, **fault)


# The messages are those of AppStream's API model; where it lists none, those of IAM and of API throttling.
_DATA: Mapping[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
FAULTS = {name: Fault(**settings) for name, settings in _DATA.items()}


def named(name: str) -> Fault:
    """The fault of that name; any other error code of the form that AWS uses is answered to every start.

    Raises:
        ValueError: it is neither.
    """
    if name in FAULTS:
        return FAULTS[name]
    if not re.fullmatch(r"[A-Z][A-Za-z]{2,63}", name):
        raise ValueError(f"FAULT: {name!r} is neither an error code nor one of {', '.join(FAULTS)}")
    answer = {"code": name, "message": "The request could not be completed."}
    return Fault(f"AppStream answers {name} to every start.", None, {"error": answer})
