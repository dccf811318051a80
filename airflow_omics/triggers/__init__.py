"""The deferred halves of sensors and operators. Their class paths here are stored in Airflow's database."""

from airflow_omics.triggers.run import OmicsRunEvent, OmicsRunTrigger
from airflow_omics.triggers.run_batch import OmicsRunBatchEvent, OmicsRunBatchTrigger
from airflow_omics.triggers.run_events import OmicsRunEventTrigger
from airflow_omics.triggers.started import OmicsStartedRunBatchTrigger, OmicsStartedRunTrigger

__all__ = [
    "OmicsRunBatchEvent",
    "OmicsRunBatchTrigger",
    "OmicsRunEvent",
    "OmicsRunEventTrigger",
    "OmicsRunTrigger",
    "OmicsStartedRunBatchTrigger",
    "OmicsStartedRunTrigger",
]
