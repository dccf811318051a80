"""The events of a task's outlets: what they say of the run or batch that the task was about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_omics._compat import Context


def fill_outlets(task: Any, context: Context, record: Mapping[str, Any]) -> None:
    """Put the public members of a record into the event of each outlet of a task that succeeds.

    :param task: the sensor or operator.
    :param record: as ``record_fields`` leaves it.
    """
