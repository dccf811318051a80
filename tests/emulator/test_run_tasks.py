"""ListRunTasks and GetRunTask beside what the lives say of tasks."""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator import Emulator

from .support import refused, start


def test_an_unknown_task_is_not_found(client: Any) -> None:
    run = start(client)
    assert refused(client.get_run_task, id=run["id"], taskId="1")[:2] == ("ResourceNotFoundException", 404)


def test_tasks_are_paged_and_filtered(client: Any, emulator: Emulator) -> None:
    run = start(client, "completed-with-retried-task")
    emulator.advance(3600)
    pages = list(
        client.get_paginator("list_run_tasks").paginate(id=run["id"], PaginationConfig={"PageSize": 2})
    )
    assert [len(page["items"]) for page in pages] == [2, 1]
    failed = client.list_run_tasks(id=run["id"], status="FAILED")["items"]
    assert [task["name"] for task in failed] == ["AlignReads"]
