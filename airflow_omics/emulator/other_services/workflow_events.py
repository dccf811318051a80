"""The events of workflows: when one is made, when it is ACTIVE or FAILED, and when it is deleted.

AWS documents no event of a version, and none is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from airflow_omics.emulator.other_services import event_details
from airflow_omics.emulator.other_services.occurrence import Occurrence
from airflow_omics.emulator.service import workflows_record
from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.workflows_state import Workflow, workflows_of


class _Told:
    """How much of each workflow has been told, of those of which there is more to tell."""

    def __init__(self, backend: OmicsBackend) -> None:
        self.entries: dict[Workflow, int] = {}


def news(backend: OmicsBackend, now: float, wanted: Collection[str]) -> Iterator[Occurrence]:
    """Yield what has happened to workflows of an account and Region since this was last asked.

    :param now: the present, in service time.
    :param wanted: the detail-types that somebody wants. These are few, and none is left out.
    """
    workflows, told = workflows_of(backend), backend.state(_Told).entries
    for workflow in workflows.unannounced:
        told.setdefault(workflow, 0)
    workflows.unannounced.clear()
    for workflow, entries in list(told.items()):
        history = workflow.history
        due = [entry for entry in history if entry.service <= now]
        for entry in due[entries:]:
            detail = event_details.workflow_detail(workflows_record.record(workflow), entry.status)
            yield Occurrence(entry.service, entry.reported, event_details.WORKFLOW, detail)
        told[workflow] = len(due)
        if due[-1].status == "DELETED":
            del told[workflow]
