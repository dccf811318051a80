"""Sensors for AWS HealthOmics runs."""

from airflow_omics.sensors.run import OmicsRunSensor

__all__ = ["OmicsRunSensor"]
