"""What the settings of a batch hold is in no log, error, rendered field, deferral or XCom.

It is in the settings file in S3, and in the record's ``defaultRunSetting``, as GetBatch has it.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import LIFE_TAG
from airflow_omics.hooks import OmicsHook
from airflow_omics.sensors import OmicsRunBatchSensor
from tests.support.fixtures import Output
from tests.support.sensors import ONE_ATTEMPT, Clock, TaskInstance, context_of
from tests.support.start_batches import StartBatch, batches, objects, omics_client
from tests.support.start_operators import ROLE, die_at

MARKER = "PATIENT-4711"
FAILS = "failed-out-of-memory-error"


def samples(count: int, **lives: str) -> list[dict[str, Any]]:
    """Return samples whose every member that may hold patient data does."""
    return [
        {
            "runSettingId": f"s{number}",
            "parameters": {"sample": MARKER, "reads": [f"s3://bucket/{MARKER}.fastq.gz"]},
            "runTags": {LIFE_TAG: lives.get(f"s{number}", "completed"), "patient": MARKER},
        }
        for number in range(1, count + 1)
    ]


GIVEN: dict[str, Any] = {
    "run_settings": samples(3, s2=FAILS),
    "parameters": {"cohort": MARKER},
    "run_tags": {"cohort": MARKER},
    "tags": {"who": MARKER},
    "start_run_kwargs": {"sessionPolicy": json.dumps({"Version": "2012-10-17", "Sid": MARKER})},
    "rerun_with": {"OUT_OF_MEMORY_ERROR": {"parameters": {"cohort": MARKER, "memory": 16}}},
}


def succeeds(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"max_failures": 1}


def fails(omics: Any, clock: Clock) -> dict[str, Any]:
    return {}


def runs_again(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"rerun_failed": 1}


def stops_early(omics: Any, clock: Clock) -> dict[str, Any]:
    lives = {"s2": FAILS, "s3": "running-forever"}
    return {"on_too_many_failures": "cancel", "run_settings": samples(3, **lives)}


def is_large(omics: Any, clock: Clock) -> dict[str, Any]:
    omics.batches(starts_per_second=50)
    return {"run_settings": samples(120, s7=FAILS), "max_failures": 1}


def fails_whole(omics: Any, clock: Clock) -> dict[str, Any]:
    omics.batches(fails_after=1)
    return {}


def is_cancelled(omics: Any, clock: Clock) -> dict[str, Any]:
    clock.at(130, lambda: omics_client().cancel_run_batch(batchId=batches()[0]["id"]))
    return {}


def vanishes(omics: Any, clock: Clock) -> dict[str, Any]:
    clock.at(130, lambda: omics.move_batch(batches()[0]["id"], "VANISHED"))
    return {}


def takes_too_long(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"wait_timeout": 100, "on_timeout": "cancel"}


def loses_its_worker(omics: Any, clock: Clock) -> dict[str, Any]:
    die_at(clock, 130)
    return {}


def has_a_wrong_entry(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"run_settings": [*samples(2), {"runSettingId": "s3", "parameters": MARKER}]}


def has_an_unknown_member(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"run_settings": [*samples(2), {"runSettingId": "s3", "paramters": {"sample": MARKER}}]}


def has_an_id_twice(omics: Any, clock: Clock) -> dict[str, Any]:
    return {"run_settings": samples(3) + samples(1)}


def meets(operation: str, kind: str) -> Callable[[Any, Clock], dict[str, Any]]:
    def given(omics: Any, clock: Clock) -> dict[str, Any]:
        omics.fault(operation, kind)
        return {}

    given.__name__ = f"{operation}-{kind}"
    return given


ENDINGS = (
    succeeds,
    fails,
    runs_again,
    stops_early,
    is_large,
    fails_whole,
    is_cancelled,
    vanishes,
    takes_too_long,
    loses_its_worker,
    has_a_wrong_entry,
    has_an_unknown_member,
    has_an_id_twice,
)
REFUSALS = (
    *(meets("StartRunBatch", kind) for kind in ("access-denied", "validation", "drop")),
    *(meets("GetBatch", kind) for kind in ("access-denied", "expired-token")),
    *(meets(operation, "access-denied") for operation in ("ListBatch", "ListRuns", "GetRun")),
)


def text_of(error: BaseException | None) -> str:
    """What Airflow logs of an error: its text and its causes'."""
    return "" if error is None else "".join(traceback.format_exception(error)) + repr(error)


