"""Controls of queues that get events."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_omics.emulator.control_table import control
from airflow_omics.emulator.other_services import event_queues
from airflow_omics.emulator.service.common.backend import default_backend
from airflow_omics.emulator.world.shared import WORLD


class QueueControls:
    """Queues for what listens to events, such as ``OmicsRunEventTrigger``."""

    @control()
    def event_queue(
        self,
        name: str,
        statuses: Sequence[str] | None = None,
        detail_type: str = "Run Status Change",
        *,
        visibility_seconds: int = 60,
        max_receives: int = 20,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """Make a queue of SQS with a rule and a dead-letter queue, and return the queue's URL.

        It gets what happens from now on. Rule and queue have the same name, and the dead-letter queue has
        this name with ``-dead-letters`` at its end. The URL is as AWS has it, with the Region in it: a client
        with the emulator's endpoint takes it, in process and over HTTP.

        :param name: its name.
        :param statuses: the statuses whose events it gets, such as ``["COMPLETED"]``; all if left out.
        :param detail_type: which events: ``Run Status Change``, ``RunBatch Status Change`` and so on.
        :param visibility_seconds: real seconds that a message stays with who has received it.
        :param max_receives: how often a message is received before it goes to the dead-letter queue.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        """
        with WORLD.lock:
            place = default_backend(account_id, region_name)
            return event_queues.make(place, name, statuses, detail_type, visibility_seconds, max_receives)
