"""Whether tasks look after the progress of their run: ``[omics] progress``."""

from __future__ import annotations

from airflow_omics._compat import option_is_on


def progress_is_on() -> bool:
    """Return ``[omics] progress`` of Airflow's configuration, True by default; False if it is no boolean."""
    return option_is_on("progress", True)
