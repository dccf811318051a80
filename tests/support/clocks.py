"""Turns the one clock of the package."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics import _clock


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def turn(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """Let the package read ``clock`` as far as it has ``time``, ``monotonic`` and ``sleep``."""
    for name in ("time", "monotonic", "sleep"):
        if hasattr(clock, name):
            monkeypatch.setattr(_clock, name, getattr(clock, name))