def but_the_contract(record: Any) -> str:
    """Return a record without what GetBatch itself says of all runs and of the batch's tags."""
    kept = {k: v for k, v in (record or {}).items() if k not in ("defaultRunSetting", "tags")}
    return json.dumps(kept)


@pytest.mark.parametrize(
    ("ending", "deferrable"),
    [
        *((ending, way) for ending in ENDINGS for way in (False, True)),
        *((fault, False) for fault in REFUSALS),
    ],
    ids=lambda value: getattr(value, "__name__", "deferrable" if value is True else "worker"),
)
def test_no_ending_of_a_batch_shows_private_data(
    start_batch: StartBatch,
    omics: Any,
    clock: Clock,
    output: Output,
    ending: Callable[[Any, Clock], dict[str, Any]],
    deferrable: bool,
) -> None:
    arguments = {**GIVEN, "deferrable": deferrable, "retries": 1, **ending(omics, clock)}
    task = start_batch(**arguments)
    output()
    for _ in range(1 + deferrable):
        done = task()
        logged = output()
        assert MARKER not in logged
        assert MARKER not in text_of(done.error)
        assert MARKER not in but_the_contract(done.result)
        assert all(MARKER not in but_the_contract(value) for value in done.pushed.values())
        for trigger in done.triggers:
            assert MARKER not in repr(trigger.serialize())
        _, deferred = task.resumes_with or ("", {})
        event = deferred.get("event") or {}
        assert MARKER not in json.dumps(deferred.get("waited", {}))
        assert MARKER not in repr(event.get("message"))
    assert "OmicsStartRunBatchOperator" in logged or "HealthOmics" in logged + text_of(done.error)


def test_the_settings_file_has_what_nothing_else_has(start_batch: StartBatch, omics: Any) -> None:
    omics.batches(starts_per_second=50)
    assert start_batch(**{**GIVEN, "run_settings": samples(120)})().kind == "success"
    files = objects()
    [settings] = [content for content in files.values() if "parameters" in content[0]]
    assert settings[0]["parameters"]["sample"] == MARKER
    [members] = [content for content in files.values() if "parameters" not in content[0]]
    assert MARKER not in json.dumps(members)
    assert not [key for key in files if MARKER in key]


def test_record_fields_keep_even_the_record_s_own_out_of_xcom(start_batch: StartBatch) -> None:
    done = start_batch(**GIVEN, record_fields=["outcome"])()
    assert done.pushed
    assert MARKER not in json.dumps(done.pushed)
    error: Any = done.error
    assert MARKER not in json.dumps(error.record) + json.dumps(error.failures)


def test_a_batch_s_gate_shows_no_private_data(start_batch: StartBatch, output: Output) -> None:
    done = start_batch(**GIVEN, max_failures=1)()
    record = OmicsHook(aws_conn_id="aws_default").get_batch(done.result["id"])
    assert MARKER in json.dumps(record)
    gate = OmicsRunBatchSensor(
        task_id="gate", batch_id=dict(record), max_failures=0, botocore_config=ONE_ATTEMPT
    )
    output()
    with pytest.raises(Exception, match="1 of 3 runs did not complete") as caught:
        gate.execute(context_of(TaskInstance()))
    assert MARKER not in output() + text_of(caught.value)
    rendered = {name: getattr(gate, name) for name in gate.template_fields}
    assert MARKER not in repr(rendered)
    assert ROLE not in repr(rendered)
