"""The events of batches: one for each status that a batch has entered, with the counts as they were then."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow_omics.emulator.other_services import event_details
from airflow_omics.emulator.other_services.occurrence import Occurrence
from airflow_omics.emulator.service.batches_state import BatchEntry, batches_of
from airflow_omics.emulator.service.common.backend import OmicsBackend

# AWS lists every status but this one for its events.
_WITHOUT_EVENT = "RUNS_DELETE_FAILED"


class _Told:
    """How many entries of each batch have been told."""

    def __init__(self, backend: OmicsBackend) -> None:
        self.entries: dict[str, int] = {}


def news(backend: OmicsBackend, now: float, wanted: Collection[str]) -> Iterator[Occurrence]:
    """Yield what has happened to batches of an account and Region since this was last asked.

    :param now: the present, in service time.
    :param wanted: the detail-types that somebody wants. These are few, and none is left out.
    """
    batches, told = batches_of(backend), backend.state(_Told).entries
    for _, batch in batches.after(0):
        yield from _since(batch.said, batch.history, told.get(batch.uuid, 0))
        told[batch.uuid] = len(batch.history)
    for said, history in batches.removed:
        yield from _since(said, history, told.pop(said["uuid"], 0))
    batches.removed.clear()


def _since(said: Mapping[str, Any], history: Sequence[BatchEntry], told: int) -> Iterator[Occurrence]:
    for entry in history[told:]:
        if entry.status != _WITHOUT_EVENT:
            detail = event_details.batch_detail({**said, **entry.counts}, entry.status)
            yield Occurrence(entry.service, entry.reported, event_details.BATCH, detail)
