"""The clocks of the fake: simulated seconds since the epoch."""

import time


class ScaledClock:
    """Simulated time that runs faster than real time, from the real time at which the clock was made.

    Args:
        scale: real seconds that one simulated second lasts; 0.01 is a hundred times faster than real time.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._began = time.time()
        # Monotonic, so that a corrected system clock does not return a builder to an earlier state.
        self._origin = time.monotonic()

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._began + (time.monotonic() - self._origin) / self._scale


class ManualClock:
    """Moves only by `advance`. It begins at 2026-01-31 22:00 UTC."""

    def __init__(self) -> None:
        self._now = 1_769_896_800.0

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward by so many seconds."""
        self._now += seconds


Clock = ScaledClock | ManualClock
