"""Threads on a virtual clock: one runs at a time, and time passes when all of them sleep."""

import heapq
import itertools
import threading
from collections.abc import Callable

from local.fake_appstream.clock import ManualClock


class VirtualTime:
    """Runs functions in threads of their own. What they do takes no time; only `sleep` does."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self._asleep: list[tuple[float, int, threading.Event]] = []
        self._number = itertools.count()
        self._paused = threading.Semaphore(0)

    def after(self, seconds: float, function: Callable[[], object]) -> None:
        """Begin a function so many seconds from now, in a thread of its own."""
        wake = self._sleeper(seconds)

        def begin() -> None:
            wake.wait()
            try:
                function()
            finally:
                self._paused.release()

        threading.Thread(target=begin, daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """Let the others run until so many seconds have passed. Called by what `after` began, in whatever thread."""
        wake = self._sleeper(seconds)
        self._paused.release()
        wake.wait()

    def run(self) -> None:
        """Let time pass until nothing is asleep any more."""
        while self._asleep:
            moment, _, wake = heapq.heappop(self._asleep)
            self.clock.advance(max(0.0, moment - self.clock.now()))
            wake.set()
            self._paused.acquire()

    def _sleeper(self, seconds: float) -> threading.Event:
        wake = threading.Event()
        heapq.heappush(self._asleep, (self.clock.now() + seconds, next(self._number), wake))
        return wake
