"""The page of one batch."""

from __future__ import annotations

from airflow_omics.plugin.html import page
from airflow_omics.plugin.model import RunView


def render(view: RunView, root: str, now: float) -> str:
    """Return the page of a task instance's batch."""
    return page("Batch", "", root)
