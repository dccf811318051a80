"""What is public, written out. A name that is added is a promise; one that is taken away breaks a DAG."""

from __future__ import annotations

PUBLIC: dict[str, list[str]] = {
    "assets": ["convert_asset_to_openlineage", "sanitize_uri"],
    "diagnosis": ["Diagnosis"],
    "emulator": [
        "LIFE_TAG",
        "LIVES",
        "Emulator",
        "EmulatorClient",
        "EmulatorServer",
        "Life",
        "Stage",
        "Task",
        "mock_omics",
    ],
    "exceptions": [
        "FaultKind",
        "OmicsAccessError",
        "OmicsBatchCancelledError",
        "OmicsBatchDeletedError",
        "OmicsBatchError",
        "OmicsBatchFailedError",
        "OmicsBatchMembersFailedError",
        "OmicsBatchNotFoundError",
        "OmicsBatchTimeoutError",
        "OmicsError",
        "OmicsRequestError",
        "OmicsRunCancelledError",
        "OmicsRunDeletedError",
        "OmicsRunError",
        "OmicsRunFailedError",
        "OmicsRunNotFoundError",
        "OmicsRunTimeoutError",
    ],
    "failures": ["FAILURES", "Failure"],
    "get_provider_info": ["get_provider_info"],
    "hooks": ["OmicsHook", "OmicsLogsHook", "UnreadableConnectionError", "UnusableAnswerError"],
    "links": ["OmicsEngineLogLink", "OmicsRunLink", "OmicsRunLogLink"],
    "notifications": ["OmicsRunNotifier"],
    "operators": [
        "OmicsCancelRunBatchOperator",
        "OmicsCancelRunOperator",
        "OmicsDeleteRunBatchOperator",
        "OmicsDeleteRunOperator",
        "OmicsDiagnoseRunOperator",
        "OmicsEstimateRunCostOperator",
        "OmicsGetBatchOperator",
        "OmicsGetRunOperator",
        "OmicsListRunOutputsOperator",
        "OmicsListRunTasksOperator",
        "OmicsListRunsInBatchOperator",
        "OmicsStartRunBatchOperator",
        "OmicsStartRunOperator",
        "SampleSheet",
    ],
    "plugin": [],
    "provenance": ["Comparison", "compare", "parameters_digest", "provenance_of", "to_json"],
    "records": ["BatchRecord", "RunRecord"],
    "retry_policies": ["OmicsRetryPolicy"],
    "sensors": ["OmicsRunBatchSensor", "OmicsRunSensor"],
    "triggers": [
        "OmicsRunBatchEvent",
        "OmicsRunBatchTrigger",
        "OmicsRunEvent",
        "OmicsRunEventTrigger",
        "OmicsRunTrigger",
        "OmicsStartedRunBatchTrigger",
        "OmicsStartedRunTrigger",
    ],
}
"""The names in ``__all__`` of each public module."""

LOADS_AWS = frozenset({"emulator", "hooks"})
"""The public modules that load botocore when they are imported; a DAG file imports none of them."""

NEWEST_ONLY = frozenset({"retry_policies"})
"""The public modules that an older Airflow cannot import."""
