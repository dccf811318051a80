"""What a DAG with ``render_template_as_native_obj`` makes of the arguments: text stays what it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics._task.hidden import shown_value
from airflow_omics.hooks import OmicsHook
from airflow_omics.operators import OmicsGetRunOperator
from tests.support.start_operators import make

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

PARAMS = {"version": "1.0", "owner": "012345678901", "seven": "7", "nothing": None, "right": True}


def rendered(task: Any, name: str, **arguments: Any) -> Any:
    with DAG("a_dag", schedule=None, render_template_as_native_obj=True):
        made = task(**arguments)
    made.render_template_fields({"params": PARAMS})
    return shown_value(getattr(made, name))


TEXTS = {
    "1.0": "1.0",
    "123456789012": "123456789012",
    "{{ params.version }}": "1.0",
    "{{ params.owner }}": "012345678901",
}


@pytest.mark.parametrize("given", TEXTS)
@pytest.mark.parametrize(
    "name",
    [
        "workflow_version_name",
        "workflow_type",
        "storage_type",
        "cache_behavior",
        "retention_mode",
        "log_level",
    ],
)
def test_text_is_rendered_as_text(name: str, given: str) -> None:
    assert rendered(make, name, **{name: given}) == TEXTS[given]


@pytest.mark.parametrize("name", ["aws_conn_id", "region_name"])
@pytest.mark.parametrize(("given", "wanted"), [("{{ params.seven }}", "7"), ("{{ params.nothing }}", None)])
def test_a_connection_s_id_and_a_region_are_text_or_not_given(name: str, given: str, wanted: Any) -> None:
    assert rendered(make, name, **{name: given}) == wanted
    assert rendered(OmicsGetRunOperator, name, task_id="get", run_id="1", **{name: given}) == wanted


def test_what_is_no_text_is_rendered_natively() -> None:
    assert rendered(make, "verify", verify="{{ params.right }}") is True
    assert rendered(make, "priority", priority="{{ params.seven }}") == 7
    assert rendered(OmicsGetRunOperator, "run_id", task_id="get", run_id="{{ {'id': '7830534'} }}") == {
        "id": "7830534"
    }
    parameters = {
        "depth": "{{ params.seven }}",
        "none": "{{ params.nothing }}",
        "deep": [{"right": "{{ params.right }}"}],
    }
    assert rendered(make, "parameters", parameters=parameters) == {
        "depth": 7,
        "none": None,
        "deep": [{"right": True}],
    }


def test_tags_are_text_whether_given_one_by_one_or_as_a_whole() -> None:
    assert rendered(make, "tags", tags={"plate": "{{ params.seven }}", "day": "20260101"}) == {
        "plate": "7",
        "day": "20260101",
    }
    assert rendered(make, "tags", tags="{{ {'plate': '7'} }}") == {"plate": "7"}


def test_a_member_of_start_run_is_rendered_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"sessionPolicy": "string", "requesterPays": "boolean", "engineSettings": "document"}
    monkeypatch.setattr(OmicsHook, "start_run_members", staticmethod(lambda shape_name="": members))
    policy = json.dumps({"Version": "2012-10-17"})
    given = {
        "sessionPolicy": policy,
        "requesterPays": "{{ params.right }}",
        "engineSettings": {"n": "{{ params.seven }}"},
    }
    assert rendered(make, "start_run_kwargs", start_run_kwargs=given) == {
        "sessionPolicy": policy,
        "requesterPays": True,
        "engineSettings": {"n": 7},
    }


def test_the_settings_of_a_rerun_are_rendered_as_the_arguments_are() -> None:
    changes = {
        "workflow_version_name": "{{ params.version }}",
        "priority": "{{ params.seven }}",
        "tags": {"n": "7"},
    }
    given = {"X": changes, "Y": "{{ {'storage_type': 'DYNAMIC'} }}"}
    assert rendered(make, "rerun_with", rerun_with=given) == {
        "X": {"workflow_version_name": "1.0", "priority": 7, "tags": {"n": "7"}},
        "Y": {"storage_type": "DYNAMIC"},
    }
