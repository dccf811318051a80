"""Operators for AWS HealthOmics runs, and the sample sheet of a batch."""

from airflow_omics._batches.sample_sheet import SampleSheet
from airflow_omics.operators.cancel_run import OmicsCancelRunOperator
from airflow_omics.operators.cancel_run_batch import OmicsCancelRunBatchOperator
from airflow_omics.operators.delete_run import OmicsDeleteRunOperator
from airflow_omics.operators.delete_run_batch import OmicsDeleteRunBatchOperator
from airflow_omics.operators.diagnose_run import OmicsDiagnoseRunOperator
from airflow_omics.operators.estimate_run_cost import OmicsEstimateRunCostOperator
from airflow_omics.operators.get_batch import OmicsGetBatchOperator
from airflow_omics.operators.get_run import OmicsGetRunOperator
from airflow_omics.operators.list_run_outputs import OmicsListRunOutputsOperator
from airflow_omics.operators.list_run_tasks import OmicsListRunTasksOperator
from airflow_omics.operators.list_runs_in_batch import OmicsListRunsInBatchOperator
from airflow_omics.operators.start_run import OmicsStartRunOperator
from airflow_omics.operators.start_run_batch import OmicsStartRunBatchOperator

__all__ = [
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
]
