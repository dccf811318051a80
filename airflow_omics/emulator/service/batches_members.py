"""The members of a batch: when each is submitted, what becomes of it, and how many are where.

A member is a number until somebody looks at it. When it starts follows from its position and the rate, and
all else from its life. A member that is made, as by GetRun, is a run like any other from then on.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import REUSED, Life, Stage
from airflow_omics.emulator.service import batches_flows
from airflow_omics.emulator.service.batches_flows import Flow
from airflow_omics.emulator.service.batches_settings import Settings
from airflow_omics.emulator.service.runs_later import Block
from airflow_omics.emulator.service.runs_state import Runs
from airflow_omics.emulator.world.batches import chosen
from airflow_omics.emulator.world.shared import WORLD

MOST_MADE = 1000
"""A batch of more members makes no run before somebody looks at it, so these write no logs before."""
_SUBMISSION_STATUSES = ("SUCCESS", "CANCEL_SUCCESS", "CANCEL_FAILED", "DELETE_SUCCESS", "DELETE_FAILED")
_CANCELLED, _NOT_CANCELLED, _DELETED, _NOT_DELETED = range(1, 5)


class Members:
    """The members of one batch."""

    def __init__(self, runs: Runs, settings: Settings, batch_uuid: str) -> None:
        self.settings = settings
        self.total = len(settings.texts)
        self.blocks: list[Block] = []
        self._runs = runs
        self._batch_uuid = batch_uuid
        self._failed = list(settings.failures)
        # Position, moment and rate from which on members are submitted; the last one is in force.
        self._paces: list[tuple[int, float, float]] = []
        self.most = self.total
        """How many are submitted before the batch stops."""
        self.submissions: Counter[str] = Counter()
        """How many cancellations and deletions went well or failed, by ``submissionStatus``."""
        # By life and whether they were cancelled with the batch; without those that are made.
        self._flows: dict[tuple[int, bool], Flow] = {}
        self._made: dict[int, Run] = {}
        self._ids: dict[int, str] = {}
        self._marks = bytearray(self.total)
        self._cut = bytearray(self.total)
        self._cut_at = self._changed_at = -math.inf
        self._deleted = 0

    # -- when they are submitted -----------------------------------------------------------------------------

    def pace(self, moment: float, rate: float) -> None:
        """Let members be submitted from a moment on, so many in a service second.

        Those that were submitted before it stay.
        """
        if self._paces and self._paces[-1][2] == rate:
            return
        first = self.tried(moment)
        self._paces.append((first, moment, rate))
        for flow in self._flows.values():
            flow.stop(moment)
        for position in range(first, self.most):
            if position not in self.settings.failures:
                self._flow(position).begin(self.moment(position))

    def moment(self, position: int) -> float:
        """Return the moment of service time at which a member is submitted."""
        pace = next(pace for pace in reversed(self._paces) if pace[0] <= position)
        return pace[1] + (position + 1 - pace[0]) / pace[2]

    def tried(self, moment: float) -> int:
        """Return how many were submitted by a moment, those that failed included."""
        if not self._paces or moment < self._paces[0][1]:
            return 0
        first, since, rate = next((p for p in reversed(self._paces) if p[1] <= moment), self._paces[0])
        count = min(max(first + int((moment - since) * rate), 0), self.most)
        while count < self.most and self.moment(count) <= moment:
            count += 1
        while count and self.moment(count - 1) > moment:
            count -= 1
        return count

    def stop(self, moment: float) -> None:
        """Submit no more after a moment."""
        self.most = self.tried(moment)
        for flow in self._flows.values():
            flow.stop(moment)

    # -- as runs (see runs_later) ----------------------------------------------------------------------------

    @property
    def eager(self) -> bool:
        """Whether each is made as soon as it has started: in a run group it may have to wait for others."""
        return self.total <= MOST_MADE or "runGroupId" in self.settings.common

    def keep(self, position: int) -> Run | None:
        """Make a member for good; None if it has no run."""
        if position in self._made or not self._has_run(position):
            return self._made.get(position)
        self._flow(position).leave(self._began(position))
        run = self._made[position] = self._make(position, keep=True)
        return run

    def look(self, position: int, wanted: Mapping[str, Any]) -> Run | None:
        """Return the run of a member as it is now; None if it has none, or one that is not wanted."""
        run = self._made.get(position)
        if run is None:
            if not self._has_run(position) or not self._may_match(position, wanted):
                return None
            if not self._runs.by_clock() or self._ever(position, REUSED):
                run = self.keep(position)
            else:
                return self._make(position)
        assert run is not None
        self._runs.bring_up_to_date(run)
        return run

    def positions(self, first: int, end: int, wanted: Mapping[str, Any]) -> Iterable[int]:
        """Return the positions in a stretch that may match the filters of ListRuns, in rising order."""
        names = [name for name in ("batchId", "runGroupId") if name in wanted]
        if any(self.settings.common.get(name) != wanted[name] for name in names):
            return ()
        # Where each is made, all of them have to be looked at.
        if "status" not in wanted or self._cut_at > -math.inf or self.eager or not self._runs.by_clock():
            return range(first, end)
        now, status = WORLD.clock.service(), str(wanted["status"])
        spans = [span for flow in self._flows.values() for span in flow.spans(status, now)]
        low = max(first, min((self.tried(span[0]) - 1 for span in spans), default=end))
        high = min(end, max((self.tried(span[1]) for span in spans), default=end))
        # Those that are made may be in any status.
        made = sorted(p for p in self._made if first <= p < end and not low <= p < high)
        before = bisect_left(made, low)
        return chain(made[:before], range(low, high), made[before:])

    def _may_match(self, position: int, wanted: Mapping[str, Any]) -> bool:
        status = wanted.get("status")
        if status is not None and self._runs.by_clock():
            flow, began = self._flow(position), self._began(position)
            if flow.stages[flow.stage_at(began, WORLD.clock.service())].status != status:
                return False
        if "name" not in wanted:
            return True
        name = self.settings.common.get("name")
        if b'"name"' in self.settings.texts[position]:
            name = self.settings.setting(position).get("name") or name
        return bool(name == wanted["name"])

    def _ever(self, position: int, status: str) -> bool:
        return any(stage.status == status for stage in self._flow(position).stages)

    def _has_run(self, position: int) -> bool:
        return position not in self.settings.failures and self._marks[position] != _DELETED

    def _make(self, position: int, *, keep: bool = False) -> Run:
        clock = WORLD.clock
        moment = self.moment(position)
        run = self._runs.made(
            self,
            position,
            keep=keep,
            id=self.run_id(position),
            uuid=self.run_uuid(position),
            members=self.settings.members(position),
            uses=self.settings.uses,
            life=self.settings.lives[position],
            created=(moment, clock.reported(moment)),
        )
        known = {"progression": "clock"}
        if self._cut[position]:
            run.bring_up_to_date(self._cut_at, clock.reported, known)
            run.cut = True
            run.replan(_cancelling(run.life), (self._cut_at, clock.reported(self._cut_at)))
        if not keep:
            run.bring_up_to_date(clock.service(), clock.reported, known)
        return run

    def run_id(self, position: int) -> str:
        """Return the id of a member's run."""
        if position not in self._ids:
            self._ids[position] = self._runs.show(self, position)
        return self._ids[position]

    def run_uuid(self, position: int) -> str:
        """Return the uuid of a member's run, the same each time."""
        digest = hashlib.sha256(f"{self._batch_uuid}/{position}".encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    # -- how many are where ----------------------------------------------------------------------------------

    def _flow(self, position: int) -> Flow:
        life, cut = self.settings.lives[position], bool(self._cut[position])
        key = id(life), cut
        if key not in self._flows:
            self._flows[key] = Flow(_cancelling(life) if cut else life.stages)
        return self._flows[key]

    def _began(self, position: int) -> float:
        return self._cut_at if self._cut[position] else self.moment(position)

    def runs_then(self, moment: float) -> Counter[str]:
        """Return how many runs were counted as each status at a moment.

        Moments before a cancellation or a deletion of the batch count as that of it.
        """
        moment = max(moment, self._changed_at)
        counts: Counter[str] = Counter({"DELETED": self._deleted})
        for flow in self._flows.values():
            flow.add_counts(moment, counts)
        for run in self._present():
            status = batches_flows.counted_then(run, moment)
            if status is not None:
                counts[status] += 1
        return counts

    def _present(self) -> Iterator[Run]:
        """Yield each run that is made, as it is now."""
        now = WORLD.clock.service()
        # Others of its group, or a test, can move a run at any time.
        alone = self._runs.by_clock() and "runGroupId" not in self.settings.common
        for run in list(self._made.values()):
            if run.due <= now or not alone:
                self._runs.bring_up_to_date(run)
            yield run

    def failed_by(self, tried: int) -> int:
        """Return how many of the first so many failed at their submission."""
        return bisect_left(self._failed, tried)

    def end(self) -> float:
        """Return the moment at which the last run ends, as far as it is known: infinity if it is not."""
        last = max((flow.end() for flow in self._flows.values()), default=-math.inf)
        for run in self._present():
            if last == math.inf:
                break
            last = max(last, batches_flows.end_of(run))
        return last

    # -- their submission ------------------------------------------------------------------------------------

    def submission_status(self, position: int) -> str:
        """Return ``submissionStatus`` of a member that was tried."""
        if position in self.settings.failures:
            return "FAILED"
        return _SUBMISSION_STATUSES[self._marks[position]]

    def matching(self, given: Mapping[str, Any], first: int, end: int) -> Iterator[int]:
        """Yield the positions from one up to another that may match a filter of ListRunsInBatch."""
        if "runSettingId" in given:
            found = self.settings.positions.get(given["runSettingId"])
        elif "runId" in given:
            found = next((p for p, run_id in self._ids.items() if run_id == given["runId"]), None)
        else:
            yield from range(first, end)
            return
        if found is not None and first <= found < end:
            yield found

    def _mark(self, position: int, mark: int) -> None:
        self._marks[position] = mark
        self.submissions[_SUBMISSION_STATUSES[mark]] += 1

    # -- all at once -----------------------------------------------------------------------------------------

    def cancel(self, moment: float, failures: Any) -> float:
        """Submit no more, cancel each run that goes on, and return the moment at which they have ended.

        :param failures: which cannot be cancelled: a share, or ids.
        """
        self.stop(moment)
        over = moment
        cut = []
        for position in filter(self._has_run, range(self.most)):
            status = self._status(position, moment)
            if status is None:
                continue
            if chosen(failures, self.settings.ids[position], WORLD.random):
                self._mark(position, _NOT_CANCELLED)
                continue
            self._mark(position, _CANCELLED)
            # As with CancelRun, one that is STOPPING ends as it was going to.
            if status != "STOPPING":
                life = self.settings.lives[position]
                over = max(over, moment + life.cancel_seconds)
                if position in self._made:
                    self._runs.replan(self._made[position], _cancelling(life))
                else:
                    cut.append(position)
        for position in cut:
            self._cut[position] = True
        self._cut_at = moment
        self._changed(moment)
        return over

    def _status(self, position: int, moment: float) -> str | None:
        """Return the status of a run; None if it has ended."""
        run = self._made.get(position)
        if run is None:
            flow = self._flow(position)
            status = flow.stages[flow.stage_at(self._began(position), moment)].status
        else:
            self._runs.bring_up_to_date(run)
            status = run.status
        return None if status in batches_flows.OVER else status

    def delete(self, moment: float, failures: Any) -> bool:
        """Delete each run, and return whether all of them are deleted.

        :param failures: which cannot be deleted: a share, or ids.
        """
        self.submissions["DELETE_FAILED"] = 0
        for position in filter(self._has_run, range(self.most)):
            if chosen(failures, self.settings.ids[position], WORLD.random):
                self._mark(position, _NOT_DELETED)
                continue
            self._mark(position, _DELETED)
            run = self._made.get(position)
            if run is None:
                self._deleted += 1
                if position in self._ids:
                    self._runs.forget(self._ids[position])
            elif not run.gone:
                self._runs.replan(run, (Stage("DELETED"),))
                self._runs.remove(run)
        self._changed(moment)
        return not self.submissions["DELETE_FAILED"]

    def _changed(self, moment: float) -> None:
        self._changed_at = moment
        self._flows = {}
        for position in filter(self._has_run, range(self.most)):
            if position not in self._made:
                self._flow(position).begin(self._began(position))


def _cancelling(life: Life) -> tuple[Stage, ...]:
    return (Stage("STOPPING", life.cancel_seconds), Stage("CANCELLED"))
