"""What must hold at every step of a simulation, and in its end, whatever happens: the package's promises.

The laws look at the world from outside: at requests as the service sees them, at states and XComs as Airflow
has them, at the log as people read it. ``LAWS`` names each, with the sentence that it stands for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from airflow_omics._watching.rate_limit import DEFAULT_RATE
from airflow_omics._watching.watcher import Watcher
from airflow_omics.emulator.lives.run import Run
from tests.simulation.seeded.airflow_model import Airflow
from tests.simulation.seeded.rows import FINAL, TaskInstance
from tests.simulation.seeded.seams import World
from tests.simulation.seeded.service import Sent
from tests.simulation.seeded.triggerer import Triggerer
from tests.simulation.seeded.virtual_time import EPOCH, Worker

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

SLACK = 40.0
"""Seconds that a calm look takes beyond the interval: Airflow's own delays, turns, a sweep."""
AFTER_TROUBLE = 700.0
"""Seconds after the end of a disturbance in which pauses that have grown may still last, and tries be due."""
LINES_AT_ONCE, LINES_AN_HOUR = 40, 12

_ERRORS = {"OmicsRunFailedError": "FAILED", "OmicsRunCancelledError": "CANCELLED"}


_GIVEN_UP = ("goes on", "go on", "not cancelled", "could not be cancelled")


