"""The run and its tasks on a line of time: an SVG in percent, as wide as the page without a script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from airflow_omics._words import span
from airflow_omics.plugin.html import status_class, text
from airflow_omics.plugin.rows import Row
from airflow_omics.plugin.run_state import RunState

ROW: Final = 24
"""Pixels; ``--row`` in omics.css."""

_BAR: Final = 14
_TOP: Final = (ROW - _BAR) // 2
_MOST_TICKS: Final = 6
_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200),
    *(86_400, 172_800, 604_800),
)


@dataclass(frozen=True)
class Scale:
    """What turns moments into percent of the drawing's width."""

    start: float
    end: float

    @property
    def _length(self) -> float:
        return max(1.0, self.end - self.start)

    def __call__(self, moment: float) -> float:
        """Return where a moment is, from 0 to 100."""
        return 100 * min(1.0, max(0.0, (moment - self.start) / self._length))

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield where a tick is, and what it says."""
        fitting = (step for step in _STEPS if self._length / step <= _MOST_TICKS)
        step = next(fitting, math.ceil(self._length / _MOST_TICKS))
        for number in range(int(self._length // step) + 1):
            yield 100 * number * step / self._length, f"+{span(number * step)}" if number else "created"


def scale_of(state: RunState, rows: Sequence[Row]) -> Scale:
    """Return the scale: from the run's creation to its end, or to where it should end if that is not far."""
    moments = [moment for row in rows for pair in (row.waits, row.runs) if pair for moment in pair]
    start, end = min(moments), max(moments)
    ahead = max((row.ahead for row in rows if row.ahead is not None), default=end)
    # What has happened keeps most of the room.
    return Scale(start, max(end, min(ahead, end + 0.75 * (end - start))))


def drawing(state: RunState, rows: Sequence[Row]) -> str:
    """Return the timeline; an empty text without a moment to begin with."""
    if not rows:
        return ""
    scale = scale_of(state, rows)
    height = ROW * len(rows)
    ticks = list(scale.ticks())
    lines = "".join(f'<line x1="{x:.2f}%" x2="{x:.2f}%" y2="{height}"/>' for x, _ in ticks)
    if state.is_active:
        x = scale(state.until)
        lines += f'<line class="now" x1="{x:.2f}%" x2="{x:.2f}%" y2="{height}"/>'
    number = len(rows) - 1
    label = f"Timeline of the run and {number} task{'s' if number != 1 else ''}; the table below has the same"
    names = "".join(map(_name, rows))
    bars = "".join(_bars(row, ROW * at, scale) for at, row in enumerate(rows))
    long = ' id="long" class="long" tabindex="0" role="group" aria-label="Timeline"' if number > 40 else ""
    return (
        f'<div{long}><div class="gantt"><div class="corner"></div>'
        f'<svg class="axis" width="100%" height="26" aria-hidden="true">{"".join(_ticks(ticks))}</svg>'
        f'<ol class="names" aria-hidden="true">{names}</ol>'
        f'<svg class="rows" width="100%" height="{height}" role="img" aria-label="{label}">'
        f"{_HATCH}{lines}{bars}</svg></div></div>"
    )


_HATCH: Final = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="hatch" y2="6"/></pattern></defs>'
)


def _ticks(ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    for number, (x, words) in enumerate(ticks):
        if x > 88 and number:
            continue  # it would stick out
        kind = ' class="every-second"' if number % 2 else ""
        anchor = ' text-anchor="middle"' if number else ""
        yield f'<text x="{x:.2f}%" y="17"{anchor}{kind}>{words}</text>'


def _name(row: Row) -> str:
    tag = f'<span class="tag">{text(row.tag)}</span>' if row.tag else ""
    return f'<li title="{text(row.name)}"><span class="name">{text(row.name)}</span>{tag}</li>'


def _bars(row: Row, top: int, scale: Scale) -> str:
    status = status_class(row.status)
    parts = [f"<title>{text(row.title)}</title>"]
    if row.waits:
        parts.append(_rect(row.waits, top, scale, "waits", least=0.0))
    if row.ahead is not None and row.runs:
        parts.append(_rect((row.runs[1], row.ahead), top, scale, f"ahead {status}"))
    if row.is_point and row.runs:
        parts.append(
            f'<svg x="{scale(row.runs[0]):.2f}%" y="{top + ROW // 2}">'
            f'<path d="M0 -6L6 0L0 6L-6 0Z" class="cached {status}"/></svg>'
        )
    elif row.runs:
        parts.append(_rect(row.runs, top, scale, status + (" goes-on" if row.is_active else "")))
        if row.was_followed:
            parts.append(_rect(row.runs, top, scale, "retried", ' fill="url(#hatch)"'))
    return f"<g>{''.join(parts)}{_said(row, top, scale)}</g>"


def _rect(
    pair: tuple[float, float], top: int, scale: Scale, kind: str, more: str = "", least: float = 0.3
) -> str:
    x = scale(pair[0])
    width = max(least, scale(pair[1]) - x)
    if width <= 0:
        return ""
    x = min(x, 100 - width)
    place = f'x="{x:.2f}%" y="{top + _TOP}" width="{width:.2f}%" height="{_BAR}" rx="3"'
    return f'<rect {place} class="{kind}"{more}/>'


def _said(row: Row, top: int, scale: Scale) -> str:
    """Return the words of a row: right of its bar if there is room, else left of it, else upon it."""
    pairs = [pair for pair in (row.waits, row.runs) if pair]
    if not row.said or not pairs:
        return ""
    left, right = scale(pairs[0][0]), scale(pairs[-1][1] if row.ahead is None else row.ahead)
    words, y, gap = text(row.said), top + 16, 10 if row.is_point else 6
    if right <= 75:
        return f'<text class="said" x="{right:.2f}%" dx="{gap}" y="{y}">{words}</text>'
    if left >= 25:
        return f'<text class="said" x="{left:.2f}%" dx="-{gap}" y="{y}" text-anchor="end">{words}</text>'
    first, last = pairs[-1]
    if scale(last) - scale(first) < 25:
        return ""
    upon = "upon" if row.runs else "on-waits"
    return f'<text class="said {upon}" x="{scale(first):.2f}%" dx="{gap}" y="{y}">{words}</text>'
