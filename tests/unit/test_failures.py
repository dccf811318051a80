"""What each reason of a failure means."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_omics.failures import FAILURES, Failure, classify

pytestmark = pytest.mark.any_airflow

# https://docs.aws.amazon.com/omics/latest/dev/workflows-run-errors.html
DOCUMENTED = {
    "ALL_PROFILES_INSTANCE_RESERVATION_FAILED": ("retry", "AWS"),
    "ASSUME_ROLE_FAILED": ("change", "platform"),
    "CANNOT_START_CONTAINER_ERROR": ("change", "pipeline author"),
    "CANNOT_START_CONTAINER_SIZE_ERROR": ("change", "pipeline author"),
    "ECR_PERMISSION_ERROR": ("change", "platform"),
    "EXPORT_FAILED": ("change", "platform"),
    "FILE_SYSTEM_OUT_OF_SPACE": ("settings", "platform"),
    "IMAGE_VERIFICATION_FAILURE": ("change", "pipeline author"),
    "IMPORT_FAILED": ("change", "data"),
    "INACTIVE_OMICS_STORAGE_RESOURCE": ("change", "data"),
    "INPUT_URI_NOT_FOUND": ("change", "data"),
    "INSTANCE_RESERVATION_FAILED": ("retry", "AWS"),
    "INVALID_ECR_IMAGE_URI": ("change", "pipeline author"),
    "INVALID_RUN_PARAMETERS": ("change", "platform"),
    "INVALID_TASK_RESOURCE_VALUE": ("change", "pipeline author"),
    "INVALID_URI_INPUT": ("change", "data"),
    "MODIFIED_INPUT_RESOURCE": ("retry", "data"),
    "OUT_OF_MEMORY_ERROR": ("settings", "pipeline author"),
    "RUN_TASK_FAILED": ("look inside", "pipeline author"),
    "RUN_TIMED_OUT": ("settings", "platform"),
    "SERVICE_ERROR": ("retry", "AWS"),
    "TASK_TIMED_OUT": ("settings", "pipeline author"),
    "UNSUPPORTED_GPU_INSTANCE_TYPE": ("change", "pipeline author"),
    "UNSUPPORTED_INPUT_SIZE": ("change", "data"),
    "WORKFLOW_RUN_FAILED": ("look inside", "pipeline author"),
    "WORKFLOW_VER_VALIDATION_FAILED": ("change", "pipeline author"),
}


def test_the_table_has_the_26_known_reasons_and_no_other() -> None:
    assert len(DOCUMENTED) == 26
    assert {reason: (row.failure_class, row.owner) for reason, row in FAILURES.items()} == DOCUMENTED


@pytest.mark.parametrize("reason", DOCUMENTED)
def test_a_row_says_what_happened_and_what_to_do_in_sentences(reason: str) -> None:
    row = classify({"status": "FAILED", "failureReason": reason})
    assert row.reason == reason
    for text in (row.meaning, row.advice):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text


def test_an_unknown_reason_is_look_inside() -> None:
    row = classify({"status": "FAILED", "failureReason": "QUANTUM_DECOHERENCE"})
    assert (row.reason, row.failure_class) == ("QUANTUM_DECOHERENCE", "look inside")
    assert row.meaning == "QUANTUM_DECOHERENCE is a reason that this version of airflow-omics does not know."


@pytest.mark.parametrize(
    "record",
    [
        {"status": "FAILED"},
        {"status": "FAILED", "failureReason": None},
        {"status": "FAILED", "failureReason": ""},
        {"status": "FAILED", "statusMessage": "The run failed."},
        {},
    ],
)
def test_a_missing_reason_is_look_inside(record: dict[str, str]) -> None:
    row = classify(record)
    assert (row.reason, row.failure_class) == (None, "look inside")
    assert row.meaning == "HealthOmics gave no reason."


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("CANCELLED", "Somebody, or a program, cancelled the run; it left no outputs."),
        (
            "DELETED",
            "HealthOmics has forgotten the run: it was deleted, or made room for newer runs (retention mode "
            "REMOVE).",
        ),
        ("ARCHIVED", "ARCHIVED is a status that this version of airflow-omics does not know."),
    ],
)
def test_a_status_that_is_an_ending_has_its_own_words(status: str, meaning: str) -> None:
    assert classify({"status": status}).meaning == meaning


def test_a_cancelled_run_is_not_started_again_by_a_retry() -> None:
    assert classify({"status": "CANCELLED"}).failure_class == "change"


def test_a_dag_author_changes_a_row_and_adds_one_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = FAILURES["EXPORT_FAILED"]._replace(owner="storage team")
    monkeypatch.setitem(FAILURES, "EXPORT_FAILED", ours)
    monkeypatch.setitem(FAILURES, "NEW_REASON", Failure("NEW_REASON", "retry", "AWS", "New.", "Wait."))
    assert classify({"status": "FAILED", "failureReason": "EXPORT_FAILED"}).owner == "storage team"
    assert classify({"status": "FAILED", "failureReason": "NEW_REASON"}).failure_class == "retry"


def test_the_table_needs_neither_airflow_nor_botocore() -> None:
    code = (
        "import sys, airflow_omics.failures; "
        "print([name for name in ('airflow', 'botocore', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_dag_file_does_not_pay_for_what_only_a_failure_needs() -> None:
    code = (
        "import sys, airflow_omics.sensors, airflow_omics.operators; "
        "print([name for name in sys.modules if name.startswith(('airflow_omics.failures', "
        "'airflow_omics.diagnosis', 'airflow_omics.notifications'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
