"""Why did this run fail, or what does it wait for: gathers what AWS knows and writes the report.

It never causes a failure itself: what it may not read, or cannot, becomes a line of the report.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics.diagnosis.bounded import may_read_connections, result_within
from airflow_omics.diagnosis.gather import gather
from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.diagnosis.manifest import Manifest, read_manifest
from airflow_omics.diagnosis.model import Diagnosis, Findings, Limits
from airflow_omics.diagnosis.privacy import may_read_logs, narrowed
from airflow_omics.diagnosis.report import commands_of, log_tails, report
from airflow_omics.links import RUN_LINKS, OmicsRunLink, OmicsRunLogLink, run_links
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

__all__ = ["Diagnosis"]


def diagnose(
    hook: OmicsHook,
    record: RunRecord,
    *,
    limits: Limits | None = None,
    headline: str | None = None,
    logs: bool = True,
    record_fields: Collection[str] | None = None,
) -> Diagnosis:
    """Return why a run ended as it did or, if it goes on, what it does and waits for.

    :param hook: a hook on the run's account and Region; CloudWatch Logs is read on the same connection.
    :param record: the run's record, by GetRun or by its manifest.
    :param limits: what bounds the search; 5 tasks, 20 lines of each log and 30 seconds in all.
    :param headline: the report's first line, if the caller has one; a line that describes the run if not.
    :param logs: False reads nothing of CloudWatch Logs; ``[omics] log_tails`` may say so for everybody.
    :param record_fields: the members of the record that the diagnosis hands on, besides those that an error
        needs; None for all that it carries.
    :return: the diagnosis. No error of AWS or the network is raised.

    Uses the IAM actions ``omics:ListRunTasks``, ``omics:GetRunTask``, ``omics:GetRunGroup``,
    ``omics:ListRuns`` and ``logs:GetLogEvents`` as far as they are allowed.
    """
    found = gather(hook, record, limits or Limits(), logs=logs and may_read_logs())
    arn = record.get("arn") or ""
    region = arn.split(":")[3] if arn.count(":") >= 5 else found.region
    links = _links(record, found)
    commands = commands_of(found, region)
    shown = found
    if record_fields is not None and "startedBy" not in record_fields:
        known: Any = {key: value for key, value in found.record.items() if key != "startedBy"}
        shown = dataclasses.replace(found, record=known)
    whole, brief = (
        report(
            shown,
            headline=None if headline is None else clean_text(headline, 2000),
            run_page=links.get(OmicsRunLink.name),
            commands=commands,
            now=_clock.time() + hook.clock_skew,
            log_tails=with_tails,
        )
        for with_tails in (True, False)
    )
    kept = dataclasses.replace(
        found,
        record=narrowed(found.record, record_fields),
        before=None if found.before is None else narrowed(found.before, record_fields),
    )
    return Diagnosis(kept, whole, links, commands, brief, tuple(log_tails(kept)))


def forgotten_run(
    hook: OmicsHook, run_id: str, uuid: str | None = None, *, max_seconds: float = 30.0
) -> RunRecord | None:
    """Return the record of a run that GetRun no longer knows, from its manifest; None if there is none.

    :param hook: its connection is read here if it has not been read yet.
    :param uuid: the run's uuid, if it is known; if not, the newest run of that id is meant.
    :param max_seconds: seconds that the search may take.
    :return: the record, marked ``"source": "manifest"``.
    :raises botocore.exceptions.ClientError: as AWS answered; a missing log group is no error.
    :raises TimeoutError: nothing was found out within ``max_seconds``.
    """
    manifest = manifest_of_run(hook, run_id, uuid, max_seconds=max_seconds)
    return None if manifest is None else manifest.record


def manifest_of_run(
    hook: OmicsHook, run_id: str, uuid: str | None = None, *, max_seconds: float = 30.0
) -> Manifest | None:
    """Return the manifest of a run that has ended; None if there is none. Parameters as of forgotten_run.

    :raises botocore.exceptions.ClientError: as AWS answered; a missing log group or stream is no error.
    :raises TimeoutError: it was not read within ``max_seconds``.
    """
    from airflow_omics.exceptions import FaultKind
    from airflow_omics.hooks import OmicsLogsHook
    from airflow_omics.hooks.faults import fault_of

    def read() -> Manifest | None:
        return read_manifest(OmicsLogsHook.beside(hook), run_id, uuid)

    if not may_read_connections():
        hook.conn_config  # noqa: B018
    try:
        return result_within(max_seconds, read, f"omics-manifest-{run_id}")
    except Exception as error:
        fault = fault_of(error)
        if fault is not None and fault.kind is FaultKind.NOT_FOUND:
            return None
        raise


def _links(record: RunRecord, found: Findings) -> dict[str, str]:
    known = run_links(record)
    if known is None:
        return {}
    links = {link.name: link.url(known) for link in RUN_LINKS}
    group = known.get("engine_log", "").partition(":log-stream:")[0]
    for task in found.failing:
        if group and task.log_stream:
            url = OmicsRunLogLink().url({"run_log": f"{group}:log-stream:{task.log_stream}"})
            links[f"Log of task {task.name} ({task.task_id})"] = url
    return {name: url for name, url in links.items() if url}
