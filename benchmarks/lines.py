"""What the worst log lines cost a diagnosis: each kind as long as CloudWatch Logs takes, cleaned and masked.

``python benchmarks/lines.py [--rounds 5] [--length 262144] [--json FILE]``. A task that prints reads prints
lines without an end; whatever is printed must not take the time in which a run's failure is explained.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

from airflow_omics.diagnosis.lines import clean_tail
from airflow_omics.diagnosis.model import Limits

LINES = {
    "reads, no space": "ACGT",
    "names and no values": "a=",
    "other names each": "",
    "sensitive names": "token=",
    "options": "--a",
    "words": "token word ",
    "JSON": '{"a": ',
    "quotes": '"',
    "escapes": "\x1b[",
    "no ASCII": "é",
}
TARGET = 5.0
"""Seconds that all logs of a diagnosis may take to clean: a sixth of its time."""


def line_of(piece: str, length: int) -> str:
    """Return a line of ``length`` characters that repeats ``piece``; new names if that is empty."""
    pieces = itertools.repeat(piece) if piece else (f"k{number}=" for number in itertools.count())
    text = ""
    while len(text) < length:
        text += "".join(itertools.islice(pieces, 1000))
    return text[:length]


def main() -> int:
    """Measure, print, and fail when the target is missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5, help="how often each line is cleaned")
    options.add_argument("--length", type=int, default=262_144, help="characters of each line")
    options.add_argument("--json", type=Path, help="also write the result there")
    chosen = options.parse_args()
    milliseconds: dict[str, float] = {}
    for name, piece in LINES.items():
        line, taken = line_of(piece, chosen.length), []
        clean_tail([line], 1)  # imports Airflow's masker
        for _ in range(chosen.rounds):
            began = time.process_time()
            clean_tail([line], 1)
            taken.append(time.process_time() - began)
        milliseconds[name] = statistics.median(taken) * 1000
    limits = Limits()
    worst = max(milliseconds.values())
    seconds = worst * limits.max_tasks * limits.max_lines / 1000
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    print(f"{'line':<22} {'CPU':>10}")
    for name, median in milliseconds.items():
        print(f"{name:<22} {median:>7.1f} ms")
    print(
        f"\n{seconds:.1f} s for {limits.max_tasks} logs of {limits.max_lines} of the worst lines "
        f"(target {TARGET:g}), {chosen.length:,} characters each, median of {chosen.rounds}"
    )
    print(machine)
    if chosen.json:
        result = {"milliseconds": milliseconds, "worst_diagnosis_seconds": seconds, "machine": machine}
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if seconds <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
