"""The snapshot of a run or batch in XCom: what it has, what it never has, and how large it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._monitoring.snapshot import MOST_BYTES, batch_snapshot, run_snapshot
from airflow_omics._monitoring.task_table import RunTask, TaskTable
from airflow_omics.failures import classify

pytestmark = pytest.mark.any_airflow

SEEN = 1_767_261_600.25  # 2026-01-01T10:00:00.250+00:00
EMOJI = "\N{DNA DOUBLE HELIX}"
MARKER = "PATIENT-4711"
RUN: dict[str, Any] = {
    "id": "7830534",
    "uuid": "96c57683-74bf-9d6d-ae7e-f09b097db14a",
    "arn": "arn:aws:omics:us-west-2:123456789012:run/7830534",
    "status": "RUNNING",
    "name": "cohort-1",
    "workflowId": "4074992",
    "creationTime": "2026-01-01T08:00:00.262471+00:00",
    "startTime": "2026-01-01T08:30:00Z",
}
# Everything as long as the API reference allows, and the name as long as it may be in bytes.
LONGEST: dict[str, Any] = {
    **RUN,
    "id": "1" * 18,
    "arn": "arn:aws-us-gov:omics:us-gov-west-1:123456789012:run/" + "1" * 18,
    "status": "CANCELLED",
    "name": EMOJI * 128,
    "workflowId": "1" * 18,
    "workflowVersionName": "v" * 64,
    "failureReason": "ALL_PROFILES_INSTANCE_RESERVATION_FAILED",
    "stopTime": "2026-01-01T09:30:00.123456+00:00",
    "runGroupId": "1" * 18,
    "batchId": "1" * 18,
    "storageType": "DYNAMIC",
    "storageCapacity": 999_999,
    "workflowType": "READY2RUN",
}
PRIVATE: dict[str, Any] = {
    "parameters": {"sample": MARKER},
    "tags": {"patient": MARKER},
    "sessionPolicy": MARKER,
    "statusMessage": MARKER,
    "defaultRunSetting": {"parameters": {"sample": MARKER}},
    "outputUri": f"s3://bucket/{MARKER}",
}
BATCH: dict[str, Any] = {
    "id": "99",
    "uuid": "00000000-0000-4000-8000-000000000099",
    "arn": "arn:aws:omics:us-west-2:123456789012:runBatch/99",
    "status": "INPROGRESS",
    "name": "cohort",
    "creationTime": "2026-01-01T08:00:00+00:00",
    "totalRuns": 200,
    "submissionSummary": {"successfulStartSubmissionCount": 198, "failedStartSubmissionCount": 2},
    "runSummary": {"completedRunCount": 12, "failedRunCount": 0, "runningRunCount": 186},
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*LONGEST, *BATCH])


def size(snapshot: Any) -> int:
    return len(json.dumps(snapshot))


def table(*statuses: str, **more: Any) -> TaskTable:
    tasks = tuple(RunTask(str(number), "Align", status) for number, status in enumerate(statuses))
    return TaskTable(SEEN, tasks, **more)


# -- a run ---------------------------------------------------------------------------------------------------


def test_a_run_that_goes_on() -> None:
    assert run_snapshot({**RUN, **PRIVATE}, SEEN) == {
        "v": 1,
        "kind": "run",
        "seen": "2026-01-01T10:00:00+00:00",
        "run": {
            **RUN,
            "creationTime": "2026-01-01T08:00:00+00:00",
            "startTime": "2026-01-01T08:30:00+00:00",
        },
    }


def test_a_run_that_failed_says_why_and_who_can_act() -> None:
    snapshot = run_snapshot({**RUN, "status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR"}, SEEN)
    assert (snapshot["reason"], snapshot["class"]) == ("OUT_OF_MEMORY_ERROR", "settings")
    assert snapshot["owner"] == "pipeline author"
    assert snapshot["run"]["failureReason"] == "OUT_OF_MEMORY_ERROR"


def test_what_a_diagnosis_knows_better_takes_the_place_of_the_reason() -> None:
    record = {**RUN, "status": "FAILED", "failureReason": "RUN_TASK_FAILED"}
    better = classify({"status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR"})
    snapshot = run_snapshot(record, SEEN, failure=better)
    assert snapshot["reason"] == "OUT_OF_MEMORY_ERROR"
    assert snapshot["run"]["failureReason"] == "RUN_TASK_FAILED"


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "COMPLETED", "NEWER"])
def test_what_has_not_failed_has_no_reason(status: str) -> None:
    assert not {"reason", "class", "owner"} & set(run_snapshot({**RUN, "status": status}, SEEN))


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "DELETED"])
def test_what_ended_badly_has_a_class_and_an_owner(status: str) -> None:
    assert {"class", "owner"} <= set(run_snapshot({**RUN, "status": status}, SEEN))


def test_tasks_are_counted_by_status() -> None:
    tasks = table("COMPLETED", "RUNNING", "COMPLETED")
    snapshot = run_snapshot(RUN, SEEN, tasks=tasks)
    assert snapshot["tasks"] == {"COMPLETED": 2, "RUNNING": 1}
    assert not {"cached", "more"} & set(snapshot)


def test_cached_tasks_are_counted() -> None:
    tasks = TaskTable(SEEN, (RunTask("1", "a", "COMPLETED", cached=True), RunTask("2", "b", "COMPLETED")))
    assert run_snapshot(RUN, SEEN, tasks=tasks)["cached"] == 1


@pytest.mark.parametrize("cut", [{"more": True}, {"left_out": 3}], ids=str)
def test_counts_that_are_not_all_say_so(cut: Any) -> None:
    assert run_snapshot(RUN, SEEN, tasks=table("RUNNING", **cut))["more"] is True


def test_a_run_that_is_stuck_says_since_when() -> None:
    assert run_snapshot(RUN, SEEN, stuck_since=SEEN - 7200)["stuck"] == "2026-01-01T08:00:00+00:00"


# -- a batch -------------------------------------------------------------------------------------------------


def test_a_batch_has_its_counts_without_those_that_are_zero() -> None:
    snapshot = batch_snapshot({**BATCH, **PRIVATE}, SEEN)
    assert (snapshot["kind"], snapshot["total"]) == ("batch", 200)
    assert snapshot["counts"] == {
        "successfulStart": 198,
        "failedStart": 2,
        "completed": 12,
        "running": 186,
    }
    assert "reasons" not in snapshot
    assert set(snapshot["run"]) == {"id", "uuid", "arn", "status", "name", "creationTime"}


def test_a_batch_has_the_five_most_frequent_reasons() -> None:
    reasons = {(f"REASON_{number}", "data"): number for number in range(1, 8)}
    snapshot = batch_snapshot(BATCH, SEEN, reasons=reasons)
    assert snapshot["reasons"] == [[f"REASON_{number}", "data", number] for number in (7, 6, 5, 4, 3)]


@pytest.mark.parametrize("broken", [None, 7, "text", ["list"], {"a": "b"}, {"a": True}], ids=str)
def test_counts_that_are_none_are_left_out(broken: Any) -> None:
    record = {**BATCH, "runSummary": broken, "submissionSummary": broken, "totalRuns": broken}
    snapshot = batch_snapshot(record, SEEN)
    assert snapshot["counts"] == {}
    assert snapshot.get("total", 7) == 7


# -- privacy -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [None, [*PRIVATE], [*RUN, *PRIVATE]], ids=["all", "private", "both"])
def test_no_snapshot_has_what_may_name_a_patient(fields: Any) -> None:
    for snapshot in (
        run_snapshot({**RUN, **PRIVATE}, SEEN, record_fields=fields),
        batch_snapshot({**BATCH, **PRIVATE}, SEEN, record_fields=fields),
    ):
        assert MARKER not in json.dumps(snapshot)


def test_record_fields_narrow_a_run() -> None:
    record = {**RUN, "status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR", "stopTime": RUN["startTime"]}
    assert run_snapshot(record, SEEN, record_fields=["stopTime"], failure=classify(record)) == {
        "v": 1,
        "kind": "run",
        "seen": "2026-01-01T10:00:00+00:00",
        "run": {"id": "7830534", "status": "FAILED", "stopTime": "2026-01-01T08:30:00+00:00"},
    }
    assert run_snapshot(record, SEEN, record_fields=["failureReason"])["reason"] == "OUT_OF_MEMORY_ERROR"


def test_record_fields_narrow_a_batch() -> None:
    reasons = {("OUT_OF_MEMORY_ERROR", "pipeline author"): 3}
    narrow = batch_snapshot(BATCH, SEEN, record_fields=["name"], reasons=reasons)
    assert narrow["run"] == {"id": "99", "status": "INPROGRESS", "name": "cohort"}
    assert not {"total", "counts", "reasons"} & set(narrow)
    named = ["totalRuns", "runSummary", "submissionSummary", "failures"]
    assert {"total", "counts", "reasons"} <= set(
        batch_snapshot(BATCH, SEEN, record_fields=named, reasons=reasons)
    )


# -- size ----------------------------------------------------------------------------------------------------

STATUSES = ("PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "CANCELLED", "FAILED")


def test_a_usual_snapshot_keeps_everything() -> None:
    snapshot = run_snapshot({**RUN, "stopTime": RUN["startTime"]}, SEEN, tasks=table(*STATUSES))
    assert set(snapshot["run"]) == {*RUN, "stopTime"}
    assert size(snapshot) < MOST_BYTES


def test_the_longest_of_everything_is_within_600_bytes_and_keeps_what_matters() -> None:
    tasks = TaskTable(SEEN, tuple(RunTask(str(n), "a", STATUSES[n % 7], cached=True) for n in range(9999)))
    snapshot = run_snapshot(LONGEST, SEEN, tasks=tasks, stuck_since=SEEN)
    assert size(snapshot) <= MOST_BYTES == 600
    run = snapshot["run"]
    assert {name: run[name] for name in ("id", "uuid", "arn", "status")} == {
        name: LONGEST[name] for name in ("id", "uuid", "arn", "status")
    }
    assert snapshot["tasks"] == {status: 1429 if n < 3 else 1428 for n, status in enumerate(STATUSES)}
    assert run["name"] == EMOJI * 4


def test_a_name_gives_way_before_anything_else_does() -> None:
    snapshot = run_snapshot({**RUN, "name": "n" * 5000}, SEEN)
    assert MOST_BYTES - 1 <= size(snapshot) <= MOST_BYTES
    assert set(snapshot["run"]) == set(RUN)
    assert 100 < len(snapshot["run"]["name"]) < 400


def test_members_that_are_needed_least_go_first() -> None:
    crowded = {**LONGEST, "name": "short", "workflowVersionName": "v" * 150}
    kept = set(run_snapshot(crowded, SEEN)["run"])
    assert {"workflowType", "storageCapacity"} & kept == set()
    assert {"id", "uuid", "arn", "status", "name", "workflowId", "failureReason"} <= kept


def test_half_an_arn_is_none() -> None:
    snapshot = run_snapshot({**RUN, "arn": "arn:" + "a" * 5000, "workflowId": EMOJI * 100}, SEEN)
    assert not {"arn", "workflowId"} & set(snapshot["run"])


def test_of_a_crowded_batch_the_rare_reasons_go_first() -> None:
    reasons = {("OUT_OF_MEMORY_ERROR", f"author {n}"): n for n in range(1, 6)}
    times = {"processedTime": RUN["startTime"]}
    snapshot = batch_snapshot({**BATCH, **times, "name": "n" * 64}, SEEN, reasons=reasons)
    assert [row[2] for row in snapshot["reasons"]] == [5, 4, 3]
    assert set(snapshot["run"]) == {"id", "uuid", "arn", "status", "name", "creationTime", *times}
    assert size(snapshot) <= MOST_BYTES


@pytest.mark.parametrize("character", [EMOJI, '"', "\x00", "\ud800", "x"], ids=ascii)
def test_a_batch_of_the_longest_of_everything_is_within_600_bytes(character: str) -> None:
    text = character * 128
    record = {**BATCH, "name": text, "failureReason": text, "submittedTime": RUN["startTime"]}
    reasons = {(f"{number}{text}", text): 10**9 for number in range(9)}
    snapshot = batch_snapshot(record, SEEN, reasons=reasons)
    assert size(snapshot) <= MOST_BYTES
    assert (snapshot["run"]["id"], snapshot["run"]["arn"]) == (BATCH["id"], BATCH["arn"])


@given(
    st.dictionaries(names, values, max_size=20),
    st.none() | st.lists(names, max_size=4),
    st.lists(st.text(max_size=100), max_size=30),
    st.dictionaries(st.tuples(st.text(max_size=100), st.text(max_size=100)), st.integers(0, 9), max_size=9),
)
def test_whatever_aws_answers_a_snapshot_is_plain_json_of_600_bytes(
    record: Any, fields: Any, statuses: Any, reasons: Any
) -> None:
    for snapshot in (
        run_snapshot(record, SEEN, record_fields=fields, tasks=table(*statuses)),
        run_snapshot({**LONGEST, **record}, SEEN, record_fields=fields, tasks=table(*statuses)),
        batch_snapshot(record, SEEN, record_fields=fields, reasons=reasons),
        batch_snapshot({**BATCH, **record}, SEEN, record_fields=fields, reasons=reasons),
    ):
        assert size(snapshot) <= MOST_BYTES
        assert json.loads(json.dumps(snapshot)) == snapshot
