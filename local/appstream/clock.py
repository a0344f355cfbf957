"""The clocks that builders live by, in simulated seconds since the epoch."""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells simulated time."""

    def now(self) -> float:
        """Simulated seconds since the epoch."""


class ScaledClock:
    """Runs faster than the real time, or slower: a simulated second lasts `scale` real seconds."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._began = time.time()

    def now(self) -> float:
        """Simulated seconds since the epoch; the clock began at the real time."""
        return self._began + (time.time() - self._began) / self._scale


class ManualClock:
    """Stands still until it is told to move."""

    def __init__(self, now: float = 1_769_896_800.0) -> None:
        """Args: now: where it begins; 2026-01-31 22:00 UTC where nothing is said."""
        self._now = now

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        self._now += seconds
