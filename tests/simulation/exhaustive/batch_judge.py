"""What is meant with a batch, member by member, and which promise is broken.

What is meant: a member has one run. One that ended badly, or was never started, leads to one more with a
retry, a rerun or a clear; one that completed leads to none, unless ``on_clear`` is ``new``. A result names
each member once, with how it ended last. No settings file is written over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.exhaustive.batch_service import SAMPLES, STAYS, Batch, Sample
from tests.simulation.exhaustive.broken import CLEARED, REASONS, Judge, Reason
from tests.simulation.exhaustive.service import Run

_PLAIN = {"COMPLETED": "completed", "FAILED": "failed", "CANCELLED": "cancelled", None: "notStarted"}

_FORGOTTEN = REASONS["forgotten"]

BATCH_REASONS: Mapping[str, Reason] = {
    **{name: reason for name, reason in REASONS.items() if name != "not waited for"},
    "forgotten": _FORGOTTEN._replace(promises=("second", "wasted", "too often")),
    "unmarked clear": REASONS["unmarked clear"]._replace(promises=("old", "incomplete")),
    "deleted batch": Reason(
        ("second", "wasted", "too often", "stuck"),
        lambda world, run: run.is_gone and not run.is_noted,
        "The record of the batch is deleted before the next try, and the state store has not noted it",
        "Its members are run again, also those that completed. If a batch of what it left has been started "
        "since, each retry fails, and says so",
    ),
}
"""The same reasons as for a run: a batch is found again and cancelled by the same code."""


class BatchJudge(Judge):
    """Judges a start by what happens to the members of its batches."""

    reasons = BATCH_REASONS

    def started(self, world: Any, run: Run) -> None:
        """Judge a batch that StartRunBatch has just started."""
        batch: Any = run
        for sample in batch.samples:
            *earlier, (_, _) = self.of(world, sample.setting_id)
            self._started_again(world, batch, sample, earlier)
        for other in world.service.batches:
            if other.wish < batch.wish and other.status == "RUNNING" and not self.is_accounted_for(other):
                self.broken(world, "unwatched", other)
                other.is_named = True

    def _started_again(
        self, world: Any, batch: Batch, sample: Sample, earlier: list[tuple[Batch, Sample]]
    ) -> None:
        earlier = [(other, before) for other, before in earlier if other.wish == batch.wish]
        for other, before in earlier:
            goes_on = other.is_active and not other.is_gone and not before.reason
            if goes_on or before.status in ("RUNNING", "STOPPING", "COMPLETED"):
                self.broken(world, "second", other)
                other.is_named = True  # it is counted
        if not earlier:
            return
        other, before = earlier[-1]
        if before.reason == STAYS and other.clears == batch.clears:
            self.broken(world, "wasted", other)
        in_this_try = sum(other.try_number == batch.try_number for other, _ in earlier)
        most = 1 if world.is_so("the operator has", "rerun_failed=1") else 0
        if in_this_try > most:
            self.broken(world, "too often", other)

    def acted(self, world: Any, state: str | None, *, is_marked: bool) -> None:
        """Note what a person did to the task: a clear that Airflow does not mark counts as a retry."""
        clears = world.clears
        super().acted(world, state, is_marked=is_marked)
        if not is_marked and world.is_so("on_clear is", "failed"):
            world.clears = clears

    def cleared(self, world: Any) -> bool:
        """Note that a person has cleared the task, and return whether other runs are meant from now on."""
        world.clears += 1
        return super().cleared(world)

    def cancelled(self, world: Any, run: Run) -> None:
        """Judge a CancelRunBatch that was accepted."""
        batch: Any = run
        failed = any(sample.status == "FAILED" for sample in batch.samples)
        if not (failed and world.is_so("the operator has", "on_too_many_failures='cancel'")):
            super().cancelled(world, run)

    def succeeded(self, world: Any, result: Any, *, waits: bool) -> None:
        """Judge what a try returned: no failure is tolerated, so that each member has completed."""
        batch = world.service.find(str(result["id"]))
        if batch is not None and batch.wish != world.wish:
            self.broken(world, "old", batch)
            return
        if set(self.last(world).values()) != {"COMPLETED"}:
            self._incomplete(world)
        self.left(world, result)
        self.over_written(world)

    def left(self, world: Any, record: Any) -> None:
        """Judge the result that a task has left, if it says how its members ended."""
        if record is None or "outcome" not in record:
            return
        if any(b.id == record["id"] and b.wish != world.wish for b in world.service.batches):
            return  # of before a clear
        outcome, last = record["outcome"], self.last(world)
        counts = Counter(_PLAIN.get(status, "") for status in last.values())
        told = {key: outcome[key] for key in (*_PLAIN.values(), "total")}
        if told != {**{name: counts[name] for name in _PLAIN.values()}, "total": len(SAMPLES)}:
            self._incomplete(world)
        members = members_in(world.service.objects, record)
        listed = {name: status for name, status in last.items() if status is not None}
        if members != listed and members != {n: s or "NOT_STARTED" for n, s in last.items()}:
            self._incomplete(world)

    def _incomplete(self, world: Any) -> None:
        """Note that a result is not about each member, or not about how it ended last."""
        batches = world.service.batches
        lost = (
            batch for batch in batches if CLEARED in batch.marks or (batch.is_gone and not batch.is_noted)
        )
        self.broken(world, "incomplete", next(lost, batches[-1]))

    def failed(self, world: Any) -> None:
        """Judge a last try that failed: nothing was in its way but what had happened before."""
        hopeless = world.is_so("on_clear is", "reattach") and world.clears
        for sample in SAMPLES:
            entries = [pair for pair in self.of(world, sample) if pair[0].wish == world.wish]
            if entries and entries[-1][1].reason == STAYS:
                hopeless = hopeless or entries[-1][0].clears == world.clears
        for batch in world.service.batches[-1:]:
            # No try is undisturbed that watches a member fail.
            hopeless = hopeless or batch.fate.startswith("one fails early")
        if not hopeless:
            batches = world.service.batches
            lost = (batch for batch in batches if batch.is_gone and not batch.is_noted)
            self.broken(world, "stuck", next(lost, batches[-1]))
        for run in world.service.runs:
            run.is_named = True
        self.over_written(world)

    def over_written(self, world: Any) -> None:
        """Judge whether a file was written over."""
        if world.service.overwritten:
            self.broken(world, "overwritten", world.service.runs[-1])

    @staticmethod
    def of(world: Any, setting_id: str) -> Iterator[tuple[Batch, Sample]]:
        """Yield each batch that a member was in, the first first."""
        for batch in world.service.batches:
            for sample in batch.samples:
                if sample.setting_id == setting_id:
                    yield batch, sample

    def last(self, world: Any) -> dict[str, str | None]:
        """Return how the run of each member ended that is meant now, None for one that was not started."""
        last: dict[str, str | None] = {}
        for setting_id in SAMPLES:
            meant = [s for batch, s in self.of(world, setting_id) if batch.wish == world.wish]
            started = [sample.status for sample in meant if sample.run_id is not None]
            last[setting_id] = started[-1] if started else None
        return last


def members_in(objects: Mapping[str, bytes], record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the status of each member, as a result has it or the file that it names; None if it has none.

    It is none as well if a member is there twice.
    """
    members = json.loads(objects[record["membersUri"]]) if "membersUri" in record else record.get("members")
    names = [member["runSettingId"] for member in members or ()]
    if members is None or len(set(names)) < len(names):
        return None
    return {member["runSettingId"]: member["status"] for member in members}
