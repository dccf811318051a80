"""The operator that explains one run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_omics.exceptions import OmicsAccessError, OmicsRunDeletedError, OmicsRunNotFoundError
from airflow_omics.operators import OmicsDiagnoseRunOperator
from tests.support.sensors import ONE_ATTEMPT


def ended(omics: Any, life: str = "failed-out-of-memory-error", **members: Any) -> str:
    [run_id] = omics.start_runs(1, life=life, logs=True, **members)
    omics.advance(7200)
    return str(run_id)


def explain(run_id: Any, **arguments: Any) -> dict[str, Any]:
    operator = OmicsDiagnoseRunOperator(
        task_id="explain", run_id=run_id, botocore_config=ONE_ATTEMPT, **arguments
    )
    result: dict[str, Any] = operator.execute({})
    return result


def test_it_returns_the_diagnosis_and_logs_the_report(omics: Any, output: Any) -> None:
    run_id = ended(omics, name="sample-1", parameters={"patient": "P-4711"}, tags={"ward": "W-12"})
    plain = explain(run_id)
    assert (plain["reason"], plain["class"], plain["owner"]) == (
        "OUT_OF_MEMORY_ERROR",
        "settings",
        "pipeline author",
    )
    assert plain["run"]["id"] == run_id
    assert plain["headline"] == (
        f"HealthOmics run {run_id} 'sample-1' of workflow 1234567 is FAILED: OUT_OF_MEMORY_ERROR: "
        "A task ran out of memory."
    )
    logged = output()
    for line in plain["text"].splitlines():
        assert line in logged
    for secret in ("P-4711", "W-12"):
        assert secret not in logged
        assert secret not in json.dumps(plain)


def test_a_run_that_completed_is_explained(omics: Any) -> None:
    assert explain(ended(omics, "completed"))["meaning"] == (
        "The run did its work; the task does not count COMPLETED as a success."
    )


def test_a_run_that_goes_on_is_explained(omics: Any) -> None:
    plain = explain(ended(omics, "running-forever"))
    assert "What happens: Inputs are imported, tasks run, and outputs are exported" in plain["text"]


def test_a_run_that_is_not_found_any_more_is_explained_from_its_manifest(omics: Any) -> None:
    run_id = ended(omics)
    omics.settle()
    omics.vanish(run_id)
    plain = explain(run_id)
    assert plain["run"]["source"] == "manifest"
    assert plain["run"]["status"] == "FAILED"
    assert plain["reason"] == "OUT_OF_MEMORY_ERROR"
    assert plain["tasks"][0]["log"] is not None


def test_a_run_whose_id_another_run_has_now_is_explained_from_its_manifest(omics: Any) -> None:
    run_id = ended(omics)
    omics.settle()
    [manifest_uuid] = [explain(run_id)["run"]["uuid"]]
    omics.reuse_id(run_id, "completed")
    plain = explain({"id": run_id, "uuid": manifest_uuid})
    assert plain["run"]["uuid"] == manifest_uuid
    assert plain["run"]["source"] == "manifest"


def test_a_run_that_is_nowhere_is_not_found(omics: Any) -> None:
    with pytest.raises(OmicsRunNotFoundError):
        explain("7654321")


def test_a_run_whose_id_was_reused_and_that_left_no_manifest_was_deleted(omics: Any) -> None:
    run_id = ended(omics, "running-forever")
    uuid = explain(run_id)["run"]["uuid"]
    omics.reuse_id(run_id, "completed")
    with pytest.raises(OmicsRunDeletedError, match="its id belongs to another run now"):
        explain({"id": run_id, "uuid": uuid})


def test_a_manifest_that_may_not_be_read_leaves_the_run_not_found(omics: Any, output: Any) -> None:
    omics.fault("DescribeLogStreams", "access-denied")
    with pytest.raises(OmicsRunNotFoundError):
        explain("7654321")
    assert "Allow logs:DescribeLogStreams to the caller." in output()


def test_a_denied_get_run_fails_and_names_the_action(omics: Any) -> None:
    run_id = ended(omics)
    omics.fault("GetRun", "access-denied")
    with pytest.raises(OmicsAccessError, match=r"Allow omics:GetRun to the caller\."):
        explain(run_id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tasks": -1}, "max_tasks is -1; it takes a whole number, zero or more, such as 5."),
        ({"max_lines": "20"}, "max_lines is '20'; it takes a whole number, zero or more, such as 5."),
        ({"max_tasks": True}, "max_tasks is True; it takes a whole number, zero or more, such as 5."),
        ({"max_seconds": 0}, "max_seconds is 0; it takes seconds, more than 0 and at most 600."),
        ({"max_seconds": None}, "max_seconds is None; it takes seconds, more than 0 and at most 600."),
    ],
)
def test_a_limit_that_bounds_nothing_is_refused_while_parsing(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        OmicsDiagnoseRunOperator(task_id="explain", run_id="1234567", **arguments)
