"""The few Airflow names whose import path differs between 2.11 and 3.x.

``airflow.providers.common.compat.sdk`` offers the same, but is younger than the provider versions that
Airflow's 2.11 and 3.0 constraint files name, so managed environments do not have it.
"""

from __future__ import annotations

import datetime
import functools
import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import (
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        Context,
        PokeReturnValue,
        conf,
    )
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
        TaskDeferralError,
    )
else:
    try:
        from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator, Context, PokeReturnValue
    except ImportError:  # Airflow 2.11
        from airflow.models.baseoperator import BaseOperator
        from airflow.models.baseoperatorlink import BaseOperatorLink
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
            AirflowNotFoundException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralError,
        )
    except ImportError:  # before Airflow 3.2
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowRescheduleException,
            AirflowSensorTimeout,
            AirflowSkipException,
            AirflowTaskTimeout,
            TaskDeferralError,
        )

log = logging.getLogger(__name__)

__all__ = [
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Context",
    "PokeReturnValue",
    "TaskDeferralError",
    "asset_classes",
    "conf",
    "first_reschedule_date",
    "has_listeners",
    "has_pages",
    "has_partitions",
    "option_is_on",
    "stats",
    "xcom_value",
]


def first_reschedule_date(context: Context, retries: int | None) -> datetime.datetime | None:
    """Return when a task in reschedule mode was first run, or None if this is the first time.

    :param context: the task's context.
    :param retries: the task's ``retries``; Airflow 2.11 needs it to find the first try since the last clear.
    """
    ti: Any = context.get("ti")
    if ti is None:  # no task runner: a test calls execute()
        return None
    if hasattr(ti, "get_first_reschedule_date"):
        first: datetime.datetime | str | None = ti.get_first_reschedule_date(context)
        # Airflow 3.0 hands over text if the task runs in the process of dag.test().
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


def has_listeners() -> bool:
    """Return whether any of Airflow's plugins registers a listener, as Airflow's DAG parser checks it.

    The first call in a process loads the plugins; Airflow does so in every process that parses DAGs.
    """
    try:
        from airflow.listeners.listener import get_listener_manager
    except ImportError:  # a worker without Airflow's core: it reads no DAG files for the scheduler
        return False
    return bool(get_listener_manager().has_listeners)


@functools.cache
def has_pages() -> bool:
    """Return whether this Airflow's UI can show pages of a provider: from 3.1 on."""
    return _sdk_version() >= (1, 1)


@functools.cache
def has_partitions() -> bool:
    """Return whether a task can name the partitions of its outlets' events: from 3.3 on."""
    return _sdk_version() >= (1, 3)


def _sdk_version() -> tuple[int, int]:
    """Return the version of Airflow's SDK, 1.1 for Airflow 3.1 and so on; (0, 0) for Airflow 2.11."""
    try:
        from airflow.sdk import __version__ as version
    except ImportError:
        return (0, 0)
    major, minor = version.split(".")[:2]
    return (int(major), int(minor))


def asset_classes() -> tuple[type, tuple[type, ...], type]:
    """Return the classes of outlets: an asset's, those that have an event of their own, and an alias's."""
    try:
        from airflow.sdk import Asset, AssetAlias
        from airflow.sdk.definitions.asset import AssetRef
    except ImportError:  # Airflow 2.11
        from airflow.datasets import Dataset, DatasetAlias  # type: ignore[import-not-found]

        return Dataset, (Dataset,), DatasetAlias
    return Asset, (Asset, AssetRef), AssetAlias


def option_is_on(name: str, default: bool) -> bool:
    """Return an option of ``[omics]`` in Airflow's configuration; False if it is no boolean."""
    try:
        return bool(conf.getboolean("omics", name, fallback=default))
    except Exception as error:  # each Airflow raises its own
        log.debug("[omics] %s is taken for False, as it is neither True nor False: %s", name, error)
        return False


class _Stats:
    """Airflow's ``Stats``, whose errors are ignored: no wait may depend on where metrics go."""

    def incr(self, name: str, count: int = 1) -> None:
        """Count one, or so many."""
        self._send("incr", name, *([] if count == 1 else [count]))

    def gauge(self, name: str, value: float) -> None:
        """Report a value."""
        self._send("gauge", name, value)

    def timing(self, name: str, milliseconds: float) -> None:
        """Report how long something took."""
        self._send("timing", name, milliseconds)

    @staticmethod
    def _send(method: str, *arguments: Any) -> None:
        try:
            getattr(_airflow_stats(), method)(*arguments)
        except Exception as error:  # of any kind: statsd, OpenTelemetry and plugins each have their own
            log.debug("The metric %s was lost", arguments[0], exc_info=error)


_STATS = _Stats()


def stats() -> _Stats:
    """Return the part of Airflow's ``Stats`` that is used here; its errors become debug lines."""
    return _STATS


@functools.cache
def _airflow_stats() -> Any:
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # before Airflow 3.2
        from airflow.stats import Stats
    return Stats


def xcom_value(ti_key: Any, key: str) -> Any:
    """Return one XCom of a task instance, or None if there is none.

    :param ti_key: what Airflow hands to an extra link: from 3.0 on, on the worker, the task instance itself.
    """
    try:
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:  # Airflow 2.11
        from airflow.models.xcom import XCom  # type: ignore[no-redef]
    return XCom.get_value(ti_key=ti_key, key=key)


def redact(text: str, name: str | None = None) -> str:
    """Return ``text`` as Airflow's own secrets masker leaves it.

    :param name: the key under which the text stood; the whole text is masked if Airflow counts the key as
        sensitive.
    """
    masked: str = _redact()(text, name)
    return masked


@functools.cache
def _redact() -> Any:
    # If a module has moved, its old path may still work, with a warning: so the newest path comes first.
    for path in (
        "airflow.sdk.log",
        "airflow.sdk.execution_time.secrets_masker",  # Airflow 3.0
        "airflow.utils.log.secrets_masker",  # Airflow 2.11
    ):
        try:
            function = getattr(importlib.import_module(path), "redact", None)
        except ImportError:
            continue
        if function is not None:
            return function
    raise ImportError("This Airflow has no secrets masker in any place that airflow-omics knows.")


def has_event_triggers() -> bool:
    """Return whether this Airflow has triggers for an ``AssetWatcher``: from 3.0 on."""
    from airflow.triggers import base

    return hasattr(base, "BaseEventTrigger")


def __getattr__(name: str) -> Any:
    if name == "BaseEventTrigger":
        base = importlib.import_module("airflow.triggers.base")
        return getattr(base, name, base.BaseTrigger)  # Airflow 2.11 has none
    # Only DAG files that name a notifier pay for importing it.
    if name != "BaseNotifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module("airflow.sdk").BaseNotifier
    except ImportError:  # Airflow 2.11
        return importlib.import_module("airflow.notifications.basenotifier").BaseNotifier
