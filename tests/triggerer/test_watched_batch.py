"""Many deferred waits on batches: what they share, with each other and with the waits on runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics._watching.watcher import Watcher
from airflow_omics.emulator import Emulator, EmulatorServer
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunBatchTrigger
from tests.support.batch_waits import client, end_runs, start_batch
from tests.support.triggers import (
    LISTENING,
    Clients,
    Lines,
    airflow_stats,
    ends,
    fire,
    moments,
    most_within,
    run_loop,
    seen,
    seen_more,
    start_waits,
    stop,
)

WELL = ("COMPLETED", "COMPLETED")


@pytest.fixture(autouse=True)
def _batches_start_at_once(omics: Emulator) -> None:
    omics.batches(creating_seconds=0, pending_seconds=0, starts_per_second=1000)


@pytest.fixture
def new_batches(omics: Emulator, server: EmulatorServer) -> Callable[[int], list[str]]:
    """Start so many batches of two runs each, and return their ids."""

    def start(count: int) -> list[str]:
        started = [start_batch(omics, 2, endpoint_url=server.endpoint_url) for _ in range(count)]
        for batch_id in started:
            deadline = time.monotonic() + 10.0
            while client(server.endpoint_url).get_batch(batchId=batch_id)["status"] != "INPROGRESS":
                assert time.monotonic() < deadline
        return started

    return start


def of_batches(ids: Any, **arguments: Any) -> dict[Any, asyncio.Task[dict[str, Any]]]:
    return start_waits(ids, OmicsRunBatchTrigger, **arguments)


def asked_for(omics: Emulator, batch_id: str) -> int:
    """Return how many GetBatches there were for one batch."""
    return sum(batch_id in str(request) for request in omics.requests("GetBatch"))


def test_three_hundred_waits_on_three_batches_take_three_requests_an_interval(
    omics: Emulator, new_batches: Any
) -> None:
    batch_ids = new_batches(3)

    async def body() -> tuple[int, float]:
        before, began = omics.counts()["GetBatch"], time.monotonic()
        waits = [list(of_batches(batch_ids, poke_interval=1.0).values()) for _ in range(100)]
        await seen_more(omics, "GetBatch", 12, 20.0)
        sent, lasted = omics.counts()["GetBatch"] - before, time.monotonic() - began
        await stop([wait for each in waits for wait in each])
        return sent, lasted

    sent, lasted = run_loop(body, 60.0)
    assert lasted >= 2.9  # four looks at each, an interval apart
    assert sent <= 3 * (lasted + 1.5)
    assert "ListRuns" not in omics.counts()
    assert "ListBatch" not in omics.counts()


def test_however_many_batches_there_are_no_list_is_asked_for(omics: Emulator, new_batches: Any) -> None:
    """A list of runs, which is cheaper than a look at each of as many runs, says nothing of batches."""
    batch_ids = new_batches(30)

    async def body() -> None:
        waits = of_batches(batch_ids)
        await seen_more(omics, "GetBatch", 100)
        await stop(waits.values())

    run_loop(body)
    assert set(omics.counts()) == {"StartRunBatch", "GetBatch"}


def test_all_waits_on_a_batch_end_with_it(omics: Emulator, server: Any, new_batches: Any) -> None:
    first, second = new_batches(2)

    async def body() -> tuple[list[Any], list[bool]]:
        waits = [of_batches([first])[first] for _ in range(20)]
        others = [of_batches([second])[second] for _ in range(20)]
        await seen_more(omics, "GetBatch", 2)
        await asyncio.to_thread(end_runs, omics, first, WELL, server.endpoint_url)
        events = await asyncio.gather(*waits)
        going_on = [not wait.done() for wait in others]
        await stop(others)
        return events, going_on

    events, going_on = run_loop(body)
    assert {event["record"]["status"] for event in events} == {"PROCESSED"}
    assert {event["record"]["id"] for event in events} == {first}
    assert all(going_on)


def test_runs_and_batches_of_a_connection_share_a_client(
    omics: Emulator, server: Any, new_batches: Any, clients: Clients
) -> None:
    [batch_id], [run_id] = new_batches(1), omics.start_runs(1, life="pending-forever")

    async def body() -> None:
        batch, run = of_batches([batch_id]), start_waits([run_id])
        await seen(omics, "GetRun", 1)
        await seen_more(omics, "GetBatch", 1)
        assert len(Watcher._of_loop[asyncio.get_running_loop()]) == 2
        omics.move(run_id, "COMPLETED")
        assert await ends(run) == {run_id: "COMPLETED"}
        # The client stays open for the batch, and the run's watcher is gone.
        assert clients.closed == []
        assert len(Watcher._of_loop[asyncio.get_running_loop()]) == 1
        await seen_more(omics, "GetBatch", 2)
        # A wait that comes back uses it as well.
        other = start_waits(omics.start_runs(1, life="completed"))
        await seen_more(omics, "GetRun", 1)
        await stop(other.values())
        await asyncio.to_thread(end_runs, omics, batch_id, WELL, server.endpoint_url)
        assert await ends(batch) == {batch_id: "PROCESSED"}

    run_loop(body)
    assert len(clients.opened) == 1
    assert clients.closed == clients.opened


@pytest.mark.parametrize(
    ("kind", "error"), [("access-denied", "OmicsAccessError"), ("validation", "OmicsRequestError")]
)
def test_a_fault_of_one_batch_reaches_no_other_wait(
    kind: str, error: str, omics: Emulator, server: Any, new_batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_ids = new_batches(3)
    [run_id] = omics.start_runs(1, life="pending-forever")
    get_batch: Any = OmicsAsyncClient.get_batch
    faults: list[str] = []

    async def faulty(self: OmicsAsyncClient, batch_id: str, export: Any = None) -> Any:
        if batch_id == batch_ids[1]:
            await asyncio.to_thread(omics.fault, "GetBatch", kind, times=1)
            faults.append(batch_id)
        return await get_batch(self, batch_id, export)

    async def body() -> None:
        waits, run = of_batches(batch_ids), start_waits([run_id])
        await seen(omics, "GetRun", 1)
        await seen_more(omics, "GetBatch", 3)
        monkeypatch.setattr(OmicsAsyncClient, "get_batch", _one_at_a_time(faulty))
        while not faults:  # a look that is under way would be answered
            await asyncio.sleep(0.01)
        # It never was readable for a wait that begins now.
        late = of_batches([batch_ids[1]])[batch_ids[1]]
        event = await late
        assert (event["outcome"], event["error"]) == ("error", error)
        assert f"HealthOmics batch {batch_ids[1]}" in event["message"]
        monkeypatch.setattr(OmicsAsyncClient, "get_batch", get_batch)
        await seen_more(omics, "GetBatch", 4)
        assert not waits[batch_ids[0]].done()
        assert not waits[batch_ids[2]].done()
        assert not run[run_id].done()
        omics.move(run_id, "COMPLETED")
        for batch_id in (batch_ids[0], batch_ids[2]):
            await asyncio.to_thread(end_runs, omics, batch_id, WELL, server.endpoint_url)
        assert await ends(run) == {run_id: "COMPLETED"}
        assert await ends({id_: waits[id_] for id_ in (batch_ids[0], batch_ids[2])}) == dict.fromkeys(
            (batch_ids[0], batch_ids[2]), "PROCESSED"
        )
        await stop([waits[batch_ids[1]]])

    run_loop(body)


def _one_at_a_time(function: Any) -> Any:
    """Let calls wait for each other, so that a fault of the next request is that of the request meant."""
    lock = asyncio.Lock()

    async def alone(*args: Any, **kwargs: Any) -> Any:
        async with lock:
            return await function(*args, **kwargs)

    return alone


def test_a_batch_whose_answer_never_comes_holds_up_nobody(
    omics: Emulator, server: Any, new_batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung, other = new_batches(2)
    [run_id] = omics.start_runs(1, life="pending-forever")
    get_batch: Any = OmicsAsyncClient.get_batch

    async def hang(self: OmicsAsyncClient, batch_id: str, export: Any = None) -> Any:
        if batch_id == hung:
            await asyncio.Event().wait()
        return await get_batch(self, batch_id, export)

    monkeypatch.setattr(OmicsAsyncClient, "get_batch", hang)

    async def body() -> None:
        waits, run = of_batches([hung, other]), start_waits([run_id])
        await seen_more(omics, "GetBatch", 3)
        omics.move(run_id, "COMPLETED")
        await asyncio.to_thread(end_runs, omics, other, WELL, server.endpoint_url)
        assert await ends(run) == {run_id: "COMPLETED"}
        assert await ends({other: waits[other]}) == {other: "PROCESSED"}
        await stop([waits[hung]])

    run_loop(body)


def test_get_batch_has_a_rate_of_its_own(
    omics: Emulator, new_batches: Any, rate: Callable[[Any], None]
) -> None:
    rate(4)
    batch_ids = new_batches(20)
    run_ids = omics.start_runs(6, life="pending-forever")
    before = len(omics.requests("GetBatch"))

    async def body() -> None:
        waits, runs = of_batches(batch_ids), start_waits(run_ids)
        await seen_more(omics, "GetBatch", 20, 20.0)
        await stop([*waits.values(), *runs.values()])

    run_loop(body, 60.0)
    times = moments(omics.requests("GetBatch")[before:])
    # The log says when requests were answered, and the first takes longer.
    assert most_within(times, 0.9) <= 4
    # No request for the batches was one less for the runs.
    assert len(moments(omics.requests("GetRun"))) >= 6
    assert times[-1] - times[0] >= 4.0


def test_throttled_waits_on_a_batch_wait_on(omics: Emulator, server: Any, new_batches: Any) -> None:
    [batch_id] = new_batches(1)

    async def body() -> dict[Any, str]:
        waits = of_batches([batch_id])
        await seen_more(omics, "GetBatch", 1)
        omics.fault("GetBatch", "throttle", times=2)
        await asyncio.to_thread(end_runs, omics, batch_id, WELL, server.endpoint_url)
        return await ends(waits)

    assert run_loop(body) == {batch_id: "PROCESSED"}


def test_two_batches_under_one_id_are_told_apart(omics: Emulator, server: Any, new_batches: Any) -> None:
    [batch_id] = new_batches(1)
    ours = client(server.endpoint_url).get_batch(batchId=batch_id)["uuid"]
    other = omics.move_batch(batch_id, "REUSED")

    async def body() -> list[Any]:
        first = of_batches([batch_id], terminal_statuses=["INPROGRESS", "SUBMITTING", "PENDING", "CREATING"])
        deferred = fire(OmicsRunBatchTrigger({"id": batch_id, "uuid": ours}, poke_interval=0.5))
        return [await first[batch_id], await deferred]

    new, old = run_loop(body)
    assert new["record"]["uuid"] == other
    assert old["record"]["status"] == "DELETED"
    assert "another batch" in old["message"]


def test_each_waiter_hears_of_its_batch_in_its_own_log(
    omics: Emulator, server: Any, new_batches: Any
) -> None:
    [batch_id] = new_batches(1)

    async def hear(lines: Lines, **arguments: Any) -> dict[str, Any]:
        LISTENING.set(lines)
        return await fire(OmicsRunBatchTrigger(batch_id, poke_interval=0.5, **arguments))

    async def body() -> list[Lines]:
        heard = [Lines(), Lines()]
        tasks = [
            asyncio.create_task(hear(heard[0], max_failures=3)),
            asyncio.create_task(hear(heard[1])),
        ]
        for lines in heard:
            await lines.said(f"Batch {batch_id} INPROGRESS")
        await asyncio.to_thread(end_runs, omics, batch_id, WELL, server.endpoint_url)
        await asyncio.gather(*tasks)
        return heard

    for lines in run_loop(body):
        assert len([line for _, line in lines.lines if f"Batch {batch_id} INPROGRESS" in line]) == 1
        assert "2 runs: 2 " in lines.lines[0][1]


def test_counts_that_exceed_what_is_tolerated_end_a_wait_that_asked_for_it(
    omics: Emulator, server: Any, new_batches: Any
) -> None:
    [batch_id] = new_batches(1)
    run_ids = [run["id"] for run in client(server.endpoint_url).list_runs(batchId=batch_id)["items"]]

    async def body() -> tuple[Any, bool]:
        waits = of_batches([batch_id])
        strict = of_batches([batch_id], stop_when_exceeded=True)[batch_id]
        await seen_more(omics, "GetBatch", 1)
        omics.move(run_ids[0], "FAILED")
        event = await strict
        goes_on = not waits[batch_id].done()
        await stop(waits.values())
        return event, goes_on

    event, goes_on = run_loop(body)
    assert event["outcome"] == "too_many_failures"
    assert event["record"]["status"] == "INPROGRESS"
    assert event["record"]["runSummary"]["failedRunCount"] == 1
    assert "error" not in event
    assert goes_on


def test_the_gauge_and_the_delay_are_of_batches(
    omics: Emulator, server: Any, new_batches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, Any]] = []
    for kind in ("incr", "gauge", "timing"):
        monkeypatch.setattr(airflow_stats(), kind, lambda name, value=None: sent.append((name, value)))
    first, second = new_batches(2)

    async def body() -> None:
        waits = of_batches([first, second])
        await seen_more(omics, "GetBatch", 4)
        for batch_id in (first, second):
            await asyncio.to_thread(end_runs, omics, batch_id, WELL, server.endpoint_url)
        await ends(waits)

    run_loop(body)
    names = [name.removeprefix("omics.watcher.") for name, _ in sent]
    assert "waiting" not in names
    assert ("omics.watcher.waiting_batches", 2) in sent
    delays = [value for name, value in sent if name.endswith("detection_delay")]
    assert len(delays) == 2
    assert all(0 <= delay < 10_000 for delay in delays)
    assert names.count("requests") >= 4
