"""How a gate stands: by its run or batch if one was seen, by Airflow's state of the task otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from airflow_omics._words import span
from airflow_omics.plugin.html import KNOWN, status_class
from airflow_omics.plugin.model import Gate
from airflow_omics.plugin.readable import line, mapping, when
from airflow_omics.plugin.shares import Share
from airflow_omics.records import TERMINAL_BATCH_STATUSES, TERMINAL_STATUSES

# By Airflow's state of a task: what is said of a task of which no run or batch was seen, and its colour.
_STATES: Final = {
    None: ("not scheduled yet", "t-waits"),
    "scheduled": ("scheduled", "t-waits"),
    "queued": ("queued", "t-waits"),
    "running": ("begun, no {} was seen yet", "t-waits"),
    "restarting": ("restarting", "t-waits"),
    "deferred": ("deferred, no {} was seen yet", "t-waits"),
    "up_for_reschedule": ("between two looks, no {} was seen yet", "t-waits"),
    "up_for_retry": ("to be retried, no {} was seen yet", "t-waits"),
    "success": ("succeeded, no {} was seen", "t-success"),
    "failed": ("failed before a {} was seen", "t-failed"),
    "upstream_failed": ("not begun, as a task before it failed", "t-failed"),
    "skipped": ("skipped", "t-skipped"),
    "removed": ("removed", "t-skipped"),
}
# Statuses of a batch: what is said of it, and whose colour it has.
_BATCHES: Final = {
    "CREATING": ("being created", "PENDING"),
    "PENDING": ("pending", "PENDING"),
    "SUBMITTING": ("submitting its runs", "STARTING"),
    "INPROGRESS": ("in progress", "RUNNING"),
    "STOPPING": ("being cancelled", "STOPPING"),
    "PROCESSED": ("processed", "COMPLETED"),
    "FAILED": ("failed", "FAILED"),
    "CANCELLED": ("cancelled", "CANCELLED"),
    "RUNS_DELETING": ("runs being deleted", "DELETED"),
    "RUNS_DELETED": ("runs deleted", "DELETED"),
    "RUNS_DELETE_FAILED": ("runs not all deleted", "DELETED"),
    "DELETED": ("deleted", "DELETED"),
}
_BAD: Final = ("FAILED", "CANCELLED", "DELETED")
_BAD_MEMBERS: Final = ("failed", "cancelled", "deleted", "failedStart")


class Standing(NamedTuple):
    """How a gate stands.

    :param word: in words, as they stand after a number.
    :param css: the class of its colour and mark.
    :param rank: where it stands among others.
    :param is_bad: whether its run or batch, or the task before it had one, ended badly.
    """

    word: str
    css: str
    rank: int
    is_bad: bool = False

    @classmethod
    def of(cls, gate: Gate) -> Standing:
        """Return how a gate stands."""
        status = line(gate.run.get("status"), 40)
        if not status:
            return _of_state(gate)
        if is_about_batch(gate):
            word, like = _BATCHES.get(status, (status, ""))
            if status == "PROCESSED" and any(
                mapping(gate.snapshot.get("counts")).get(name) for name in _BAD_MEMBERS
            ):
                return cls("processed with failures", "s-PARTLY", 0)
        else:
            word, like = (status.lower(), status) if status in KNOWN else (status, "")
        rank = KNOWN.index(like) if like else len(KNOWN)
        return cls(word, status_class(like), rank, like in _BAD)


def _of_state(gate: Gate) -> Standing:
    word, css = _STATES.get(gate.state, ("", "t-waits"))
    word = word.format("batch" if is_about_batch(gate) else "run") or line(gate.state, 40)
    if gate.is_elsewhere:
        word = f"kept elsewhere, task {line(gate.state, 40) or 'not scheduled'}"
    states = list(_STATES)
    rank = states.index(gate.state) if gate.state in _STATES else len(states)
    return Standing(word, css, len(KNOWN) + 1 + rank, gate.state == "failed")


def is_about_batch(gate: Gate) -> bool:
    """Return whether a gate is about a batch; before one was seen, its class says so."""
    return gate.is_batch or (not gate.snapshot and "Batch" in (gate.operator or ""))


def is_active(gate: Gate) -> bool:
    """Return whether the run or batch went on when it was seen last, or had a status that nobody knows."""
    status = line(gate.run.get("status"), 40)
    return bool(status) and status not in (TERMINAL_BATCH_STATUSES if gate.is_batch else TERMINAL_STATUSES)


def shares(gates: Iterable[Gate]) -> list[Share]:
    """Return how many gates stand in which way, in the order of their ranks."""
    counted = Counter(map(Standing.of, gates))
    ordered = sorted(counted, key=lambda found: (found.rank, found.word))
    return [Share(found.css, found.word, counted[found]) for found in ordered]


def named(gate: Gate) -> str:
    """Return what people call a gate: what the DAG calls it, and the run's own name."""
    names = (line(gate.label), line(gate.run.get("name")) or line(gate.run.get("id")))
    return " · ".join(dict.fromkeys(name for name in names if name))


def indexed(gate: Gate) -> str:
    """Return a gate's map index and name, of a task that is mapped; its task otherwise."""
    if gate.map_index < 0:
        return named(gate) or line(gate.task_id)
    name = named(gate)
    return f"{gate.map_index} {name}" if name else f"index {gate.map_index}"


def reason_of(gate: Gate) -> tuple[str, str]:
    """Return why a run ended badly and who can act, as its snapshot says it; empty if nobody knows."""
    return line(gate.snapshot.get("reason"), 64), line(gate.snapshot.get("owner"), 40)


def stuck_for(gate: Gate, now: float) -> str:
    """Return for how long nothing has moved; empty if something has, or nobody has warned of it."""
    since = when(gate.snapshot.get("stuck"))
    return span(now - since) if since is not None and is_active(gate) else ""


def in_full(gate: Gate, now: float) -> str:
    """Return how a gate stands, in one line: what a cell says when it is pointed at."""
    reason, _ = reason_of(gate)
    stuck = stuck_for(gate, now)
    said = [Standing.of(gate).word, reason, stuck and f"nothing has moved for {stuck}"]
    return f"{indexed(gate)}: {', '.join(one for one in said if one)}"


def run_key(gate: Gate) -> str:
    """Return what identifies the run or batch of a gate; empty if nothing does.

    ``record_fields`` may leave the id alone, which is the run's own in its account and Region.
    """
    known = line(gate.run.get("uuid")) or line(gate.run.get("arn"), 200)
    run_id = line(gate.run.get("id"))
    return known or (f"{'batch' if gate.is_batch else 'run'} {run_id}" if run_id else "")
