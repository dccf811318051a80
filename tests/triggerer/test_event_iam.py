"""OmicsRunEventTrigger asks for the IAM actions of the table, and for no others."""

from __future__ import annotations

import pytest

from airflow_omics._listening import queue_reader
from airflow_omics.emulator import EmulatorServer
from tests.support.event_queues import Fired, Queue, event, stored, trigger, until
from tests.support.iam import OPTIONAL, REQUIRED, Asked
from tests.support.triggers import run_loop

NAME = "OmicsRunEventTrigger"


def test_every_action_of_the_table_is_asked_for_and_no_other(
    server: EmulatorServer, queue: Queue, received: list[str], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "LATE", 0.2)
    queue.send("no event", event(1))
    asked.actions.clear()

    async def body() -> None:
        fired = Fired(stored(trigger(queue)).run())
        await fired.fires(1)
        await queue.holds(0, 0)
        await fired.stop()
        # The emulator, as SQS may, still answers the request that the first one waited for.
        other = Queue(server, "other")
        other.send(*(event(number) for number in range(2, 12)))
        waiting = Fired(stored(trigger(other, spacing=60)).run())
        await until(lambda: len(received) == 12)
        await waiting.stop()

    run_loop(body)
    # What the test itself asks for: it sends, and counts what the queue holds.
    asked.actions -= {"sqs:SendMessageBatch", "sqs:CreateQueue"}
    # SQS has no actions for batches of messages: each is that of one message.
    actions = {action.removesuffix("Batch") for action in asked.actions}
    assert actions == {*REQUIRED[NAME], *OPTIONAL[NAME]}
