"""What happens in a simulation, drawn from a seed as plain JSON: tasks, the lives of runs, and accidents."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field
from typing import Any

HOUR, DAY = 3600.0, 86400.0

_ENDS = ("COMPLETED",) * 8 + ("FAILED",) * 3 + ("CANCELLED", "VANISHED", "REUSED", "DELETED")


@dataclass
class Plan:
    """A simulation.

    :param seed: of what is left to chance while it runs: delays, and which calls a fault strikes.
    :param days: in which tasks begin and accidents happen.
    :param tasks: each gate and start; see :func:`_gate` and :func:`_start`.
    :param accidents: each with ``at``, in seconds, and ``kind``; see :data:`ACCIDENTS`.
    :param world: what holds all the time: triggerers, machines and their clocks, store, repeated tokens.
    """

    seed: int
    days: float
    tasks: list[dict[str, Any]] = field(default_factory=list)
    accidents: list[dict[str, Any]] = field(default_factory=list)
    world: dict[str, Any] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return the plan as plain JSON."""
        return asdict(self)

    @property
    def size(self) -> int:
        """How much happens in it."""
        return len(self.tasks) + len(self.accidents)


ACCIDENTS = {
    # Airflow's machines: a triggerer is killed, stopped or stands still; a worker dies or is stopped.
    "triggerer-killed": 3,
    "triggerer-stopped": 2,
    "triggerer-stands-still": 2,
    "worker-dies": 4,
    "worker-stopped": 3,
    "airflow-down": 2,
    # People.
    "clear": 3,
    "mark-failed": 3,
    "mark-success": 1,
    "kill-many": 1,
    # The service and the network.
    "throttle": 3,
    "internal-error": 3,
    "unreachable": 3,
    "lost-answer": 2,
    "list-denied": 1,
    "list-lags": 2,
    "list-omits": 1,
    # The connection.
    "unreadable": 2,
    "missing": 1,
    "elsewhere": 1,
    "rotated": 2,
    "expired": 1,
    # Clocks that are set.
    "clock-set": 3,
}
"""Each kind of accident, and how often it is drawn beside the others."""


def draw(seed: int, *, days: float = 7.0, gates: int = 500, starts: int = 50) -> Plan:
    """Return the plan of a seed.

    :param days: in which the tasks begin.
    :param gates: how many tasks wait for a run.
    :param starts: how many tasks start one.
    """
    rng = random.Random(f"plan/{seed}")
    end = days * DAY
    wild = rng.choice((0, 2, 5, 10, 20))  # accidents a day: a calm week, and some that are not
    has_store = rng.random() < 0.7
    plan = Plan(seed, days)
    plan.world = {
        "triggerers": rng.choice((1, 2, 2, 3)),
        "skews": [round(rng.choice((0.0, 0.0, rng.uniform(-20, 20))), 3) for _ in range(3)],
        "store": has_store,
        # Without a store only the token or ListRuns shows a run whose start was not answered.
        "repeat_policy": rng.choice(("earlier", "earlier", "conflict", "validation", "forgotten")),
        "conn_id": rng.choice(("omics", "aws_default")),
    }
    cohort_at = rng.uniform(0, end * 0.8)
    for number in range(gates):
        # A third of them come at once, as a cohort.
        at = cohort_at + rng.uniform(0, 30) if number % 3 == 0 else rng.uniform(0, end)
        plan.tasks.append(_gate(rng, number, at))
    plan.tasks += [_start(rng, number, rng.uniform(0, end)) for number in range(starts)]
    plan.tasks.sort(key=lambda task: task["at"])
    many = int(rng.uniform(0.5, 1.5) * days * wild)
    kinds, weights = list(ACCIDENTS), list(ACCIDENTS.values())
    drawn = rng.choices(kinds, weights, k=many)
    plan.accidents = sorted((_accident(rng, kind, end) for kind in drawn), key=lambda a: a["at"])
    return plan


