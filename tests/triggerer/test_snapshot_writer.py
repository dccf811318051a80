"""The writer of snapshots: the newest of each gate, one a second, in the name of no task, in nobody's way."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from airflow_omics._monitoring.snapshot import RUN_KEY
from airflow_omics._monitoring.task_table import TASKS_KEY
from airflow_omics.triggers import snapshot_writer
from airflow_omics.triggers.snapshot_writer import SnapshotWriter
from tests.support.clocks import turn
from tests.support.triggers import run_loop

pytestmark = pytest.mark.any_airflow

MARKER = "patient-4711-marker"
ASKING: contextvars.ContextVar[str] = contextvars.ContextVar("ASKING", default="nobody")


class Gate:
    """A task instance of which there is something to write."""

    def __init__(self, name: str, value: Any = 0) -> None:
        self.place = {"dag_id": "cohort", "task_id": name, "run_id": "manual__1", "map_index": -1}
        self.now: Any = value

    def value(self, key: str) -> Any:
        if isinstance(self.now, Exception):
            raise self.now
        return None if self.now is None else {"value": self.now}


class Store:
    """Takes what is written in the place of Airflow: how it behaves is the test's to say."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, Any]] = []
        self.contexts: list[str] = []
        self.threads: list[threading.Thread] = []
        self.at: list[float] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.takes = 0.0
        self.error: Exception | None = None
        self.under_way = self.most_under_way = 0

    def __call__(self, place: Mapping[str, Any], key: str, value: Any) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.at.append(time.monotonic())
        self.contexts.append(ASKING.get())
        self.threads.append(threading.current_thread())
        self.begun.set()
        try:
            assert self.go_on.wait(10.0)
            if self.takes:
                time.sleep(self.takes)  # as a supervisor that is busy
            if self.error is not None:
                raise self.error
            self.written.append((place["task_id"], key, value["value"]))
        finally:
            self.under_way -= 1

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10.0):
            while len(self.written) < count:
                await asyncio.sleep(0.002)

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 5.0)


@pytest.fixture
def store() -> Store:
    return Store()


def with_writer(store: Store, body: Callable[[SnapshotWriter], Awaitable[None]]) -> None:
    async def main() -> None:
        await body(SnapshotWriter(store))

    run_loop(main)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_writer, "WRITE_EVERY", 0.01)


