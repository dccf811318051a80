"""A fixed set of simulated days, each from its seed, and every seed that ever found something."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.seeded.plan import draw
from tests.simulation.seeded.play import play, shrink

pytestmark = pytest.mark.any_airflow

DAY = {"days": 1.0, "gates": 16, "starts": 5}
SEEDS = range(12)

FOUND = {
    22: "a line for nearly each look while half of the calls failed",
    53: "a second run, as the connection led to another account when a retry began",
    386: "the same with a state store",
}
"""Seeds that broke a law once, and what the package did."""


@pytest.mark.parametrize("seed", [*SEEDS, *(seed for seed in FOUND if seed not in SEEDS)])
def test_a_day_of_a_seed_breaks_no_law(seed: int) -> None:
    outcome = play(draw(seed, **DAY), keep_history=False)
    assert outcome.broken is None, f"play it: python -m tests.simulation.seeded --seed {seed} {_options()}"


def _options() -> str:
    return " ".join(f"--{name} {value:g}" for name, value in DAY.items())


def test_a_seed_replays_to_the_byte() -> None:
    digests = set()
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "tests.simulation.seeded", "--seed", "9", *_options().split()]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_a_history_is_shortened_to_what_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._waiting.ending.EndPolicy.state_of", lambda policy, ending: "success")
    plan = draw(7, days=1.0, gates=12, starts=2)
    broken = play(plan).broken
    assert broken is not None
    smallest, outcome = shrink(plan, broken.law)
    assert smallest.size == 1
    assert outcome.broken is not None
    assert outcome.broken.law == broken.law == "as-its-run"
