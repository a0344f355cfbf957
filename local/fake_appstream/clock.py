"""The clocks that image builders live by: simulated seconds since the epoch."""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells simulated time."""

    def now(self) -> float:
        """Simulated seconds since the epoch."""


class ScaledClock:
    """Simulated time runs at 1 / `scale` of real time, from the real time at which the clock was made.

    Args:
        scale: real seconds that one simulated second lasts; 0.01 is a hundred times faster than life.

    Raises:
        ValueError: the scale is not more than 0.
    """

    def __init__(self, scale: float) -> None:
        if not scale > 0:
            raise ValueError(f"scale: must be more than 0, not {scale!r}")
        self._scale = scale
        self._began = time.time()
        # Monotonic, so that a corrected system clock does not throw a builder back into an earlier state.
        self._origin = time.monotonic()

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._began + (time.monotonic() - self._origin) / self._scale


class ManualClock:
    """Stands still until it is told to move.

    Args:
        now: where it begins, in seconds since the epoch; 2026-01-31 22:00 UTC unless told otherwise.
    """

    def __init__(self, now: float = 1_769_896_800.0) -> None:
        self._now = now

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self._now += seconds
