"""A use of the whole public API, for mypy alone: ``mypy --strict`` reads it, nothing runs it.

Each argument is given, what comes back is asserted, and a wrong type is refused where ``type: ignore`` is:
strict mypy reports an ignore that has nothing to ignore, and so a signature that has become Any.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, assert_type
from urllib.parse import SplitResult, urlsplit

from airflow.triggers.base import TriggerEvent

from airflow_omics.assets import convert_asset_to_openlineage, sanitize_uri
from airflow_omics.diagnosis import Diagnosis
from airflow_omics.emulator import (
    LIFE_TAG,
    LIVES,
    Emulator,
    EmulatorClient,
    EmulatorServer,
    Life,
    Stage,
    Task,
    mock_omics,
)
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsBatchCancelledError,
    OmicsBatchDeletedError,
    OmicsBatchError,
    OmicsBatchFailedError,
    OmicsBatchMembersFailedError,
    OmicsBatchNotFoundError,
    OmicsBatchTimeoutError,
    OmicsError,
    OmicsRequestError,
    OmicsRunCancelledError,
    OmicsRunDeletedError,
    OmicsRunError,
    OmicsRunFailedError,
    OmicsRunNotFoundError,
    OmicsRunTimeoutError,
)
from airflow_omics.failures import FAILURES, Failure
from airflow_omics.get_provider_info import get_provider_info
from airflow_omics.hooks import OmicsHook, OmicsLogsHook, UnreadableConnectionError, UnusableAnswerError
from airflow_omics.links import OmicsEngineLogLink, OmicsRunLink, OmicsRunLogLink
from airflow_omics.notifications import OmicsRunNotifier
from airflow_omics.operators import (
    OmicsCancelRunBatchOperator,
    OmicsCancelRunOperator,
    OmicsDeleteRunBatchOperator,
    OmicsDeleteRunOperator,
    OmicsDiagnoseRunOperator,
    OmicsEstimateRunCostOperator,
    OmicsGetBatchOperator,
    OmicsGetRunOperator,
    OmicsListRunOutputsOperator,
    OmicsListRunsInBatchOperator,
    OmicsListRunTasksOperator,
    OmicsStartRunBatchOperator,
    OmicsStartRunOperator,
    SampleSheet,
)
from airflow_omics.provenance import Comparison, compare, parameters_digest, provenance_of, to_json
from airflow_omics.records import BatchRecord, RunRecord
from airflow_omics.retry_policies import OmicsRetryPolicy
from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor
from airflow_omics.triggers import (
    OmicsRunBatchEvent,
    OmicsRunBatchTrigger,
    OmicsRunEvent,
    OmicsRunEventTrigger,
    OmicsRunTrigger,
    OmicsStartedRunBatchTrigger,
    OmicsStartedRunTrigger,
)

ARN = "arn:aws:omics:us-east-1:123456789012:run/1234567"
CONFIG: dict[str, Any] = {"read_timeout": 20}
MINUTE = datetime.timedelta(minutes=1)


def sensors(context: Any) -> None:
    gate = OmicsRunSensor(
        task_id="gate",
        run_id=ARN,
        success_statuses=("COMPLETED", "FAILED"),
        skip_statuses={"CANCELLED"},
        start_timeout=MINUTE,
        stuck_after=7200,
        export=["DEFINITION"],
        record_fields=["runOutputUri"],
        asset_fields=["runOutputUri"],
        partition_outlets_by="omics_id",
        diagnose="without logs",
        deferrable=True,
        start_from_trigger=True,
        end_from_trigger=False,
        aws_conn_id=None,
        region_name="us-east-1",
        verify="/etc/ssl/ca.pem",
        botocore_config=CONFIG,
        poke_interval=30.0,
        timeout=3600,
        soft_fail=True,
    )
    assert_type(gate.execute(context), RunRecord)
    assert_type(gate.execute_complete(context, event={}), RunRecord)
    assert_type(gate.poke(context).is_done, bool)
    assert_type(gate.deferrable, bool)
    OmicsRunSensor(task_id="gate")  # type: ignore[call-arg]
    cohort = OmicsRunBatchSensor(
        task_id="cohort",
        batch_id=7123456,
        max_failures=50,
        max_failure_ratio=0.05,
        success_statuses=("PROCESSED",),
        skip_statuses={"CANCELLED"},
        record_fields=["outcome"],
        asset_fields=("completed",),
        partition_outlets_by="omics_id",
        diagnose=False,
        deferrable=True,
        start_from_trigger=True,
        end_from_trigger=False,
        aws_conn_id=None,
        region_name="us-east-1",
        verify="/etc/ssl/ca.pem",
        botocore_config=CONFIG,
        poke_interval=30.0,
        timeout=3600,
        never_fail=True,
    )
    assert_type(cohort.execute(context), BatchRecord)
    assert_type(cohort.execute_complete(context, event={}), BatchRecord)
    assert_type(cohort.max_failures, int)
    assert_type(cohort.max_failure_ratio, float | None)
    OmicsRunBatchSensor(task_id="cohort")  # type: ignore[call-arg]


def start(context: Any) -> None:
    operator = OmicsStartRunOperator(
        task_id="start",
        workflow_id="1234567",
        role_arn="arn:aws:iam::123456789012:role/omics-run",
        output_uri="s3://bucket/out",
        parameters={"sample": "s1"},
        name="sample-1",
        workflow_type="PRIVATE",
        workflow_version_name="v1",
        workflow_owner_id="123456789012",
        run_group_id=1234567,
        priority=10,
        storage_type="DYNAMIC",
        storage_capacity=1200,
        log_level="ALL",
        cache_id="1234567",
        cache_behavior="CACHE_ALWAYS",
        retention_mode="RETAIN",
        rerun_of="7654321",
        tags={"project": "p1"},
        start_run_kwargs={"networkingMode": "RESTRICTED"},
        wait_for_completion=True,
        deferrable=True,
        poke_interval=MINUTE,
        wait_timeout=7200.0,
        start_timeout=7200,
        on_timeout="cancel",
        stuck_after=MINUTE,
        cancel_on_kill=True,
        on_clear="reattach",
        name_suffix=False,
        success_statuses=["COMPLETED"],
        record_fields=("runOutputUri",),
        asset_fields=["runOutputUri"],
        partition_outlets_by="omics_id",
        retry_by_class={"retry": True},
        rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}},
        max_reruns=2,
        diagnose=False,
        aws_conn_id="aws_default",
        region_name=None,
        verify=False,
        botocore_config=None,
    )
    assert_type(operator.execute(context), RunRecord)
    assert_type(operator.execute_complete(context, event={}, waited={}), RunRecord)
    assert_type(operator.wait_for_completion, bool)
    assert_type(operator.poke_interval, float | datetime.timedelta)


def start_batch(context: Any) -> None:
    operator = OmicsStartRunBatchOperator(
        task_id="cohort",
        workflow_id="1234567",
        role_arn="arn:aws:iam::123456789012:role/omics-run",
        output_uri="s3://bucket/out",
        run_settings={"sample-1": {"reads": "s3://bucket/reads.fastq.gz"}},
        parameters={"reference": "s3://bucket/reference.fasta"},
        name="cohort-7",
        run_tags={"project": "p1"},
        tags={"project": "p1"},
        settings_uri="s3://bucket/settings",
        workflow_type="PRIVATE",
        workflow_version_name="v1",
        workflow_owner_id="123456789012",
        run_group_id=1234567,
        priority=10,
        storage_type="DYNAMIC",
        storage_capacity=None,
        log_level="ALL",
        cache_id="1234567",
        cache_behavior="CACHE_ALWAYS",
        retention_mode="RETAIN",
        start_run_kwargs={"networkingMode": "RESTRICTED"},
        wait_for_completion=True,
        deferrable=True,
        poke_interval=MINUTE,
        wait_timeout=7200.0,
        on_timeout="cancel",
        cancel_on_kill=True,
        on_clear="failed",
        max_failures=5,
        max_failure_ratio=0.05,
        on_too_many_failures="cancel",
        rerun_failed=1,
        rerun_with={"OUT_OF_MEMORY_ERROR": {"storage_type": "DYNAMIC"}},
        retry_by_class={"retry": True},
        record_fields=("outcome",),
        asset_fields=("completed",),
        partition_outlets_by="omics_id",
        diagnose=False,
        aws_conn_id="aws_default",
        region_name=None,
        verify=False,
        botocore_config=None,
    )
    assert_type(operator.execute(context), BatchRecord)
    assert_type(operator.execute_complete(context, event={}, waited={}), BatchRecord)
    assert_type(operator.max_failures, int)
    assert_type(operator.max_failure_ratio, float | None)


def sheet() -> None:
    cohort = SampleSheet(
        "cohort.txt",
        id_column="id",
        types={"depth": int, "ratio": "float"},
        parameters={"id": "sample_name", "depth": "depth"},
        priority="urgency",
        output_uri="where",
        delimiter=";",
    )
    assert_type(cohort, SampleSheet)
    SampleSheet(7)  # type: ignore[arg-type]
    SampleSheet("cohort.csv", types={"depth": 7})  # type: ignore[dict-item]


def steer(context: Any) -> None:
    cancel = OmicsCancelRunOperator(
        task_id="cancel",
        run_id=1234567,
        wait_for_completion=True,
        poke_interval=30,
        wait_timeout=None,
        record_fields=["uuid"],
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(cancel.execute(context), RunRecord)
    delete = OmicsDeleteRunOperator(
        task_id="delete",
        run_id={"id": "1234567"},
        poke_interval=MINUTE,
        wait_timeout=MINUTE,
        record_fields=None,
        aws_conn_id=None,
        region_name=None,
        verify=None,
        botocore_config=None,
    )
    assert_type(delete.execute(context), RunRecord)


def read(context: Any) -> None:
    get = OmicsGetRunOperator(
        task_id="get",
        run_id=ARN,
        export=("DEFINITION",),
        record_fields=("uuid",),
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(get.execute(context), RunRecord)
    tasks = OmicsListRunTasksOperator(
        task_id="tasks",
        run_id=ARN,
        statuses=["FAILED"],
        details=True,
        task_fields=["name"],
        max_tasks=100,
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(tasks.execute(context), list[dict[str, Any]])
    outputs = OmicsListRunOutputsOperator(
        task_id="outputs",
        run_id=ARN,
        batch_id=None,
        pattern=["out/*.vcf.gz", "*.tbi"],
        require=2,
        min_bytes=100,
        chunk_size=50,
        max_outputs=500,
        provenance=False,
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(outputs.execute(context), list[Any])
    cost = OmicsEstimateRunCostOperator(
        task_id="cost",
        run_id=ARN,
        rightsize=True,
        headroom=0.3,
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(cost.execute(context), dict[str, Any])
    get_batch = OmicsGetBatchOperator(
        task_id="batch",
        batch_id="7654321",
        record_fields=["outcome"],
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(get_batch.execute(context), BatchRecord)
    members = OmicsListRunsInBatchOperator(
        task_id="members",
        batch_id=get_batch.output,
        statuses=["COMPLETED"],
        fields=["runSettingId", "runId"],
        chunk_size=50,
        max_runs=5000,
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(members.execute(context), list[Any])
    cancel_batch = OmicsCancelRunBatchOperator(
        task_id="cancel_batch",
        batch_id="7654321",
        wait_for_completion=True,
        poke_interval=MINUTE,
        wait_timeout=None,
        record_fields=["outcome"],
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(cancel_batch.execute(context), BatchRecord)
    delete_batch = OmicsDeleteRunBatchOperator(
        task_id="delete_batch",
        batch_id="7654321",
        runs=True,
        batch=True,
        poke_interval=5,
        wait_timeout=MINUTE,
        record_fields=["status"],
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(delete_batch.execute(context), BatchRecord)
    diagnose = OmicsDiagnoseRunOperator(
        task_id="diagnose",
        run_id=ARN,
        max_tasks=3,
        max_lines=10,
        max_seconds=20.0,
        logs=False,
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(diagnose.execute(context), dict[str, Any])


def refused(wrong: object) -> None:
    """Every argument that has a type, given something that is none of it."""
    OmicsRunSensor(
        task_id="gate",
        run_id=ARN,
        success_statuses=wrong,  # type: ignore[arg-type]
        skip_statuses=wrong,  # type: ignore[arg-type]
        start_timeout=wrong,  # type: ignore[arg-type]
        stuck_after=wrong,  # type: ignore[arg-type]
        export=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        asset_fields=wrong,  # type: ignore[arg-type]
        partition_outlets_by=wrong,  # type: ignore[arg-type]
        diagnose=wrong,  # type: ignore[arg-type]
        deferrable=wrong,  # type: ignore[arg-type]
        start_from_trigger=wrong,  # type: ignore[arg-type]
        end_from_trigger=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsStartRunOperator(
        task_id="start",
        workflow_id=wrong,  # type: ignore[arg-type]
        role_arn=wrong,  # type: ignore[arg-type]
        output_uri=wrong,  # type: ignore[arg-type]
        name=wrong,  # type: ignore[arg-type]
        workflow_type=wrong,  # type: ignore[arg-type]
        workflow_version_name=wrong,  # type: ignore[arg-type]
        workflow_owner_id=wrong,  # type: ignore[arg-type]
        run_group_id=wrong,  # type: ignore[arg-type]
        priority=wrong,  # type: ignore[arg-type]
        storage_type=wrong,  # type: ignore[arg-type]
        storage_capacity=wrong,  # type: ignore[arg-type]
        log_level=wrong,  # type: ignore[arg-type]
        cache_id=wrong,  # type: ignore[arg-type]
        cache_behavior=wrong,  # type: ignore[arg-type]
        retention_mode=wrong,  # type: ignore[arg-type]
        wait_for_completion=wrong,  # type: ignore[arg-type]
        deferrable=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        wait_timeout=wrong,  # type: ignore[arg-type]
        start_timeout=wrong,  # type: ignore[arg-type]
        stuck_after=wrong,  # type: ignore[arg-type]
        on_timeout=wrong,  # type: ignore[arg-type]
        cancel_on_kill=wrong,  # type: ignore[arg-type]
        on_clear=wrong,  # type: ignore[arg-type]
        name_suffix=wrong,  # type: ignore[arg-type]
        success_statuses=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        asset_fields=wrong,  # type: ignore[arg-type]
        partition_outlets_by=wrong,  # type: ignore[arg-type]
        retry_by_class=wrong,  # type: ignore[arg-type]
        rerun_with=wrong,  # type: ignore[arg-type]
        max_reruns=wrong,  # type: ignore[arg-type]
        diagnose=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsCancelRunOperator(
        task_id="cancel",
        run_id=ARN,
        wait_for_completion=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        wait_timeout=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsDeleteRunOperator(
        task_id="delete",
        run_id=ARN,
        poke_interval=wrong,  # type: ignore[arg-type]
        wait_timeout=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsGetRunOperator(
        task_id="get",
        run_id=ARN,
        export=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsListRunTasksOperator(
        task_id="tasks",
        run_id=ARN,
        statuses=wrong,  # type: ignore[arg-type]
        details=wrong,  # type: ignore[arg-type]
        task_fields=wrong,  # type: ignore[arg-type]
        max_tasks=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsGetBatchOperator(
        task_id="batch",
        batch_id="7654321",
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsListRunOutputsOperator(
        task_id="outputs",
        run_id=ARN,
        pattern=wrong,  # type: ignore[arg-type]
        require=wrong,  # type: ignore[arg-type]
        min_bytes=wrong,  # type: ignore[arg-type]
        chunk_size=wrong,  # type: ignore[arg-type]
        max_outputs=wrong,  # type: ignore[arg-type]
        provenance=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsListRunsInBatchOperator(
        task_id="members",
        batch_id="7654321",
        statuses=wrong,  # type: ignore[arg-type]
        fields=wrong,  # type: ignore[arg-type]
        chunk_size=wrong,  # type: ignore[arg-type]
        max_runs=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsCancelRunBatchOperator(
        task_id="cancel_batch",
        batch_id="7654321",
        wait_for_completion=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        wait_timeout=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsDeleteRunBatchOperator(
        task_id="delete_batch",
        batch_id="7654321",
        runs=wrong,  # type: ignore[arg-type]
        batch=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        wait_timeout=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsDiagnoseRunOperator(
        task_id="diagnose",
        run_id=ARN,
        max_tasks=wrong,  # type: ignore[arg-type]
        max_lines=wrong,  # type: ignore[arg-type]
        max_seconds=wrong,  # type: ignore[arg-type]
        logs=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsRunTrigger(
        "1234567",
        started_at=wrong,  # type: ignore[arg-type]
        timeout_at=wrong,  # type: ignore[arg-type]
        timeout=wrong,  # type: ignore[arg-type]
        hold_until=wrong,  # type: ignore[arg-type]
        created=wrong,  # type: ignore[arg-type]
        status=wrong,  # type: ignore[arg-type]
        terminal_statuses=wrong,  # type: ignore[arg-type]
        success_statuses=wrong,  # type: ignore[arg-type]
        skip_statuses=wrong,  # type: ignore[arg-type]
        push_record=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        start_timeout=wrong,  # type: ignore[arg-type]
        stuck_after=wrong,  # type: ignore[arg-type]
        export=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsRunBatchSensor(
        task_id="cohort",
        batch_id=ARN,
        max_failures=wrong,  # type: ignore[arg-type]
        max_failure_ratio=wrong,  # type: ignore[arg-type]
        success_statuses=wrong,  # type: ignore[arg-type]
        skip_statuses=wrong,  # type: ignore[arg-type]
        record_fields=wrong,  # type: ignore[arg-type]
        diagnose=wrong,  # type: ignore[arg-type]
        deferrable=wrong,  # type: ignore[arg-type]
        start_from_trigger=wrong,  # type: ignore[arg-type]
        end_from_trigger=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsRunBatchTrigger(
        "7123456",
        max_failures=wrong,  # type: ignore[arg-type]
        max_failure_ratio=wrong,  # type: ignore[arg-type]
        stop_when_exceeded=wrong,  # type: ignore[arg-type]
        timeout_at=wrong,  # type: ignore[arg-type]
        poke_interval=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
    )
    OmicsRunEventTrigger(
        wrong,  # type: ignore[arg-type]
        statuses=wrong,  # type: ignore[arg-type]
        workflow_id=wrong,  # type: ignore[arg-type]
        kind=wrong,  # type: ignore[arg-type]
        spacing=wrong,  # type: ignore[arg-type]
        aws_conn_id=wrong,  # type: ignore[arg-type]
        region_name=wrong,  # type: ignore[arg-type]
        verify=wrong,  # type: ignore[arg-type]
        botocore_config=wrong,  # type: ignore[arg-type]
    )
    OmicsStartedRunTrigger(
        "1234567",
        task_key=wrong,  # type: ignore[arg-type]
        cancel_on_kill=wrong,  # type: ignore[arg-type]
        on_clear=wrong,  # type: ignore[arg-type]
    )
    OmicsRunError(
        wrong,  # type: ignore[arg-type]
        run_id=wrong,  # type: ignore[arg-type]
        record=wrong,  # type: ignore[arg-type]
    )
    OmicsError(
        wrong,  # type: ignore[arg-type]
        run_id=wrong,  # type: ignore[arg-type]
        batch_id=wrong,  # type: ignore[arg-type]
        record=wrong,  # type: ignore[arg-type]
        kind=wrong,  # type: ignore[arg-type]
    )


def errors(error: OmicsError, about_a_run: OmicsRunError, about_a_batch: OmicsBatchError) -> None:
    assert_type(error.run_id, str | None)
    assert_type(error.batch_id, str | None)
    assert_type(about_a_batch.record, BatchRecord | None)
    assert_type(about_a_batch.failures, list[Mapping[str, Any]])
    assert_type(about_a_batch.status, str | None)
    assert_type(about_a_batch.failure_reason, str | None)
    assert_type(error.record, RunRecord | None)
    assert_type(error.kind, FaultKind | None)
    assert_type(about_a_run.status, str | None)
    assert_type(about_a_run.failure_reason, str | None)
    assert_type(about_a_run.status_message, str | None)
    if isinstance(about_a_run.diagnosis, Diagnosis):
        diagnosis(about_a_run.diagnosis)
    of_a_run: list[OmicsRunError] = [
        OmicsRunFailedError("text", run_id="1234567", record={"id": "1234567"}),
        OmicsRunCancelledError("text"),
        OmicsRunDeletedError("text"),
    ]
    of_a_batch: list[OmicsBatchError] = [
        OmicsBatchFailedError("text", batch_id="7654321", record={"id": "7654321"}, failures=[{"count": 1}]),
        OmicsBatchMembersFailedError("text"),
        OmicsBatchCancelledError("text"),
        OmicsBatchDeletedError("text"),
    ]
    all_of_them: list[OmicsError] = [
        *of_a_run,
        *of_a_batch,
        OmicsBatchTimeoutError("text"),
        OmicsBatchNotFoundError("text"),
        OmicsRunTimeoutError("text"),
        OmicsRunNotFoundError("text"),
        OmicsAccessError("text", kind=FaultKind.CREDENTIALS),
        OmicsRequestError("text", kind=FaultKind.REFUSED),
    ]
    assert_type(all_of_them[0].kind is FaultKind.TRANSIENT, bool)


def diagnosis(found: Diagnosis) -> None:
    assert_type(found.text, str)
    assert_type(found.error_text, str)
    assert_type(found.log_tails, tuple[str, ...])
    assert_type(found.links, Mapping[str, str])
    assert_type(found.commands, tuple[str, ...])
    assert_type(found.failure, Failure | None)
    assert_type(found.to_plain(), dict[str, Any])


def failures() -> None:
    row = FAILURES["EXPORT_FAILED"]
    assert_type(FAILURES, dict[str, Failure])
    assert_type(row.reason, str | None)
    assert_type(row.failure_class, str)
    assert_type(row.owner, str)
    FAILURES["NEW"] = Failure("NEW", "retry", "AWS", "What happened.", "What to do.")
    Failure("NEW", "retry", None, "What happened.", "What to do.")  # type: ignore[arg-type]


def records(record: RunRecord) -> None:
    assert_type(record["id"], str)
    assert_type(record["status"], str)
    assert_type(record.get("runOutputUri"), str | None)
    assert_type(record["uuid"], str)
    assert_type(record["tags"], dict[str, str])


def batch_records(record: BatchRecord) -> None:
    assert_type(record["id"], str)
    assert_type(record.get("outcome"), dict[str, int] | None)
    assert_type(record["totalRuns"], int)


def hooks() -> None:
    hook = OmicsHook(aws_conn_id="aws_default", region_name="us-east-1")
    assert_type(hook.get_run("1234567", export=["DEFINITION"]), RunRecord)
    assert_type(hook.start_run({"workflowId": "1234567"}), RunRecord)
    assert_type(hook.cancel_run("1234567"), None)
    assert_type(hook.delete_run("1234567"), None)
    tasks: Iterator[dict[str, Any]] = hook.list_run_tasks("1234567", status="FAILED")
    assert_type(hook.get_run_task("1234567", "7654321"), dict[str, Any])
    assert_type(hook.get_run_group("1234567"), dict[str, Any])
    runs: Iterator[dict[str, Any]] = hook.list_runs(batch_id="7654321")
    assert_type(hook.start_run_batch({"requestId": "token"}), BatchRecord)
    assert_type(hook.get_batch("7654321"), BatchRecord)
    batches: Iterator[dict[str, Any]] = hook.list_batches(name="cohort")
    members: Iterator[dict[str, Any]] = hook.list_runs_in_batch("7654321", submission_status="FAILED")
    assert_type(hook.cancel_run_batch("7654321"), None)
    assert_type(hook.delete_run_batch("7654321"), None)
    assert_type(hook.delete_batch("7654321"), None)
    assert_type([*tasks, *runs, *batches, *members], list[dict[str, Any]])
    workflow = hook.get_workflow("1234567", workflow_type="PRIVATE", owner_id="123456789012")
    version = hook.get_workflow_version("1234567", "v1", workflow_type="PRIVATE", owner_id=None)
    assert_type([workflow, version], list[dict[str, Any]])
    made = hook.provenance(hook.get_run("1234567"), task={"dag_id": "dag"})
    assert_type(made, dict[str, Any])
    hook.get_run(1234567)  # type: ignore[arg-type]
    logs = OmicsLogsHook.beside(hook)
    assert_type(logs, OmicsLogsHook)
    assert_type(logs.tail("run/1234567/engine", 20, since=0.0), list[dict[str, Any]])
    assert_type(logs.head("run/1234567/engine", 1), Iterator[dict[str, Any]])
    assert_type(logs.streams("run/1234567"), list[dict[str, Any]])
    raised: list[type[Exception]] = [UnreadableConnectionError, UnusableAnswerError]
    assert_type(raised[0], type[Exception])


def provenance(record: RunRecord) -> None:
    made = provenance_of(
        record, workflow={"engine": "WDL"}, task={"dag_id": "dag"}, notes=["text"], unread=["engineVersion"]
    )
    assert_type(made, dict[str, Any])
    found = compare(made, made)
    assert_type(found, Comparison)
    assert_type(found.same, bool)
    assert_type(found.differences, Mapping[str, tuple[Any, Any]])
    assert_type(found.incomplete, tuple[str, ...])
    assert_type(parameters_digest(record["parameters"]), str)
    assert_type(to_json(made), str)
    provenance_of("1234567")  # type: ignore[arg-type]
    compare(made, "1234567")  # type: ignore[arg-type]


def triggers(event: OmicsRunEvent) -> None:
    events: list[TriggerEvent] = [event]
    assert_type(events[0].payload, Any)
    trigger = OmicsRunTrigger(
        {"id": "1234567"},
        started_at=0.0,
        timeout_at=1.0,
        timeout=None,
        hold_until=None,
        created=0.0,
        status="RUNNING",
        terminal_statuses=["ARCHIVED"],
        success_statuses=["COMPLETED"],
        skip_statuses=(),
        push_record=True,
        poke_interval=60.0,
        start_timeout=7200.0,
        stuck_after=None,
        export=None,
        record_fields=["uuid"],
        aws_conn_id="aws_default",
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(trigger.serialize(), tuple[str, dict[str, Any]])
    assert_type(trigger.run(), AsyncIterator[TriggerEvent])
    started = OmicsStartedRunTrigger(
        "1234567", task_key={}, cancel_on_kill=True, on_clear="new", timeout=60.0
    )
    assert_type(started.serialize(), tuple[str, dict[str, Any]])
    of_batch = OmicsStartedRunBatchTrigger(
        "7123456", task_key={}, cancel_on_kill=True, on_clear="failed", max_failures=3
    )
    assert_type(of_batch.serialize(), tuple[str, dict[str, Any]])
    batch = OmicsRunBatchTrigger(
        {"id": "7123456"},
        max_failures=50,
        max_failure_ratio=0.05,
        stop_when_exceeded=True,
        timeout=60.0,
        terminal_statuses=["ARCHIVED"],
        aws_conn_id=None,
    )
    assert_type(batch.serialize(), tuple[str, dict[str, Any]])
    ended = OmicsRunEventTrigger(
        "https://sqs.us-east-1.amazonaws.com/123456789012/ended-runs",
        statuses=["COMPLETED", "FAILED"],
        workflow_id=["7654321", 8],
        kind="run",
        spacing=30,
        aws_conn_id=None,
        region_name="us-east-1",
        verify=True,
        botocore_config=CONFIG,
    )
    assert_type(ended.serialize(), tuple[str, dict[str, Any]])
    assert_type(ended.run(), AsyncIterator[TriggerEvent])
    assert_type(OmicsRunBatchEvent({}), OmicsRunBatchEvent)  # type: ignore[call-arg]


def what_airflow_shows(ti_key: Any, context: Any) -> None:
    for link in (OmicsRunLink(), OmicsRunLogLink(), OmicsEngineLogLink()):
        assert_type(link.name, str)
        assert_type(link.get_link(None, ti_key=ti_key), str)
    assert_type(get_provider_info(), dict[str, Any])
    notifier = OmicsRunNotifier(print, owners=["data"])
    assert_type(notifier.notify(context), None)
    OmicsRunNotifier(1)  # type: ignore[arg-type]
    OmicsRunNotifier(print, owners=1)  # type: ignore[arg-type]
    policy = OmicsRetryPolicy(delay=MINUTE, retry_by_class={"look inside": False})
    assert_type(policy.serialize(), dict[str, Any])
    assert_type(OmicsRetryPolicy.deserialize({}), OmicsRetryPolicy)
    OmicsRetryPolicy(delay=60)  # type: ignore[arg-type]
    split = urlsplit("omics://123456789012.storage.us-east-1.amazonaws.com/1/reference/2")
    assert_type(sanitize_uri(split), SplitResult)
    sanitize_uri("omics://1")  # type: ignore[arg-type]
    assert_type(convert_asset_to_openlineage(object(), None), Any)


def emulator() -> None:
    life = Life("mine", (Stage("PENDING", 10), Stage("COMPLETED")), tasks=(Task("align", cpus=4),))
    assert_type(LIFE_TAG, str)
    assert_type(LIVES["failed-service-error"], Life)
    assert_type(life.to_dict(), dict[str, Any])
    with mock_omics(pace=60.0, life="cancelled", seed=1, config=None) as control:
        assert_type(control, Emulator)
    with EmulatorServer(pace=60.0) as server:
        assert_type(server.endpoint_url, str)
        assert_type(server.control, Emulator)
    client = EmulatorClient("http://127.0.0.1:4300", timeout=5.0)
    assert_type(client.now(), float)
    assert_type(client.counts(), dict[str, int])
    assert_type(client.advance(60.0), None)
    assert_type(client.wait_for("GetRun", 2, 10.0), int)
    for either in (control, client):
        assert_type(either.start_runs(2, life="cancelled", region_name="us-east-1"), list[str])
        assert_type(either.requests("GetRun"), list[dict[str, Any]])
        either.move("1234567", "FAILED", "SERVICE_ERROR", "text")
        either.fault("GetRun", "access-denied")
        either.move(1234567, "FAILED")  # type: ignore[arg-type]
    EmulatorClient(4300)  # type: ignore[arg-type]
    mock_omics(pace="fast")  # type: ignore[call-overload]


@mock_omics
def decorated(number: int) -> str:
    return str(number)


@mock_omics(life="cancelled")
class Decorated:
    def test(self) -> None:
        """Nothing: the class is still a class."""


def decorations() -> None:
    assert_type(decorated(1), str)
    assert_type(Decorated(), Decorated)
