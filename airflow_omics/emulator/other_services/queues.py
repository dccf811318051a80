"""SQS is moto's own. Here its queues become quick, safe for several readers, and prompt for those who wait.

moto's ReceiveMessage takes no lock, so two readers may get one message. It counts a queue many times for each
message, which takes seconds for a thousand. And one that waits looks once a second. FIFO queues keep moto's
ReceiveMessage.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from moto.core.utils import unix_time_millis

from airflow_omics.emulator.other_services.events import anyone_listens, deliver_due

_GLANCE_SECONDS = 0.1
# Without a rule, one is made at most so long before a ReceiveMessage that waits sees its first event.
_NO_RULE_SECONDS = 1.0


def adapt() -> None:
    """Let moto's queues work as described above; calling it again changes nothing."""
    # Not imported above, because it takes its time, and few use SQS.
    from moto.sqs import models

    queue: Any = models.Queue
    backend: Any = models.SQSBackend
    if hasattr(queue.wait_for_messages, "omics_emulator"):
        return
    queue.wait_for_messages = _delivering(queue.wait_for_messages)
    queue.delete_message = _delete_message
    queue.approximate_number_of_messages = _counted(lambda message, now: _hidden_until(message) <= now)
    queue.approximate_number_of_messages_delayed = _counted(lambda message, now: message.delayed_until > now)
    queue.approximate_number_of_messages_not_visible = _counted(lambda message, now: message.visible_at > now)
    backend.receive_message = _receiving(backend.receive_message)
    backend.change_message_visibility = _telling(backend.change_message_visibility)


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


def _counted(which: Callable[[Any, float], bool]) -> Any:
    """Return a property: how many messages are so, with one look at the clock. SendMessage asks for it."""

    def count(self: Any) -> int:
        now = unix_time_millis()
        return sum(which(message, now) for message in self._messages)

    return property(count)


def _hidden_until(message: Any) -> float:
    """Return when a message may be received, in milliseconds since the epoch."""
    return float(max(message.visible_at, message.delayed_until))


def _receiving(by_moto: Any) -> Any:
    @functools.wraps(by_moto)
    def receive_message(
        self: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        visibility_timeout: int,
        message_attribute_names: list[str] | None = None,
    ) -> list[Any]:
        queue = self.get_queue(queue_name)
        names = message_attribute_names or []
        if queue.fifo_queue:
            found: list[Any] = by_moto(
                self, queue_name, count, wait_seconds_timeout, visibility_timeout, names
            )
            return found
        deadline = time.monotonic() + wait_seconds_timeout
        while True:
            listens = anyone_listens()
            if listens:
                # Without the queue's lock: who delivers holds the emulator's lock, and then asks for this.
                deliver_due()
            with queue._messages_lock:
                received = _take(queue, count, visibility_timeout)
                left = deadline - time.monotonic()
                if not (received.messages or received.dead) and left > 0:
                    glance = _GLANCE_SECONDS if listens else _NO_RULE_SECONDS
                    queue._messages_lock.wait(min(left, glance, received.next_seconds))
            for message in received.dead:
                queue.dead_letter_queue.add_message(message)
            if received.messages or left <= 0:
                return [_shown(message, names) for message in received.messages]
            # It may have been deleted meanwhile; then moto says so.
            if self.get_queue(queue_name) is not queue:
                return []

    return receive_message


class _Received(NamedTuple):
    """What a look at a queue has found.

    :param messages: those that were received, at most as many as were asked for. They are copies, since
        another reader may receive the message again before this one is answered.
    :param dead: those that were received too often, and are in no queue now.
    :param next_seconds: real seconds until one that is hidden may be received.
    """

    messages: list[Any]
    dead: list[Any]
    next_seconds: float


def _take(queue: Any, count: int, visibility_timeout: int) -> _Received:
    """Receive what may be received now. The queue's lock is held."""
    now, upcoming = unix_time_millis(), math.inf
    oldest = now - 1000 * queue.message_retention_period
    taken: list[Any] = []
    dead: list[Any] = []
    expired: list[Any] = []
    for message in queue._messages:
        if message.sent_timestamp <= oldest:
            expired.append(message)
        elif (hidden_until := _hidden_until(message)) > now:
            upcoming = min(upcoming, hidden_until)
        elif _is_dead(queue, message):
            dead.append(message)
        elif len(taken) < count:
            message.mark_received(visibility_timeout=visibility_timeout)
            taken.append(copy.copy(message))
        else:
            break
    _remove(queue, [*dead, *expired])
    return _Received(taken, dead, max(0.0, (upcoming - now) / 1000))


def _is_dead(queue: Any, message: Any) -> bool:
    if queue.dead_letter_queue is None or not queue.redrive_policy:
        return False
    return bool(message.approximate_receive_count >= queue.redrive_policy["maxReceiveCount"])


def _remove(queue: Any, messages: Collection[Any]) -> None:
    """Take messages out of a queue. The list is another one then, so that who reads the old one may go on."""
    if messages:
        gone = {id(message) for message in messages}
        queue._messages = [message for message in queue._messages if id(message) not in gone]


def _shown(message: Any, attribute_names: list[str]) -> Any:
    """Narrow a copy of a message to the message attributes that were asked for."""
    everything = "All" in attribute_names
    prefixes = tuple(name[:-2] for name in attribute_names if name.endswith(".*"))
    message.message_attributes = {
        name: value
        for name, value in message.message_attributes.items()
        if everything or name in attribute_names or name.startswith(prefixes)
    }
    return message


def _delete_message(self: Any, receipt_handle: str) -> None:
    """Delete the message that was received with this handle, or has been deleted by it before."""
    from moto.sqs.exceptions import ReceiptHandleIsInvalid

    with self._messages_lock:
        if receipt_handle in self.deleted_messages:
            return
        for message in self._messages:
            if receipt_handle == message.receipt_handle or receipt_handle in message._old_receipt_handles:
                self.pending_messages.discard(message)
                self.deleted_messages.update(message.all_receipt_handles)
                _remove(self, [message])
                return
    raise ReceiptHandleIsInvalid


def _telling(by_moto: Any) -> Any:
    """Let those who wait know at once that a message may be received again."""

    @functools.wraps(by_moto)
    def change_message_visibility(
        self: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
    ) -> None:
        queue = self.get_queue(queue_name)
        with queue._messages_lock:
            by_moto(self, queue_name, receipt_handle, visibility_timeout)
            queue._messages_lock.notify_all()

    return change_message_visibility
