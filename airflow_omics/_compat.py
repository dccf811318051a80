"""The few Airflow names whose import path differs between 2.11 and 3.x.

``airflow.providers.common.compat.sdk`` offers the same, but is younger than the provider versions that
Airflow's 2.11 and 3.0 constraint files hold, so that managed environments do not have it.
"""

from __future__ import annotations

import datetime
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, BaseSensorOperator, Context, PokeReturnValue, conf
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferralError,
    )
else:
    try:
        from airflow.sdk import BaseOperator, BaseSensorOperator, Context, PokeReturnValue
    except ImportError:  # Airflow 2.11
        from airflow.models.baseoperator import BaseOperator
        from airflow.sensors.base import BaseSensorOperator, PokeReturnValue
        from airflow.utils.context import Context
    try:
        from airflow.sdk import conf
    except ImportError:  # before Airflow 3.2
        from airflow.configuration import conf
    try:
        from airflow.sdk.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferralError,
        )
    except ImportError:  # before Airflow 3.2
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            TaskDeferralError,
        )

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseOperator",
    "BaseSensorOperator",
    "Context",
    "PokeReturnValue",
    "TaskDeferralError",
    "conf",
    "first_reschedule_date",
    "stats",
]


def first_reschedule_date(context: Context, retries: int | None) -> datetime.datetime | None:
    """Return when a task in reschedule mode was first run, or None when this is that first time.

    :param context: the task's context.
    :param retries: the task's ``retries``; Airflow 2.11 tells the first try since the last clear by it.
    """
    ti: Any = context["ti"]
    if hasattr(ti, "get_first_reschedule_date"):
        first: datetime.datetime | str | None = ti.get_first_reschedule_date(context)
        # Airflow 3.0 hands over text where the task runs in the process of dag.test().
        return datetime.datetime.fromisoformat(first) if isinstance(first, str) else first
    from airflow.sensors.base import _orig_start_date  # type: ignore[import-not-found]

    original: datetime.datetime | None = _orig_start_date(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        try_number=(ti.max_tries or 0) - (retries or 0) + 1,
    )
    return original


@functools.cache
def stats() -> Any:
    """Return Airflow's ``Stats``: ``incr``, ``gauge`` and ``timing`` (milliseconds)."""
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # before Airflow 3.2
        from airflow.stats import Stats
    return Stats
