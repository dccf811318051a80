"""OmicsListRunOutputsOperator on a batch: the outputs of its completed runs, each held to the same rules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics._compat import AirflowFailException
from airflow_omics.exceptions import (
    OmicsBatchDeletedError,
    OmicsBatchError,
    OmicsBatchNotFoundError,
    OmicsError,
    OmicsRequestError,
)
from airflow_omics.hooks import OmicsHook
from tests.support.batches import counting, needs_batches, settings, start_batch
from tests.support.fixtures import Output
from tests.support.outputs import list_outputs, s3
from tests.support.sensors import Clock

pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

VCF = "out/variants/sample.vcf"


def folders(record: dict[str, Any], status: str = "COMPLETED") -> dict[str, str]:
    """Return the folder of each run of the batch in a status, by the run's id."""
    runs = [run for run in OmicsHook().list_runs(batch_id=record["id"]) if run["status"] == status]
    return {run["id"]: f"s3://omics-outputs/runs/{run['id']}" for run in runs}


def remove(uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3().delete_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("named", [True, False])
def test_the_outputs_of_completed_runs_are_listed_with_their_run(omics: Any, named: bool) -> None:
    record = start_batch(omics, settings([("completed", 3), ("failed-run-task-failed", 2)]), named=named)
    found = list_outputs(batch_id=record)
    expected = {run_id: f"{folder}/{VCF}" for run_id, folder in folders(record).items()}
    assert {output["run_id"]: output["uri"] for output in found} == expected
    assert len(found) == 3


def test_one_list_and_a_look_at_each_run_within_the_rate(
    omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = start_batch(omics, settings([("completed", 8)]), named=False)
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "2")
    requests, began = counting(omics), omics.now()
    assert len(list_outputs(batch_id=record["id"], chunk_size=3)) == 3
    assert requests() == {"GetBatch": 1, "ListRuns": 1, "GetRun": 8}
    assert 9 / 2 <= omics.now() - began < 6


def test_a_run_whose_outputs_are_not_as_required_is_named(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 3)]))
    by_id = folders(record)
    [first, second, _] = by_id
    remove(f"{by_id[first]}/{VCF}")
    remove(f"{by_id[second]}/{VCF}")
    with pytest.raises(OmicsBatchError) as caught:
        list_outputs(batch_id=record, pattern="*.vcf")
    error = caught.value
    assert isinstance(error, AirflowFailException)
    assert str(error).startswith(f"HealthOmics batch {record['id']}: its outputs are not as required: ")
    for run_id in (first, second):
        assert f"run {run_id}: no output matches '*.vcf' in {by_id[run_id]}/" in str(error)
    assert (error.batch_id, error.status) == (record["id"], "PROCESSED")


def test_a_batch_without_a_completed_run_fails_unless_none_is_required(omics: Any) -> None:
    record = start_batch(omics, settings([("failed-run-task-failed", 2)]))
    with pytest.raises(OmicsBatchError, match="none of its runs has completed"):
        list_outputs(batch_id=record)
    assert list_outputs(batch_id=record, require=0) == []


def test_a_batch_that_goes_on_says_to_wait_for_it(omics: Any) -> None:
    record = start_batch(omics, settings([("running-forever", 2)]), seconds=600)
    with pytest.raises(OmicsError, match="wait for it with OmicsRunBatchSensor") as caught:
        list_outputs(batch_id=record)
    assert caught.value.batch_id == record["id"]
    assert not isinstance(caught.value, AirflowFailException)


def test_more_runs_than_outputs_may_be_returned_are_refused_before_they_are_read(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 5)]))
    requests = counting(omics)
    with pytest.raises(OmicsRequestError, match="5 runs have completed, and max_outputs is 4"):
        list_outputs(batch_id=record, max_outputs=4)
    assert "GetRun" not in requests()
    assert len(list_outputs(batch_id=record, max_outputs=5)) == 5
    with pytest.raises(OmicsRequestError, match="outputs match, and max_outputs is 4"):
        list_outputs(batch_id=record, max_outputs=4, require=0)


