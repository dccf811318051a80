"""What the pages are made of is read from Airflow's own tables, of the DAG alone that was authorised."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from airflow_omics._monitoring.snapshot import batch_snapshot, run_snapshot
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics.plugin import reading
from tests.support.airflow_db import NOON, AirflowDb

AT = NOON.timestamp()
DAG, RUN, GATE = "cohort", "manual__2026-01-15T12:00:00+00:00", "gate"
ARN = "arn:aws:omics:us-west-2:123456789012:run/7830534"
RECORD = {
    "id": "7830534",
    "arn": ARN,
    "uuid": "2ec5a0d0-0000-0000-0000-000000000001",
    "status": "RUNNING",
    "name": "NA12878",
    "workflowId": "4711",
    "creationTime": "2026-01-15T11:00:00+00:00",
    "startTime": "2026-01-15T11:10:00+00:00",
    "parameters": {"sample": "PATIENT-4711"},
    "tags": {"p": "PATIENT-4711"},
    "logLocation": {"runLogStream": "PATIENT-4711"},
}


@pytest.fixture(scope="module")
def tables() -> AirflowDb:
    """One database for all tests, each with DAGs of its own."""
    return AirflowDb()


@pytest.fixture
def db(tables: AirflowDb, monkeypatch: pytest.MonkeyPatch) -> AirflowDb:
    monkeypatch.setattr(reading, "create_session", tables.session)
    with tables.engine.begin() as connection:
        for table in ("xcom", "task_instance", "dag_run"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    tables._dag_runs.clear()
    tables.dag_run(DAG, RUN)
    tables.forget()
    return tables


def snapshot(**members: Any) -> dict[str, Any]:
    return run_snapshot({**RECORD, **members}, AT)


def completed(minutes: int, **members: Any) -> dict[str, Any]:
    """The snapshot of a run that took so many minutes."""
    stopped = f"2026-01-14T{10 + minutes // 60}:{minutes % 60:02}:00+00:00"
    times = {"startTime": "2026-01-14T10:00:00+00:00", "stopTime": stopped}
    return snapshot(**{"status": "COMPLETED", **times, **members})


# -- a task instance -----------------------------------------------------------------------------------------


def test_a_gate_has_what_its_task_left_of_its_run(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, state="success", end_date=NOON.replace(hour=13), try_number=2)
    tasks = [
        {"taskId": "1", "name": "Align", "status": "RUNNING", "creationTime": "2026-01-15T11:10:00+00:00"}
    ]
    for key, value in (
        ("omics_run", snapshot()),
        ("omics_tasks", TaskTable.of(tasks, AT).to_plain()),
        ("diagnosis", {"advice": "Give it more memory."}),
        ("omics_run_links", {"arn": ARN, "run_log": "no ARN"}),
        ("return_value", {**RECORD, "status": "COMPLETED"}),
        ("another", {"id": "1"}),
    ):
        db.xcom(DAG, RUN, GATE, key, value)
    view = reading.run_view(DAG, RUN, GATE, -1)
    assert view is not None
    assert (view.dag_id, view.dag_run_id, view.gate.task_id, view.gate.map_index) == (DAG, RUN, GATE, -1)
    assert (view.gate.state, view.gate.operator, view.gate.try_number) == ("success", "OmicsRunSensor", 2)
    assert (view.gate.started, view.gate.ended, view.gate.is_over) == (AT, AT + 3600, True)
    assert (view.gate.run["status"], view.gate.run["name"], view.gate.is_elsewhere) == (
        "RUNNING",
        "NA12878",
        False,
    )
    assert view.record["status"] == "COMPLETED"
    assert view.tasks is not None
    assert [task.name for task in view.tasks.tasks] == ["Align"]
    assert view.diagnosis == {"advice": "Give it more memory."}
    assert view.links == {
        "HealthOmics run": "https://console.aws.amazon.com/omics/home?region=us-west-2#/runs/7830534"
    }
    assert view.prices is None
    assert "PATIENT-4711" not in repr(view)


def test_a_gate_that_has_seen_nothing_has_its_state_alone(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, state=None, start_date=None)
    view = reading.run_view(DAG, RUN, GATE, -1)
    assert view is not None
    assert (view.gate.state, view.gate.started, view.gate.run, view.tasks) == (None, None, {}, None)
    assert (view.record, view.diagnosis, view.links, view.earlier) == ({}, {}, {}, ())
    assert not view.gate.is_elsewhere


@pytest.mark.parametrize(
    ("operator", "is_gate"),
    [
        ("OmicsRunSensor", True),
        ("OmicsRunBatchSensor", True),
        ("OmicsStartRunOperator", True),
        ("OmicsStartRunBatchOperator", True),
        ("OmicsGetRunOperator", False),
        ("PythonOperator", False),
        (None, False),
    ],
)
def test_a_page_is_for_tasks_about_runs_alone(db: AirflowDb, operator: Any, is_gate: bool) -> None:
    db.task(DAG, RUN, GATE, operator=operator)
    db.xcom(DAG, RUN, GATE, "return_value", RECORD)
    assert (reading.run_view(DAG, RUN, GATE, -1) is not None) == is_gate
    cohort = reading.cohort_view(DAG, RUN)
    assert cohort is not None
    assert len(cohort.gates) == is_gate


def test_a_subclass_is_recognised_by_what_it_left(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, operator="OurOwnSensor")
    db.xcom(DAG, RUN, GATE, "omics_run", snapshot())
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert [gate.run["id"] for gate in (view.gate, *cohort.gates)] == ["7830534"] * 2


def test_a_mapped_gate_has_its_own_values_and_the_label_that_the_dag_gives_it(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, 0, 1)
    db.task(DAG, RUN, GATE, 2, rendered_map_index="NA12878")
    db.xcoms(DAG, RUN, GATE, "omics_run", {index: snapshot(id=str(index)) for index in range(3)})
    views = [reading.run_view(DAG, RUN, GATE, index) for index in range(3)]
    assert [view and (view.gate.map_index, view.gate.run["id"], view.gate.label) for view in views] == [
        (0, "0", None),
        (1, "1", None),
        (2, "2", "NA12878"),
    ]
    assert reading.run_view(DAG, RUN, GATE, -1) is None
    assert reading.run_view(DAG, RUN, GATE, 3) is None


def test_nothing_of_another_dag_run_task_or_index_is_read(db: AirflowDb) -> None:
    db.dag_run(DAG, "other")
    db.dag_run("another", RUN)
    others = [(DAG, "other", GATE), ("another", RUN, GATE), (DAG, RUN, "gate_2")]
    for dag_id, run_id, task_id in others:
        db.task(dag_id, run_id, task_id)
        for key in ("omics_run", "return_value"):
            db.xcom(dag_id, run_id, task_id, key, snapshot(id="of another"))
    db.task(DAG, RUN, GATE)
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert (view.gate.run, view.record) == ({}, {})
    assert [(gate.task_id, gate.run.get("id")) for gate in cohort.gates] == [
        (GATE, None),
        ("gate_2", "of another"),
    ]


@pytest.mark.parametrize(
    ("dag_id", "run_id", "task_id"),
    [("another", RUN, GATE), (DAG, "other", GATE), (DAG, RUN, "other"), ("", "", ""), ("%", "%", "%")],
)
def test_what_is_not_there_has_no_page(db: AirflowDb, dag_id: str, run_id: str, task_id: str) -> None:
    db.task(DAG, RUN, GATE)
    assert reading.run_view(dag_id, run_id, task_id, -1) is None
    assert (reading.cohort_view(dag_id, run_id) is None) == ((dag_id, run_id) != (DAG, RUN))


@pytest.mark.parametrize("run_id", ["a/b", "a+b", "ü/../..", "a b%2Fc", "'; DROP TABLE xcom; --", "x" * 250])
def test_ids_are_any_text(db: AirflowDb, run_id: str) -> None:
    db.dag_run(DAG, run_id)
    db.task(DAG, run_id, "group.gate-1")
    db.xcom(DAG, run_id, "group.gate-1", "omics_run", snapshot(id="of this one"))
    view = reading.run_view(DAG, run_id, "group.gate-1", -1)
    assert view is not None
    assert (view.dag_run_id, view.gate.run["id"]) == (run_id, "of this one")


def test_a_batch_has_how_its_runs_ended(db: AirflowDb) -> None:
    record = {
        "id": "12",
        "status": "PROCESSED",
        "totalRuns": 3,
        "roleArn": "arn:of:a:role",
        "tags": {"a": "b"},
    }
    outcome = {"total": 3, "completed": 2, "failed": 1}
    failure = {"reason": "SERVICE_ERROR", "class": "retry", "owner": "AWS", "count": 1, "examples": []}
    shown = {"outcome": outcome, "failures": [failure]}
    member = {"runSettingId": "s1", "runId": "7", "status": "COMPLETED"}
    others: list[Any] = [{**member, "parameters": {"a": "b"}, "runId": 9}, "none"]
    db.task(DAG, RUN, GATE, operator="OmicsStartRunBatchOperator")
    db.xcom(DAG, RUN, GATE, "return_value", {**record, **shown, "members": [member, *others]})
    for left in ({}, {"omics_run": batch_snapshot(record, AT)}):
        for key, value in left.items():
            db.xcom(DAG, RUN, GATE, key, value)
        view = reading.run_view(DAG, RUN, GATE, -1)
        assert view is not None
        members = [member, {"runSettingId": "s1", "status": "COMPLETED"}]
        assert view.record == {"id": "12", "status": "PROCESSED", **shown, "members": members}


# -- how long it took before ---------------------------------------------------------------------------------


def test_earlier_runs_are_the_completed_ones_of_task_and_workflow_in_other_dag_runs(
    db: AirflowDb,
) -> None:
    db.task(DAG, RUN, GATE, 0, 1)
    db.xcoms(DAG, RUN, GATE, "omics_run", {0: snapshot(), 1: completed(1)})
    values: list[Any] = [
        completed(10),
        completed(20, workflowId="another"),
        completed(30, status="FAILED"),
        snapshot(),
        completed(40, stopTime="2026-01-14T09:00:00+00:00"),
        "s3://a-reference/of-an-xcom-backend",
        completed(50),
    ]
    for number, value in enumerate(values):
        for dag_id, task_id in ((DAG, GATE), (DAG, "another"), (f"another-{number}", GATE)):
            if (dag_id, f"run-{number}") not in db._dag_runs:
                db.dag_run(dag_id, f"run-{number}")
            db.task(dag_id, f"run-{number}", task_id)
            mine = (dag_id, task_id) == (DAG, GATE)
            db.xcom(dag_id, f"run-{number}", task_id, "omics_run", value if mine else completed(7))
    view = reading.run_view(DAG, RUN, GATE, 0)
    assert view is not None
    assert view.earlier == (50 * 60, 10 * 60)


def test_earlier_runs_are_looked_for_in_the_last_fifty_dag_runs(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", snapshot())
    for number in range(60):
        db.dag_run(DAG, f"run-{number}")
        db.task(DAG, f"run-{number}", GATE, 0, 1)
        db.xcoms(DAG, f"run-{number}", GATE, "omics_run", {0: completed(number), 1: completed(number)})
    view = reading.run_view(DAG, RUN, GATE, -1)
    assert view is not None
    assert len(view.earlier) == 50
    assert set(view.earlier) == {minutes * 60 for minutes in range(35, 60)}


# -- values that somebody else wrote -------------------------------------------------------------------------

HOSTILE = [
    None,
    0,
    True,
    "text",
    "",
    [],
    [[]],
    {},
    {"run": None},
    {"run": []},
    {"run": {"id": None, "status": {"a": 1}, "name": ["x"], "startTime": 7, "stopTime": "never"}},
    {"run": {"startTime": "9999-12-31T23:59:59+00:00", "workflowId": "4711", "status": "COMPLETED"}},
    {"run": {"id": "1"}, "kind": 7, "seen": [], "tasks": 3, "counts": "x", "reasons": {"a": 1}, "total": -1},
    {"run": {"id": "1"}, "tasks": {"A": "x", "B": -1, "C": 1.5}, "reasons": [1, [], ["a", "b"], [1, 2, 3]]},
    {"v": 1, "seen": "2026-01-01T00:00:00Z", "fields": [1], "tasks": [[], {}, 1, None], "left_out": "x"},
    {"seen": "2026-01-01T00:00:00Z", "fields": ["id", "created"], "tasks": [["1", 1e300]]},
    {"arn": 7, "run_log": None, "engine_log": {}},
    {"arn": "arn:aws:omics:us-east-1", "run_log": "a:log-group:"},
    {"outcome": [], "failures": {"a": 1}, "id": "1"},
    {"outcome": {"total": "x"}, "failures": [1, {"examples": 7}, {"examples": [1, {"runId": {}}]}]},
]
KEYS = ("omics_run", "omics_tasks", "omics_run_links", "diagnosis", "return_value")


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: json.dumps(value)[:40])
@pytest.mark.parametrize("is_text", [False, True], ids=["json", "text"])
@pytest.mark.parametrize("operator", ["OmicsRunSensor", "OmicsRunBatchSensor"])
def test_values_of_any_shape_raise_nothing(db: AirflowDb, value: Any, is_text: bool, operator: str) -> None:
    db.dag_run(DAG, "before")
    for run_id in (RUN, "before"):
        db.task(DAG, run_id, GATE, operator=operator)
        for key in KEYS:
            db.xcom(DAG, run_id, GATE, key, json.dumps(value) if is_text else value)
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert cohort.gates == (view.gate,)
    assert not view.links


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", "NaN", "[" * 3_900, '{"run": {"id": Infinity, "storageCapacity": 1e400}}', "9" * 3_900],
    ids=lambda text: text[:12],
)
def test_text_that_is_no_json_raises_nothing(db: AirflowDb, text: str) -> None:
    db.task(DAG, RUN, GATE)
    for key in KEYS:
        db.xcom(DAG, RUN, GATE, key, {})
        db.write_text(DAG, GATE, key, text)
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert (view.gate.run, cohort.gates) == ({}, (view.gate,))


def test_json_text_is_as_good_as_json(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", json.dumps(snapshot()))
    db.xcom(DAG, RUN, GATE, "return_value", json.dumps(RECORD))
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert view.gate.run["id"] == view.record["id"] == cohort.gates[0].run["id"] == "7830534"


@pytest.mark.parametrize(
    ("value", "is_elsewhere"),
    [
        ("s3://bucket/xcom/0d1f", True),
        ({"__reference__": "s3://bucket/xcom"}, True),
        ([1], True),
        (None, False),
        (run_snapshot(RECORD, AT), False),
        (batch_snapshot({"id": "1", "status": "PENDING"}, AT), False),
    ],
)
def test_what_a_backend_of_xcoms_keeps_is_elsewhere(db: AirflowDb, value: Any, is_elsewhere: bool) -> None:
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", value)
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert [gate.is_elsewhere for gate in (view.gate, *cohort.gates)] == [is_elsewhere] * 2


# -- how much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_megabytes_is_not_loaded(db: AirflowDb, key: str) -> None:
    db.task(DAG, RUN, GATE)
    large = {**snapshot(), **RECORD, "seen": "2026-01-15T12:00:00+00:00", "tasks": [], "fields": ["id"]}
    db.xcom(DAG, RUN, GATE, key, {**large, "padding": "x" * 5_000_000})
    started = time.process_time()
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert time.process_time() - started < 0.2
    assert view is not None
    assert cohort is not None
    assert (view.gate.snapshot, view.record, view.diagnosis, view.links) == ({}, {}, {}, {})
    assert view.tasks is None
    assert cohort.gates == (view.gate,)


def test_a_thousand_gates_are_read_with_two_statements(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, *range(1_000))
    db.task(DAG, RUN, "prepare", *range(1_000), operator="PythonOperator")
    db.xcoms(DAG, RUN, GATE, "omics_run", {index: snapshot(id=str(index)) for index in range(999)})
    for key in ("return_value", "omics_tasks", "diagnosis"):
        db.xcoms(DAG, RUN, GATE, key, {index: {**RECORD, "padding": "x" * 500} for index in range(1_000)})
    db.forget()
    cohort = reading.cohort_view(DAG, RUN)
    assert len(db.statements) == 2
    assert cohort is not None
    assert [(gate.map_index, gate.run.get("id")) for gate in cohort.gates] == [
        *((index, str(index)) for index in range(999)),
        (999, None),
    ]
    assert cohort.left_out == 0


def test_the_page_of_one_of_a_thousand_is_read_with_three(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE, *range(1_000))
    db.xcoms(DAG, RUN, GATE, "omics_run", {index: snapshot(id=str(index)) for index in range(1_000)})
    db.forget()
    view = reading.run_view(DAG, RUN, GATE, 700)
    assert len(db.statements) == 3
    assert view is not None
    assert view.gate.run["id"] == "700"


def test_more_gates_than_a_page_can_show_are_counted(db: AirflowDb, monkeypatch: pytest.MonkeyPatch) -> None:
    db.task(DAG, RUN, GATE, *range(12))
    for most, left_out in ((10, 2), (12, 0), (13, 0)):
        monkeypatch.setattr(reading, "MOST_GATES", most)
        cohort = reading.cohort_view(DAG, RUN)
        assert cohort is not None
        assert [gate.map_index for gate in cohort.gates] == list(range(12 - left_out))
        assert cohort.left_out == left_out


def test_each_statement_goes_by_an_index(db: AirflowDb) -> None:
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", snapshot())
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    sqlalchemy.event.listen(db.engine, "before_cursor_execute", note)
    reading.run_view(DAG, RUN, GATE, -1)
    reading.cohort_view(DAG, RUN)
    sqlalchemy.event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 5
    for statement, parameters in asked:
        with db.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        scanned = [row[-1] for row in plan if row[-1].startswith("SCAN") and "INDEX" not in row[-1]]
        # What a subquery returned, fifty rows, has no index.
        assert [line for line in scanned if not line.startswith("SCAN anon")] == [], statement


# -- this package's own values -------------------------------------------------------------------------------

COUNTS = {f"{name}RunCount": 12 for name in ("pending", "running", "completed", "failed")}
BATCH = {**RECORD, "processedTime": RECORD["startTime"], "totalRuns": 48, "runSummary": COUNTS}
LISTED = [{"taskId": str(number), "status": "COMPLETED", "cacheHit": True} for number in range(3)]
OUR_OWN = [
    run_snapshot(RECORD, AT),
    run_snapshot({**RECORD, "status": "FAILED", "failureReason": "OUT_OF_MEMORY_ERROR"}, AT),
    run_snapshot(RECORD, AT, tasks=TaskTable.of(LISTED, AT, more=True), stuck_since=AT),
    batch_snapshot(BATCH, AT, reasons={("OUT_OF_MEMORY_ERROR", "pipeline author"): 3}),
]


@pytest.mark.parametrize("own", OUR_OWN, ids=lambda own: ",".join(own)[:60])
def test_no_member_of_a_snapshot_is_lost_on_the_way(db: AirflowDb, own: dict[str, Any]) -> None:
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", own)
    view, cohort = reading.run_view(DAG, RUN, GATE, -1), reading.cohort_view(DAG, RUN)
    assert view is not None
    assert cohort is not None
    assert [gate.snapshot for gate in (view.gate, *cohort.gates)] == [own, own]


def test_prices_are_those_of_the_run_s_region(
    db: AirflowDb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"region": "us-west-2", "prices": {"omics.m.xlarge": 0.25}}))
    monkeypatch.setenv("AIRFLOW__OMICS__PRICE_LIST", str(prices))
    for task_id, arn in ((GATE, ARN), ("elsewhere", ARN.replace("west", "east")), ("nowhere", "no ARN")):
        db.task(DAG, RUN, task_id)
        db.xcom(DAG, RUN, task_id, "omics_run", snapshot(arn=arn))
    found = {task_id: reading.run_view(DAG, RUN, task_id, -1) for task_id in (GATE, "elsewhere", "nowhere")}
    costs = {
        name: view.prices.price_of("omics.m.xlarge") for name, view in found.items() if view and view.prices
    }
    assert costs == {GATE: 0.25}


@pytest.mark.parametrize(
    "region",
    ["x\nCRITICAL forged", "", "us west", "us-west-2\nforged", "US-WEST-2", "us-west-2" * 500, "a-" * 900],
)
def test_what_is_no_region_is_not_looked_up_nor_logged(
    db: AirflowDb, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(reading, "price_list_from_config", asked.append)
    db.task(DAG, RUN, GATE)
    value = {"v": 1, "run": {"status": "RUNNING", "arn": f"arn:aws:omics:{region}:123456789012:run/1"}}
    db.xcom(DAG, RUN, GATE, "omics_run", value)
    assert reading.run_view(DAG, RUN, GATE, -1) is not None
    assert asked == [None]


@pytest.mark.parametrize(
    "region", ["us-west-2", "us-gov-west-1", "cn-northwest-1", "ap-southeast-7", "us-iso-east-1"]
)
def test_a_region_is_looked_up(db: AirflowDb, monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    asked: list[str | None] = []
    monkeypatch.setattr(reading, "price_list_from_config", asked.append)
    db.task(DAG, RUN, GATE)
    db.xcom(DAG, RUN, GATE, "omics_run", snapshot(arn=ARN.replace("us-west-2", region)))
    assert reading.run_view(DAG, RUN, GATE, -1) is not None
    assert asked == [region]
