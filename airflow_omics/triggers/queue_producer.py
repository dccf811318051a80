"""The reader of a queue as Airflow 3.3 drives it: each message is deleted once its event is stored."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.shared_stream import SharedStreamProducer

from airflow_omics._listening.queue_reader import Batch, QueueReader
from airflow_omics._listening.readers import Readers

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import AdvanceItem

log = logging.getLogger(__name__)

AGAIN_AFTER: Final = 10
"""Seconds after which what one trigger could not handle, and others have, is received again. By then Airflow
has started that one anew; before, the others would handle the message alone, and it would be deleted."""


class QueueProducer(SharedStreamProducer):
    """Yields batches, and deletes the messages of each that every trigger has handled.

    :param queue_url: the queue.
    :param readers: the triggers that read it.
    """

    def __init__(self, queue_url: str, readers: Readers) -> None:
        self._reader = QueueReader(queue_url, readers)

    async def open_stream(self) -> AsyncIterator[tuple[Batch, Batch]]:
        """Yield batches, for the triggers and for :meth:`advance`."""
        async for batch in self._reader.batches():
            yield batch, batch

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Delete the messages of what is stored, and let be received again what is not.

        To Airflow, a trigger that is cancelled while its event is logged has handled the batch; but the event
        is stored nowhere.

        It never raises: Airflow would end every trigger of the stream.
        """
        for item in batch:
            handled: Batch = item.broker_payload
            try:
                if item.outcome.is_clean and not handled.firing:
                    await self._reader.delete(handled.messages)
                else:
                    by_others = item.outcome.acked > len(handled.firing)
                    await self._reader.hand_back(handled.messages, AGAIN_AFTER if by_others else 0)
            except Exception:
                log.exception("Messages of a queue could not be put away; they come again")

    def get_advance_lane(self, broker_payload: Any) -> Hashable:
        """Return a lane for each batch: none waits for another."""
        return id(broker_payload)

    async def aclose(self) -> None:
        """Hand back what was received and never fired."""
        await self._reader.close()
