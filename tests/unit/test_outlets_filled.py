"""What the events of outlets get from a record, whatever task had it: batches, starts, older Airflows."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_omics._compat import asset_classes
from airflow_omics._task.outlets import fill_outlets
from airflow_omics.operators import OmicsStartRunBatchOperator, OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # Airflow 2.11
    from airflow.utils.context import OutletEventAccessors

ASSET, _, ALIAS = asset_classes()
START: dict[str, Any] = {
    "task_id": "start",
    "workflow_id": "1",
    "role_arn": "arn:aws:iam::123456789012:role/r",
}
RECORD: dict[str, Any] = {
    "id": "7654321",
    "uuid": "u-1",
    "status": "PROCESSED",
    "name": "cohort",
    "totalRuns": 5,
    "outcome": {"total": 5, "completed": 3, "failed": 1, "cancelled": 0, "deleted": 0, "notStarted": 1},
    "failures": [{"reason": "OUT_OF_MEMORY_ERROR", "count": 1}],
    "membersUri": "s3://bucket/members.json",
    "defaultRunSetting": {"outputUri": "s3://bucket/cohort", "parameters": {"patient": "PATIENT-4711"}},
    "tags": {"patient": "PATIENT-4711"},
}


def filled(task: Any, record: dict[str, Any]) -> Any:
    events = OutletEventAccessors()
    context: Any = {"outlet_events": events}
    fill_outlets(task, context, record)
    return events


def batch_sensor(*outlets: Any, **arguments: Any) -> OmicsRunBatchSensor:
    return OmicsRunBatchSensor(task_id="gate", batch_id="7654321", outlets=list(outlets), **arguments)


def alias_events(accessor: Any) -> list[Any]:
    name = "asset_alias_events" if hasattr(accessor, "asset_alias_events") else "dataset_alias_events"
    found: list[Any] = getattr(accessor, name)
    return found


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    rows = [row for row in caplog.records if row.name.startswith("airflow_omics._task.")]
    return [row.getMessage() for row in rows if row.levelno >= logging.WARNING]


def test_counts_of_a_batch_are_flat() -> None:
    outlet = ASSET(uri="s3://bucket/cohort")
    assert filled(batch_sensor(outlet), RECORD)[outlet].extra == {
        "omics_id": "7654321",
        "uuid": "u-1",
        "status": "PROCESSED",
        "name": "cohort",
        "totalRuns": 5,
        "completed": 3,
        "failed": 1,
        "cancelled": 0,
        "deleted": 0,
        "notStarted": 1,
        "membersUri": "s3://bucket/members.json",
    }


def test_batch_whose_outcome_is_left_out_has_no_counts() -> None:
    outlet = ASSET(uri="s3://bucket/cohort")
    record = {"id": "7654321", "status": "PROCESSED"}
    extra = filled(batch_sensor(outlet, record_fields=["status"]), record)[outlet].extra
    assert extra == {"omics_id": "7654321", "status": "PROCESSED"}


def test_member_of_a_run_that_is_called_as_a_count_is_the_runs_own() -> None:
    outlet = ASSET(uri="s3://bucket/cohort")
    task = OmicsRunSensor(task_id="gate", run_id="1", outlets=[outlet], asset_fields=["failed"])
    assert filled(task, {"failed": "no", "outcome": {"failed": 1}})[outlet].extra == {"failed": "no"}


def test_folder_of_a_batch_is_that_of_its_runs_unless_they_have_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    filled(batch_sensor(ASSET(uri="s3://bucket/cohort")), RECORD)
    assert warned(caplog) == []
    filled(batch_sensor(ASSET(uri="s3://bucket/trio")), RECORD)
    assert warned(caplog) == [
        "HealthOmics batch 7654321 writes to s3://bucket/cohort, unless the settings of its runs say "
        "otherwise, and not to the outlet s3://bucket/trio: who waits for that asset finds nothing new there"
    ]


@pytest.mark.parametrize(
    "record", [RECORD, {"id": "7654321", "status": "PROCESSED"}], ids=["whole", "narrow"]
)
def test_alias_of_a_batch_is_for_the_folder_of_its_runs(record: dict[str, Any]) -> None:
    alias = ALIAS("later")
    start = OmicsStartRunBatchOperator(
        **START, output_uri="s3://bucket/cohort", run_settings={"s1": {}}, outlets=[alias]
    )
    [event] = alias_events(filled(start, record)[alias])
    assert "'s3://bucket/cohort'" in str(event)
    assert "'omics_id': '7654321'" in str(event)
    assert "PATIENT" not in str(event)


def test_start_knows_where_it_lets_its_run_write_without_the_record(caplog: pytest.LogCaptureFixture) -> None:
    outlets = [ASSET(uri="s3://elsewhere")]
    task = OmicsStartRunOperator(
        **START, output_uri="s3://bucket/out", record_fields=["name"], outlets=outlets
    )
    filled(task, {"id": "1", "status": "COMPLETED"})
    [warning] = warned(caplog)
    assert "HealthOmics run 1 writes to s3://bucket/out, and not to the outlet s3://elsewhere" in warning


def test_alias_of_a_record_that_does_not_say_where_has_no_event() -> None:
    alias = ALIAS("later")
    assert alias_events(filled(batch_sensor(alias), {"id": "7654321", "status": "PROCESSED"})[alias]) == []


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "FAILED"])
def test_alias_has_no_event_of_a_run_that_was_only_started_or_read(status: str) -> None:
    """An asset's event is Airflow's own; that of an alias would say of outputs that they are there."""
    alias = ALIAS("later")
    task = OmicsStartRunOperator(**START, output_uri="s3://bucket/out", outlets=[alias])
    assert alias_events(filled(task, {"id": "1", "status": status})[alias]) == []


def test_outlets_of_other_kinds_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """Lineage takes any object for an outlet."""
    outlet = ASSET(uri="s3://bucket/cohort")
    events = filled(batch_sensor("s3://elsewhere/text", {"a": "dict"}, outlet), RECORD)
    assert [str(getattr(key, "uri", key)) for key in events] == ["s3://bucket/cohort"]
    assert warned(caplog) == []


def test_older_airflow_has_the_event_without_a_partition(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("outlets", "outlet_arguments"):
        monkeypatch.setattr(f"airflow_omics._task.{module}.has_partitions", lambda: False)
    outlet = ASSET(uri="s3://bucket/cohort")
    with pytest.warns(UserWarning, match="partition_outlets_by needs Airflow 3.3"):
        task = batch_sensor(outlet, partition_outlets_by="uuid")
    event = filled(task, RECORD)[outlet]
    assert event.extra["uuid"] == "u-1"
    assert getattr(event, "partition_keys", set()) == set()
    assert warned(caplog) == []


class AnyAccessor(dict[Any, Any]):
    """Accessors that take any key, as Airflow's do for references when its API server says what is meant."""

    def __missing__(self, key: Any) -> Any:
        return self.setdefault(key, SimpleNamespace(extra={}))


def test_asset_that_is_only_referred_to_gets_its_event() -> None:
    sdk = pytest.importorskip("airflow.sdk", reason="Airflow 2.11 has no references to assets")
    outlets, events = [sdk.Asset.ref(name="cohort"), sdk.Asset.ref(uri="s3://elsewhere")], AnyAccessor()
    context: Any = {"outlet_events": events}
    fill_outlets(batch_sensor(*outlets), context, RECORD)
    assert [events[outlet].extra["omics_id"] for outlet in outlets] == ["7654321", "7654321"]
