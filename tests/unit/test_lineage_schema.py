"""The schema that the tests hold events against refuses what the specification refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lineage import places
from tests.support.lineage_schema import faults_of
from tests.support.lineage_spec import BREAKS, is_whole

ID = "5f2e1f0e-8f6b-4d0a-9f5e-7f5b7a3f9c11"
BASE = {"_producer": "urn:example:1", "_schemaURL": "urn:example:schema"}
EVENT: dict[str, Any] = {
    "eventTime": "2026-01-02T03:04:05.678+00:00",
    "eventType": "COMPLETE",
    "producer": "https://example.org/producer/1.0",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {
        "runId": ID,
        "facets": {
            "parent": {**BASE, "run": {"runId": ID}, "job": {"namespace": "default", "name": "dag"}},
            "externalQuery": {**BASE, "externalQueryId": "arn:aws:omics:x", "source": "awsomics"},
            "omics_run": {**BASE, "kind": "run", "id": "1234567", "status": "COMPLETED"},
            "somebody_elses": {**BASE, "anything": 7},
        },
    },
    "job": {
        "namespace": "default",
        "name": "dag.gate",
        "facets": {"jobType": {**BASE, "processingType": "BATCH", "integration": "AIRFLOW"}},
    },
    "inputs": [
        {
            "namespace": "s3://reads",
            "name": "a.fastq.gz",
            "facets": {"version": {**BASE, "datasetVersion": "0cc175b9c0f1b6a831c399e269772661"}},
        }
    ],
    "outputs": [{"namespace": "s3://results", "name": "cohort", "facets": {}}],
}


def test_a_whole_event_is_valid() -> None:
    assert is_whole(EVENT)
    assert faults_of(EVENT) == []


@pytest.mark.parametrize("break_it", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_event_is_refused(break_it: Callable[[Any], None]) -> None:
    event = copy.deepcopy(EVENT)
    break_it(event)
    assert faults_of(event) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("run", "facets", "omics_run", "parameters"), {"sample": "x"}),
        (("run", "facets", "omics_run", "kind"), "workflow"),
        (("run", "facets", "externalQuery", "tags"), {}),
        (("inputs", 0, "facets", "version", "size"), 7),
        (("inputs", 0, "namespace"), "s3://reads/"),
        (("inputs", 0, "name"), "/a.fastq.gz"),
        (("outputs", 0, "name"), ""),
        (("eventTime",), "2026-01-02T03:04:05"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_no_event_of_ours_may_have_is_refused(path: tuple[Any, ...], value: Any) -> None:
    event: Any = copy.deepcopy(EVENT)
    inner = event
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert faults_of(event) != []


def test_a_marker_is_found_wherever_it_is() -> None:
    event = {"a": [{"b": "xhushx"}], "hush": 1, "c": {"hush-1": {"d": "hush"}}, "e": "other"}
    assert places(event, "hush") == {"a.*.b", "!", "c.!", "c.!.d"}
