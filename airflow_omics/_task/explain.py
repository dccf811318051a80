"""Why a run ended badly, or what it waits for, for the task's log and its XCom ``diagnosis``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_omics._task.checks import WITHOUT_LOGS
from airflow_omics.records import ACTIVE_STATUSES, RunRecord

if TYPE_CHECKING:
    from airflow_omics._connection import AwsArguments
    from airflow_omics.diagnosis import Diagnosis

log = logging.getLogger(__name__)


def explain(
    task: Any,
    record: RunRecord,
    headline: str,
    context: Any,
    arguments: Callable[[], AwsArguments],
    *,
    has_error: bool = True,
) -> Diagnosis | None:
    """Return why the run ended badly or, if it goes on, what it waits for; None if that failed.

    It is pushed as the XCom ``diagnosis``.

    Whatever goes wrong here, the task ends as it would have ended without it.

    :param task: the sensor or operator; its ``diagnose`` and ``record_fields`` say what may be read and
        reported.
    :param headline: the first line of the report.
    :param arguments: returns how the run is reached.
    :param has_error: whether an error will carry the report, so that only what it lacks is logged here.
    """
    diagnosis: Diagnosis | None = None
    try:
        from airflow_omics.diagnosis import diagnose
        from airflow_omics.hooks import OmicsHook

        # No warning of the Region here: it reads the connection, which must count as the diagnosis' time.
        diagnosis = diagnose(
            OmicsHook.of(arguments()),
            record,
            headline=headline,
            logs=task.diagnose != WITHOUT_LOGS,
            record_fields=task.record_fields,
        )
        for line in diagnosis.log_tails if has_error else diagnosis.text.splitlines():
            log.warning("%s", line)
        ti: Any = context.get("ti")
        if task.do_xcom_push and ti is not None:
            ti.xcom_push(key="diagnosis", value=diagnosis.to_plain())
    except Exception:
        done = "found out" if diagnosis is None else "pushed to XCom"
        does = "waits" if record.get("status") in ACTIVE_STATUSES else "failed"
        log.warning("Why HealthOmics run %s %s was not %s", record.get("id"), does, done, exc_info=True)
    return diagnosis
