"""The operations of HealthOmics' API that this package uses: one method each, named as the operation.

A new operation is added here, with the address of AWS's page about it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ServiceModel

from airflow_omics._identity import home_of
from airflow_omics.hooks.batch_operations import OmicsBatchOperations
from airflow_omics.hooks.listing import Listing
from airflow_omics.hooks.responses import checked_record, clock_skew
from airflow_omics.hooks.workflow_operations import OmicsWorkflowOperations
from airflow_omics.records import RunRecord, to_record

log = logging.getLogger(__name__)

LOADER: Final = Loader()
"""One for the process: it keeps the service models that it has loaded."""


class OmicsOperations(OmicsBatchOperations, OmicsWorkflowOperations):
    """What :class:`~airflow_omics.hooks.OmicsHook` can ask HealthOmics for.

    A method sends its request and returns plain JSON. An error of AWS or the network is raised as it came:
    ``airflow_omics.hooks.faults.fault_of`` says what it means, and ``airflow_omics.hooks.retrying`` retries.
    """

    clock_skew: float
    """Seconds by which the service's clock was ahead of this machine's at the last answer."""
    homes: set[str]
    """The accounts and Regions whose runs it has read, as ``_identity.home_of`` says."""
    own_home: str | None
    """The account and Region of its identity, as STS said; None if that is not known."""
    asked_sts: bool
    """Whether STS was asked for it."""
    looked_around: bool
    """Whether :meth:`look_around` was called."""

    def _omics_client(self, *, retried: bool = True) -> Any:
        """Return the botocore client of the service.

        :param retried: whether botocore may send a request again after an error.
        """
        raise NotImplementedError

    # -- runs ------------------------------------------------------------------------------------------------

    def get_run(self, run_id: str, export: Collection[str] | None = None) -> RunRecord:
        """Return the record of one run, by one GetRun.

        :param run_id: the run's id.
        :param export: what the record also holds: ``["DEFINITION"]`` adds the workflow's definition.
        :raises botocore.exceptions.ClientError: as AWS answered; ``fault_of`` says what it means.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html
        """
        request: dict[str, Any] = {"id": run_id}
        if export:
            request["export"] = list(export)
        answer = self._omics_client().get_run(**request)
        self.clock_skew = clock_skew(answer)
        record = checked_record(answer)
        self._read_in(record.get("arn"))
        return record

    def start_run(self, request: Mapping[str, Any]) -> RunRecord:
        """Start a run and return StartRun's answer as a record.

        It is sent once: if its answer is lost, the run may have been started, and the caller must find out
        whether a second request with the same token starts another.

        :param request: StartRun's members; without a ``requestId`` botocore makes one up for each call.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/omics/latest/api/API_StartRun.html
        """
        answer = self._omics_client(retried=False).start_run(**request)
        self.clock_skew = clock_skew(answer)
        return checked_record(answer, "StartRun")

    @staticmethod
    def start_run_members(shape_name: str = "StartRunRequest") -> dict[str, str]:
        """Return the members that StartRun takes and the type of each, as the installed botocore knows them.

        It needs no credentials. A type is botocore's: ``string``, ``boolean``, ..., and ``document``.

        :param shape_name: another shape of the model, such as ``DefaultRunSetting`` of StartRunBatch.
        """
        model = ServiceModel(LOADER.load_service_model("omics", "service-2"), "omics")
        if shape_name not in model.shape_names:
            return {}
        members = model.shape_for(shape_name).members
        return {
            name: "document" if getattr(shape, "is_document_type", False) else shape.type_name
            for name, shape in members.items()
        }

    def list_runs(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        run_group_id: str | None = None,
        batch_id: str | None = None,
    ) -> Listing:
        """Return the runs of the account and Region, of all pages, as plain JSON.

        :param name: only runs of this name; AWS does not say whether it compares for equality.
        :param status: only runs in this status.
        :param run_group_id: only runs of this run group.
        :param batch_id: only runs of this batch; AWS does not say whether it goes together with ``status``.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRuns.html
        """
        filters = {"name": name, "status": status, "runGroupId": run_group_id}
        if batch_id is not None:
            return self._batch_listing("list_runs", {**filters, "batchId": batch_id})
        return self._listing("list_runs", filters)

    def cancel_run(self, run_id: str) -> None:
        """Ask for a run to be cancelled; it passes through STOPPING, and may still end otherwise.

        See https://docs.aws.amazon.com/omics/latest/api/API_CancelRun.html
        """
        self._omics_client().cancel_run(id=run_id)

    def delete_run(self, run_id: str) -> None:
        """Delete a run's metadata; its outputs in S3 and its logs stay.

        See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRun.html
        """
        self._omics_client().delete_run(id=run_id)

    def list_run_tasks(self, run_id: str, *, status: str | None = None) -> Listing:
        """Return the tasks of a run, of all pages, as plain JSON.

        :param status: only tasks in this status.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRunTasks.html
        """
        return self._listing("list_run_tasks", {"id": run_id, "status": status})

    def get_run_task(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Return one task of a run, as plain JSON.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRunTask.html
        """
        return dict(to_record(self._omics_client().get_run_task(id=run_id, taskId=task_id)))

    def get_run_group(self, run_group_id: str) -> dict[str, Any]:
        """Return a run group, with its limits, as plain JSON.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetRunGroup.html
        """
        return dict(to_record(self._omics_client().get_run_group(id=run_group_id)))

    # -- what the operations share ---------------------------------------------------------------------------

    def look_around(self) -> None:
        """Learn whose runs these calls read, by one page of ListRuns, if that is allowed."""
        self.looked_around = True
        try:
            for item in self.list_runs():
                self._read_in(item.get("arn"))
                return
        except Exception as error:
            # Usually it is not allowed. It only helps: if the answer matters, its lack is reported.
            log.debug("Whose runs these calls read is not known", exc_info=error)

    def _read_in(self, arn: Any) -> None:
        if home := home_of(arn):
            self.homes.add(home)

    def _listing(self, operation: str, filters: Mapping[str, str | None]) -> Listing:
        """Return the items of all pages, as :class:`~airflow_omics.hooks.listing.Listing` says."""
        return Listing(self._omics_client, operation, "items", filters)
