"""Records that no service should send, and failures: nothing about a task changes."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.serde import Serde

from airflow_omics._lineage import lineage as door
from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor

MARKER = "patient-4711-marker"
RECORD: dict[str, Any] = {"id": "1234567", "status": "COMPLETED", "outputUri": "s3://bucket/cohort"}


def complete(record: Any, **arguments: Any) -> Any:
    task = OmicsRunSensor(**{"task_id": "gate", "run_id": "1234567", **arguments})
    task._note_published(record)
    return task.get_openlineage_facets_on_complete(object())


def digests(value: Any) -> Any:
    return complete({**RECORD, "resourceDigests": value})


def names(lineage: Any) -> list[tuple[str, str]]:
    return [(item.namespace, item.name) for item in lineage.inputs]


@pytest.mark.parametrize("value", [None, [], ["s3://a/b"], "s3://a/b", 7, {}], ids=repr)
def test_digests_that_are_no_dict_are_no_inputs(value: Any) -> None:
    lineage = digests(value)
    assert lineage.inputs == []
    assert lineage.outputs[0].name == "cohort"
    facet = lineage.run_facets["omics_run"]
    assert (facet.images, facet.inputCount) == (None, 0 if value == {} else None)


def test_of_hostile_digests_what_is_an_object_of_s3_is_an_input() -> None:
    lineage = digests(
        {
            "s3://bucket/a": None,
            "s3://bucket/b": ["etag:1"],
            "s3://bucket/c": 'etag:"0cc175b9"',
            "s3://": "etag:1",
            "s3://bucket": "etag:1",
            "s3:///key": "etag:1",
            "S3://bucket/upper": "etag:1",
            "omics://123456789012.storage.us-east-1.amazonaws.com/1/readSet/2": "etag:1",
            "https://example.org/reads": "etag:1",
            "": "etag:1",
            7: "etag:1",
            "image:1": 7,
            "image:2": "sha256:2",
        }
    )
    assert names(lineage) == [("s3://bucket", "a"), ("s3://bucket", "b"), ("s3://bucket", "c")]
    versions = [item.facets.get("version") for item in lineage.inputs]
    assert [version and version.datasetVersion for version in versions] == [None, None, "0cc175b9"]
    assert lineage.run_facets["omics_run"].images == {"image:2": "sha256:2"}
    json.loads(Serde.to_json(lineage.inputs[0]))


def test_a_key_is_named_as_it_is() -> None:
    keys = ["ä b/ü+%20.bam", "a//b", "/leading", "trailing ", "a?versionId=1#x", "\ud800", "日本/語"]
    lineage = digests({f"s3://bucket/{key}": "etag:1" for key in keys})
    assert sorted(name for _, name in names(lineage)) == sorted(keys)
    for item in lineage.inputs:
        assert json.loads(Serde.to_json(item))["name"] == item.name


def test_of_5000_inputs_the_first_1000_by_name_are_told_and_all_are_counted() -> None:
    given = {f"s3://bucket/{number:05}.bam": f"etag:{number}" for number in reversed(range(5_000))}
    lineage = digests({**given, "image:1": "sha256:1"})
    assert names(lineage) == [("s3://bucket", f"{number:05}.bam") for number in range(1_000)]
    assert lineage.run_facets["omics_run"].inputCount == 5_000
    # Airflow gives a listener ten seconds for all that it does.
    started = time.process_time()
    digests(given)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"outputUri": "s3://bucket"}, "/"),
        ({"outputUri": "s3://bucket/"}, "/"),
        ({"outputUri": "s3://bucket/a/b//"}, "a/b"),
        ({"runOutputUri": "s3://bucket/a/1234567"}, "a"),
        ({"runOutputUri": "s3://bucket/a/1234567/"}, "a"),
        ({"runOutputUri": "s3://bucket/1234567"}, "/"),
        ({"outputUri": None, "runOutputUri": "s3://bucket/a/1234567"}, "a"),
        ({"runOutputUri": "s3://bucket/a/7654321"}, None),
        ({"outputUri": "bucket/a"}, None),
        ({"outputUri": "s3:///a"}, None),
        ({"outputUri": 7}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_output_is_the_prefix_that_was_asked_for(record: dict[str, Any], name: str | None) -> None:
    lineage = complete({"id": "1234567", "status": "COMPLETED", **record})
    expected = [] if name is None else [("s3://bucket", name)]
    assert [(item.namespace, item.name) for item in lineage.outputs] == expected


def test_members_of_another_type_are_left_out_of_the_facet() -> None:
    members = {
        **RECORD,
        "uuid": ["x"],
        "arn": {"x": MARKER},
        "name": {"x": MARKER},
        "storageCapacity": "much",
        "totalRuns": True,
        "startTime": 7,
        "stopTime": "2026-01-01T00:00:00Z",
        "failureReason": "",
        "outcome": {"total": 3, "x": MARKER},
        "parameters": {"x": MARKER},
        "later": MARKER,
    }
    lineage = complete(members)
    facet = json.loads(Serde.to_json(lineage.run_facets["omics_run"]))
    assert {name for name in facet if not name.startswith("_")} == {"kind", "id", "status", "stopTime"}
    assert MARKER not in Serde.to_json(lineage)
    assert set(lineage.run_facets) == {"omics_run"}


def test_times_that_run_backwards_have_no_seconds_between_them() -> None:
    times = {"startTime": "2026-01-02T00:00:00Z", "stopTime": "2026-01-01T00:00:00Z"}
    assert complete({**RECORD, **times}).run_facets["omics_run"].runningSeconds is None


@pytest.mark.parametrize("record", [{}, {"status": "COMPLETED"}, {"id": None}, None, [], "1234567"], ids=repr)
def test_a_record_of_nothing_tells_nothing_and_raises_nothing(record: Any) -> None:
    lineage = complete(record)
    assert (lineage.inputs, lineage.outputs) == ([], [])


# -- failures ------------------------------------------------------------------------------------------------


def test_an_error_of_ours_is_no_error_of_the_task_and_in_no_log_above_debug(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(MARKER)

    monkeypatch.setattr("airflow_omics._lineage.told.lineage_of", fail)
    with caplog.at_level(logging.DEBUG):
        lineage = complete(RECORD)
    assert (lineage.inputs, lineage.outputs, lineage.run_facets) == ([], [], {})
    assert [record.levelno for record in caplog.records if MARKER in caplog.text] == [logging.DEBUG]


def test_a_provider_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("airflow_omics._lineage.lineage")
    monkeypatch.delitem(sys.modules, door.__name__)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert complete(RECORD) is None


def test_inlets_that_cannot_be_read_take_nothing_from_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such asset")

    extract = "airflow.providers.openlineage.extractors.ExtractorManager.extract_inlets_and_outlets"
    monkeypatch.setattr(extract, fail)
    assert complete(RECORD).outputs[0].name == "cohort"


def test_no_task_imports_openlineage_before_a_listener_asks(tmp_path: Path) -> None:
    code = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("openlineage", "airflow.providers.openlineage.extractors")):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
from airflow_omics import operators, sensors
task = sensors.OmicsRunSensor(task_id="gate", run_id="1")
task._publish({"id": "1", "status": "COMPLETED"}, {})
print(sorted(name for name in sys.modules if name.startswith(("openlineage", "airflow_omics._lineage"))))
print(task.get_openlineage_facets_on_complete(None), task.get_openlineage_facets_on_start())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    loaded, told = done.stdout.strip().splitlines()[-2:]
    assert loaded == "[]"
    assert told == "None None"


# -- what else an event has of a task ------------------------------------------------------------------------


def test_the_record_that_a_task_notes_is_hidden_from_who_sends_every_attribute() -> None:
    from airflow.providers.openlineage.utils.utils import TaskInfoComplete

    task = OmicsGetRunOperator(task_id="get", run_id="1234567")
    task._note_published({**RECORD, "parameters": {"who": MARKER}})
    sent = Serde.to_json({"task": TaskInfoComplete(task)})  # type: ignore[no-untyped-call]
    assert MARKER not in sent
    assert "_published" in sent
