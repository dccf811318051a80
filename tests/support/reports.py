"""The report on each life that does not end in COMPLETED: clock and ids are the same each time."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import botocore.session

from airflow_omics._connection import AwsArguments
from airflow_omics.diagnosis import Diagnosis, diagnose
from airflow_omics.diagnosis.model import Limits
from airflow_omics.emulator import LIVES, mock_omics
from airflow_omics.exceptions import FaultKind
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.faults import fault_of
from airflow_omics.records import RunRecord, with_status

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "reports"
REGION = "us-east-1"
NOON = 1_768_478_400.0  # 2026-01-15T12:00:00Z

# One attempt for each call: botocore's own retries would really sleep between them.
ONE_ATTEMPT = {"retries": {"mode": "standard", "total_max_attempts": 1}}

#: Every life whose run ends badly, is forgotten, or does not end.
NAMES = tuple(name for name, life in sorted(LIVES.items()) if life.stages[-1].status != "COMPLETED")


class _Noon:
    """Stands for the emulator's ``time`` module."""

    @staticmethod
    def time() -> float:
        return NOON


@contextlib.contextmanager
def emulator() -> Iterator[Any]:
    """Yield the control of an emulator that begins at noon, with a connection to it."""
    connection = json.dumps({"conn_type": "aws", "extra": {"region_name": REGION}})
    with (
        mock.patch.dict(os.environ, {"AIRFLOW_CONN_AWS_DEFAULT": connection}),
        mock.patch("airflow_omics.emulator.world.clock.time", _Noon),
        mock_omics(seed=20260101) as control,
    ):
        control.freeze()
        yield control


def hook() -> OmicsHook:
    return OmicsHook.of(AwsArguments(botocore_config=ONE_ATTEMPT))


def last_record(reader: OmicsHook, known: RunRecord) -> RunRecord:
    """Return the run's record as a gate that has seen it before holds it: DELETED once it is forgotten."""
    try:
        record = reader.get_run(known["id"])
    except Exception as error:
        fault = fault_of(error)
        if fault is None or fault.kind is not FaultKind.NOT_FOUND:
            raise
        return with_status(known, "DELETED")
    return record if record["uuid"] == known["uuid"] else with_status(known, "DELETED")


def report_on(control: Any, life: str, *, seconds: float = 28_800, limits: Limits | None = None) -> Diagnosis:
    """Return the diagnosis of a run that lives ``life``, some hours after its start."""
    members = {"name": "sample-1", "parameters": {"patient": "P-4711"}, "tags": {"ward": "W-12"}}
    [run_id] = control.start_runs(1, life=life, logs=True, **members)
    reader = hook()
    known = reader.get_run(run_id)
    control.advance(seconds)
    return diagnose(reader, last_record(reader, known), limits=limits)


def kept(name: str) -> pathlib.Path:
    return FOLDER / f"{name}.txt"


def knows_images() -> bool:
    """Return whether the installed botocore knows GetRunTask's ``imageDetails``; botocore 1.37 does not."""
    model = botocore.session.Session().get_service_model("omics")
    return "imageDetails" in model.operation_model("GetRunTask").output_shape.members


def expected(name: str) -> str:
    """Return the report that is kept; what an older botocore leaves out of every answer is not in it."""
    lines = kept(name).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if knows_images() or not line.startswith("  image: "))