def test_a_run_that_was_deleted_meanwhile_is_named(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = start_batch(omics, settings([("completed", 2)]))
    [gone, left] = folders(record)
    read = OmicsHook.get_run

    def get_run(self: OmicsHook, run_id: str, *arguments: Any) -> Any:
        if run_id == gone:
            omics.vanish(gone)
        return read(self, run_id, *arguments)

    monkeypatch.setattr(OmicsHook, "get_run", get_run)
    with pytest.raises(OmicsBatchError, match=f"run {gone} was COMPLETED, and is deleted now") as caught:
        list_outputs(batch_id=record)
    assert left not in str(caught.value)


def test_a_run_that_only_the_list_calls_completed_is_named(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = start_batch(omics, settings([("completed", 2)]))
    first = next(iter(folders(record)))
    read = OmicsHook.get_run

    def get_run(self: OmicsHook, run_id: str, *arguments: Any) -> Any:
        answer = read(self, run_id, *arguments)
        return {**answer, "status": "STOPPING"} if run_id == first else answer

    monkeypatch.setattr(OmicsHook, "get_run", get_run)
    with pytest.raises(OmicsBatchError, match=f"run {first} was COMPLETED, and is STOPPING now"):
        list_outputs(batch_id=record)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("fault", ["list-omits", "list-lies"])
def test_a_completed_run_that_the_list_lacks_is_not_left_out(omics: Any, fault: str, named: bool) -> None:
    lives = settings([("completed", 3), ("failed-run-task-failed", 1), ("cancelled", 1)])
    record = start_batch(omics, lives, named=named)
    by_id = folders(record)
    omics.fault("ListRuns", fault, run_id=next(iter(by_id)))
    assert {output["run_id"] for output in list_outputs(batch_id=record)} == set(by_id)


def test_a_completed_run_that_was_deleted_is_said_to_be_missing(omics: Any, output: Output) -> None:
    record = start_batch(omics, settings([("completed", 3), ("failed-run-task-failed", 1)]))
    [gone, *others] = folders(record)
    omics.vanish(gone)
    said = "1 more of its runs completed, by GetBatch's count, and are listed no more"
    with pytest.raises(OmicsBatchError, match=f"its outputs are not as required: {said}"):
        list_outputs(batch_id=record)
    output()
    assert {found["run_id"] for found in list_outputs(batch_id=record, require=0)} == set(others)
    assert said in output()


def test_a_batch_of_which_each_completed_run_was_deleted_is_not_said_to_have_none(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 1)]))
    omics.vanish(next(iter(folders(record))))
    with pytest.raises(OmicsBatchError, match="1 more of its runs completed") as caught:
        list_outputs(batch_id=record)
    assert "none of its runs has completed" not in str(caught.value)


def test_a_batch_that_nobody_knows_is_not_found(omics: Any) -> None:
    with pytest.raises(OmicsBatchNotFoundError):
        list_outputs(batch_id="4711")


def test_the_outputs_of_another_batch_under_the_id_are_not_listed(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 1)]))
    omics.move_batch(record["id"], "REUSED")
    with pytest.raises(OmicsBatchDeletedError):
        list_outputs(batch_id=record)


def test_what_made_the_outputs_is_kept_beside_those_of_each_run(omics: Any, output: Output) -> None:
    record = start_batch(omics, settings([("completed", 2)]))
    list_outputs(batch_id=record, provenance=True)
    said = output()
    for run_id, folder in folders(record).items():
        assert f"HealthOmics run {run_id}: what made its outputs is in {folder}/logs/provenance.json" in said
        key = folder.removeprefix("s3://omics-outputs/") + "/logs/provenance.json"
        kept = json.loads(s3().get_object(Bucket="omics-outputs", Key=key)["Body"].read())
        assert kept["run"]["id"] == run_id
        assert kept["recordedBy"]["task_id"] == "gate"  # the test's task instance
