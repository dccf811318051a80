"""OmicsCancelRunBatchOperator ends a batch and all its runs, confirms it, and touches no other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsBatchNotFoundError,
    OmicsError,
    OmicsRequestError,
)
from airflow_omics.operators import OmicsCancelRunBatchOperator
from tests.support.batches import counting, needs_batches, read, settings, start_batch
from tests.support.fixtures import Output
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of
from tests.unit.test_batch_members import listed

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

OTHER_UUID = "11111111-2222-3333-4444-555555555555"


def cancel(**arguments: Any) -> Any:
    task = OmicsCancelRunBatchOperator(**{"task_id": "cancel", "botocore_config": ONE_ATTEMPT, **arguments})
    return task.execute(context_of(TaskInstance()))


def batch(omics: Any, count: int = 4, **options: Any) -> Any:
    return start_batch(omics, settings([("running-forever", count)]), **{"seconds": 1000.0, **options})


def run_statuses(record: Any) -> dict[str, int]:
    return dict(Counter(member.status for member in listed(record)))


def test_a_batch_is_cancelled_with_all_its_runs(omics: Any) -> None:
    record = batch(omics)
    assert record["status"] == "INPROGRESS"
    requests = counting(omics)
    ended = cancel(batch_id=record)
    assert set(requests()) == {"GetBatch", "CancelRunBatch"}
    assert (ended["id"], ended["status"]) == (record["id"], "CANCELLED")
    assert ended["outcome"]["cancelled"] == 4
    assert run_statuses(record) == {"CANCELLED": 4}


@pytest.mark.parametrize("refusal", ["conflict", "validation"])
@pytest.mark.parametrize(
    ("seconds", "status"), [(1, "CREATING"), (20, "PENDING"), (38, "SUBMITTING"), (1000, "INPROGRESS")]
)
def test_it_is_cancelled_from_wherever_it_is(omics: Any, seconds: float, status: str, refusal: str) -> None:
    record = batch(omics, 10, seconds=seconds, starts_per_second=1.0, refusal=refusal)
    if status != "INPROGRESS":
        assert record["status"] == status
    assert cancel(batch_id=record["id"])["status"] == "CANCELLED"


@pytest.mark.parametrize("refusal", ["conflict", "validation"])
@pytest.mark.parametrize("status", ["PROCESSED", "CANCELLED", "RUNS_DELETED", "RUNS_DELETING"])
def test_a_batch_that_has_ended_is_left_alone(omics: Any, status: str, refusal: str) -> None:
    record = start_batch(omics, settings([("completed", 2)]), refusal=refusal)
    omics.move_batch(record["id"], status)
    requests = counting(omics)
    assert cancel(batch_id=record["id"])["status"] == status
    assert requests() == {"GetBatch": 1}


@pytest.mark.parametrize("refusal", ["conflict", "validation"])
@pytest.mark.parametrize("status", ["PROCESSED", "FAILED"])
def test_a_batch_that_ends_before_the_request_reaches_it_is_returned_as_it_ended(
    omics: Any, status: str, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_omics.hooks import OmicsHook

    record = batch(omics, refusal=refusal)
    really = OmicsHook.cancel_run_batch

    def too_late(hook: OmicsHook, batch_id: str) -> None:
        omics.move_batch(batch_id, status)
        really(hook, batch_id)

    monkeypatch.setattr(OmicsHook, "cancel_run_batch", too_late)
    assert cancel(batch_id=record["id"])["status"] == status


def test_a_batch_that_is_being_cancelled_gets_no_second_request(omics: Any) -> None:
    record = batch(omics)
    assert cancel(batch_id=record, wait_for_completion=False)["status"] == "STOPPING"
    requests = counting(omics)
    assert cancel(batch_id=record, wait_for_completion=False)["status"] == "STOPPING"
    assert requests() == {"GetBatch": 1}
    assert cancel(batch_id=record)["status"] == "CANCELLED"
    assert "CancelRunBatch" not in requests()


def test_runs_that_the_batch_could_not_cancel_are_cancelled_one_by_one(omics: Any, output: Output) -> None:
    record = batch(omics, 6, cancel_failures=["sample-2", "sample-5"])
    requests = counting(omics)
    ended = cancel(batch_id=record)
    assert ended["status"] == "CANCELLED"
    assert run_statuses(record) == {"CANCELLED": 6}
    assert ended["outcome"] == {
        "total": 6, "completed": 0, "failed": 0, "cancelled": 6, "deleted": 0, "notStarted": 0,
    }  # fmt: skip
    assert requests()["CancelRun"] == 2
    assert "2 runs that it could not cancel are cancelled one by one" in output()


def test_a_run_that_could_not_be_cancelled_is_found_although_listruns_lacks_it(omics: Any) -> None:
    record = batch(omics, 3, cancel_failures=["sample-2"])
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    omics.fault("ListRuns", "list-omits", run_id=run_id)
    cancel(batch_id=record)
    omics.clear_faults()
    assert run_statuses(record) == {"CANCELLED": 3}


def test_without_counts_the_runs_of_a_batch_are_looked_for(omics: Any) -> None:
    record = batch(omics, 3, cancel_failures=["sample-2"], run_summary=False)
    cancel(batch_id=record)
    assert run_statuses(record) == {"CANCELLED": 3}


def test_runs_that_a_failed_batch_has_left_behind_are_cancelled_one_by_one(omics: Any) -> None:
    record = batch(omics, 6, fails_after=3)
    assert record["status"] == "FAILED"
    requests = counting(omics)
    assert cancel(batch_id=record)["status"] == "FAILED"
    assert requests()["CancelRun"] == 3
    assert "CancelRunBatch" not in requests()
    assert run_statuses(record) == {"CANCELLED": 3}


def test_one_by_one_keeps_to_the_rate(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "2")
    record = batch(omics, 10, fails_after=10)
    began = omics.now()
    cancel(batch_id=record, wait_for_completion=False)
    assert omics.now() - began >= 10 * 3 / 2


def test_a_run_that_ends_by_itself_meanwhile_is_no_error(omics: Any) -> None:
    record = batch(omics, 3, fails_after=3)
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    for policy in ("conflict", "validation"):
        omics.cancel_ended_run(policy)
    omics.fault("ListRuns", "list-lies", run_id=run_id)
    omics.move(run_id, "COMPLETED")
    cancel(batch_id=record)
    omics.clear_faults()
    assert run_statuses(record) == {"CANCELLED": 2, "COMPLETED": 1}


def test_a_run_that_goes_on_after_the_time_is_an_error(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = batch(omics, 3, fails_after=3)
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    from airflow_omics.hooks import OmicsHook

    really = OmicsHook.cancel_run

    def stuck(hook: OmicsHook, run: str) -> None:
        really(hook, run)
        if run == run_id:
            omics.move(run, "STOPPING")

    monkeypatch.setattr(OmicsHook, "cancel_run", stuck)
    with pytest.raises(OmicsError, match=f"1 of its runs go on .*, such as run {run_id}") as caught:
        cancel(batch_id=record, wait_timeout=900)
    assert caught.value.batch_id == record["id"]


def test_another_batch_under_the_id_is_never_cancelled(omics: Any) -> None:
    record = batch(omics)
    ended = cancel(batch_id={**record, "uuid": OTHER_UUID})
    assert ended["status"] == "DELETED"
    assert read(record["id"])["status"] == "INPROGRESS"


def test_a_run_under_the_id_of_a_member_is_never_cancelled(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = batch(omics, 2, fails_after=2)
    from airflow_omics.hooks import OmicsHook

    really = OmicsHook.get_run

    def of_another_batch(hook: OmicsHook, run_id: str, export: Any = None) -> Any:
        return {**really(hook, run_id, export), "batchId": "99"}

    monkeypatch.setattr(OmicsHook, "get_run", of_another_batch)
    requests = counting(omics)
    cancel(batch_id=record)
    assert "CancelRun" not in requests()


def test_a_batch_that_is_gone_is_deleted_if_its_uuid_is_known(omics: Any) -> None:
    record = batch(omics)
    omics.move_batch(record["id"], "VANISHED")
    assert cancel(batch_id=record)["status"] == "DELETED"
    with pytest.raises(OmicsBatchNotFoundError, match="deleted, or never existed"):
        cancel(batch_id=record["id"])


def test_a_batch_that_stops_for_ever_is_an_error_that_a_retry_goes_on_from(omics: Any) -> None:
    record = batch(omics)
    omics.move_batch(record["id"], "STOPPING")
    with pytest.raises(OmicsError, match="is STOPPING after 900 s of cancelling it"):
        cancel(batch_id=record, wait_timeout=900)
    omics.move_batch(record["id"], "CANCELLED")
    assert cancel(batch_id=record)["status"] == "CANCELLED"


def test_a_denied_call_names_the_action(omics: Any) -> None:
    record = batch(omics)
    omics.fault("CancelRunBatch", "access-denied")
    with pytest.raises(OmicsAccessError, match="Allow omics:CancelRunBatch"):
        cancel(batch_id=record)


def test_a_refusal_of_a_batch_that_goes_on_is_an_error(omics: Any) -> None:
    record = batch(omics)
    omics.fault("CancelRunBatch", "validation")
    with pytest.raises(OmicsRequestError, match=r"HealthOmics batch \d+: CancelRunBatch: Validation"):
        cancel(batch_id=record)


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "lost-answer"])
def test_transient_errors_are_retried(omics: Any, kind: str) -> None:
    record = batch(omics)
    omics.fault("CancelRunBatch", kind, times=2)
    omics.fault("GetBatch", "throttle", times=1)
    assert cancel(batch_id=record)["status"] == "CANCELLED"


def test_it_looks_at_the_poke_interval(omics: Any, clock: Clock) -> None:
    record = batch(omics)
    clock.start()
    cancel(batch_id=record, poke_interval=20)
    assert {round(pause) for pause in clock.pauses if pause} == {20}
