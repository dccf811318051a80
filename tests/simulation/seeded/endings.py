"""How tasks end, against how their runs did: the laws of gates and of starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_omics.emulator.lives.run import Run
from tests.simulation.seeded.airflow_model import Airflow
from tests.simulation.seeded.rows import FINAL, TaskInstance
from tests.simulation.seeded.seams import World

SLACK = 40.0
"""Seconds that a calm look takes beyond the interval: Airflow's own delays, turns, a sweep."""
AFTER_TROUBLE = 700.0
"""Seconds after the end of a disturbance in which pauses that have grown may still last, and tries be due."""
_ERRORS = {"OmicsRunFailedError": "FAILED", "OmicsRunCancelledError": "CANCELLED"}


class BrokenLaw(Exception):
    """A law does not hold."""

    def __init__(self, law: str, text: str) -> None:
        super().__init__(law, text)
        self.law, self.text = law, text

    def __str__(self) -> str:
        return f"{self.law}: {self.text}"


class Started:
    """A run that a start operator started."""

    def __init__(self, ti: TaskInstance, run: Run, at: float) -> None:
        self.ti, self.run, self.at = ti, run, at
        self.is_judged = False


class Endings:
    """Judges how tasks end.

    :param troubles: when something was out of order: first second, last second, and what.
    :param most_set: seconds by which any clock is set.
    """

    def __init__(
        self,
        world: World,
        airflow: Airflow,
        troubles: Iterable[tuple[float, float, str]],
        most_set: float = 0.0,
    ) -> None:
        self.world, self.airflow = world, airflow
        self.service, self.agenda = world.service, world.agenda
        self.troubles, self.most_set = sorted(troubles), most_set
        self.started: dict[str, Started] = {}
        """The runs that start operators started, by ``uuid``."""
        self.cancelled: list[str] = []
        """The ``uuid`` of the run of each CancelRun that was accepted."""
        self.longest_delay = 0.0

    def _break(self, law: str, text: str) -> None:
        raise BrokenLaw(law, f"{text} (at {self.agenda.now:.3f})")

    def last_trouble(self, since: float, *kinds: str) -> float | None:
        """Return when the last disturbance since then was over, by now; None if there was none."""
        now = self.agenda.now
        ends = [
            min(last, now)
            for first, last, kind in self.troubles
            if first <= now and last + AFTER_TROUBLE >= since and (not kinds or kind in kinds)
        ]
        return max(ends, default=None)

    def _most_skew(self) -> float:
        skews = [abs(machine.skew) for machine in self.airflow.machines]
        return 2 * max(skews, default=0.0) + 5.0 + self.most_set

    def status(self, run: Run) -> str:
        """Return what a run is by now; GONE if it is not known any more."""
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
        status = self.status(run)
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
            if run is None or self.status(run) not in ("FAILED", "CANCELLED"):
                self._break("as-its-run", f"{ti.name}: {kind}, and its run is {run and self.status(run)}")
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
