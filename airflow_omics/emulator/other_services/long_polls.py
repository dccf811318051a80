"""A ReceiveMessage that waits sees the events that fall due while it waits."""

from __future__ import annotations

import functools
import time
from typing import Any

from airflow_omics.emulator.other_services.events import anyone_listens, deliver_due

_GLANCE_SECONDS = 0.1


def adapt() -> None:
    """Let moto's queues ask for events that are due while they wait; calling it again changes nothing."""
    # Not imported above, because it takes its time, and few use SQS.
    from moto.sqs.models import Queue

    queue: Any = Queue
    wait = getattr(queue, "wait_for_messages", None)
    if wait is not None and not hasattr(wait, "omics_emulator"):
        queue.wait_for_messages = _delivering(wait)


def _delivering(wait: Any) -> Any:
    @functools.wraps(wait)
    def wrapper(self: Any, timeout: float) -> None:
        if not anyone_listens():
            wait(self, timeout)
            return
        deadline = time.monotonic() + timeout
        while True:
            deliver_due()
            left = deadline - time.monotonic()
            if self.messages or left <= 0:
                return
            wait(self, min(left, _GLANCE_SECONDS))

    wrapper.omics_emulator = True  # type: ignore[attr-defined]
    return wrapper
