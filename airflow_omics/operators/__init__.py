"""Operators for AWS HealthOmics runs."""

from airflow_omics.operators.get_run import OmicsGetRunOperator

__all__ = ["OmicsGetRunOperator"]