class Clock:
    """A clock that whoever sleeps turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await _sleep(0.001)  # what has begun before belongs to the time before
        self.now += seconds


_sleep = asyncio.sleep


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    turn(monkeypatch, clock)
    monkeypatch.setattr(snapshot_writer.asyncio, "sleep", clock.sleep)
    return clock


def test_300_gates_that_change_at_once_are_written_one_a_second_oldest_first(
    clock: Clock, store: Store
) -> None:
    """A second is that of the clock which the writer reads; the first is written at once."""
    moments: list[float] = []

    class Timed(Gate):
        def value(self, key: str) -> Any:
            moments.append(clock.now)
            return super().value(key)

    gates = [Timed(f"gate_{number}") for number in range(300)]

    async def body(writer: SnapshotWriter) -> None:
        for gate in gates:
            writer.ask(gate, RUN_KEY, soon=True)
        for gate in gates:  # each changes again before its turn has come
            gate.now = 1
            writer.ask(gate, RUN_KEY, soon=True)
        while len(store.written) < 300:
            await _sleep(0.001)

    with_writer(store, body)
    assert len(moments) == 300
    assert store.written == [(f"gate_{number}", RUN_KEY, 1) for number in range(300)]
    assert moments[0] == 1000.0
    apart = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert min(apart) >= 1.0
    assert max(apart) < 1.001


def test_what_has_been_written_is_written_again_when_it_is_asked_for_again(store: Store, quick: None) -> None:
    async def body(writer: SnapshotWriter) -> None:
        gate = Gate("gate")
        for value in (1, 2):
            gate.now = value
            writer.ask(gate, RUN_KEY, soon=True)
            await store.until(value)

    with_writer(store, body)
    assert [value for _, _, value in store.written] == [1, 2]


def test_what_goes_soon_goes_before_what_does_not(store: Store, quick: None) -> None:
    async def body(writer: SnapshotWriter) -> None:
        early, late = Gate("early"), Gate("late")
        writer.ask(early, TASKS_KEY, soon=False)
        writer.ask(early, RUN_KEY, soon=False)
        writer.ask(late, RUN_KEY, soon=True)
        writer.ask(late, RUN_KEY, soon=False)  # it keeps its place
        writer.ask(early, RUN_KEY, soon=True)
        await store.until(3)
        await asyncio.sleep(0.1)

    with_writer(store, body)
    assert store.written == [("late", RUN_KEY, 0), ("early", RUN_KEY, 0), ("early", TASKS_KEY, 0)]


def test_slow_writes_go_one_after_the_other(store: Store, quick: None) -> None:
    store.takes = 0.1  # 77 to 244 ms were measured on a busy triggerer

    async def body(writer: SnapshotWriter) -> None:
        for number in range(3):
            writer.ask(Gate(f"gate_{number}"), RUN_KEY, soon=True)
        await writer.write_last(Gate("ends"), RUN_KEY)
        await store.until(4)

    with_writer(store, body)
    assert store.most_under_way == 1
    assert {name for name, _, _ in store.written} == {"gate_0", "gate_1", "gate_2", "ends"}


@pytest.mark.parametrize("where", ["the store", "the value"])
def test_a_write_that_fails_is_a_debug_line_and_the_next_is_written(
    where: str, store: Store, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "airflow_omics")
    failing = Gate("failing")
    if where == "the store":
        store.error = ConnectionError(f"no supervisor for {MARKER}")
    else:
        failing.now = KeyError(MARKER)

    async def body(writer: SnapshotWriter) -> None:
        writer.ask(failing, RUN_KEY, soon=True)
        async with asyncio.timeout(5.0):
            while "A snapshot was lost" not in caplog.text:
                await asyncio.sleep(0.005)
        store.error = None
        writer.ask(Gate("next"), RUN_KEY, soon=True)
        await store.until(1)

    with_writer(store, body)
    assert store.written == [("next", RUN_KEY, 0)]
    [line] = [r for r in caplog.records if "A snapshot was lost" in r.getMessage()]
    assert line.levelno == logging.DEBUG
    assert MARKER not in caplog.text


def test_nothing_is_written_where_there_is_nothing(store: Store, quick: None) -> None:
    async def body(writer: SnapshotWriter) -> None:
        writer.ask(Gate("empty", None), RUN_KEY, soon=True)
        writer.ask(Gate("full"), RUN_KEY, soon=True)
        await store.until(1)

    with_writer(store, body)
    assert [name for name, _, _ in store.written] == ["full"]
    assert len(store.at) == 1


def test_what_a_gate_that_has_gone_asked_for_is_not_written(store: Store, quick: None) -> None:
    async def body(writer: SnapshotWriter) -> None:
        gone, other = Gate("gone"), Gate("other")
        for gate in (gone, other):
            writer.ask(gate, RUN_KEY, soon=True)
            writer.ask(gate, TASKS_KEY, soon=False)
        writer.drop(gone)
        await store.until(2)
        writer.drop(other)

    with_writer(store, body)
    assert store.written == [("other", RUN_KEY, 0), ("other", TASKS_KEY, 0)]


def test_it_is_written_off_the_loop_and_in_the_context_of_nobody(store: Store, quick: None) -> None:
    async def body(writer: SnapshotWriter) -> None:
        ASKING.set("the first gate")
        writer.ask(Gate("first"), RUN_KEY, soon=True)
        await store.until(1)
        await writer.write_last(Gate("last"), RUN_KEY)

    with_writer(store, body)
    assert store.contexts == ["nobody", "nobody"]
    assert threading.main_thread() not in store.threads
    assert all(thread.daemon for thread in store.threads)


def test_a_write_that_hangs_holds_up_writes_and_nothing_else(
    store: Store, quick: None, monkeypatch: pytest.MonkeyPatch, complaints: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(snapshot_writer, "LAST_WITHIN", 0.2)
    store.go_on.clear()

    async def body(writer: SnapshotWriter) -> None:
        hung, waits, ends = Gate("hung"), Gate("waits"), Gate("ends")
        for gate in (hung, waits, ends):
            writer.ask(gate, RUN_KEY, soon=True)
        await store.until_begun()
        began = time.monotonic()
        writer.drop(hung)
        await writer.write_last(ends, RUN_KEY)
        assert 0.2 <= time.monotonic() - began < 2.0
        assert store.most_under_way == 1
        store.go_on.set()
        await store.until(3)

    with_writer(store, body)
    assert [name for name, _, _ in store.written] == ["hung", "ends", "waits"]
    assert complaints() == []


def test_three_hundred_ends_at_once_wait_a_little_and_each_is_written(
    store: Store, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_writer, "LAST_WITHIN", 0.2)
    monkeypatch.setattr(snapshot_writer, "WRITE_EVERY", 0.0)
    store.takes = 0.005
    names = {f"gate_{number}" for number in range(300)}

    async def end(writer: SnapshotWriter, name: str) -> None:
        gate = Gate(name)
        writer.ask(gate, RUN_KEY, soon=True)
        await writer.write_last(gate, RUN_KEY)
        writer.drop(gate)  # its trigger has gone

    async def body(writer: SnapshotWriter) -> None:
        began = time.monotonic()
        await asyncio.gather(*(end(writer, name) for name in names))
        assert time.monotonic() - began < 1.2
        await store.until(300)

    with_writer(store, body)
    assert {name for name, _, _ in store.written} == names
    assert len(store.written) == 300
    assert store.most_under_way == 1


def test_nothing_is_left_when_the_last_gate_has_gone_while_a_write_hangs(store: Store) -> None:
    store.go_on.clear()

    async def body(writer: SnapshotWriter) -> None:
        gates = [Gate("hung"), Gate("waits")]
        for gate in gates:
            writer.ask(gate, RUN_KEY, soon=True)
        await store.until_begun()
        for gate in gates:
            writer.drop(gate)
        before = set(asyncio.all_tasks())
        await asyncio.sleep(0.01)
        ended = before - asyncio.all_tasks()
        assert len(ended) == 1  # what waited for the next turn; the call itself cannot be cancelled
        store.go_on.set()

    with_writer(store, body)
    assert [name for name, _, _ in store.written] == ["hung"]


@pytest.mark.parametrize("last", [False, True], ids=["a write in its turn", "the last write of a gate"])
def test_a_gate_that_is_cancelled_amid_its_write_leaves_the_write_alone(
    last: bool, store: Store, quick: None, complaints: Callable[[], list[str]]
) -> None:
    store.go_on.clear()

    async def body(writer: SnapshotWriter) -> None:
        gate = Gate("killed")

        async def waits() -> None:
            try:
                writer.ask(gate, RUN_KEY, soon=True)
                if last:
                    await writer.write_last(gate, RUN_KEY)
                await asyncio.Event().wait()
            finally:
                writer.drop(gate)

        task = asyncio.create_task(waits())
        await store.until_begun()
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1.0)
        assert done
        assert writer._is_busy
        store.go_on.set()
        await store.until(1)

    with_writer(store, body)
    assert store.written == [("killed", RUN_KEY, 0)]
    assert complaints() == []


def test_the_last_write_comes_after_the_one_that_is_under_way_and_waits_for_no_turn(store: Store) -> None:
    store.go_on.clear()

    async def body(writer: SnapshotWriter) -> None:
        gate = Gate("gate")
        writer.ask(gate, RUN_KEY, soon=True)
        await store.until_begun()
        gate.now = "the end"
        last = asyncio.create_task(writer.write_last(gate, RUN_KEY))
        await asyncio.sleep(0.05)
        assert not last.done()
        store.go_on.set()
        began = time.monotonic()
        await last
        assert time.monotonic() - began < 0.9  # of the second until the next turn

    with_writer(store, body)
    assert [value for _, _, value in store.written] == [0, "the end"]


def test_a_loop_has_one_writer() -> None:
    async def body() -> set[int]:
        return {id(SnapshotWriter.of_loop()) for _ in range(2)}

    assert len(run_loop(body)) == 1


def test_a_loop_that_has_ended_is_not_held() -> None:
    """``dag.test()`` runs each trigger in a loop of its own."""
    loops = []

    async def body() -> None:
        writer, gate, written = SnapshotWriter.of_loop(), Gate("gate"), threading.Event()
        writer._store = lambda *_: written.set()
        writer.ask(gate, RUN_KEY, soon=True)
        await asyncio.to_thread(written.wait)
        await writer.write_last(gate, RUN_KEY)
        loops.append(weakref.ref(asyncio.get_running_loop()))

    asyncio.run(body())
    gc.collect()
    assert [loop() for loop in loops] == [None]
