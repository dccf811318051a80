"""A table of tasks in a tenth of its memory, for a process that keeps one for each of thousands of waits."""

from __future__ import annotations

import marshal
import zlib

from airflow_omics._monitoring.task_table import RunTask, TaskCounts, TaskTable


def packed(table: TaskTable) -> bytes:
    """Return the table as bytes that only this process can read; some 30 a task.

    :raises ValueError: it holds something else than a table of :meth:`TaskTable.of` does.
    """
    counts = table.all_counts
    plain = (
        table.seen,
        [tuple(task) for task in table.tasks],
        table.left_out,
        table.more,
        None if counts is None else (dict(counts.by_status), counts.cached, counts.more),
    )
    return zlib.compress(marshal.dumps(plain), 1)


def unpacked(data: bytes) -> TaskTable:
    """Return the table that :func:`packed` was given."""
    seen, rows, left_out, more, counts = marshal.loads(zlib.decompress(data))
    tasks = tuple(RunTask(*row) for row in rows)
    return TaskTable(seen, tasks, left_out, more, None if counts is None else TaskCounts(*counts))
