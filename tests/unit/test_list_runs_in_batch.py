"""OmicsListRunsInBatchOperator lists the members of a batch, to map over them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_omics.exceptions import OmicsBatchDeletedError, OmicsBatchNotFoundError, OmicsRequestError
from airflow_omics.operators import OmicsListRunsInBatchOperator
from tests.support.batches import counting, needs_batches, settings, start_batch
from tests.support.fixtures import Output
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]


def list_runs(**arguments: Any) -> Any:
    task = OmicsListRunsInBatchOperator(**{"task_id": "list", "botocore_config": ONE_ATTEMPT, **arguments})
    result = task.execute(context_of(TaskInstance()))
    assert json.loads(json.dumps(result)) == result
    return result


def batch(omics: Any, **options: Any) -> Any:
    given = [*settings([("completed", 5), ("failed-import-failed", 2)]), {"runSettingId": "late"}]
    return start_batch(omics, given, fail={"late": ["ValidationException", "no such cache"]}, **options)


def test_each_member_has_its_sample_run_and_status(omics: Any) -> None:
    found = list_runs(batch_id=batch(omics))
    assert [(entry["runSettingId"], entry["status"]) for entry in found] == [
        *((f"sample-{n}", "COMPLETED") for n in range(1, 6)),
        *((f"sample-{n}", "FAILED") for n in (6, 7)),
        ("late", "NOT_STARTED"),
    ]
    assert all(re.fullmatch("[0-9]+", entry["runId"]) for entry in found[:-1])
    assert found[-1] == {"runSettingId": "late", "status": "NOT_STARTED"}


@pytest.mark.parametrize("named", [True, False])
def test_the_completed_ones_come_in_chunks_for_mapped_tasks(omics: Any, named: bool) -> None:
    chunks = list_runs(
        batch_id=batch(omics, named=named)["id"],
        statuses=["COMPLETED"],
        fields=["runSettingId"],
        chunk_size=2,
    )
    samples = [{"runSettingId": f"sample-{n}"} for n in range(1, 6)]
    assert chunks == [samples[:2], samples[2:4], samples[4:]]


def test_none_in_a_status_is_an_empty_list(omics: Any) -> None:
    record = batch(omics)
    assert list_runs(batch_id=record, statuses=["CANCELLED"]) == []
    assert list_runs(batch_id=record, statuses=["CANCELLED"], chunk_size=10) == []


def test_why_a_member_was_not_started_can_be_a_field(omics: Any) -> None:
    fields = ("runSettingId", "submissionFailureReason", "submissionFailureMessage")
    assert list_runs(batch_id=batch(omics), statuses=("NOT_STARTED",), fields=fields) == [
        {
            "runSettingId": "late",
            "submissionFailureReason": "ValidationException",
            "submissionFailureMessage": "no such cache",
        }
    ]


def test_more_members_than_a_task_may_return_is_an_error_that_counts_them(omics: Any) -> None:
    record = batch(omics)
    assert len(list_runs(batch_id=record, max_runs=8)) == 8
    with pytest.raises(OmicsRequestError, match="8 of 8 members match, and max_runs is 7; give") as caught:
        list_runs(batch_id=record, max_runs=7)
    for remedy in ("statuses", "higher max_runs", "chunk_size", "XCom"):
        assert remedy in str(caught.value)
    assert caught.value.batch_id == record["id"]
    assert len(list_runs(batch_id=record, max_runs=5, statuses=["COMPLETED"])) == 5


def test_the_batch_is_read_and_listed_once(omics: Any) -> None:
    record = batch(omics)
    requests = counting(omics)
    list_runs(batch_id=record, statuses=["COMPLETED"])
    assert requests() == {"GetBatch": 1, "ListRuns": 1}


def test_members_that_no_list_has_yet_are_named_in_the_log(omics: Any, output: Output) -> None:
    record = start_batch(omics, settings([("running-forever", 30)]), starts_per_second=1, seconds=45)
    found = list_runs(batch_id=record)
    assert 5 <= len(found) <= 15
    assert f"{30 - len(found)} members are in no list: they have not been tried" in output()


def test_a_batch_that_is_being_made_has_no_members(omics: Any) -> None:
    assert list_runs(batch_id=batch(omics, seconds=1)) == []


def test_a_batch_that_nobody_knows_is_not_found(omics: Any) -> None:
    with pytest.raises(OmicsBatchNotFoundError):
        list_runs(batch_id="4711")


def test_the_members_of_another_batch_under_the_id_are_not_listed(omics: Any) -> None:
    record = batch(omics)
    omics.move_batch(record["id"], "REUSED")
    with pytest.raises(OmicsBatchDeletedError):
        list_runs(batch_id=record)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"statuses": ["COMPLETE"]}, "statuses holds 'COMPLETE'; did you mean 'COMPLETED'?"),
        ({"statuses": "COMPLETED"}, "statuses is 'COMPLETED'; it takes a collection of names"),
        ({"statuses": []}, "statuses is empty, so nothing could be listed"),
        ({"statuses": ["XYZ"]}, "statuses holds 'XYZ'; there are PENDING, "),
        ({"fields": ["runSettingID"]}, "fields holds 'runSettingID'; did you mean 'runSettingId'?"),
        ({"fields": ["run_id"]}, "fields holds 'run_id'; did you mean 'runId'?"),
        ({"fields": ()}, "fields is empty"),
        ({"fields": None}, "fields is None"),
        ({"chunk_size": 0}, "chunk_size is 0; it takes a number of members, 1 or more."),
        ({"chunk_size": True}, "chunk_size is True"),
        ({"max_runs": "10"}, "max_runs is '10'; it takes a number of members, 1 or more."),
        ({"max_runs": None}, "max_runs is None"),
    ],
)
def test_what_cannot_be_right_is_refused_while_parsing(arguments: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        OmicsListRunsInBatchOperator(task_id="list", batch_id="7", **arguments)
