"""A table of tasks that is packed: it comes out as it was."""

from __future__ import annotations

import pytest

from airflow_omics._monitoring.packed_table import packed, unpacked
from airflow_omics._monitoring.task_table import RunTask, TaskTable

pytestmark = pytest.mark.any_airflow

FULL = RunTask("7", "Appel-é", "COMPLETED", 0.25, 1e9 + 0.5, 2e9, "omics.m.xlarge", 4, 15.5, 1, cached=True)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(TaskTable(5.5), id="empty"),
        pytest.param(TaskTable(5.5, (FULL, RunTask("8", "x", "PENDING")), 2, more=True), id="two"),
        pytest.param(
            TaskTable(5.5, tuple(FULL._replace(id=str(n), created=float(n)) for n in range(500))).cut(),
            id="cut",
        ),
    ],
)
def test_it_comes_out_as_it_was(table: TaskTable) -> None:
    again = unpacked(packed(table))
    assert again == table
    assert again.counts == table.counts
    assert again.to_plain() == table.to_plain()
    assert all(type(task) is RunTask for task in again.tasks)
