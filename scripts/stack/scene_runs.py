"""The runs that ``make up`` opens on: those of single samples, and a cohort whose runs are in all states."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from airflow_omics.emulator import Life
from airflow_omics.emulator.control import Emulator
from scripts.stack.scene_lives import MINUTE, germline, input_not_found, out_of_memory, service_error

HOURS = 9
"""The first of them begin so long ago."""

UNTIL_NOW = 258
"""Minutes since the run was started that goes on: a third of its tasks is not there yet."""


class Fate(NamedTuple):
    """What has become of one run of the cohort when the hours have passed.

    :ivar status: its status.
    :ivar life: what happens to it.
    :ivar is_cancelled: whether somebody cancels it in its second hour.
    """

    status: str
    life: Life
    is_cancelled: bool = False


class Run(NamedTuple):
    """A run.

    :ivar name: that of its sample.
    """

    id: str
    name: str


def fates(size: int) -> Iterator[Fate]:
    """Yield what becomes of each run of a cohort whose runs wait for the account's quota, one after another.

    Two thirds have ended, all but one in nine of them well. A quarter is running. The others wait.
    """
    bad = itertools.cycle((out_of_memory, input_not_found, out_of_memory, None, service_error))
    ended = round(0.64 * size)
    ended_badly = set(random.Random(size).sample(range(ended), ended // 9))
    for number in range(size):
        name, place = f"cohort-{number}", number / size
        slower = 0.9 + number * 37 % 23 / 100
        if number in ended_badly:
            make = next(bad)
            waits = 40 + 3600 * place
            if make is None:
                yield Fate("CANCELLED", germline(name, waits=waits), is_cancelled=True)
            else:
                yield Fate("FAILED", make(name, waits=waits))
        elif number < ended:
            yield Fate("COMPLETED", germline(name, waits=40 + 4000 * place, slower=slower))
        elif place < 0.88:
            waits = (200 + 1300 * (place - 0.64)) * MINUTE
            yield Fate("RUNNING", germline(name, waits=waits, slower=slower))
        elif place < 0.9:
            yield Fate("STARTING", germline(name, waits=(HOURS * 60 - 5) * MINUTE, slower=slower))
        else:
            yield Fate("PENDING", germline(name, waits=(HOURS + 10 * (place - 0.89)) * 60 * MINUTE))


class SceneRuns:
    """The runs, started and played.

    :param emulator: where they are. Its clock has been turned back by ``HOURS``.
    :param samples: runs of the cohort.
    :ivar cohort: the runs of the cohort; likewise ``finished``, those that completed, ``failed`` and
        ``running``.
    """

    def __init__(self, emulator: Emulator, samples: int) -> None:
        self._emulator = emulator
        self._fates = list(fates(samples))
        self.cohort: list[Run] = []
        self.finished: list[Run] = []
        self.failed: list[Run] = []
        self.running: list[Run] = []

    @property
    def statuses(self) -> Counter[str]:
        """How many runs of the cohort are in each status when the hours have passed."""
        return Counter(fate.status for fate in self._fates)

    def play(self, passed: float = 0, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start the runs, and let the hours pass up to the present.

        :param passed: minutes of them that have passed already.
        :param meanwhile: is called when all but ``UNTIL_NOW`` minutes of them have passed.
        """
        self.cohort = [
            self._start(fate.life, f"S{number:03}", "cohort") for number, fate in enumerate(self._fates, 1)
        ]
        self.finished.append(self._start(germline("germline-1", slower=0.96), "NA12878"))
        self._pass(60)
        for run, fate in zip(self.cohort, self._fates, strict=True):
            if fate.is_cancelled:
                self._emulator.move(run.id, "CANCELLED")
        self.finished.append(self._start(germline("germline-2", slower=1.05), "NA12891"))
        self.failed.append(self._start(out_of_memory("germline-out-of-memory"), "HG002"))
        self._pass(60)
        self.finished.append(self._start(germline("germline-3"), "NA12892"))
        self._pass(HOURS * 60 - passed - 120 - UNTIL_NOW)
        meanwhile()
        self.running.append(self._start(germline("germline-4", waits=130), "HG003"))
        self._pass(UNTIL_NOW)
        self._emulator.settle()

    def _pass(self, minutes: float) -> None:
        self._emulator.advance(minutes * MINUTE)

    def _start(self, life: Life, sample: str, project: str = "germline") -> Run:
        self._emulator.add_life(life)
        [run_id] = self._emulator.start_runs(
            1, life.name, logs=True, name=sample, outputUri=f"s3://results/{project}"
        )
        return Run(run_id, sample)
