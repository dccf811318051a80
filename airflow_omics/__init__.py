"""Gate on, read and understand AWS HealthOmics workflow runs from Apache Airflow.

Nothing is imported here: parsing a DAG file pays only for the module it names, for example
``from airflow_omics.sensors import OmicsRunSensor``.
"""

from __future__ import annotations

__version__ = "0.1.0"
