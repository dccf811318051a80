"""Reads what an estimate needs: what a run has used, and the prices of its Region.

It imports hooks when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._monitoring.price_file import configured_factor, configured_prices
from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.price_offers import lists_of
from airflow_omics._monitoring.usage import RunUsage, usage_of_manifest, usage_of_tasks
from airflow_omics.records import ACTIVE_STATUSES

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics.diagnosis.manifest import Manifest
    from airflow_omics.hooks import OmicsHook

MANIFEST_SECONDS: Final = 60.0
"""Seconds that reading a manifest may take: 10,000 tasks are 7 MB."""

_SOURCE: Final = "AWS Price List API"
_WITHOUT_THE_API: Final = "[omics] price_list takes a file of prices instead, which needs no call."
_NOT_READ: Final = "The run's manifest was not read, since [omics] log_tails is False."
_NO_MANIFEST: Final = "There is no manifest of the run in CloudWatch Logs: logs were off, or were deleted."

Retried = Callable[[Callable[[], Any]], Any]
"""Makes a call, and makes it again after an error that may pass."""


class UsageReader:
    """Reads what one run has used.

    :param hook: a hook on the run's account and Region.
    :param run_id: the run's id.
    :param retried: how calls to HealthOmics are made.
    """

    def __init__(self, hook: OmicsHook, run_id: str, retried: Retried) -> None:
        self._hook = hook
        self._run_id = run_id
        self._retried = retried
        self.notes: list[str] = []
        """What could not be read, a sentence each."""

    def of_record(self, record: Mapping[str, Any], now: float) -> RunUsage:
        """Return what a run has used: by its manifest if it has ended and there is one, else by its tasks.

        :param record: GetRun's.
        :param now: seconds since the epoch, in the service's clock.
        """
        if record.get("status") not in ACTIVE_STATUSES:
            manifest = self.manifest(record.get("uuid"))
            if manifest is not None:
                mode = record.get("scratchStorageMode")
                return usage_of_manifest(manifest.line, manifest.tasks, now, mode)
        tasks: list[dict[str, Any]] = []
        listing = self._hook.list_run_tasks(self._run_id)
        while not listing.is_over:
            tasks += self._retried(listing.next_page)
        return usage_of_tasks(record, tasks, now)

    def manifest(self, uuid: str | None) -> Manifest | None:
        """Return the run's manifest; None, and a note that says why, if there is none or it can't be read.

        :param uuid: the run's; without it the newest run of the id is meant.
        """
        from airflow_omics.diagnosis import manifest_of_run
        from airflow_omics.diagnosis.privacy import may_read_logs
        from airflow_omics.hooks.faults import fault_of

        if not may_read_logs():
            self.notes.append(_NOT_READ)
            return None
        try:
            found = manifest_of_run(self._hook, self._run_id, uuid, max_seconds=MANIFEST_SECONDS)
        except Exception as error:  # what a run has used is known without it, if less well
            fault = fault_of(error)
            why = fault.message if fault is not None else f"{type(error).__name__}: {error}"
            self.notes.append(f"The run's manifest could not be read: {why}")
            return None
        if found is None:
            self.notes.append(_NO_MANIFEST)
        return found


def prices_of(hook: OmicsHook, region: str, target: Target, log: Any) -> PriceList:
    """Return the prices of a Region: of the deployment's file, else of the Pricing API.

    :param hook: prices are asked for on the same connection.
    :param target: the run that they are for, for errors.
    :param log: takes a warning at each retry.
    :raises OmicsRequestError: the file or the discount cannot be used.
    :raises OmicsAccessError: AWS denied GetProducts.
    :raises OmicsError: the Pricing API could not be reached for five minutes.
    """
    from airflow_omics.exceptions import OmicsError, OmicsRequestError
    from airflow_omics.hooks.pricing import OmicsPricingHook
    from airflow_omics.hooks.retrying import Retries

    try:
        prices = configured_prices(region)
        if prices is not None:
            return prices
        factor = configured_factor()
    except ValueError as error:
        raise OmicsRequestError(str(error), run_id=target.id) from None
    pricing = OmicsPricingHook.beside(hook)
    try:
        offers = Retries(lambda: pricing, log, target=target).call(lambda: pricing.offers(region))
    except OmicsError as error:
        message = f"{str(error).rstrip('.')}. {_WITHOUT_THE_API}"
        raise type(error)(message, run_id=target.id, kind=error.kind) from error
    found = lists_of(offers, _SOURCE).get(region, PriceList({}, region, _SOURCE))
    return found._replace(factor=factor)
