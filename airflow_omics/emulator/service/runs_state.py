"""The runs of one account and Region: made, brought up to the present, and taken away."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from moto.moto_api import state_manager

from airflow_omics.emulator.lives.run import Entry, Run
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Life, Stage
from airflow_omics.emulator.service import runs_uses
from airflow_omics.emulator.service.common.backend import OmicsBackend, located
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.service.runs_later import (
    Block,
    Later,
    Starter,
    Unmade,
    in_order,
    number,
    taken_in,
)
from airflow_omics.emulator.service.runs_queue import Queue
from airflow_omics.emulator.wire.exceptions import not_found
from airflow_omics.emulator.world.shared import STATE_MODEL, WORLD

KIND = "run"
# By default the clock alone moves a run; moto's own kinds of transition can take over.
state_manager.register_default_transition(STATE_MODEL, {"progression": "clock"})


class Runs:
    """The runs of one account and Region."""

    def __init__(self, backend: OmicsBackend) -> None:
        self.backend = backend
        self._table: Table[Run | Unmade] = Table(backend, KIND, "Run")
        # In order of creation. Runs that are gone stay in it until there are many of them.
        self._order: list[Run | Block] = []
        self._starters: list[Starter] = []
        self._laters: list[Later] = []
        self._bringing_in = False
        self._gone = 0
        self._seq = 0
        self.repeats: Repeats[Run] = Repeats("run")
        self.unwritten: dict[int, Run] = {}
        """Runs whose logs and outputs are not fully written yet."""
        self.unannounced: dict[int, Run] = {}
        """Runs that are new or changed since somebody asked for their events."""
        self._queues: dict[Any, Queue] = {}

    # -- making runs -----------------------------------------------------------------------------------------

    def add(
        self,
        members: Mapping[str, Any],
        life: Life,
        *,
        run_id: str | None = None,
        created: tuple[float, float] | None = None,
        quiet: bool = False,
        silent: bool = False,
    ) -> Run:
        """Add a run.

        :param members: the members of StartRun, complete with what the service adds.
        :param life: what happens to it.
        :param run_id: its id; a new one if it is None.
        :param created: service time and reported time of its creation; the present if it is None.
        :param quiet: whether it writes no logs and no outputs.
        :param silent: whether it has no events.
        """
        self.bring_in()
        moment = created or WORLD.clock.read()
        self.advance_groups(moment[0])
        run_id = run_id or self._table.new_id()
        self._seq += 1
        run = self._new(
            id=run_id,
            uuid=WORLD.uuid(),
            seq=self._seq,
            members=members,
            life=life,
            created=moment,
            quiet=quiet,
            silent=silent,
            uses=runs_uses.found(self.backend, members),
        )
        self._order.append(run)
        return self._put(run)

    def _new(self, **fields: Any) -> Run:
        run = Run(arn=self._table.arn(fields["id"]), **fields)
        run.inputs = runs_uses.etags_of_inputs(self.backend, run.members)
        return run

    def _put(self, run: Run) -> Run:
        self._table.put(run.id, run)
        if not run.quiet:
            self.unwritten[run.seq] = run
        self._changed(run, run.created.service)
        return run

    # -- runs that start by themselves -----------------------------------------------------------------------

    def add_later(self, starter: Starter) -> None:
        """Let runs start by themselves from now on."""
        self._starters.append(starter)

    def bring_in(self) -> None:
        """Give a place in the order to each run that has started by itself."""
        # Making one of them can add another run, which asks for it in the middle of it.
        if self._bringing_in:
            return
        self._bringing_in = True
        try:
            starters = self._starters
            found = [starter.begun() for starter in starters]
            for later, begun in in_order((later, begun) for later, begun, _ in found if later is not None):
                self._take_in(later, begun)
            for starter in starters:
                starter.count()
            self._starters = [starter for starter, (*_, more) in zip(starters, found, strict=True) if more]
        finally:
            self._bringing_in = False

    def make_all(self) -> None:
        """Make each run for good that has started by itself, so that nothing that happens to it is missed."""
        self.bring_in()
        for later in self._laters:
            for block in later.blocks:
                while block.made < block.count:
                    later.keep(block.position + block.made)
                    block.made += 1

    def _take_in(self, later: Later, begun: int) -> None:
        if later.eager:
            # A run that has taken over an id before is older.
            self.advance_groups(later.moment(begun - 1))
        blocks = later.blocks
        if not blocks:
            self._laters.append(later)
        taken = taken_in(later)
        if blocks and self._order[-1] is blocks[-1]:
            blocks[-1].count += begun - taken
        else:
            blocks.append(Block(later, self._seq + 1, taken, begun - taken))
            self._order.append(blocks[-1])
        self._seq += begun - taken
        if later.eager or not self.by_clock():
            for position in range(taken, begun):
                later.keep(position)

    def by_clock(self) -> bool:
        """Return whether the clock alone moves runs, as it does unless moto's state manager has a say."""
        return bool(state_manager.get_transition(STATE_MODEL)["progression"] == "clock")

    def show(self, later: Later, position: int) -> str:
        """Return a new id for a run that started by itself, under which it is found from now on."""
        run_id = self._table.new_id()
        self._table.put(run_id, Unmade(later, position))
        return run_id

    def made(self, later: Later, position: int, *, keep: bool = False, **fields: Any) -> Run:
        """Return a run that started by itself, as it was when it was created.

        :param keep: whether it is this one from now on; otherwise it is good for one look.
        :param fields: the arguments of :class:`Run` that are not known here.
        """
        run = self._new(seq=number(later.blocks, position), **fields)
        if keep:
            self.advance_groups(run.created.service)
            self._put(run)
        return run

    def forget(self, run_id: str) -> None:
        """Let an id not be found that was shown, and whose run was not made."""
        self._table.remove(run_id)

    # -- run groups that have limits -------------------------------------------------------------------------

    def _queue_of(self, members: Mapping[str, Any]) -> Queue | None:
        return self._queues.get(members.get("runGroupId")) if self._queues else None

    def of_group(self, run_group_id: str) -> Iterator[Run]:
        """Yield the runs of a run group that can be found, each as it is now."""
        for run in self.after(0):
            if not run.gone and run.members.get("runGroupId") == run_group_id:
                yield run

    def limit_group(self, run_group_id: str, limits: Mapping[str, int]) -> None:
        """Let a run group have limits from now on, for the runs that it has and for those to come.

        :param limits: the limits, by the API's names; none if there are none any more.
        """
        self.bring_in()
        queue, now = self._queues.get(run_group_id), WORLD.clock.service()
        if queue is not None:
            queue.advance(now)
        elif limits:
            queue = Queue(self._settle)
            for run in list(self.of_group(run_group_id)):
                queue.place(run, now)
            self._queues[run_group_id] = queue
        if queue is not None:
            queue.limit(limits, now)

    def forget_group(self, run_group_id: str) -> None:
        """Let a run group have no limits; none of its runs is active."""
        self._queues.pop(run_group_id, None)

    def advance_groups(self, now: float) -> None:
        """Let every run go that its run group has held back until now, in service time."""
        if self._queues and state_manager.get_transition(STATE_MODEL)["progression"] == "clock":
            for queue in list(self._queues.values()):
                queue.advance(now)

    def _settle(self, run: Run, moment: float) -> None:
        self.bring_up_to_date(run, moment)
        if not run.silent:
            self.unannounced[run.seq] = run

    def _changed(self, run: Run, moment: float) -> None:
        if not run.silent:
            self.unannounced[run.seq] = run
        queue = self._queue_of(run.members)
        if queue is not None:
            queue.place(run, moment)

    # -- reading them ----------------------------------------------------------------------------------------

    def bring_up_to_date(
        self, run: Run, now: float | None = None, transition: Mapping[str, Any] | None = None
    ) -> None:
        """Bring a run up to the present. After it the run may be gone, and its id another run's.

        :param now: the present, in service time; the clock is read if it is None.
        :param transition: what moto's state manager says of runs; it is asked if it is None.
        """
        now = WORLD.clock.service() if now is None else now
        known = state_manager.get_transition(STATE_MODEL) if transition is None else transition
        queue = self._queue_of(run.members)
        if queue is not None and known["progression"] == "clock":
            queue.advance(now)
        run.bring_up_to_date(now, WORLD.clock.reported, known)
        self._after(run, now, transition)

    def _after(self, run: Run, now: float, transition: Mapping[str, Any] | None) -> None:
        if run.gone and self._table.find(run.id) is run:
            last = run.history[-1]
            self._drop(run)
            if last.status == REUSED:
                life = WORLD.life(run.life.next_life)
                heir = self.add(
                    run.members,
                    life,
                    run_id=run.id,
                    created=(last.service, last.reported),
                    quiet=run.quiet,
                    silent=run.silent,
                )
                self.bring_up_to_date(heir, now, transition)

    def _drop(self, run: Run) -> None:
        if not run.gone:
            # A ListRuns that lags still shows it as it was before this moment.
            run.history.append(Entry(*WORLD.clock.read(), VANISHED))
            run.gone = True
        self._table.remove(run.id)
        self._gone += 1
        if self._gone > 1000 and self._gone * 2 > len(self._order):
            self._order = [kept for kept in self._order if not kept.gone]
            self._gone = 0

    def get(self, run_id: str, *, tick: bool = False) -> Run:
        """Return a run as it is now.

        :param tick: whether this call counts towards a ``manual`` transition.
        :raises OmicsServiceError: there is no such run; it is a ResourceNotFoundException.
        """
        run = self.find(run_id)
        transition = state_manager.get_transition(STATE_MODEL)
        if tick and transition["progression"] == "manual" and run is not None:
            run.tick(WORLD.clock.read(), transition)
            self._after(run, WORLD.clock.service(), None)
            self._changed(run, WORLD.clock.service())
        return self._found(run_id) or self._not_found(run_id)

    def _not_found(self, run_id: str) -> NoReturn:
        raise not_found(f"Run {run_id}")

    def _found(self, run_id: str) -> Run | None:
        found = self._table.find(run_id)
        return found.later.keep(found.position) if isinstance(found, Unmade) else found

    def find(self, run_id: str) -> Run | None:
        """Return a run as it is now, or None."""
        self.bring_in()
        run, before = self._found(run_id), None
        # Its run group may have given the id to another run.
        while run is not None and run is not before:
            self.bring_up_to_date(run)
            run, before = self._found(run_id), run
        return run

    def after(self, seq: int, wanted: Mapping[str, Any] | None = None) -> Iterator[Run]:
        """Yield the runs after one, in order of creation, each as it is now.

        Runs that are gone are among them, because a ListRuns that lags still shows them.

        :param seq: the number of the run to begin after.
        :param wanted: filters of ListRuns: members of a batch that do not match them may be left out.
        """
        self.bring_in()
        now, transition = WORLD.clock.service(), state_manager.get_transition(STATE_MODEL)
        by_clock = transition["progression"] == "clock"
        self.advance_groups(now)
        # One that is gone may be taken out of the order meanwhile, which makes another list.
        order = self._order
        index = bisect_right(order, seq, key=lambda run: run.seq)
        while index < len(order):
            run = order[index]
            index += 1
            if isinstance(run, Block):
                yield from run.after(seq, wanted or {})
                continue
            if not run.gone and (not by_clock or run.due <= now):
                self.bring_up_to_date(run, now, transition)
            yield run

    # -- changing them ---------------------------------------------------------------------------------------

    def replan(self, run: Run, stages: tuple[Stage, ...]) -> None:
        """Let a run enter ``stages[0]`` now and go on with the others, whatever its script says."""
        moment = WORLD.clock.read()
        if self._queues:
            self.bring_up_to_date(run, moment[0])
        if stages[-1].status in TERMINAL - {"COMPLETED"} and run.ended is None:
            run.cut = True
        if stages[0].status == "COMPLETED" and run.entered("RUNNING") is None:
            run.replan((Stage("RUNNING"),), moment)
        run.replan(stages, moment)
        self._changed(run, moment[0])

    def remove(self, run: Run) -> None:
        """Let a run not be found from now on."""
        self._drop(run)
        self._changed(run, WORLD.clock.service())

    def reuse(self, run: Run, life: Life) -> Run:
        """Give the id of a run to another one, created now."""
        self._drop(run)
        self._changed(run, WORLD.clock.service())
        return self.add(run.members, life, run_id=run.id, quiet=run.quiet, silent=run.silent)


def runs_of(backend: OmicsBackend) -> Runs:
    """Return the runs of an account and Region."""
    return backend.state(Runs)


def locate(run_id: str, account_id: str | None, region_name: str | None) -> tuple[Runs, Run]:
    """Return a run, wherever it is, and the runs that it is one of; see :func:`located`."""
    return located("run", run_id, runs_of, account_id, region_name)
