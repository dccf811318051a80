"""``make simulate SEEDS=1000 DAYS=7``: draw weeks, play them, and print the first law that is broken.

``python -m tests.simulation.seeded --seed 17`` plays one seed, as it was drawn for the same ``--days``,
``--gates`` and ``--starts``, and prints its history. A broken law is printed with the seed, and with the
smallest plan and history that break it.
"""

from __future__ import annotations

import tests.support.environment  # noqa: F401  before anything imports Airflow

import argparse  # isort: skip
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.seeded.plan import Plan, draw
from tests.simulation.seeded.play import Outcome, play, shrink


def _play(seed: int, *, days: float, gates: int, starts: int) -> tuple[int, Outcome]:
    outcome = play(draw(seed, days=days, gates=gates, starts=starts), keep_history=False)
    return seed, outcome


def main() -> int:
    """Play seeds, or one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many to play (100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="play this one, and print its history")
    parser.add_argument("--days", type=float, default=7.0, help="days in which tasks begin (7)")
    parser.add_argument("--gates", type=int, default=100, help="gates in each (100)")
    parser.add_argument("--starts", type=int, default=20, help="starts in each (20)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    size = {"days": given.days, "gates": given.gates, "starts": given.starts}
    if given.seed is not None:
        return _one(given.seed, draw(given.seed, **size))
    began, steps, days, starts = time.monotonic(), 0.0, 0.0, 0.0
    seeds = range(given.first, given.first + given.seeds)
    broken: list[int] = []
    with ProcessPoolExecutor(given.processes) as pool:
        for done, (seed, outcome) in enumerate(pool.map(partial(_play, **size), seeds), 1):
            steps, days = steps + outcome.counts["steps"], days + outcome.counts["days"]
            starts += outcome.counts["starts"]
            if outcome.broken is not None:
                broken.append(seed)
                print(f"seed {seed}: {outcome.broken}", flush=True)
            elif done % 10 == 0:
                print(f"{done} of {len(seeds)} seeds", flush=True)
    took = time.monotonic() - began
    print(
        f"{len(seeds)} seeds: {days:.0f} days of {given.gates} gates and {given.starts} starts each, "
        f"{starts:.0f} runs started, {steps:.0f} steps, in {took:.0f} s; {len(broken)} broke a law"
    )
    if broken:
        plan = draw(broken[0], **size)
        _one(broken[0], plan)
    return 1 if broken else 0


def _one(seed: int, plan: Plan) -> int:
    outcome = play(plan)
    if outcome.broken is None:
        print("\n".join(outcome.history))
        print(f"seed {seed}: no law is broken; history {outcome.digest}")
        return 0
    smallest, outcome = shrink(plan, outcome.broken.law)
    print(json.dumps(smallest.to_plain(), indent=1))
    print("\n".join(outcome.history))
    print(f"seed {seed}: {outcome.broken}; history {outcome.digest}")
    print(
        f"the plan above has {smallest.size} of {plan.size} tasks and accidents; --seed {seed} plays it again"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
