"""The emulator's clock: real time at a pace, or a frozen time that a test turns by hand.

Two times are kept apart. *Service time* is what lives are written in: a stage of 600 seconds lasts 600
seconds of service time. *Reported time* is what answers, logs and the ``Date`` header show, in seconds since
the epoch. With a running clock the reported time is plain wall-clock time (so that a ``creationTime`` never
lies in a client's future) and the service time runs ``pace`` times faster. With a frozen clock both move
together, and only by ``advance``; ``turn_back`` lets it begin in the past.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_omics.emulator.world.numbers import is_number

_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The last moment that a date can hold, to the day."""
# Far beyond what a test needs, and far from where the sums overflow.
_SLOWEST, _FASTEST = 1e-6, 1e9


@dataclass(frozen=True)
class _Segment:
    """A stretch of service time over which one service second is ``rate`` reported seconds."""

    service: float
    reported: float
    rate: float


class Clock:
    """Service time and reported time, running at a pace or frozen."""

    def __init__(self, pace: float = 1.0) -> None:
        self._lock = threading.RLock()
        self._segments: list[_Segment] = []
        self._pace = 1.0
        self._held: float | None = None
        self.reset(pace)

    def reset(self, pace: float = 1.0) -> None:
        """Start again at the present, running at ``pace``."""
        pace = _checked_pace(pace)
        with self._lock:
            self._pace = pace
            self._held = None
            self._latest = 0.0
            self._segments = [_Segment(0.0, time.time(), 1.0 / pace)]

    @property
    def pace(self) -> float:
        """Service seconds in a real second while the clock runs."""
        return self._pace

    @property
    def frozen(self) -> bool:
        """Whether only :meth:`advance` moves the clock."""
        return self._held is not None

    def service(self) -> float:
        """Return the service time in seconds since the emulator was reset."""
        return self.read()[0]

    def now(self) -> float:
        """Return the reported time in seconds since the epoch."""
        return self.read()[1]

    def read(self) -> tuple[float, float]:
        """Return the service time and the reported time of one and the same moment."""
        with self._lock:
            segment = self._segments[-1]
            if self._held is not None:
                return self._held, segment.reported + (self._held - segment.service)
            now = time.time()
            # The wall clock may be set back; a run that has ended must not start again.
            self._latest = max(self._latest, segment.service + (now - segment.reported) * self._pace)
            return self._latest, now

    def reported(self, service: float) -> float:
        """Return the reported time of a moment of service time that has passed."""
        with self._lock:
            index = bisect_left(self._segments, service, key=lambda segment: segment.service)
            segment = self._segments[max(index - 1, 0)]
            return segment.reported + (service - segment.service) * segment.rate

    def freeze(self) -> None:
        """Stop the clock at the present moment; freezing twice changes nothing."""
        with self._lock:
            if self._held is None:
                service, now = self.read()
                self._segments.append(_Segment(service, now, 1.0))
                self._held = service

    def turn_back(self, seconds: float) -> None:
        """Freeze the clock, and let reported time go on from a moment that has passed.

        :param seconds: reported seconds; service time stays as it is.
        """
        with self._lock:
            most = max(0, int(self.now()))
            # A comparison with NaN is never true.
            if not (is_number(seconds) and 0 <= seconds <= most):
                raise ValueError(
                    f"seconds is {seconds!r}; the clock goes back by a number of seconds from 0 to {most}, "
                    "to the year 1970"
                )
            self.freeze()
            assert self._held is not None
            self._segments.append(_Segment(self._held, self.now() - seconds, 1.0))
            # The moment itself belongs to what has happened.
            self._held += 0.001

    def advance(self, seconds: float) -> None:
        """Turn the clock forward by hand, freezing it first if it was running.

        :param seconds: service seconds; reported time moves by as many.
        """
        # A comparison with NaN is never true.
        if not (is_number(seconds) and seconds >= 0):
            raise ValueError(
                f"seconds is {seconds!r}; the clock only turns forward, by a number of seconds >= 0"
            )
        with self._lock:
            most = max(0, int(_LATEST - self.now()))
            if seconds > most:
                raise ValueError(
                    f"seconds is {seconds!r}; the clock goes no further than the year 9999, "
                    f"so give at most {most}"
                )
            self.freeze()
            assert self._held is not None
            self._held += seconds

    def set_pace(self, pace: float) -> None:
        """Let the clock run (again) at ``pace``; reported time is the wall clock's from here on."""
        pace = _checked_pace(pace)
        with self._lock:
            service = self.service()
            self._held = None
            self._latest = service
            self._pace = pace
            self._segments.append(_Segment(service, time.time(), 1.0 / pace))


def _checked_pace(pace: float) -> float:
    if not (is_number(pace) and _SLOWEST <= pace <= _FASTEST):
        raise ValueError(
            f"pace is {pace!r}; give a number from {_SLOWEST:f} to {_FASTEST:.0f} "
            "(60 makes a run of 20 minutes take 20 seconds)"
        )
    return float(pace)
