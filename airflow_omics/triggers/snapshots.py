"""What one trigger leaves of its run or batch in XCom while it waits, for the pages in Airflow's UI."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from airflow_omics import _clock
from airflow_omics._monitoring.snapshot import RUN_KEY, RUN_MEMBERS, batch_snapshot, run_snapshot
from airflow_omics._monitoring.task_table import TASKS_KEY
from airflow_omics._resource import BATCH
from airflow_omics._waiting.wait import Wait
from airflow_omics.records import ACTIVE_STATUSES, COUNT_KEYS, RunRecord, to_plain
from airflow_omics.triggers.snapshot_writer import SnapshotWriter

COUNTS_EVERY: Final = 300.0
"""Seconds at least from one snapshot of a batch to the next, if only the counts of its runs changed."""


class Snapshots:
    """The snapshots of one task instance: its wait shows them what it sees, as to an ``Onlooker``.

    :param ti: the task instance.
    :param wait: its wait, which has the record and the tasks.
    :param status: the status that the worker has left already.
    :param record_fields: the members of the record that may reach XCom; None for all.
    """

    # A triggerer holds thousands of these.
    __slots__ = (
        "_fields",
        "_listed",
        "_record",
        "_seen",
        "_shown",
        "_status",
        "_ti",
        "_wait",
        "_writer",
    )

    def __init__(
        self, ti: Any, wait: Wait, status: str | None, record_fields: Collection[str] | None
    ) -> None:
        self._ti = ti
        self._wait = wait
        self._status = status
        self._fields = record_fields
        self._record: RunRecord | None = None
        self._listed: dict[str, Any] | None = None
        self._shown: tuple[float, list[Any]] | None = None
        self._seen = _clock.time()  # about when a worker has read it
        self._writer = SnapshotWriter.of_loop()

    @property
    def place(self) -> dict[str, Any]:
        """Whose XComs they are."""
        ti, map_index = self._ti, -1 if self._ti.map_index is None else self._ti.map_index
        return {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": map_index}

    def looked(self, at: float, is_over: bool) -> None:
        """Leave a snapshot if the status has changed, or the counts of a batch that goes on."""
        record = self._wait.record
        if record is None or record is self._record:
            return  # the answer was not taken
        self._record, self._listed, self._seen = record, None, at
        has_changed = record["status"] != self._status
        self._status = record["status"]
        are_due = self._are_counts_due(record, at, has_changed)
        if not is_over and (has_changed or are_due):
            self._writer.ask(self, RUN_KEY, soon=True)

    def listed(self, item: Mapping[str, Any], status: str, at: float) -> None:
        """Leave a snapshot if the status has changed, of what the item has and the record does not."""
        has_changed, self._status = status != self._status, status
        if not has_changed and (self._listed is not None or self._wait.record is not None):
            return  # what it is, is known
        self._seen = at
        self._listed = to_plain({name: item[name] for name in RUN_MEMBERS if item.get(name) is not None})
        if has_changed:
            self._writer.ask(self, RUN_KEY, soon=True)

    def tasks_listed(self, at: float) -> None:
        """Leave the tasks, and a snapshot with their counts, when nothing else waits to be written."""
        self._seen = at
        self._writer.ask(self, TASKS_KEY, soon=False)
        if self._listed is not None or self._wait.record is not None:  # else the worker's says more
            self._writer.ask(self, RUN_KEY, soon=False)

    async def leave_last(self, record: RunRecord) -> None:
        """Leave the snapshot of a wait that is over, as no worker does.

        :param record: how it ended.
        """
        self._status = record["status"]
        await self._writer.write_last(self, RUN_KEY)

    def close(self) -> None:
        """Leave nothing more: a worker does, or the wait goes on elsewhere."""
        self._writer.drop(self)

    def value(self, key: str) -> dict[str, Any] | None:
        """Return what is to be left under this key by now."""
        if key == TASKS_KEY:
            return None if self._wait.tasks is None else self._wait.tasks.to_plain()
        known = {**self._wait.known.identity(), **(self._listed or {}), **(self._wait.record or {})}
        record = {**known, "status": self._status}
        if self._wait.target.resource == BATCH:
            return batch_snapshot(record, self._seen, record_fields=self._fields)
        return run_snapshot(
            record,
            self._seen,
            record_fields=self._fields,
            tasks=self._wait.tasks,
            stuck_since=self._wait.stuck_since if self._status in ACTIVE_STATUSES else None,
        )

    def _are_counts_due(self, record: Mapping[str, Any], at: float, has_changed: bool) -> bool:
        """Return whether the counts of a batch are to be left by themselves.

        :param has_changed: whether its status has changed: they are left with that.
        """
        if self._wait.target.resource != BATCH:
            return False
        counts, shown = [record.get(name) for name in COUNT_KEYS], self._shown
        # At the first look nobody knows here which counts the worker has left.
        are_due = shown is None or (counts != shown[1] and at - shown[0] >= COUNTS_EVERY)
        if has_changed or are_due:
            self._shown = (at, counts)
        return are_due
