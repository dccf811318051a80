"""When a run should end, by how long earlier runs took: no percentage, since the service tells no total."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Forecast(NamedTuple):
    """What earlier runs say of one that goes on.

    :param number: of earlier runs.
    :param shortest: seconds that the shortest of them took, from its start to its end.
    :param longest: the same of the longest.
    :param left: seconds until it should end; None if it takes longer than each of them.
    :param longer: how many of them took longer than it has so far.
    """

    number: int
    shortest: float
    longest: float
    left: float | None
    longer: int


def forecast(earlier: Sequence[float], ran: float) -> Forecast | None:
    """Return when a run should end; None without an earlier run.

    The median is that of the runs that took longer than this one has so far: one that has outrun half of
    them does not end where the others did.

    :param earlier: seconds that earlier completed runs took.
    :param ran: seconds for which this one has run; 0 before its start.
    """
    if not earlier:
        return None
    longer = [took for took in earlier if took > ran]
    left = statistics.median(longer) - ran if longer else None
    return Forecast(len(earlier), min(earlier), max(earlier), left, len(longer))
