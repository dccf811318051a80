"""A bar that shows how far many runs are: drawn again and again on a terminal, lines of text elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from scripts.stack.terminal import paint

LINE_EVERY = 5.0
"""Seconds between two lines, where nothing can be drawn again."""

_STATES = {"done": "32", "failed": "31", "running": "34", "waiting": "2"}
"""The colour of each state, in the order of the bar."""
_WIDTH = 50
_NARROWEST = 75
"""Columns of a terminal that the two lines need; in one that is narrower they would wrap."""


class ProgressBar:
    """Shows how many of ``total`` runs are done, failed, running and waiting, until ``end`` is called.

    :param total: runs.
    :param label: returns what comes first in the line.
    :param stream: where it is drawn.
    :param is_terminal: whether the stream can be drawn on again; by default it is asked.
    :param clock: returns seconds.
    """

    def __init__(
        self,
        total: int,
        label: Callable[[], str],
        *,
        stream: TextIO = sys.stdout,
        is_terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._label = label
        self._stream = stream
        is_wide = shutil.get_terminal_size().columns >= _NARROWEST
        self._redraws = stream.isatty() and is_wide if is_terminal is None else is_terminal
        self._clock = clock
        self._shown: tuple[object, ...] | None = None
        self._shown_at = 0.0

    def show(self, status: str, counts: Mapping[str, int], note: str) -> None:
        """Show where they are.

        :param status: of the whole.
        :param counts: how many runs are in each state.
        :param note: comes last.
        """
        label = self._label()
        line = f"  {label}  {status:<10}  {self._numbers(counts)}"
        if self._redraws:
            # The cursor stays at the beginning of the first line.
            indent = " " * (len(label) + 4)
            bar = f"{indent}{self._bar(counts)}  {paint(note, '2')}"
            self._write(f"\r\033[K{line}\n\033[K{bar}\r\033[A")
            self._shown = ()
            return
        now = (status, dict(counts), note)
        is_new = self._shown is None or status != self._shown[0]
        if is_new or (now != self._shown and self._clock() >= self._shown_at + LINE_EVERY):
            self._shown, self._shown_at = now, self._clock()
            self._write(f"{line}  {note}\n")

    def end(self) -> None:
        """Leave what is shown as it is."""
        if self._redraws and self._shown is not None:
            self._write("\n\n")

    def _numbers(self, counts: Mapping[str, int]) -> str:
        # Every state has its place in each line, so that nothing jumps to and fro.
        width = len(f"{self._total:,}")
        return "  ".join(
            paint(f"{counts.get(state, 0):>{width},} {state}", colour if counts.get(state) else "2")
            for state, colour in _STATES.items()
        )

    def _bar(self, counts: Mapping[str, int]) -> str:
        drawn, position, seen = "", 0, 0
        for state, colour in _STATES.items():
            if state != "waiting":
                seen += counts.get(state, 0)
                end = round(_WIDTH * min(seen, self._total) / self._total)
                drawn += paint("━" * (end - position), colour)
                position = max(position, end)
        return drawn + paint("·" * (_WIDTH - position), _STATES["waiting"])

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
