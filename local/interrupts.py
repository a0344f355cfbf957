"""Interrupts of a program that starts processes: none may come between the start of one and the note of it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_state = {"interrupted": False, "held": False, "pending": False}


def install() -> None:
    """Let SIGTERM interrupt this program as SIGINT does, and only once.

    An impatient second one must not stop the stopping.
    """
    _state.update(interrupted=False)
    for signum in SIGNALS:
        signal.signal(signum, _interrupt)


@contextmanager
def held() -> Iterator[None]:
    """Let an interrupt wait until the block is left. For blocks that are short and cannot hang."""
    _state.update(held=True)
    try:
        yield
    finally:
        _state.update(held=False)
        if _state["pending"]:
            _state.update(pending=False)
            raise KeyboardInterrupt


def _interrupt(signum: int, frame: FrameType | None) -> None:
    if _state["interrupted"]:
        return
    _state.update(interrupted=True)
    if _state["held"]:
        _state.update(pending=True)
    else:
        raise KeyboardInterrupt
