"""The operations of HealthOmics' API about workflows, and what made the outputs of a run by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from airflow_omics.exceptions import FaultKind
from airflow_omics.hooks.faults import fault_of
from airflow_omics.provenance import provenance_of
from airflow_omics.provenance.manifest import IF_ANY, may_have_a_version
from airflow_omics.records import to_record

_PASSING: Final = (FaultKind.TRANSIENT, FaultKind.CREDENTIALS)
_LEFT_OUT: Final = "the engine, the main file and the workflow's own digest are left out."
_SAID: Final = {FaultKind.DENIED: "was denied", FaultKind.NOT_FOUND: "found no such workflow"}


class OmicsWorkflowOperations:
    """What :class:`~airflow_omics.hooks.OmicsHook` can ask HealthOmics for about workflows."""

    _last_workflow: tuple[Any, tuple[dict[str, Any] | None, list[str]]] | None = None

    def _omics_client(self, *, retried: bool = True) -> Any:
        """Return the botocore client of the service."""
        raise NotImplementedError

    def get_workflow(
        self,
        workflow_id: str,
        *,
        workflow_type: str | None = None,
        owner_id: str | None = None,
    ) -> dict[str, Any]:
        """Return a workflow, as plain JSON.

        :param workflow_id: its id.
        :param workflow_type: ``READY2RUN`` for one of AWS's own, which is not found otherwise.
        :param owner_id: the account of its owner, if it is shared.
        :raises botocore.exceptions.ClientError: as AWS answered; ``fault_of`` says what it means.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetWorkflow.html
        """
        request = {"id": workflow_id, **_given(type=workflow_type, workflowOwnerId=owner_id)}
        return dict(to_record(self._omics_client().get_workflow(**request)))

    def get_workflow_version(
        self,
        workflow_id: str,
        version_name: str,
        *,
        workflow_type: str | None = None,
        owner_id: str | None = None,
    ) -> dict[str, Any]:
        """Return a version of a workflow, as plain JSON.

        :param workflow_id: the workflow's id.
        :param version_name: the name of the version.
        :param workflow_type: ``READY2RUN`` for a workflow of AWS's own.
        :param owner_id: the account of its owner, if it is shared.
        :raises AttributeError: the installed botocore knows no versions; 1.38 does.
        :raises botocore.exceptions.ClientError: as AWS answered; ``fault_of`` says what it means.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetWorkflowVersion.html
        """
        request = {
            "workflowId": workflow_id,
            "versionName": version_name,
            **_given(type=workflow_type, workflowOwnerId=owner_id),
        }
        return dict(to_record(self._omics_client().get_workflow_version(**request)))

    def provenance(
        self, record: Mapping[str, Any], *, task: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the provenance manifest of a run: what made its outputs, as far as it is known.

        One call asks for the workflow, or for its version, since GetRun names neither engine nor main file.
        If it is denied, or the workflow is gone, the manifest says so in ``notes`` and lacks them.

        :param record: the run's record, as GetRun gives it. What it lacks is named in ``incomplete``.
        :param task: the task of Airflow that asks, if one does: its ``dag_id``, ``run_id``, ``task_id`` and
            ``map_index``.
        :return: plain JSON, see :func:`airflow_omics.provenance.provenance_of`.
        :raises ValueError: ``record`` is no record of a run.
        :raises botocore.exceptions.ClientError: an error that may pass, such as throttling. A manifest does
            not depend on such an error, so that one made later is the same.
        """
        members = self._omics_client().meta.service_model.operation_model("GetRun").output_shape.members
        unread = [member for member in IF_ANY.values() if member not in members]
        provenance_of(record)  # refuses what is no record, before anything is asked for
        workflow, notes = self._workflow_of(record, unread)
        return provenance_of(record, workflow=workflow, task=task, notes=notes, unread=unread)

    def _workflow_of(
        self, record: Mapping[str, Any], unread: Collection[str]
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the workflow of a run, or why it is not known. Runs of a batch share one call."""
        workflow_id, version = record.get("workflowId"), record.get("workflowVersionName")
        if not isinstance(workflow_id, str):
            return None, []
        if may_have_a_version(record, unread):
            return None, [f"It is not known which version of its workflow the run had: {_LEFT_OUT}"]
        named = {"workflow_type": record.get("workflowType"), "owner_id": record.get("workflowOwnerId")}
        asked = (workflow_id, version, *named.values())
        if self._last_workflow is None or self._last_workflow[0] != asked:
            self._last_workflow = (asked, self._ask_for_workflow(workflow_id, version, named))
        return self._last_workflow[1]

    def _ask_for_workflow(
        self, workflow_id: str, version: str | None, named: Mapping[str, Any]
    ) -> tuple[dict[str, Any] | None, list[str]]:
        operation = "GetWorkflowVersion" if version else "GetWorkflow"
        if version and not hasattr(self._omics_client(), "get_workflow_version"):
            return None, [f"The installed botocore does not know {operation}: {_LEFT_OUT}"]
        try:
            if version:
                return self.get_workflow_version(workflow_id, version, **named), []
            return self.get_workflow(workflow_id, **named), []
        except Exception as error:
            fault = fault_of(error)
            if fault is None or fault.kind in _PASSING:
                raise
            # Without AWS's own words, which have a request id: the same manifest is made again.
            return None, [f"{operation} {_SAID.get(fault.kind, 'was refused')}: {_LEFT_OUT}"]


def _given(**members: str | None) -> dict[str, str]:
    return {name: value for name, value in members.items() if value}
