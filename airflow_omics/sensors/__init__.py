"""Sensors for AWS HealthOmics runs and batches of runs."""

from airflow_omics.sensors.run import OmicsRunSensor
from airflow_omics.sensors.run_batch import OmicsRunBatchSensor

__all__ = ["OmicsRunBatchSensor", "OmicsRunSensor"]
