"""The table of a run's tasks, and what is left of it in XCom: a size, an order, and a way back."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._monitoring.task_table import MOST_TASKS, RunTask, TaskTable, clipped, epoch, iso

pytestmark = pytest.mark.any_airflow

SEEN = 1_767_261_600.0  # 2026-01-01T10:00:00+00:00
EMOJI = "\N{DNA DOUBLE HELIX}"
ITEM = {
    "taskId": "3764310",
    "name": "CallVariants",
    "status": "COMPLETED",
    "creationTime": "2026-01-01T08:00:00+00:00",
    "startTime": "2026-01-01T08:05:00.750000+00:00",
    "stopTime": datetime.datetime(2026, 1, 1, 9, 0, tzinfo=datetime.UTC),
    "instanceType": "omics.m.xlarge",
    "cpus": 4,
    "memory": 15.5,
    "cacheHit": True,
}

seconds = st.none() | st.integers(min_value=0, max_value=4_000_000_000).map(float)
words = st.text(min_size=1, max_size=200)
numbers = st.none() | st.integers(0, 10_000) | st.floats(0, 1e9, allow_nan=False)
tasks = st.builds(
    RunTask,
    id=words.map(lambda text: clipped(text, 80)).filter(bool),
    name=words.map(lambda text: clipped(text, 80)).filter(bool),
    status=st.sampled_from(["PENDING", "RUNNING", "COMPLETED", "FAILED", "NEWER"]),
    created=seconds,
    started=seconds,
    stopped=seconds,
    instance=st.none() | st.just("omics.c.large"),
    cpus=numbers,
    memory=numbers,
    gpus=numbers,
    cached=st.booleans(),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


def test_a_task_has_what_its_item_says() -> None:
    assert RunTask.of(ITEM) == RunTask(
        id="3764310",
        name="CallVariants",
        status="COMPLETED",
        created=SEEN - 7200,
        started=SEEN - 6899.25,
        stopped=SEEN - 3600,
        instance="omics.m.xlarge",
        cpus=4,
        memory=15.5,
        gpus=None,
        cached=True,
    )


def test_what_an_item_lacks_has_a_name_nevertheless() -> None:
    assert RunTask.of({}) == RunTask(id="?", name="unnamed", status="unknown")


def test_a_line_of_a_manifest_has_an_arn_instead_of_an_id() -> None:
    arn = "arn:aws:omics:us-east-1:123456789012:task/7"
    assert RunTask.of({"arn": arn}).id == "7"
    assert RunTask.of({"arn": arn, "taskId": "8"}).id == "8"


@pytest.mark.parametrize("value", [True, "4", None, [4], float("nan"), float("inf"), 10**400], ids=repr)
def test_what_is_no_number_is_none(value: Any) -> None:
    task = RunTask.of({**ITEM, "cpus": value, "memory": value, "gpus": value})
    assert (task.cpus, task.memory, task.gpus) == (None, None, None)


@pytest.mark.parametrize("status", ["PENDING", "STARTING", "RUNNING", "STOPPING"])
def test_a_task_that_goes_on_is_active(status: str) -> None:
    assert RunTask.of({"status": status}).is_active
    assert not RunTask.of({"status": "COMPLETED"}).is_active


def test_tasks_stand_in_the_order_in_which_they_were_made() -> None:
    items = [
        {"taskId": "4"},
        {"taskId": "3", "creationTime": "2026-01-01T08:00:00Z"},
        {"taskId": "2", "creationTime": "2026-01-01T08:00:00Z", "startTime": "2026-01-01T08:09:00Z"},
        {"taskId": "1", "creationTime": "2026-01-01T07:00:00Z", "startTime": "2026-01-01T09:00:00Z"},
    ]
    assert [task.id for task in TaskTable.of(items, SEEN).tasks] == ["1", "2", "3", "4"]


def test_the_xcom_is_plain_and_names_its_fields() -> None:
    assert TaskTable.of([ITEM], SEEN).to_plain() == {
        "v": 1,
        "seen": "2026-01-01T10:00:00+00:00",
        "from": "2026-01-01T08:00:00+00:00",
        "fields": [
            "id",
            "name",
            "status",
            "created",
            "started",
            "stopped",
            "instance",
            "cpus",
            "memory",
            "gpus",
            "cached",
        ],
        "tasks": [
            ["3764310", "CallVariants", "COMPLETED", 0, 300, 3600, "omics.m.xlarge", 4, 15.5, None, True]
        ],
        "left_out": 0,
        "more": False,
    }


def test_an_empty_table_begins_when_it_was_seen() -> None:
    plain = TaskTable(SEEN).to_plain()
    assert (plain["from"], plain["tasks"]) == ("2026-01-01T10:00:00+00:00", [])
    assert TaskTable.of_plain(plain) == TaskTable(SEEN)


def _many(count: int, **members: Any) -> list[dict[str, Any]]:
    return [{**ITEM, "taskId": str(number), **members} for number in range(count)]


def test_of_too_many_tasks_the_active_the_failed_and_the_longest_stay() -> None:
    short = {"startTime": "2026-01-01T08:59:00+00:00"}
    items = [
        *_many(200, **short),
        {**ITEM, **short, "taskId": "failed", "status": "FAILED"},
        {"taskId": "running", "status": "RUNNING", "creationTime": "2026-01-01T08:00:00Z"},
        *({**ITEM, "taskId": f"long-{number}"} for number in range(MOST_TASKS - 2)),
    ]
    plain = TaskTable.of(items, SEEN, more=True)._replace(left_out=7).to_plain()
    kept = {row[0] for row in plain["tasks"]}
    assert kept == {"failed", "running", *(f"long-{number}" for number in range(MOST_TASKS - 2))}
    assert (plain["left_out"], plain["more"]) == (207, True)
    again = TaskTable.of_plain(plain)
    assert again is not None
    assert (again.left_out, again.more, len(again.tasks)) == (207, True, MOST_TASKS)


def test_a_usual_task_takes_about_a_hundred_bytes() -> None:
    items = _many(MOST_TASKS, name="CallVariants.HaplotypeCaller")
    assert len(json.dumps(TaskTable.of(items, SEEN).to_plain())) < 130 * MOST_TASKS


@pytest.mark.parametrize("character", [EMOJI, '"', "\x00", "\ud800", "x"], ids=ascii)
def test_names_of_any_length_and_characters_take_no_more_than_80_bytes(character: str) -> None:
    long = character * 5000
    items = _many(50, name=long, status=long, instanceType=long, taskId=long)
    assert len(json.dumps(TaskTable.of(items, SEEN).to_plain()["tasks"][0])) < 4 * 82 + 80


def test_a_long_name_keeps_its_end_which_says_of_what_it_is() -> None:
    step = "NFCORE_SAREK:SAREK:FASTQ_ALIGN_BWAMEM_MEM2_DRAGMAP_SENTIEON:BWAMEM1_MEM"
    items = [
        {**item, "taskId": f"{n}{item['taskId']}", "name": f"{step} (patient-{n}-L1)"}
        for n in (1, 2)
        for item in _many(2)
    ]
    names = {task.name for task in TaskTable.of(items, SEEN).tasks}
    assert len(names) == 2
    assert sorted(name[-14:] for name in names) == ["(patient-1-L1)", "(patient-2-L1)"]
    assert all(name.startswith("NFCORE_SAREK:SAREK:FASTQ_ALIGN") and "..." in name for name in names)
    table = TaskTable.of(items, SEEN)
    again = TaskTable.of_plain(table.to_plain())
    assert again is not None
    assert [task.name for task in again.tasks] == [task.name for task in table.tasks]


@given(st.text(max_size=100), st.integers(0, 100))
def test_a_clipped_text_is_the_longest_beginning_that_fits(text: str, most: int) -> None:
    kept = clipped(text, most)
    assert text.startswith(kept)
    assert len(json.dumps(kept)) - 2 <= most
    # A character takes 1 to 12 bytes, so less than that is left over.
    assert kept == text or most - (len(json.dumps(kept)) - 2) < 12


@given(st.lists(tasks, max_size=20), st.integers(0, 1000), st.booleans())
def test_the_way_back_loses_nothing_but_fractions_of_a_second(
    listed: list[RunTask], left_out: int, more: bool
) -> None:
    table = TaskTable(SEEN, tuple(listed), left_out, more)
    again = TaskTable.of_plain(json.loads(json.dumps(table.to_plain())))
    assert again is not None
    assert again._replace(tasks=()) == table._replace(tasks=())
    assert sorted(map(repr, again.tasks)) == sorted(map(repr, table.tasks))


@given(json_values)
def test_any_other_value_is_no_table(value: Any) -> None:
    assert TaskTable.of_plain(value) is None or isinstance(value, dict)


@given(
    json_values,
    json_values,
    st.lists(st.lists(json_values, max_size=12), max_size=5) | json_values,
    json_values,
    st.lists(st.sampled_from([*RunTask._fields]) | json_values, max_size=12) | json_values,
)
def test_a_hostile_table_is_read_without_an_error(
    seen: Any, began: Any, rows: Any, left_out: Any, fields: Any
) -> None:
    for moment in (seen, "2026-01-01T10:00:00+00:00"):
        table = TaskTable.of_plain(
            {"seen": moment, "from": began, "tasks": rows, "left_out": left_out, "fields": fields}
        )
        if table is not None:
            assert table.left_out >= 0
            for task in table.tasks:
                # What a page does with it.
                for at in (task.created, task.started, task.stopped):
                    assert at is None or iso(at)
                assert all(isinstance(text, str) and len(text) <= 80 for text in task[:3])


@pytest.mark.parametrize("after", [-(10**11), 10**12 - 1, 2.52e11, 10**400, math.nan, "7", True], ids=repr)
def test_a_time_that_no_calendar_has_is_none(after: Any) -> None:
    plain = TaskTable.of([ITEM], SEEN).to_plain()
    plain["tasks"][0][3:6] = [after, after, after]
    table = TaskTable.of_plain(plain)
    assert table is not None
    assert table.tasks[0][3:6] == (None, None, None)


def test_a_table_of_a_million_rows_is_cut() -> None:
    plain = {**TaskTable.of([ITEM], SEEN).to_plain()}
    plain["tasks"] = plain["tasks"] * 10_000
    table = TaskTable.of_plain(plain)
    assert table is not None
    assert len(table.tasks) == MOST_TASKS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-01T10:00:00+00:00", SEEN),
        ("2026-01-01T10:00:00Z", SEEN),
        ("2026-01-01T10:00:00", SEEN),
        (datetime.datetime(2026, 1, 1, 10), SEEN),
        (datetime.datetime(2026, 1, 1, 11, tzinfo=datetime.timezone(datetime.timedelta(hours=1))), SEEN),
        ("yesterday", None),
        ("", None),
        (None, None),
        (7, None),
        ({"a": 1}, None),
    ],
    ids=str,
)
def test_times_are_read_as_the_api_and_botocore_write_them(value: Any, expected: float | None) -> None:
    assert epoch(value) == expected


def test_a_task_on_two_pages_that_shifted_counts_once_as_the_later_page_has_it() -> None:
    items = [{**ITEM, "status": "RUNNING"}, {**ITEM, "taskId": "2"}, {**ITEM, "status": "COMPLETED"}]
    table = TaskTable.of(items, SEEN)
    assert [(task.id, task.status) for task in table.tasks if task.id == ITEM["taskId"]] == [
        (ITEM["taskId"], "COMPLETED")
    ]
    assert sum(table.counts.by_status.values()) == 2


def test_tasks_without_an_id_are_all_counted() -> None:
    assert (
        sum(TaskTable.of([{"status": "RUNNING"}, {"status": "RUNNING"}], SEEN).counts.by_status.values()) == 2
    )
