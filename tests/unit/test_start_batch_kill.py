"""on_kill cancels the batch that a person gave up, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.hooks import OmicsHook
from tests.support.sensors import Clock
from tests.support.start_batches import StartBatch, batches, cohort, die_once
from tests.support.start_operators import Store, WorkerDied
from tests.unit.test_start_run_kill import kill_at, say_state

pytestmark = pytest.mark.any_airflow
FOREVER = cohort(2, {1: "running-forever", 2: "running-forever"})


@pytest.mark.parametrize(
    ("state", "on_clear", "cancelled"),
    [
        *(("failed", on_clear, True) for on_clear in ("failed", "new", "reattach")),
        *(("success", on_clear, True) for on_clear in ("failed", "new", "reattach")),
        *((state, "new", True) for state in ("restarting", None)),
        *((state, on_clear, False) for state in ("restarting", None) for on_clear in ("failed", "reattach")),
        *((state, "failed", False) for state in ("queued", "running", "deferred")),
    ],
)
def test_a_killed_worker_cancels_the_batch_only_where_nobody_needs_it(
    start_batch: StartBatch,
    omics: Any,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    on_clear: str,
    cancelled: bool,
) -> None:
    say_state(monkeypatch, state)
    task = start_batch(on_clear=on_clear, run_settings=FOREVER)
    kill_at(clock, task)
    assert isinstance(task().error, WorkerDied)
    assert len(omics.requests("CancelRunBatch")) == cancelled
    omics.advance(600)
    assert batches()[0]["status"] == ("CANCELLED" if cancelled else "INPROGRESS")


@pytest.mark.parametrize("moment", ["unanswered", "answered"])
def test_a_kill_during_the_start_cancels_the_batch_that_came_of_it(
    start_batch: StartBatch, omics: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    say_state(monkeypatch, "failed")
    task = start_batch(run_settings=FOREVER)
    die_once(monkeypatch, moment, omics)
    assert isinstance(task().error, WorkerDied)
    omics.advance(60)
    task.operator.on_kill()
    omics.advance(600)
    assert [batch["status"] for batch in batches()] == ["CANCELLED"]


@pytest.mark.parametrize("stored", [False, True], ids=["no-store", "store"])
def test_a_cleared_start_with_on_clear_new_ends_its_batch_first(
    start_batch: StartBatch, omics: Any, clock: Clock, stored: bool
) -> None:
    def vanish() -> None:
        raise WorkerDied

    task = start_batch(store=Store() if stored else None, on_clear="new", run_settings=FOREVER)
    clock.at(300, vanish)
    task()
    task.clear()
    task.arguments["run_settings"] = cohort(2)
    assert task().kind == "success"
    assert [batch["status"] for batch in batches()] == ["CANCELLED", "PROCESSED"]


def test_another_batch_under_the_id_is_not_cancelled(
    start_batch: StartBatch, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_state(monkeypatch, "failed")
    task = start_batch(run_settings=FOREVER)
    clock.at(200, lambda: omics.move_batch(batches()[0]["id"], "REUSED"))
    kill_at(clock, task, 210)
    task()
    assert not omics.requests("CancelRunBatch")


def test_cancel_on_kill_false_cancels_nothing(
    start_batch: StartBatch, omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_state(monkeypatch, "failed")
    task = start_batch(run_settings=FOREVER, cancel_on_kill=False)
    kill_at(clock, task)
    task()
    assert not omics.requests("CancelRunBatch")
    assert OmicsHook().get_batch(batches()[0]["id"])["status"] == "INPROGRESS"
