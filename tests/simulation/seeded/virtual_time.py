"""Virtual time: an agenda that many processes share, an asyncio loop on it, and workers whose sleeps turn it.

Everything runs in one thread. A process is a worker (its code runs in a greenlet, which gives way when it
sleeps) or a triggerer (its code runs in an asyncio loop of its own). Between two entries of the agenda no
time passes, however long the code takes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, greenlet

EPOCH = 1_767_225_600.0
"""2026-01-01T00:00:00Z, where every simulation begins, in seconds since the epoch."""

_MOST_AT_ONCE = 200_000  # callbacks of one loop at one moment, after which it counts as one that spins


class Machine:
    """What processes share: a wall clock that may be wrong, and one since it was booted.

    :param skew: seconds by which its wall clock is ahead of the true time.
    """

    def __init__(self, name: str, skew: float = 0.0, booted: float = 1000.0) -> None:
        self.name, self.skew, self.booted = name, skew, booted


class Process:
    """One process of the operating system, with what it keeps in memory.

    :ivar memory: what modules of the package keep for a process, by name; see ``seams``.
    """

    def __init__(self, agenda: Agenda, name: str, machine: Machine) -> None:
        self.agenda, self.name, self.machine = agenda, name, machine
        self.alive = True
        self.paused_until = 0.0
        self.memory: dict[str, Any] = {}

    def kill(self) -> None:
        """Let it be gone from this moment on; nothing of its code runs any more."""
        self.alive = False

    def pause(self, seconds: float) -> None:
        """Let it stand still, as on a machine that swaps."""
        self.paused_until = max(self.paused_until, self.agenda.now + seconds)


class Agenda:
    """What is due, in order of time, and then in the order in which it was put down."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Process | None = None
        self.enter: Callable[[Process], None] = lambda process: None
        """Is called when another process goes on, to put in place what it keeps in memory."""
        self.steps = 0
        self.is_over = False
        """Whether the simulation has ended: whoever still sleeps is woken for good."""
        self._heap: list[tuple[float, int, Process | None, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: float, call: Callable[[], None], process: Process | None = None) -> None:
        """Put down a call, for a process if it is of one: it is not made once that is gone."""
        heapq.heappush(self._heap, (max(moment, self.now), next(self._order), process, call))

    def after(self, seconds: float, call: Callable[[], None], process: Process | None = None) -> None:
        """Put down a call for so many seconds later."""
        self.at(self.now + seconds, call, process)

    def run_until(self, moment: float, done: Callable[[], bool] = lambda: False) -> None:
        """Make every call that is due until ``moment``, or until ``done`` says so after one of them."""
        heap = self._heap
        while heap and heap[0][0] <= moment:
            when, _, process, call = heapq.heappop(heap)
            self.now = when
            if process is None:
                self._leave()
                call()
            elif process.alive:
                if process.paused_until > when:
                    self.at(process.paused_until, call, process)
                    continue
                if process is not self.current:
                    self.current = process
                    self.enter(process)
                call()
            else:
                continue
            self.steps += 1
            if done():
                return
        self.now = max(self.now, moment)
        self._leave()

    def _leave(self) -> None:
        self.current = None

    def wall(self) -> float:
        """Return what the wall clock of the running process's machine shows."""
        skew = self.current.machine.skew if self.current is not None else 0.0
        return EPOCH + self.now + skew

    def monotonic(self) -> float:
        """Return the seconds since the running process's machine was booted."""
        return self.now + (self.current.machine.booted if self.current is not None else 0.0)


class Worker(Process):
    """A process whose code blocks: one try of a task."""

    def __init__(self, agenda: Agenda, name: str, machine: Machine) -> None:
        super().__init__(agenda, name, machine)
        self.threads: list[greenlet] = []

    _handling = False
    _postponed: greenlet | None = None

    def start(self, body: Callable[[], None]) -> None:
        """Run ``body`` from now on."""
        self._main = self.spawn(body)

    def sleep(self, seconds: float) -> None:
        """Give way for so many seconds; called by the process's own code."""
        if self.agenda.is_over:
            raise GreenletExit
        me = greenlet.getcurrent()
        self.agenda.after(max(0.0, seconds), lambda: self._go_on(me), self)
        _give_way(me)

    def _go_on(self, thread: greenlet) -> None:
        if self._handling and thread is self._main:
            self._postponed = thread
        else:
            thread.switch()

    def interrupt(self, handler: Callable[[], None]) -> None:
        """Run a signal handler in the main thread; what it interrupts goes on when it has ended."""

        def handle() -> None:
            self._handling = True
            try:
                handler()
            finally:
                self._handling = False
                if (main := self._postponed) is not None:
                    self._postponed = None
                    self.agenda.after(0.0, lambda: self._go_on(main), self)

        self.spawn(handle)

    def spawn(self, body: Callable[[], None]) -> greenlet:
        """Run ``body`` in a thread of this process."""
        thread = greenlet(body)
        self.threads.append(thread)
        self.agenda.after(0.0, thread.switch, self)
        return thread

    def bury(self) -> None:
        """Let go of what a process that is gone still holds; its code runs no further than its clean-up."""
        for thread in self.threads:
            if not thread.dead and thread:
                thread.throw(GreenletExit)


def _give_way(me: greenlet) -> None:
    assert me.parent is not None, "only the code of a process may sleep"
    hub = me.parent
    while hub.parent is not None:
        hub = hub.parent
    hub.switch()


class VirtualLoop(asyncio.AbstractEventLoop):
    """An asyncio loop on an agenda: the loop of one process."""

    def __init__(self, agenda: Agenda, process: Process) -> None:
        self._agenda, self._process = agenda, process
        self._ready: deque[asyncio.Handle] = deque()
        self._is_queued = False
        self.errors: list[dict[str, Any]] = []

    def time(self) -> float:
        """Return the agenda's time."""
        return self._agenda.now

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        """Call back at this moment, after what was asked for before."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        if not self._is_queued:
            self._is_queued = True
            self._agenda.after(0.0, self._drain, self._process)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call back after so many seconds."""
        return self.call_at(self._agenda.now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call back at a moment of the agenda."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)

        def due() -> None:
            if not timer.cancelled():
                self._ready.append(timer)
                self._drain()

        self._agenda.at(when, due, self._process)
        return timer

    def _drain(self) -> None:
        self._is_queued = True  # what is asked for meanwhile is done in the same go
        asyncio._set_running_loop(self)
        try:
            for _ in range(_MOST_AT_ONCE):
                if not self._ready:
                    return
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
            raise AssertionError(f"the loop of {self._process.name} spins at {self._agenda.now}")
        finally:
            self._is_queued = False
            asyncio._set_running_loop(None)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> asyncio.Task[Any]:
        """Start a coroutine."""
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """Run what blocks: at once, and its result is there a moment later."""
        future = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        def in_thread() -> None:
            # No loop runs in the thread of an executor.
            asyncio._set_running_loop(None)
            try:
                run()
            finally:
                asyncio._set_running_loop(self)

        self.call_later(0.02, in_thread)
        return future

    def get_debug(self) -> bool:
        """Return that this loop is not in debug mode."""
        return False

    def is_running(self) -> bool:
        """Return whether its process is alive."""
        return self._process.alive

    def is_closed(self) -> bool:
        """Return whether its process is gone."""
        return not self._process.alive

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught."""
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when it is due."""
