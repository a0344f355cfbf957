"""Threads on a virtual clock: one runs at a time, and time passes when all of them sleep."""

import heapq
import threading
from collections.abc import Callable

from local.fake_appstream.clock import ManualClock


class VirtualTime:
    """Runs functions in threads of their own. What they do takes no time; only `sleep` does.

    Attributes:
        clock: moved on as time passes.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self._asleep: list[tuple[float, int, threading.Event]] = []
        self._number = 0
        self._awake = 0
        self._change = threading.Condition()

    def after(self, seconds: float, function: Callable[[], object]) -> None:
        """Begin a function so many seconds from now, in a thread of its own."""
        wake = self._sleeper(seconds)

        def begin() -> None:
            wake.wait()
            try:
                function()
            finally:
                self._leave()

        threading.Thread(target=begin, daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """Let the others run until so many seconds have passed. Called by what `after` began, in whatever thread."""
        wake = self._sleeper(seconds)
        self._leave()
        wake.wait()

    def run(self) -> None:
        """Let time pass until nothing is asleep any more."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._awake == 0)
                if not self._asleep:
                    return
                moment, _, wake = heapq.heappop(self._asleep)
                self._awake = 1
            self.clock.advance(max(0.0, moment - self.clock.now()))
            wake.set()

    def _sleeper(self, seconds: float) -> threading.Event:
        wake = threading.Event()
        with self._change:
            self._number += 1
            heapq.heappush(self._asleep, (self.clock.now() + seconds, self._number, wake))
        return wake

    def _leave(self) -> None:
        with self._change:
            self._awake -= 1
            self._change.notify()
