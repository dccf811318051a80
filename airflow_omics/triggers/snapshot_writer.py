"""Writes to XCom what triggers leave of their runs and batches: one after the other, one a second at most.

Airflow's triggerer takes such a write as a request to its supervisor, which does nothing else meanwhile, and
each is some queries of the database: https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/xcoms.html
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Protocol

from asgiref.sync import sync_to_async

from airflow_omics import _clock
from airflow_omics._compat import stats
from airflow_omics._monitoring.snapshot import RUN_KEY
from airflow_omics._monitoring.task_table import TASKS_KEY
from airflow_omics._task.own_thread import OwnThread

log = logging.getLogger(__name__)

WRITE_EVERY: Final = 1.0
"""Seconds from one write to the next."""

LAST_WITHIN: Final = 2.0
"""Seconds for which the end of a task waits until its last snapshot is written; then it is written later."""

_Asked = dict[tuple["Source", str], None]


class Source(Protocol):
    """A task instance of which something is to be written."""

    @property
    def place(self) -> Mapping[str, Any]:
        """Its ``dag_id``, ``task_id``, ``run_id`` and ``map_index``."""

    def value(self, key: str) -> dict[str, Any] | None:
        """Return what the XCom of this key shall be by now; None if there is nothing to write."""


class SnapshotWriter:
    """The one writer of an event loop; use :meth:`of_loop` to get it.

    It holds what is to be written, not the values: each is made when its turn comes, so the newest is
    written, however often it was asked for.

    :param store: writes one XCom: ``(place, key, value)``. It may block, and is called in a thread.
    """

    _of_loop: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, SnapshotWriter]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, store: Callable[[Mapping[str, Any], str, Any], None] | None = None) -> None:
        self._store = store or _store
        self._late: _Asked = {}  # the last of tasks that have ended
        self._soon: _Asked = {}
        self._sometime: _Asked = {}
        self._next_at = 0.0
        self._pacing: asyncio.Task[None] | None = None
        self._call: asyncio.Task[None] | None = None

    @classmethod
    def of_loop(cls) -> SnapshotWriter:
        """Return the writer of the running event loop."""
        return cls._of_loop.setdefault(asyncio.get_running_loop(), cls())

    def ask(self, source: Source, key: str, *, soon: bool) -> None:
        """Have an XCom written when its turn comes; who asks again while it waits changes nothing.

        :param key: :data:`RUN_KEY` or :data:`TASKS_KEY`.
        :param soon: whether it goes before all that is not.
        """
        wanted = (source, key)
        if soon:
            self._sometime.pop(wanted, None)
            self._soon.setdefault(wanted)
        elif wanted not in self._soon:
            self._sometime.setdefault(wanted)
        self._start()

    def drop(self, source: Source) -> None:
        """Write nothing more of a task instance, whose trigger has ended."""
        for asked in (self._soon, self._sometime):
            for key in (RUN_KEY, TASKS_KEY):
                asked.pop((source, key), None)
        if not self._are_some and self._pacing is not None:
            self._pacing.cancel()
            self._pacing = None

    async def write_last(self, source: Source, key: str) -> None:
        """Write an XCom now, before those that wait; return after :data:`LAST_WITHIN` in any case.

        If hundreds of tasks end at once, those whose turn has not come by then are written when it comes,
        also after their triggers have gone.
        """
        wanted = (source, key)
        self.drop(source)
        self._late[wanted] = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WITHIN):
                while wanted in self._late and self._call is not None:
                    await asyncio.wait({self._call})
                if wanted in self._late:
                    del self._late[wanted]
                    self._begin(*wanted)
                if self._call is not None:
                    await asyncio.wait({self._call})
        self._start()

    @property
    def _are_some(self) -> bool:
        return bool(self._late or self._soon or self._sometime)

    def _start(self) -> None:
        if self._are_some and (self._pacing is None or self._pacing.done()):
            self._pacing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._are_some:
            if (pause := self._next_at - _clock.monotonic()) > 0:
                await asyncio.sleep(pause)
                continue
            if self._is_busy:
                await self._free()
                continue
            asked = self._late or self._soon or self._sometime
            wanted = next(iter(asked))
            del asked[wanted]
            self._next_at = _clock.monotonic() + WRITE_EVERY
            self._begin(*wanted)
        self._pacing = None

    @property
    def _is_busy(self) -> bool:
        return self._call is not None and not self._call.done()

    async def _free(self) -> None:
        """Wait until no write is under way."""
        while self._is_busy:
            assert self._call is not None
            await asyncio.wait({self._call})

    def _begin(self, source: Source, key: str) -> asyncio.Task[None]:
        # Never cancelled: Airflow 3.1 would take the answer, when it comes, for the answer to the triggerer's
        # own next question, and the triggerer ends. And in a context of its own, in the name of no task.
        loop = asyncio.get_running_loop()
        call = loop.create_task(self._write(source, key), context=contextvars.Context())
        call.add_done_callback(self._forget)
        self._call = call
        return call

    def _forget(self, call: asyncio.Task[None]) -> None:
        """Hold no task that is done: it holds its loop, which a test of a DAG has one of for each trigger."""
        if self._call is call:
            self._call = None

    async def _write(self, source: Source, key: str) -> None:
        try:
            value = source.value(key)
            if value is None:
                return
            thread: Any = OwnThread("airflow-omics-snapshots")  # asgiref's types know only one executor
            store = sync_to_async(self._store, thread_sensitive=False, executor=thread)
            await store(source.place, key, value)
        except Exception as error:  # of any kind: the supervisor's, the database's, an XCom backend's
            stats().incr("omics.snapshots.lost")
            log.debug("A snapshot was lost (%s)", type(error).__name__)  # its text may hold the value
        else:
            stats().incr("omics.snapshots.written")


def _store(place: Mapping[str, Any], key: str, value: Any) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    XCom.set(key=key, value=value, **place)
