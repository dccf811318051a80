"""Many waits, one loop: every deferred task of a triggerer that uses one AWS connection shares a watcher.

GetRun is the truth. ListRuns only says which runs deserve a GetRun: if it is cheaper than a GetRun for
each run, active runs are listed, and a watched run that is not listed gets a GetRun. Batches have a watcher
of their own, which sends a GetBatch for each. No fault of one run, one batch, one call or one waiter reaches
another waiter.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_omics import _clock
from airflow_omics._compat import stats
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import Fault
from airflow_omics._monitoring.option import progress_is_on
from airflow_omics._resource import RUN, Resource
from airflow_omics._waiting.wait import Ending, Wait
from airflow_omics._watching.limited_client import LimitedClient
from airflow_omics._watching.rate_limit import DEFAULT_RATE
from airflow_omics._watching.shared_client import Known
from airflow_omics._watching.sweeps import NoSweeper, Sweeper
from airflow_omics._watching.task_sweeps import TaskSweeper
from airflow_omics._watching.watchlist import (
    CHECK_AGE,
    CHECK_EVERY,
    SHORTEST_INTERVAL,
    Entry,
    Onlooker,
    Waiter,
    Watchlist,
)
from airflow_omics.exceptions import FaultKind
from airflow_omics.records import RunRecord, parse_time

if TYPE_CHECKING:
    from airflow_omics.hooks.async_client import TaskPage

log = logging.getLogger(__name__)


_MOST_IN_FLIGHT = 32  # looks under way together: an endpoint that hangs must not hold up the others
_LATE = 60.0  # seconds after its deadline for which a wait may queue for its final look
_LATE_CHECK = 300.0  # seconds at most between two checks of how late it is: a clock may have been set
_LINE_EVERY = 0.1  # seconds between the log lines of two waits, if many have some at once
_FIRST_RETRY = 5.0  # seconds of pause after a first failed call; the limiter limits the total
_ENDED_AT = {"PROCESSED": "processedTime", "FAILED": "failedTime"}  # of batches; a run has a stopTime


class Watcher:
    """Watches runs, or batches, for as many waiters as come; use :meth:`shared` to get one.

    :param arguments: the AWS connection that it uses.
    :param requests_per_second: the most requests for any one operation.
    :param resource: what it watches.
    """

    _of_loop: ClassVar[
        weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Watcher]]
    ] = weakref.WeakKeyDictionary()

    def __init__(
        self,
        arguments: AwsArguments,
        requests_per_second: float = DEFAULT_RATE,
        resource: Resource = RUN,
    ) -> None:
        self.arguments = arguments
        self.resource = resource
        self._client = LimitedClient.shared(arguments, requests_per_second)
        self._watchlist = Watchlist()
        self._wake = asyncio.Event()
        self._sweeper: Sweeper | NoSweeper = (
            Sweeper(self._watchlist, self._list_runs, self._wake, lambda: self._client.clock_skew)
            if resource == RUN
            else NoSweeper()
        )
        self._slots = asyncio.Semaphore(_MOST_IN_FLIGHT)
        self._calls: set[asyncio.Task[None]] = set()
        self._next_check_at = 0.0
        self._next_line_at = 0.0
        self._main: asyncio.Task[None] | None = None

    @classmethod
    def shared(
        cls,
        arguments: AwsArguments,
        requests_per_second: float = DEFAULT_RATE,
        resource: Resource = RUN,
    ) -> Watcher:
        """Return the one watcher of this event loop, connection and kind; it is gone with its last waiter.

        :param resource: what it watches: runs or batches. Both share one client.
        """
        watchers = cls._of_loop.setdefault(asyncio.get_running_loop(), {})
        key = (arguments.key, resource.noun)
        watcher = watchers.get(key)
        if watcher is None:
            watcher = watchers[key] = cls(arguments, requests_per_second, resource)
        return watcher

    async def wait(
        self,
        wait: Wait,
        *,
        interval: float,
        export: Sequence[str] | None = None,
        logger: logging.Logger = log,
        onlooker: Onlooker | None = None,
    ) -> Ending:
        """Return how the wait ended.

        :param wait: what is known so far of the run or batch; it is of this watcher's kind.
        :param interval: seconds between two looks that this waiter wants.
        :param export: names for GetRun's ``export``, once the run has ended.
        :param logger: gets one line when the status changes, and one every ten minutes otherwise, from the
            task that waits.
        :param onlooker: is shown how it goes on, for people.
        """
        loop = asyncio.get_running_loop()
        waiter = Waiter(wait, max(interval, SHORTEST_INTERVAL), export, loop.create_future())
        waiter.onlooker = onlooker
        self._compare_clocks()
        entry = self._watchlist.join(waiter, _clock.monotonic())
        self._start()
        self._sweeper.stir()
        # Too many waits may end at once for a final look at each, or the service may be out of reach.
        self._give_up_when_late(entry, waiter, max(wait.timeout_at, _clock.time()) + _LATE)
        try:
            while True:
                await waiter.stirred
                waiter.stirred = loop.create_future()
                await self._turn_to_report(waiter)
                wait.lines.write(logger)
                if waiter.error is not None:
                    raise waiter.error
                if waiter.ending is not None:
                    return waiter.ending
        finally:
            if waiter.late is not None:
                waiter.late.cancel()
            self._watchlist.leave(entry, waiter)
            self._sweeper.stir()
            await self._close_if_unused()

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[LimitedClient]:
        """Give the shared client to code that makes calls of its own, and keep it open that long."""
        try:
            async with self._client.in_use() as client:
                yield client
        finally:
            await self._close_if_unused()

    # -- the wait --------------------------------------------------------------------------------------------

    async def _turn_to_report(self, waiter: Waiter) -> None:
        """Wait until this wait may write its log lines: one after the other, or when it is over.

        A page of a list has news for a hundred waits. Airflow's triggerer reads no logs while it sends to the
        process of this loop. If the socket for logs, which holds some 160 lines, is full by then, both wait
        for each other for ever.
        """
        if waiter.is_over:
            return
        now = _clock.monotonic()
        self._next_line_at = max(now, self._next_line_at + _LINE_EVERY)
        turn_at = self._next_line_at
        while not waiter.is_over and now < turn_at:
            stirred, _ = await asyncio.wait([waiter.stirred], timeout=turn_at - now)
            if not stirred:
                return
            waiter.stirred = asyncio.get_running_loop().create_future()
            now = _clock.monotonic()

    def _give_up_when_late(self, entry: Entry, waiter: Waiter, late_at: float) -> None:
        """End a wait that has had no final look by ``late_at``, in wall time as its deadline is."""
        left = late_at - _clock.time()
        if left <= 0:
            self._give_up(entry, waiter)
        else:
            loop = asyncio.get_running_loop()
            pause = min(left, _LATE_CHECK)
            waiter.late = loop.call_later(pause, self._give_up_when_late, entry, waiter, late_at)

    def _give_up(self, entry: Entry, waiter: Waiter) -> None:
        self._judge(entry, waiter, partial(Wait.timed_out, now=max(_clock.time(), waiter.wait.timeout_at)))

    def _compare_clocks(self) -> None:
        """Note how far wall time, which may be set at any moment, is ahead of the loop's own clock."""
        self._watchlist.wall_ahead = _clock.time() - _clock.monotonic()

    def _start(self) -> None:
        self._wake.set()
        if self._main is None or self._main.done():
            # In a context of its own: a loop that inherited its first waiter's would write into that
            # task's log, and speak to Airflow in its name, for as long as any other task waits.
            loop = asyncio.get_running_loop()
            self._main = loop.create_task(self._run(), context=contextvars.Context())

    async def _close_if_unused(self) -> None:
        if not self._watchlist:
            await self._close()

    async def _close(self) -> None:
        watchers = self._of_loop.get(asyncio.get_running_loop(), {})
        key = (self.arguments.key, self.resource.noun)
        if watchers.get(key) is self:
            del watchers[key]
        if self._main is None:  # nobody has waited
            return
        # If the whole program ends, a second cancel would cut short the loop's own clean-up.
        if not self._main.cancelling():
            self._main.cancel()
        await asyncio.wait([self._main])

    async def _run(self) -> None:
        """Look and sweep until cancelled; calls that are under way end with it."""
        async with self._client.in_use():
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._again_and_again(self._look_around))
                    group.create_task(self._again_and_again(self._sweeper.run_once))
                    if self.resource == RUN and progress_is_on():
                        tasks = TaskSweeper(self._watchlist, self._list_run_tasks)
                        group.create_task(self._again_and_again(tasks.run_once))
            finally:
                for call in self._calls:
                    call.cancel()
                await asyncio.gather(*self._calls, return_exceptions=True)

    async def _again_and_again(self, body: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await body()
            except (Exception, asyncio.CancelledError) as error:  # a mistake of ours must not end all waits
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                self._say_of(error)
                await asyncio.sleep(1.0)

    def _say_of(self, error: BaseException) -> None:
        try:
            log.error(
                "The watcher of connection %r goes on after", self.arguments.aws_conn_id, exc_info=error
            )
        except Exception as failed:  # of any kind: each handler has its own, and no wait depends on it
            log.debug("A line was lost", exc_info=failed)

    async def _look_around(self) -> None:
        """Send one GetRun or GetBatch, for what deserves it most, or wait until something does."""
        self._wake.clear()
        self._compare_clocks()
        self._say_how_many()
        if not self._is_looking_due(_clock.monotonic()):
            await self._wake_until(min(self._watchlist.next_due_at(), self._check_at()))
            return
        await self._slots.acquire()
        entry = None
        try:
            await self._client.prepare()
            if not self._client.has_answered and self._calls:
                await self._client.first_answer()
            await self._client.turn(self.resource.read)
            # Chosen last: by now another one may deserve it most.
            entry = self._choose(_clock.monotonic())
        finally:
            if entry is None:
                self._slots.release()
        if entry is not None:
            entry.in_flight = True
            self._spawn(self._look(entry))

    def _say_how_many(self) -> None:
        waited_for = len(self._watchlist)
        if self.resource == RUN:
            stats().gauge("omics.watcher.waiting", waited_for)
        else:
            stats().gauge("omics.watcher.waiting_batches", waited_for)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        call = asyncio.create_task(coroutine)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    def _is_looking_due(self, now: float) -> bool:
        watchlist = self._watchlist
        return watchlist.has_urgent(now) or watchlist.has_spare or now >= self._check_at()

    def _check_at(self) -> float:
        """Return when the next hourly check may be sent."""
        return max(self._next_check_at, self._watchlist.next_check_at())

    def _choose(self, now: float) -> Entry | None:
        entry = self._watchlist.next_urgent(now) or self._watchlist.next_spare()
        if entry is None and now >= self._next_check_at:
            entry = self._watchlist.next_check(now)
            self._next_check_at = now + _check_pause(len(self._watchlist), self._client.requests_per_second)
        return entry

    async def _wake_until(self, moment: float) -> None:
        pause = max(0.01, min(moment - _clock.monotonic(), 60.0))
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _look(self, entry: Entry) -> None:
        """Look at one run or batch, and judge it for each waiter; whatever happens, it is due again."""
        pause = None
        try:
            answer = await self._client.read(entry.target, known=_known_of(entry))
            if isinstance(answer, Fault):
                pause = self._failed(entry, answer, _clock.time())
            else:
                pause = self._answered(entry, *answer)
        except Exception as error:  # a mistake of ours in one look must not end the waits on its run
            self._say_of(error)
        finally:
            entry.in_flight = entry.suspect = False
            self._slots.release()
            self._compare_clocks()
            if entry.waiters:
                pause = entry.interval if pause is None else pause
                self._watchlist.schedule(entry, _clock.monotonic() + pause)
            self._wake.set()

    def _failed(self, entry: Entry, fault: Fault, now: float) -> float:
        """Hand a failed look to each waiter; return the seconds until the next."""
        is_transient = fault.kind is FaultKind.TRANSIENT
        entry.needs_get_run = not is_transient
        for waiter in list(entry.waiters):
            if not waiter.exporting:  # it knows how its run ended
                self._judge(
                    entry, waiter, partial(Wait.failed, fault=fault, now=now, tick=_clock.monotonic())
                )
        self._renew_client(entry)
        pauses = (
            w.wait.pause(min(w.interval, _FIRST_RETRY) if is_transient else w.interval, now)
            for w in entry.waiters
        )
        return min(pauses, default=0.0)

    def _answered(self, entry: Entry, record: RunRecord, skew: float) -> float:
        """Hand an answer to each waiter; return the seconds until the next look."""
        tick = _clock.monotonic()
        entry.needs_get_run = False
        if entry.suspect and record["status"] == entry.status:
            self._sweeper.suspected_wrongly += 1
        for waiter in list(entry.waiters):
            if waiter.exporting:
                continue
            if waiter.export and waiter.wait.is_over(record):
                waiter.exporting = True
                self._spawn(self._export(entry, waiter, record, skew))
                continue
            self._judge_answer(entry, waiter, record, skew)
        if self._renew_client(entry):
            entry.needs_get_run = True  # the answer was another account's
        else:
            self._watchlist.looked(entry, record, tick)
        return self._sweeper.looks_within(entry) if entry.waiters else 0.0

    def _renew_client(self, entry: Entry) -> bool:
        """Let the next call read the connection again if a wait asks for it; return whether one does."""
        wanted = any(waiter.wait.wants_fresh_client for waiter in entry.waiters)
        if wanted:
            self._client.renew()
        return wanted

    async def _export(self, entry: Entry, waiter: Waiter, record: RunRecord, skew: float) -> None:
        """Send GetRun once more for a run that is over, with the ``export`` that this waiter wants."""
        try:
            await self._client.turn(self.resource.read)
            answer = await self._client.read(entry.target, waiter.export, known=_known_of(entry))
        except Exception as error:  # a mistake of ours; the next look leads here again
            self._say_of(error)
            return
        finally:
            waiter.exporting = False
        if isinstance(answer, Fault) and answer.kind is FaultKind.NOT_FOUND:
            answer = (record, skew)  # removed since; how it ended is known
        if isinstance(answer, Fault):
            failed = partial(Wait.failed, fault=answer, now=_clock.time(), tick=_clock.monotonic())
            self._judge(entry, waiter, failed)
        else:
            self._judge_answer(entry, waiter, *answer)

    def _judge(self, entry: Entry, waiter: Waiter, judge: Callable[[Wait], Ending | None]) -> bool:
        """Let a wait judge what was seen; return whether that ended it."""
        try:
            ending = judge(waiter.wait)
        except Exception as error:  # a mistake of ours in one wait stays with that wait
            waiter.error = error
        else:
            waiter.ending = ending
        if waiter.is_over:
            self._watchlist.leave(entry, waiter)
        waiter.stir()
        return waiter.is_over

    def _judge_answer(self, entry: Entry, waiter: Waiter, record: RunRecord, skew: float) -> None:
        now, tick = _clock.time(), _clock.monotonic()
        stands_in = self._client.stands_in
        judge = partial(_answered, record=record, now=now, tick=tick, skew=skew, stands_in=stands_in)
        is_over = self._judge(entry, waiter, judge)
        waiter.show(lambda onlooker: onlooker.looked(now + skew, is_over))

    async def _list_runs(
        self, status: str, token: str | None
    ) -> tuple[list[dict[str, Any]], str | None] | Fault:
        await self._client.turn("ListRuns")
        return await self._client.list_runs(status, token)

    async def _list_run_tasks(self, run_id: str, token: str | None) -> TaskPage | Fault:
        await self._client.turn("ListRunTasks")
        return await self._client.list_run_tasks(run_id, token)


def _check_pause(watched: int, ceiling: float) -> float:
    """Return the seconds between two checks of runs that only lists vouched for.

    Every run is checked within the hour, with at most a tenth of the rate. If that is not enough for all of
    them, half of it is used, and each run is checked as often as that allows.
    """
    wanted, most = watched / (0.95 * (CHECK_EVERY - CHECK_AGE)), ceiling / 10.0
    return 1.0 / (wanted if wanted <= most else most / 2.0) if watched else 1.0


def _known_of(entry: Entry) -> Known:
    """Return what all the waits on a run or batch know of it."""
    readers = [waiter.wait.known for waiter in entry.waiters if waiter.wait.known.was_read]
    return Known(bool(readers), next((run.home for run in readers if run.home), None))


def _answered(
    wait: Wait, record: RunRecord, now: float, tick: float, skew: float, stands_in: bool
) -> Ending | None:
    ending = wait.answered(record, now, tick, clock_skew=skew, stands_in=stands_in)
    members: Mapping[str, Any] = record
    ended_at = members.get("stopTime") or members.get(_ENDED_AT.get(record["status"], ""))
    if ending is not None and ended_at:
        delay = max(0.0, now + skew - parse_time(ended_at).timestamp())
        stats().timing("omics.watcher.detection_delay", delay * 1000.0)
    return ending
