"""Whoever writes a run's name, a task's log or an XCom cannot make a page of it that is another page.

The same page is made twice: with harmless words, and with hostile text in their place. Their elements are the
same, and so is every attribute but those that hold such text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_table import RunTask, TaskTable, iso
from airflow_omics.plugin.model import Gate, RunView
from airflow_omics.plugin.run_page import render
from tests.support.parsed import Element, faults_of, parsed
from tests.support.run_pages import MINUTE, NOON

pytestmark = pytest.mark.any_airflow

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></main></pre></details><style>*{display:none}</style>",
    "<!-- ",
    "]]><svg onload=alert(1)>",
    "&lt;b&gt;&#60;i&#62;",
    "javascript:alert(1)",
    "%7B{{ 7*7 }}",
    "\x00\x1b[31m\u202e\ud83d",
)
words = st.one_of(
    st.sampled_from(HOSTILE), st.text(min_size=1, max_size=40).filter(lambda text: text.strip())
)


def view_of(word: Callable[[str], str]) -> RunView:
    """Return a view that has all parts of a page, and in which ``word`` makes each text of its name."""
    tasks = (
        RunTask(
            word("task id"), word("task name"), "RUNNING", NOON, NOON + 60, None, word("instance"), 4, 16
        ),
        RunTask(word("task id"), "a task", word("task status"), NOON, NOON + 60, NOON + 90, "omics.c.large"),
    )
    names = ("name", "id", "workflowId", "workflowVersionName", "runGroupId", "batchId", "storageType")
    run = {name: word(name) for name in names}
    run |= {
        "status": "FAILED",
        "creationTime": iso(NOON),
        "startTime": iso(NOON + 30),
        "stopTime": iso(NOON + 120),
    }
    failing = {
        **{name: word(name) for name in ("task_id", "name", "status_message", "instance_type")},
        "exit_code": 3,
        "log": [word("log line"), word("another")],
        "failure": {"reason": word("task reason"), "meaning": word("task meaning")},
    }
    diagnosis = {
        **{name: word(name) for name in ("reason", "class", "owner", "meaning", "advice", "text")},
        "run": {"statusMessage": word("message")},
        "tasks": [failing],
        "engine_log": [word("engine")],
        "notes": [word("note")],
        "links": {word("link"): "https://console.aws.amazon.com/" + word("link path")},
        "commands": [word("command")],
    }
    return RunView(
        word("dag"),
        word("dag run"),
        Gate(
            word("task"), 1, word("label"), "failed", snapshot={"kind": "run", "run": run, "seen": iso(NOON)}
        ),
        tasks=TaskTable(NOON + MINUTE, tasks),
        diagnosis=diagnosis,
        links={word("another link"): "https://console.aws.amazon.com/x"},
        prices=PriceList({"omics.c.large": 1.0}, word("region"), word("source"), word("since")),
    )


HARMLESS = parsed(render(view_of(lambda name: name), "/", NOON))


@given(words)
@settings(max_examples=50, deadline=None)
def test_hostile_text_makes_no_element_and_no_attribute(text: str) -> None:
    page = parsed(render(view_of(lambda name: f"{text}{name}"), "/", NOON))
    assert page.shape == HARMLESS.shape
    assert faults_of(page) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_each_of_these_is_shown_as_it_is(text: str) -> None:
    page = parsed(render(view_of(lambda name: f"{name} {text}"), "/", NOON))
    assert page.shape == HARMLESS.shape
    assert faults_of(page) == []
    readable = " ".join(text.replace("\ud83d", "?").split()).replace("\x00", "\ufffd")
    [title] = page.all("h1")
    assert readable in title.text.replace("\x00", "\ufffd")


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(
            (10**400, -1, "", "2026-01-15T12:00:00Z", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59")
        ),
        words,
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(HOSTILE[:3]), inner, max_size=3)
    ),
    max_leaves=6,
)
SNAPSHOT = ("kind", "seen", "run", "reason", "class", "owner", "tasks", "cached", "stuck")
RUN = ("id", "status", "name", "creationTime", "startTime", "stopTime", "storageType", "storageCapacity")
DIAGNOSIS = (
    *("run", "reason", "class", "owner", "meaning", "advice", "tasks", "failed_tasks"),
    *("engine_log", "notes", "links", "commands", "text"),
)


def partly(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, anything))


statuses = st.sampled_from(("PENDING", "RUNNING", "COMPLETED", "FAILED", "DELETED", "REHYDRATING"))
runs = st.builds(lambda run, status: run | {"status": status}, partly(RUN), statuses)
snapshots = st.builds(
    lambda snapshot, run: {**snapshot, "kind": "run", "run": run}, partly(SNAPSHOT), runs | anything
)
tables = st.fixed_dictionaries(
    {
        "seen": st.sampled_from((iso(NOON), "9999-12-31T00:00:00Z")),
        "from": anything,
        "fields": st.just(list(RunTask._fields)) | anything,
        "tasks": st.lists(st.lists(anything, max_size=len(RunTask._fields)), max_size=4),
        "left_out": anything,
    }
)


@given(snapshots, tables, partly(DIAGNOSIS), runs | st.just({}), st.lists(st.floats(), max_size=3))
@example({"run": {"id": 10**400, "status": "RUNNING"}}, {}, {}, {}, [])
@example({"run": {"status": "RUNNING", "creationTime": "0001-01-01T00:00:00"}}, {}, {}, {}, [1e308, 1e308])
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_the_xcoms_there_is_a_page(
    snapshot: dict[str, Any],
    table: dict[str, Any],
    diagnosis: dict[str, Any],
    record: dict[str, Any],
    earlier: list[float],
) -> None:
    """Whoever may write XComs of a task may write anything."""
    view = RunView(
        "dag",
        "run",
        Gate("gate", state="deferred", snapshot=snapshot),
        record=record,
        tasks=TaskTable.of_plain(table),
        diagnosis=diagnosis,
        earlier=tuple(earlier),
        prices=PriceList({}),
    )
    page = parsed(render(view, "/", NOON))
    assert faults_of(page) == []
    assert [one for one in rectangles(page) if not 0 <= one <= 100] == []


def rectangles(page: Element) -> list[float]:
    """Return where the shapes of the drawings are, in percent."""
    places = [one.attributes.get(name) for one in page.all() for name in ("x", "width", "x1", "x2")]
    return [float(place[:-1]) for place in places if place and place.endswith("%") and place != "100%"]