def _life(rng: random.Random) -> list[tuple[str, float | None]]:
    pending = rng.choice((0.0, rng.uniform(1, 30), rng.uniform(60, 6 * HOUR)))
    running = min(rng.lognormvariate(8.6, 1.1), 3 * DAY)  # half of them take less than an hour and a half
    stages: list[tuple[str, float | None]] = [
        ("PENDING", round(pending, 3)),
        ("STARTING", round(rng.uniform(60, 700), 3)),
        ("RUNNING", round(running, 3)),
    ]
    end = rng.choice(_ENDS)
    if end in ("COMPLETED", "FAILED", "CANCELLED"):
        stages.append(("STOPPING", round(rng.uniform(5, 200), 3)))
    if rng.random() < 0.05:
        stages.insert(2, ("PAUSED", round(rng.uniform(10, 900), 3)))  # a status that nobody knows yet
    return [*stages, (end, None)]


def _gate(rng: random.Random, number: int, at: float) -> dict[str, Any]:
    interval = rng.choice((30.0, 60.0, 60.0, 60.0, 300.0))
    return {
        "name": f"gate-{number}",
        "kind": "gate",
        "at": round(at, 3),
        "mode": rng.choices(("defer", "poke", "reschedule"), (12, 1, 1))[0],
        "interval": interval,
        "timeout": rng.choices((7 * DAY, round(rng.uniform(0.2, 6) * HOUR, 3)), (9, 1))[0],
        "retries": rng.choice((0, 1, 2)),
        "life": _life(rng),
        "given": rng.choice(("id", "id", "record", "arn")),
        # The run was started before the gate, or long before.
        "age": round(rng.choice((0.0, 5.0, rng.uniform(0, 2 * HOUR))), 3),
    }


def _start(rng: random.Random, number: int, at: float) -> dict[str, Any]:
    return {
        "name": f"start-{number}",
        "kind": "start",
        "at": round(at, 3),
        "mode": rng.choice(("defer", "poke")),
        "interval": rng.choice((30.0, 60.0)),
        "retries": rng.choice((0, 2, 3)),
        "life": [
            s if s[0] not in ("VANISHED", "REUSED", "DELETED") else ("COMPLETED", None) for s in _life(rng)
        ],
        "on_clear": rng.choice(("new", "new", "reattach")),
        "cancel_on_kill": rng.random() < 0.9,
        "wait_timeout": rng.choices((None, round(rng.uniform(0.5, 8) * HOUR, 3)), (8, 1))[0],
        "on_timeout": rng.choice(("fail", "cancel")),
    }


def _accident(rng: random.Random, kind: str, end: float) -> dict[str, Any]:
    accident: dict[str, Any] = {
        "kind": kind,
        "at": round(rng.uniform(0, end), 3),
        "pick": rng.randrange(10**6),
    }
    if kind in ("triggerer-killed", "triggerer-stopped"):
        accident["seconds"] = round(rng.choice((1.0, 20.0, rng.uniform(60, 3600))), 3)
    elif kind == "triggerer-stands-still":
        accident["seconds"] = round(rng.choice((rng.uniform(1, 25), rng.uniform(35, 120))), 3)
    elif kind == "clock-set":
        accident["seconds"] = round(rng.choice((-1, 1)) * rng.choice((1.0, 30.0, 90.0, 3600.0)), 3)
    elif kind in ("unreadable", "missing", "elsewhere", "expired"):
        accident["seconds"] = round(rng.choice((4.0, rng.uniform(10, 250), rng.uniform(400, 3600))), 3)
    elif kind == "airflow-down":
        accident["seconds"] = round(rng.uniform(1, 40), 3)
    elif kind in ("throttle", "internal-error", "unreachable", "lost-answer"):
        accident["seconds"] = round(rng.choice((4.0, rng.uniform(10, 600), rng.uniform(600, 2 * HOUR))), 3)
        accident["chance"] = rng.choice((0.1, 0.5, 1.0))
        accident["operation"] = rng.choice(("*", "*", "GetRun", "ListRuns", "StartRun", "CancelRun"))
    elif kind.startswith("list-"):
        accident["seconds"] = round(rng.uniform(60, 6 * HOUR), 3)
    return accident