class BrokenLaw(Exception):
    """A law does not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(f"{law}: {text}")
        self.law = law


class Started:
    """A run that a start operator started."""

    def __init__(self, ti: TaskInstance, run: Run, at: float) -> None:
        self.ti, self.run, self.at = ti, run, at
        self.is_judged = False


class Laws:
    """Watches over a simulation.

    :param troubles: when something was out of order: first second, last second, and what.
    """

    def __init__(self, world: World, airflow: Airflow, troubles: Iterable[tuple[float, float, str]]) -> None:
        self.world, self.airflow = world, airflow
        self.service, self.agenda = world.service, world.agenda
        self.troubles = sorted(troubles)
        self.started: dict[str, Started] = {}
        self.last_looks: dict[tuple[str, str], float] = {}
        self.broken: BrokenLaw | None = None
        self.longest_delay = 0.0
        self.service.heard = self._guarded(self._heard)
        airflow.changed = self._guarded(self._changed)
        airflow.fired = self._guarded(self._fired)

    def _guarded(self, check: Any) -> Any:
        # A law that is broken must not be caught by the code that it is about.
        def checked(*args: Any) -> None:
            if self.broken is None:
                try:
                    check(*args)
                except BrokenLaw as broken:
                    self.broken = broken

        return checked

    def _break(self, law: str, text: str) -> None:
        raise BrokenLaw(law, f"{text} (at {self.agenda.now:.3f})")

    # -- troubles --------------------------------------------------------------------------------------------

    def last_trouble(self, since: float, *kinds: str) -> float | None:
        """Return when the last disturbance since then was over, by now; None if there was none."""
        now = self.agenda.now
        ends = [
            min(last, now)
            for first, last, kind in self.troubles
            if first <= now and last + AFTER_TROUBLE >= since and (not kinds or kind in kinds)
        ]
        return max(ends, default=None)

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
                self.last_looks[sent.process, sent.run_id] = now
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
        status = self._status(last.run)
        is_cleared = any(at >= last.at and act == "clear" for at, act in ti.acts)
        if is_cleared and ti.plan["on_clear"] == "new":
            return
        if status in ("FAILED", "CANCELLED", "GONE", "DELETED"):
            return
        if ti.store is None and sent.account != last.run.arn.split(":")[4]:
            return  # nobody remembers that the run before was in another account
        self._break("once", f"{ti.name} started another run while its run {last.run.id} is {status}")

    def _was_cancelled(self, sent: Sent) -> None:
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

    def _most_skew(self) -> float:
        skews = [abs(machine.skew) for machine in self.airflow.machines]
        return 2 * max(skews, default=0.0) + 5.0 + self.most_set

    most_set = 0.0
    """Seconds by which any clock was set."""

    def _status(self, run: Run) -> str:
        run = self.service.settled(run)
        if run.gone:
            return "GONE"
        return run.status

    # -- gates -----------------------------------------------------------------------------------------------

    def _fired(self, ti: TaskInstance, event: dict[str, Any]) -> None:
        run = self._run_of(ti)
        if event["outcome"] == "terminal" and run is not None and not self._may_be_another(ti, run):
            self._check_delay(ti, ti.plan["interval"] + SLACK)

    def _check_delay(self, ti: TaskInstance, bound: float) -> None:
        run = self._run_of(ti)
        if run is None or (over := self._over_at(run)) is None:
            return
        now = self.agenda.now
        if ti.plan["mode"] == "reschedule":
            bound += self._most_skew()  # Airflow's date for the next look is by the worker's clock
        since = max(over, ti.tries[-1][0] if ti.tries else 0.0)
        trouble = self.last_trouble(since)
        if trouble is None:
            self.longest_delay = max(self.longest_delay, now - since - ti.plan["interval"])
        else:
            since, bound = max(since, trouble), bound + AFTER_TROUBLE
        if now - since > bound:
            self._break(
                "in-time", f"{ti.name} ended {now - since:.1f} s after its run could be seen to be over"
            )

    def _over_at(self, run: Run) -> float | None:
        """Return when the run was over as a gate sees it, in seconds of the simulation; None if it is not."""
        self.service.settled(run)
        over = run.ended
        if over is None and run.gone:
            return run.history[-1].service + 120.0  # not found is believed after two minutes
        return None if over is None else over.service

    def _run_of(self, ti: TaskInstance) -> Run | None:
        if ti.plan["kind"] == "gate":
            return self.service.runs[ti.plan["uuid"]]
        mine = [started.run for started in self.started.values() if started.ti is ti]
        return mine[-1] if mine else None

    def _changed(self, ti: TaskInstance, before: str | None) -> None:
        if ti.state not in FINAL or (ti.acts and ti.acts[-1][0] == self.agenda.now):
            return
        kind = type(ti.error).__name__ if ti.error is not None else ""
        if ti.plan["kind"] == "gate":
            self._check_gate(ti, kind)
        else:
            self._check_start(ti, kind)

    def _check_gate(self, ti: TaskInstance, kind: str) -> None:
        run = self._run_of(ti)
        assert run is not None
        status = self._status(run)
        record = ti.xcoms.get("return_value") or {}
        if self._may_be_another(ti, run):
            return
        if ti.state == "success":
            if run.ended is None:
                self._break("never-before", f"{ti.name} succeeded, and its run {run.id} is {status}")
            self._check_record(ti, run, record, "COMPLETED")
        elif kind in _ERRORS:
            if run.ended is None:
                self._break("never-before", f"{ti.name} failed, and its run {run.id} is {status}")
            self._check_record(ti, run, record, _ERRORS[kind])
        elif kind == "OmicsRunDeletedError":
            # Without the record, identity rests on clocks that agree within a minute.
            blind = ti.plan["given"] != "record" and self._most_skew() > 60.0
            if not run.gone and status != "DELETED" and not blind:
                self._break("as-its-run", f"{ti.name} says DELETED, and its run {run.id} is {status}")
        else:
            self._check_refusal(ti, kind, run, status)
        if kind in ("", *_ERRORS):
            self._check_delay(ti, ti.plan["interval"] + SLACK + 15.0)

    def _may_be_another(self, ti: TaskInstance, run: Run) -> bool:
        """Return whether the gate could not know that its id has become another run's.

        It was given an id alone, and the run was gone before the first look, or a minute after it: so much
        the clocks may differ.
        """
        margin = 60.0 + self._most_skew()
        return (
            run.gone
            and ti.plan.get("given", "record") != "record"
            and run.history[-1].service <= ti.tries[-1][0] + margin
        )

    def _check_record(self, ti: TaskInstance, run: Run, record: Any, status: str) -> None:
        ended = run.ended
        if ended is None or ended.status != status:
            is_status = ended.status if ended else run.status
            self._break(
                "as-its-run", f"{ti.name} ended as {status}, and its run {run.id} ended as {is_status}"
            )
        if (record.get("id"), record.get("uuid"), record.get("status")) != (run.id, run.uuid, status):
            self._break("as-its-run", f"{ti.name} has the record {record}, and its run is {run.uuid}")

    def _check_refusal(self, ti: TaskInstance, kind: str, run: Run, status: str) -> None:
        began = ti.tries[-1][0]
        skew = self._most_skew()
        if kind == "AirflowSensorTimeout":
            if self.agenda.now < began + ti.plan["timeout"] - skew:
                self._break("no-wrong-refusal", f"{ti.name} timed out after {self.agenda.now - began:.0f} s")
            over = self._over_at(run)
            if over is not None and over < self.agenda.now - SLACK and self.last_trouble(over) is None:
                self._break("as-its-run", f"{ti.name} timed out, and its run was over")
        elif kind == "OmicsAccessError":
            kinds = ("unreadable", "missing", "elsewhere", "expired", "rotated")
            if self.last_trouble(self.agenda.now - 400.0, *kinds) is None:
                self._break("no-wrong-refusal", f"{ti.name}: {ti.error}")
        elif kind == "OmicsRunNotFoundError":
            if not run.gone and self.last_trouble(self.agenda.now - 400.0, "elsewhere", "missing") is None:
                self._break("no-wrong-refusal", f"{ti.name} does not find its run, which is {status}")
        elif kind == "OmicsRequestError":
            if self.last_trouble(self.agenda.now - 400.0, "elsewhere", "missing", "unreachable") is None:
                self._break("no-wrong-refusal", f"{ti.name}: {ti.error}")
        elif kind == "":
            # Airflow fails a task whose worker died, if no retry is left.
            if self.last_trouble(self.agenda.now - 400.0, "worker-dies", "worker-stopped") is None:
                self._break("no-mistake", f"{ti.name} failed without an error")
        elif kind == "TaskDeferralError":
            if self.last_trouble(began + ti.plan["timeout"] - 600.0) is None:
                self._break("no-mistake", f"{ti.name}: {ti.error}")
        else:
            self._break("no-mistake", f"{ti.name}: {kind}: {ti.error}")

    # -- starts ----------------------------------------------------------------------------------------------

    def _check_start(self, ti: TaskInstance, kind: str) -> None:
        run = self._run_of(ti)
        if ti.state == "success":
            record = ti.xcoms.get("return_value") or {}
            of_record = self.service.runs.get(record.get("uuid", ""))
            started = self.started.get(record.get("uuid", ""))
            if of_record is None or started is None or started.ti is not ti:
                self._break(
                    "as-its-run", f"{ti.name} has the record of a run that it did not start: {record}"
                )
            self._check_record(ti, of_record, record, "COMPLETED")
        elif kind in ("OmicsRunFailedError", "OmicsRunCancelledError"):
            if run is None or self._status(run) not in ("FAILED", "CANCELLED"):
                self._break("as-its-run", f"{ti.name}: {kind}, and its run is {run and self._status(run)}")
        elif kind == "OmicsRunTimeoutError":
            limit = ti.plan["wait_timeout"]
            if limit is None or self.agenda.now < ti.tries[0][0] + limit - self._most_skew():
                self._break("no-wrong-refusal", f"{ti.name} timed out")
        elif kind not in (
            "",
            "OmicsAccessError",
            "OmicsError",
            "OmicsRunNotFoundError",
            "OmicsRequestError",
            "OmicsRunDeletedError",
            "ClientError",
            "EndpointConnectionError",
            "ReadTimeoutError",
        ):
            self._break("no-mistake", f"{ti.name}: {kind}: {ti.error}")
        elif kind != "" and self.last_trouble(ti.tries[-1][0]) is None:
            self._break("no-wrong-refusal", f"{ti.name}: {kind}: {ti.error}")

    # -- every hour, and in the end --------------------------------------------------------------------------

    def hourly(self) -> None:
        """Check what must hold while nothing happens."""
        self._guarded(self._hourly)()

    def _hourly(self) -> None:
        now = self.agenda.now
        for triggerer in self.airflow.triggerers:
            self._check_looks(triggerer, now)
        for ti in self.airflow.tasks:
            if ti.tries and len(ti.lines) > LINES_AT_ONCE:
                hours = ((ti.ended or now) - ti.tries[0][0]) / 3600.0
                an_hour = LINES_AN_HOUR
                if ti.plan["mode"] == "reschedule":
                    an_hour += (
                        2 * 3600.0 / ti.plan["interval"]
                    )  # each look is a process with a log of its own
                most = (LINES_AT_ONCE + an_hour * hours) * (len(ti.acts) + len(ti.tries))
                if len(ti.lines) > most:
                    self._break("few-lines", f"{ti.name} has {len(ti.lines)} lines after {hours:.1f} hours")
        for started in self.started.values():
            # What a killed task has left to do takes an hour.
            given_up = self._given_up_at(started)
            if not started.is_judged and given_up is not None and now - given_up > 2 * 3600.0:
                started.is_judged = True
                self._check_given_up(started)

    def _check_looks(self, triggerer: Triggerer, now: float) -> None:
        if self.last_trouble(now - 3900.0) is not None:
            return
        for row, task in triggerer.running.items():
            if task.done() or row.triggerer is not triggerer:
                continue
            run_id = json_id(row.kwargs)
            looked = self.last_looks.get((triggerer.process.name, run_id), 0.0)
            created = self.created.setdefault((triggerer.process.name, row.number), now)
            if now - max(looked, created) > 3700.0:
                self._break(
                    "next-look", f"run {run_id} of {row.task.name} had no GetRun for {now - looked:.0f} s"
                )

    @property
    def created(self) -> dict[tuple[str, int], float]:
        """When a trigger was first seen in a triggerer."""
        return self.__dict__.setdefault("_created", {})

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
        if self._status(run) not in ("PENDING", "STARTING", "RUNNING", "PAUSED"):
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


def json_id(kwargs: str) -> str:
    """Return the id of the run in a trigger's arguments."""
    import json

    run_id = json.loads(kwargs)["run_id"]
    return str(run_id["id"] if isinstance(run_id, dict) else run_id).rpartition("/")[2]


def wall_of(moment: float) -> float:
    """Return a moment of the simulation in seconds since the epoch."""
    return EPOCH + moment
