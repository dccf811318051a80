"""The one place where this package reads a clock, or sleeps in a worker.

A test that replaces these three functions controls time for the whole package. In a triggerer, waits sleep on
the event loop, and read the time here.
"""

from __future__ import annotations

import time as _time

__all__ = ["monotonic", "sleep", "time"]


def time() -> float:
    """Return wall time, in seconds since the epoch. It may be set at any moment: it is for deadlines only."""
    return _time.time()


def monotonic() -> float:
    """Return seconds on a clock that nobody sets, for how long something has lasted."""
    return _time.monotonic()


def sleep(seconds: float) -> None:
    """Block this thread for so many seconds."""
    _time.sleep(seconds)
