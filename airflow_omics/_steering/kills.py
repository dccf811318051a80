"""Cancel the run of a task that was killed while it was deferred, in an asyncio task outside its trigger.

Airflow gives a trigger that is killed about a second: it cancels the trigger, and its ``on_kill``, again
each second until both have ended. A cohort that is killed at once takes minutes, at the rate that HealthOmics
allows. So an asyncio task that belongs to no trigger reads the Airflow task's state and cancels the run. A
run that could not be cancelled is named in a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib.util
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._faults import backoff
from airflow_omics._identity import Target
from airflow_omics._steering.cancellations import Cancellations
from airflow_omics._task.state import UnreadableStateError, is_killed
from airflow_omics._task.state_reader import StateReader, reason_of
from airflow_omics._task.task_key import TaskKey
from airflow_omics.exceptions import OmicsError

log = logging.getLogger(__name__)

STATE_WITHIN: Final = 60.0
"""Seconds within which the task's state must be read. A state that is read later may not be about the kill:
a task that was handed over, and has failed since, has a run that must go on."""


class TriggerLog:
    """The log of one trigger as long as the trigger runs, and then the triggerer's own.

    Make it in the trigger's own context: by that Airflow knows to which trigger a line belongs.
    """

    def __init__(self, task: TaskKey) -> None:
        self._task = task
        self._context = contextvars.copy_context()
        self._left = False

    def leave(self) -> None:
        """Note that the trigger ends; from now on each line names its task, as it stands among others."""
        self._left = True
        if importlib.util.find_spec("airflow.sdk") is None:
            # Airflow 2.11 has closed the trigger's log, and would open it again and never close it.
            self._context = contextvars.Context()

    def say(self, level: int, text: str) -> None:
        """Write a line."""
        if self._left:
            text = f"{text} ({_described(self._task)})"
        self._context.run(log.log, level, "%s", text)


@dataclass(eq=False)
class Kill:
    """One trigger that Airflow has asked to end, and its run.

    :param target: the run.
    :param task: the task that waited for it.
    :param on_clear: what a cleared task does about its run, ``new`` or ``reattach``.
    :param arguments: the AWS connection.
    :param requests_per_second: the most requests for any one operation.
    :param log: takes the log lines.
    """

    target: Target
    task: TaskKey
    on_clear: str
    arguments: AwsArguments
    requests_per_second: float
    log: TriggerLog
    is_killed: bool | None = field(default=None, init=False)
    """Whether a person killed the task; None until its state is known."""

    @property
    def key(self) -> tuple[str, str, str, TaskKey]:
        """Equal for two kills if one of them is enough."""
        return self.arguments.key, self.target.resource.noun, self.target.id, self.task

    @property
    def named(self) -> str:
        """The run, with its ARN if that is known."""
        arn = self.target.arn
        return str(self.target) + (f" ({arn})" if arn else "")


class Kills:
    """The kills of one event loop; use :meth:`of_loop` to get it."""

    _of_loop: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Kills]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self._states = StateReader()
        self._tasks: dict[tuple[str, str, str, TaskKey], asyncio.Task[None]] = {}
        self._cut_short: list[Kill] = []
        self._sentinel: asyncio.Task[None] | None = None
        self._triggers = 0

    @classmethod
    def of_loop(cls) -> Kills:
        """Return the kills of the running event loop."""
        return cls._of_loop.setdefault(asyncio.get_running_loop(), cls())

    def handle(self, kill: Kill) -> asyncio.Task[None]:
        """Begin to handle a kill, and return the asyncio task, which ends without an error."""
        task = self._tasks.get(kill.key)
        if task is None:
            # In a context of no trigger: it uses what is shared, and its last line names many runs. Neither
            # must be written into this trigger's log.
            nobodys = contextvars.Context()
            task = asyncio.create_task(self._handle(kill), context=nobodys)
            self._tasks[kill.key] = task
            task.add_done_callback(lambda _: self._ended(kill), context=nobodys)
        return task

    async def _handle(self, kill: Kill) -> None:
        try:
            kill.is_killed = await self._was_killed(kill)
            if kill.is_killed:
                await _cancel(kill)
        except asyncio.CancelledError:
            self._cut_short.append(kill)
            raise
        except UnreadableStateError as error:
            reason = f"is not cancelled, since the task's state can't be read: {error}"
            kill.log.say(logging.WARNING, f"{kill.named} {reason}")
        except OmicsError as error:
            reason = f"could not be cancelled, and goes on: {str(error) or type(error).__name__}"
            kill.log.say(logging.WARNING, f"{kill.named} {reason}")
        except Exception as error:  # a mistake of ours: nobody else would name the run
            reason = f"could not be cancelled, and goes on: {reason_of(error)}"
            kill.log.say(logging.WARNING, f"{kill.named} {reason}")
            log.debug("The mistake", exc_info=error)

    async def _was_killed(self, kill: Kill) -> bool:
        state = await self._state(kill.task)
        if not is_killed(state, kill.on_clear):
            kill.log.say(logging.INFO, f"{kill.target} goes on: the task is {state}.")
            return False
        kill.log.say(logging.INFO, f"The task is {state}: {kill.target} is to be cancelled.")
        return True

    async def _state(self, task: TaskKey) -> str | None:
        begun_at, failures = _clock.monotonic(), 0
        while True:
            try:
                return await self._states.state(task)
            except UnreadableStateError:
                failures += 1
                pause = backoff(failures)
                if _clock.monotonic() + pause - begun_at >= STATE_WITHIN:
                    raise
            await asyncio.sleep(pause)

    def _ended(self, kill: Kill) -> None:
        del self._tasks[kill.key]
        if self._cut_short and not self._tasks:
            kills, self._cut_short = self._cut_short, []
            _name_those_cut_short(kills)

    # -- when the loop ends ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def attended(self) -> Iterator[Callable[[], bool]]:
        """Yield, while a trigger runs, a function that says whether the event loop is ending.

        asyncio.run cancels every task when it ends; a task that nobody else cancels shows that it does.
        """
        if self._sentinel is None:
            self._sentinel = asyncio.create_task(_for_ever(), context=contextvars.Context())
        sentinel = self._sentinel
        self._triggers += 1
        try:
            yield lambda: sentinel.cancelling() > 0 or sentinel.done()
        finally:
            self._triggers -= 1
            if not self._triggers:
                self._sentinel = None
                sentinel.cancel()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def wait_a_while(kill: Kill, seconds: float) -> None:
    """Handle a kill, and wait until that is done, or a while; it goes on if this wait is cancelled."""
    task = Kills.of_loop().handle(kill)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            with contextlib.suppress(Exception):  # a log that is closed must not keep a trigger from ending
                kill.log.say(
                    logging.INFO,
                    f"{kill.target}: the triggerer goes on with it, and reports the result in its own log.",
                )
        kill.log.leave()


async def _cancel(kill: Kill) -> None:
    cancellations = Cancellations.shared(kill.arguments, kill.requests_per_second)
    status = await cancellations.cancel(kill.target, kill.log.say)
    if status != "accepted":
        kill.log.say(logging.INFO, f"{kill.target} is {status}.")


def _name_those_cut_short(kills: Iterable[Kill]) -> None:
    kills = list(kills)
    if killed := [kill for kill in kills if kill.is_killed]:
        log.warning(
            "This triggerer stops before it could cancel the runs of killed tasks, and they go on: %s",
            _listed(killed),
        )
    if unknown := [kill for kill in kills if kill.is_killed is None]:
        log.warning(
            "This triggerer stops before it could read whether the tasks of these runs were killed, and they "
            "go on: %s",
            _listed(unknown),
        )


def _listed(kills: Iterable[Kill]) -> str:
    """Name runs in one line; those of one account and Region share the beginning of their ARN."""
    by_place: dict[str, list[str]] = {}
    for kill in kills:
        place, _, run_id = (kill.target.arn or kill.target.id).rpartition("/")
        by_place.setdefault(place, []).append(run_id)
    return "; ".join(
        (f"{place}/" if place else "") + ", ".join(sorted(run_ids)) for place, run_ids in by_place.items()
    )


def _described(task: TaskKey) -> str:
    index = f"[{task.map_index}]" if task.map_index >= 0 else ""
    return f"task {task.task_id}{index} of DAG {task.dag_id}, DAG run {task.run_id}"
