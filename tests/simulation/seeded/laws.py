"""What must hold at every step of a simulation, and in its end, whatever happens: the package's promises.

The laws look at the world from outside: at requests as the service sees them, at states and XComs as Airflow
has them, at the log as people read it. ``LAWS`` names each, with the sentence that it stands for.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from airflow_omics._watching.rate_limit import DEFAULT_RATE
from airflow_omics._watching.watcher import Watcher
from tests.simulation.seeded.endings import BrokenLaw, Endings, Started
from tests.simulation.seeded.rows import FINAL, TaskInstance
from tests.simulation.seeded.service import Sent
from tests.simulation.seeded.triggerer import Triggerer
from tests.simulation.seeded.virtual_time import Worker

LAWS = {
    "as-its-run": "A gate ends as its run did, with the run's record.",
    "never-before": "A gate never ends before its run.",
    "in-time": "A gate ends within its interval and a bound after its run, or after a disturbance.",
    "no-wrong-refusal": "A task fails for access, a value or an unknown run only if that was so.",
    "once": "A start has one run, and another only after one that ended badly or after a clear.",
    "nobody-ended": "No run is cancelled but one that a person, or a time limit, ended.",
    "named": "No run that its task has given up goes on without a line that names it.",
    "rate": "No operation exceeds its rate.",
    "next-look": "Every run that is waited for gets a GetRun at least once an hour.",
    "few-lines": "The log lines of a wait are bounded by the hours that it takes.",
    "ends": "Every task comes to an end.",
    "nothing-left": "In the end no task, client, timer or entry is left.",
    "no-mistake": "Nothing raises what it should not.",
}
"""Each law, and what it says."""

_LINES_AT_ONCE, _LINES_AN_HOUR = 40, 12
_GIVEN_UP = ("goes on", "go on", "not cancelled", "could not be cancelled")


class Laws(Endings):
    """Watches over a simulation."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.broken: BrokenLaw | None = None
        self._last_looks: dict[tuple[str, str], float] = {}
        self._first_seen: dict[tuple[str, int], float] = {}
        self.service.heard = self._guarded(self._heard)
        self.airflow.changed = self._guarded(self._changed)
        self.airflow.fired = self._guarded(self._fired)

    def _guarded(self, check: Any) -> Any:
        # A law that is broken must not be caught by the code that it is about.
        def checked(*args: Any) -> None:
            if self.broken is None:
                try:
                    check(*args)
                except BrokenLaw as broken:
                    self.broken = broken

        return checked

    # -- requests --------------------------------------------------------------------------------------------

    def _heard(self, sent: Sent) -> None:
        now = self.agenda.now
        process = self.agenda.current
        if not isinstance(process, Worker):
            lane = self.service.recent[sent.process, sent.operation, sent.account]
            if sum(now - t < 1.0 for t in lane) > DEFAULT_RATE + 1e-9 + 1:
                self._break(
                    "rate", f"{sent.process} sent more than {DEFAULT_RATE} {sent.operation} in a second"
                )
            if sent.operation == "GetRun" and sent.run_id:
                self._last_looks[sent.process, sent.run_id] = now
        if sent.error is not None:
            return
        if sent.operation == "StartRun" and sent.is_new:
            self._was_started(sent, process)
        elif sent.operation == "CancelRun":
            self._was_cancelled(sent)

    def _was_started(self, sent: Sent, process: Any) -> None:
        ti = next(t for t in self.airflow.tasks if t.running is not None and t.process is process)
        assert sent.uuid is not None
        before = [s for s in self.started.values() if s.ti is ti]
        self.started[sent.uuid] = Started(ti, self.service.runs[sent.uuid], self.agenda.now)
        if not before:
            return
        last = before[-1]
        status = self.status(last.run)
        is_cleared = any(at >= last.at and act == "clear" for at, act in ti.acts)
        if is_cleared and ti.plan["on_clear"] == "new":
            return
        if status in ("FAILED", "CANCELLED", "GONE", "DELETED"):
            return
        if ti.store is None and sent.account != last.run.arn.split(":")[4]:
            return  # nobody remembers that the run before was in another account
        self._break("once", f"{ti.name} started another run while its run {last.run.id} is {status}")

    def _was_cancelled(self, sent: Sent) -> None:
        self.cancelled.append(sent.uuid or "")
        started = self.started.get(sent.uuid or "")
        if started is None:
            self._break("nobody-ended", f"run {sent.run_id} was cancelled, and no task had started it")
            return
        ti = started.ti
        if not ti.plan["cancel_on_kill"] and not self._is_timed_out(started):
            self._break(
                "nobody-ended", f"run {sent.run_id} of {ti.name} was cancelled in spite of cancel_on_kill"
            )
        if any(at >= started.at - 60.0 for at, _ in ti.acts) or self._is_timed_out(started):
            return
        self._break(
            "nobody-ended", f"run {sent.run_id} of {ti.name} was cancelled, and nobody had ended the task"
        )

    def _is_timed_out(self, started: Started) -> bool:
        limit = started.ti.plan["wait_timeout"]
        if limit is None or started.ti.plan["on_timeout"] != "cancel":
            return False
        return self.agenda.now >= min(began for began, _, _ in started.ti.tries) + limit - self._most_skew()

    # -- every hour, and in the end --------------------------------------------------------------------------

    def hourly(self) -> None:
        """Check what must hold while nothing happens."""
        self._guarded(self._hourly)()

    def _hourly(self) -> None:
        now = self.agenda.now
        for triggerer in self.airflow.triggerers:
            self._check_looks(triggerer, now)
        for ti in self.airflow.tasks:
            self._check_lines(ti, now)
        for started in self.started.values():
            # What a killed task has left to do takes an hour.
            given_up = self._given_up_at(started)
            if not started.is_judged and given_up is not None and now - given_up > 2 * 3600.0:
                started.is_judged = True
                self._check_given_up(started)

    def _check_lines(self, ti: TaskInstance, now: float) -> None:
        if len(ti.lines) <= _LINES_AT_ONCE:
            return
        hours = ((ti.ended or now) - ti.tries[0][0]) / 3600.0
        an_hour: float = _LINES_AN_HOUR
        if ti.plan["mode"] == "reschedule":
            an_hour += 2 * 3600.0 / ti.plan["interval"]  # each look is a process with a log of its own
        if len(ti.lines) > (_LINES_AT_ONCE + an_hour * hours) * (len(ti.acts) + len(ti.tries)):
            self._break("few-lines", f"{ti.name} has {len(ti.lines)} lines after {hours:.1f} hours")

    def _check_looks(self, triggerer: Triggerer, now: float) -> None:
        if self.last_trouble(now - 3900.0) is not None:
            return
        for row, task in triggerer.running.items():
            if task.done() or row.triggerer is not triggerer:
                continue
            run_id = _run_id_of(row.kwargs)
            looked = self._last_looks.get((triggerer.process.name, run_id), 0.0)
            created = self._first_seen.setdefault((triggerer.process.name, row.number), now)
            if now - max(looked, created) > 3700.0:
                self._break(
                    "next-look", f"run {run_id} of {row.task.name} had no GetRun for {now - looked:.0f} s"
                )

    def at_the_end(self) -> None:
        """Check what must hold when all is over."""
        self._guarded(self._at_the_end)()

    def _at_the_end(self) -> None:
        unended = [ti.name for ti in self.airflow.tasks if ti.state not in FINAL]
        if unended:
            self._break("ends", f"still {len(unended)} tasks, such as {unended[0]}")
        for triggerer in self.airflow.triggerers:
            self._check_left(triggerer)

    def _check_left(self, triggerer: Triggerer) -> None:
        name = triggerer.process.name
        if left := [task for task in asyncio.all_tasks(triggerer.loop) if not task.done()]:
            self._break("nothing-left", f"{name} has {len(left)} asyncio tasks: {left[0]}")
        if clients := self.world.open_clients.get(name, 0):
            self._break("nothing-left", f"{name} has {clients} open clients")
        if watchers := Watcher._of_loop.get(triggerer.loop):
            self._break("nothing-left", f"{name} has the watchers {list(watchers)}")
        if triggerer.loop.errors:
            self._break("no-mistake", f"{name}: {triggerer.loop.errors[0]}")

    def _given_up_at(self, started: Started) -> float | None:
        """Return when the task gave this run up, by its end or by another run; None while it is its run."""
        later = [
            other.at for other in self.started.values() if other.ti is started.ti and other.at > started.at
        ]
        return min(later, default=started.ti.ended)

    def _check_given_up(self, started: Started) -> None:
        ti, run = started.ti, started.run
        if self.status(run) not in ("PENDING", "STARTING", "RUNNING", "PAUSED"):
            return
        said = any(
            run.id in text and (level >= logging.ERROR or any(words in text for words in _GIVEN_UP))
            for _, level, text in self.airflow.lines
        )
        if ti.state == "failed" and ti.error is None and not ti.acts:
            return  # Airflow gave it up without a worker that could say anything
        if ti.acts and not ti.plan["cancel_on_kill"]:
            return  # it is meant to go on
        if not said and not (ti.plan["wait_timeout"] and "OmicsRunTimeoutError" in str(type(ti.error))):
            self._break("named", f"run {run.id} of {ti.name} goes on, is {run.status}, and no line names it")


def _run_id_of(kwargs: str) -> str:
    """Return the id of the run in a trigger's arguments."""
    run_id = json.loads(kwargs)["run_id"]
    return str(run_id["id"] if isinstance(run_id, dict) else run_id).rpartition("/")[2]
