"""The operations of HealthOmics' API about batches of runs: one method each, named as the operation.

They need botocore 1.42.74 (with aiobotocore 3.4.0); everything else of this package works with an older one.
https://docs.aws.amazon.com/omics/latest/dev/workflows-batch.html
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks.listing import Listing
from airflow_omics.hooks.responses import checked_record, clock_skew
from airflow_omics.records import BatchRecord


class _Operations(Protocol):
    """What the operations about batches use of the hook."""

    clock_skew: float

    def _omics_client(self, *, retried: bool = True) -> Any:
        """Return the botocore client of the service."""

    def _read_in(self, arn: Any) -> None:
        """Note in which account and Region something was read."""

    def _batch_listing(self, operation: str, filters: Mapping[str, str | None], key: str = ...) -> Listing:
        """Return the items of all pages."""


class OmicsBatchOperations:
    """What :class:`~airflow_omics.hooks.OmicsHook` can ask HealthOmics for about batches of runs.

    Each method raises OmicsRequestError if the installed botocore does not know batches.
    """

    def get_batch(self: _Operations, batch_id: str) -> BatchRecord:
        """Return the record of one batch, by one GetBatch.

        :param batch_id: the batch's id.
        :raises botocore.exceptions.ClientError: as AWS answered; ``fault_of`` says what it means.

        See https://docs.aws.amazon.com/omics/latest/api/API_GetBatch.html
        """
        answer = check_batches(self._omics_client()).get_batch(batchId=batch_id)
        self.clock_skew = clock_skew(answer)
        record = checked_record(answer, "GetBatch")
        self._read_in(record.get("arn"))
        return cast("BatchRecord", record)

    def start_run_batch(self: _Operations, request: Mapping[str, Any]) -> BatchRecord:
        """Start a batch and return StartRunBatch's answer as a record. Like StartRun, it is sent once.

        :param request: StartRunBatch's members, with the token ``requestId``.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html
        """
        answer = check_batches(self._omics_client(retried=False)).start_run_batch(**request)
        self.clock_skew = clock_skew(answer)
        return cast("BatchRecord", checked_record(answer, "StartRunBatch"))

    def list_batches(
        self: _Operations,
        *,
        name: str | None = None,
        status: str | None = None,
        run_group_id: str | None = None,
    ) -> Listing:
        """Return the batches of the account and Region, of all pages, as plain JSON; one filter at most.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListBatch.html
        """
        return self._batch_listing("list_batch", {"name": name, "status": status, "runGroupId": run_group_id})

    def list_runs_in_batch(
        self: _Operations,
        batch_id: str,
        *,
        submission_status: str | None = None,
        run_id: str | None = None,
    ) -> Listing:
        """Return the members of a batch, of all pages, as plain JSON: which run each is, and its submission.

        A member's run status is none of it: ``list_runs`` with ``batch_id`` has that. One filter at most.

        :param submission_status: only members in this status, such as ``FAILED``.
        :param run_id: only the member that is this run.

        See https://docs.aws.amazon.com/omics/latest/api/API_ListRunsInBatch.html
        """
        filters = {"batchId": batch_id, "submissionStatus": submission_status, "runId": run_id}
        return self._batch_listing("list_runs_in_batch", filters, "runs")

    def cancel_run_batch(self: _Operations, batch_id: str) -> None:
        """Ask for the runs of a batch to be cancelled; it passes through STOPPING.

        See https://docs.aws.amazon.com/omics/latest/api/API_CancelRunBatch.html
        """
        check_batches(self._omics_client()).cancel_run_batch(batchId=batch_id)

    def delete_run_batch(self: _Operations, batch_id: str) -> None:
        """Ask for the runs of a batch to be deleted; the batch itself stays.

        See https://docs.aws.amazon.com/omics/latest/api/API_DeleteRunBatch.html
        """
        check_batches(self._omics_client()).delete_run_batch(batchId=batch_id)

    def delete_batch(self: _Operations, batch_id: str) -> None:
        """Delete the record of a batch; its runs stay.

        See https://docs.aws.amazon.com/omics/latest/api/API_DeleteBatch.html
        """
        check_batches(self._omics_client()).delete_batch(batchId=batch_id)

    def _batch_listing(
        self, operation: str, filters: Mapping[str, str | None], key: str = "items"
    ) -> Listing:
        """Return the items of all pages; the first page is refused if botocore does not know batches."""
        client: Callable[[], Any] = cast("Any", self)._omics_client
        return Listing(lambda: check_batches(client()), operation, key, filters)


def check_batches(client: Any) -> Any:
    """Return a client of botocore or aiobotocore that knows batches of runs.

    :raises OmicsRequestError: the installed botocore is too old for them.
    """
    if "StartRunBatch" in client.meta.service_model.operation_names:
        return client
    raise OmicsRequestError(
        "Batches of runs need botocore 1.42.74 (and aiobotocore 3.4.0) or newer, and botocore "
        f"{importlib.metadata.version('botocore')} is installed; upgrade "
        "'apache-airflow-providers-amazon[aiobotocore]', or map OmicsStartRunOperator over the samples."
    )
