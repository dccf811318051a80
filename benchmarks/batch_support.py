"""What the cases of ``benchmarks.batch`` share: a stopwatch, a turned clock, and cohorts of samples."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tests.support.environment  # noqa: F401  before anything imports Airflow
from airflow_omics import _clock
from airflow_omics.emulator import LIFE_TAG, EmulatorClient
from tests.support.sensors import Clock

FAILS = (
    "failed-out-of-memory-error",
    "failed-instance-reservation-failed",
    "failed-import-failed",
    "failed-service-error",
    "failed-run-task-failed",
)
"""The lives of the members that fail: one for each of five reasons."""


class Stopwatch:
    """Measures steps: CPU, wall time, the service's time, the most memory, requests by operation."""

    def __init__(self, control: EmulatorClient, now: Callable[[], float] = lambda: 0.0) -> None:
        self._control, self._now = control, now
        self._idle = _megabytes("VmRSS")
        self.steps: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what is done meanwhile."""
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the step
        counts, before = self._control.counts(), self._read()
        try:
            yield
        finally:
            after = self._read()
            asked = {name: count - counts.get(name, 0) for name, count in self._control.counts().items()}
            self.steps.append(
                {
                    "step": name,
                    "cpu_s": after[0] - before[0],
                    "wall_s": after[1] - before[1],
                    "service_s": after[2] - before[2],
                    "mb": _megabytes("VmHWM") - self._idle,
                    "requests": {name: count for name, count in asked.items() if count},
                }
            )

    def _read(self) -> tuple[float, float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime, time.perf_counter(), self._now()


def _megabytes(which: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1000
    raise LookupError(which)


class World:
    """The emulator's clock, turned from here: it stands still otherwise, so that it need not be asked."""

    def __init__(self, control: EmulatorClient) -> None:
        self._control = control
        control.freeze()
        self._now = control.now()

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Turn the clock on."""
        self._control.advance(seconds)
        self._now += seconds


def make_clock(control: EmulatorClient) -> Clock:
    """Return a turned clock of the emulator and this process."""
    clock = Clock(World(control))
    clock.limit = 10_000_000
    for name in ("time", "monotonic", "sleep"):
        setattr(_clock, name, getattr(clock, name))
    return clock


def entry(number: int, life: str | None = None) -> dict[str, Any]:
    """Return the settings of one sample, about 300 bytes of JSON."""
    sample = f"sample-{number:06d}"
    reads = f"s3://my-bucket/cohort/2026/{sample}"
    made: dict[str, Any] = {
        "runSettingId": sample,
        "outputUri": f"s3://my-bucket/results/{sample}",
        "parameters": {"r1": f"{reads}_R1.fastq.gz", "r2": f"{reads}_R2.fastq.gz", "lane": number % 8},
    }
    return made if life is None else {**made, "runTags": {LIFE_TAG: life}}


def write_json(path: str, entries: Iterator[dict[str, Any]]) -> str:
    """Write a file of settings, entry by entry, and return its path."""
    with open(path, "w") as file:
        for number, made in enumerate(entries):
            file.write((",\n" if number else "[") + json.dumps(made))
        file.write("]")
    return path


def cohort(options: argparse.Namespace, failing: int) -> Iterator[dict[str, Any]]:
    """Yield the settings of a cohort of which some members fail, spread over it."""
    every = options.members // failing if failing else 0
    for number in range(options.members):
        fails = every and number % every == 0 and number // every < failing
        yield entry(number, FAILS[number // every % len(FAILS)] if fails else "completed")
