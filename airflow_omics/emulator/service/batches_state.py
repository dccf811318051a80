"""The batches of one account and Region, and the way of each through its statuses.

https://docs.aws.amazon.com/omics/latest/dev/workflows-batch.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_omics.emulator.service import batches_settings
from airflow_omics.emulator.service.batches_flows import COUNTED
from airflow_omics.emulator.service.batches_members import Members
from airflow_omics.emulator.service.batches_settings import SettingsError
from airflow_omics.emulator.service.common.backend import OmicsBackend, located
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.service.runs_state import runs_of
from airflow_omics.emulator.world import moto_stores
from airflow_omics.emulator.world.batches import BatchRules
from airflow_omics.emulator.world.shared import WORLD

KIND = "runBatch"
ENDED = frozenset({"PROCESSED", "CANCELLED", "FAILED", "RUNS_DELETE_FAILED", "RUNS_DELETED"})
"""Statuses in which a batch can be deleted."""
STATUSES = ("CREATING", "PENDING", "SUBMITTING", "INPROGRESS", "STOPPING", "RUNS_DELETING", *sorted(ENDED))
"""Every status of a batch."""


class BatchEntry(NamedTuple):
    """The moment at which a batch entered a status, in service time and in reported time.

    :ivar counts: ``totalRuns``, ``submissionSummary`` and ``runSummary`` as they were then.
    """

    service: float
    reported: float
    status: str
    counts: dict[str, Any]


class Batch:
    """One batch. Whoever reads it first brings it up to date."""

    def __init__(self, backend: OmicsBackend, *, id: str, arn: str, members: Mapping[str, Any]) -> None:
        self.id = id
        self.arn = arn
        self.uuid = WORLD.uuid()
        self.asked = members
        """The members of StartRunBatch."""
        self.tags: dict[str, str] = dict(members.get("tags", {}))
        self.rules: BatchRules = WORLD.batches
        self.settings_etag: str | None = None
        """What the file of settings had when StartRunBatch was called; None if there is no file."""
        self.failure_reason: str | None = None
        self.may_retry = False
        """Whether it failed, and the same request may be made again."""
        self.members: Members | None = None
        self.history: list[BatchEntry] = []
        self.looks = 0
        self._backend = backend
        self._held = False
        self._next = 0.0
        self._problem: str | None = None
        self._outcome = ""
        self._counted = 0
        self._uncounted: list[BatchEntry] = []
        self.enter("CREATING", WORLD.clock.read())

    @property
    def status(self) -> str:
        """The status, as of when the batch was last brought up to date."""
        return self.history[-1].status

    def entered(self, status: str) -> BatchEntry | None:
        """Return the first entry into a status."""
        return next((entry for entry in self.history if entry.status == status), None)

    @property
    def said(self) -> dict[str, Any]:
        """What its events say of it, besides status and counts, by the names of GetBatch."""
        return {
            "id": self.id,
            "arn": self.arn,
            "uuid": self.uuid,
            "name": self.asked.get("batchName"),
            "defaultRunSetting": self.asked["defaultRunSetting"],
            "failureReason": self.failure_reason,
        }

    def enter(self, status: str, moment: tuple[float, float]) -> None:
        """Enter a status; :meth:`count` sees to the counts.

        :param moment: service time and reported time.
        """
        if status == "CREATING":
            self._next = moment[0] + self.rules.creating_seconds
        elif status == "PENDING":
            self._next = moment[0] + self.rules.pending_seconds
        self._uncounted.append(BatchEntry(*moment, status, {}))
        self.history.append(self._uncounted[-1])

    def _enter_at(self, status: str, service: float) -> None:
        self.enter(status, (service, WORLD.clock.reported(service)))

    def count(self) -> None:
        """Count what is where for each status that was entered, once the members that are due are runs.

        It brings these up to the present, which the members that are due before it must not miss.
        """
        for entry in self._uncounted:
            if entry.status != "CREATING":
                entry.counts.update(self.counts(entry.service, entry.status))
        self._uncounted = []

    # -- the way through the statuses ------------------------------------------------------------------------

    def begun(self) -> tuple[Members | None, int, bool]:
        """Return the members, how many were tried by now, and whether others follow (see runs_later)."""
        now = WORLD.clock.service()
        while not self._held and self._begin_due(now):
            pass
        if self.members is None:
            return None, 0, self.status in ("CREATING", "PENDING")
        tried = self.members.tried(now)
        return self.members, tried, self.status in ("PENDING", "SUBMITTING") or tried < self.members.most

    def _begin_due(self, now: float) -> bool:
        """Enter the next status up to INPROGRESS if it is due, and return whether it was."""
        if self.status in ("CREATING", "PENDING"):
            if self._next > now:
                return False
            if self.status == "CREATING":
                self._read()
                self._enter_at("PENDING", self._next)
            else:
                self._submit(self._next)
            return True
        if self.status != "SUBMITTING" or self.members is None:
            return False
        self.members.pace(now, self._rate())
        last = self.members.moment(self.members.most - 1)
        if last > now:
            return False
        if self.rules.fails_after is not None and self.rules.fails_after <= self.members.total:
            self._fail(self.rules.failure_reason, last, may_retry=True)
        else:
            self._enter_at("INPROGRESS", last)
        return True

    def _submit(self, moment: float) -> None:
        assert self._problem is not None or self.members is not None
        problem = self._problem or self._changed_file()
        if problem is not None or self.members is None:
            self._fail(str(problem), moment)
        elif self.rules.fails_after == 0:
            self.members.most = 0
            self._fail(self.rules.failure_reason, moment, may_retry=True)
        else:
            if self.rules.fails_after is not None:
                self.members.most = min(self.members.total, self.rules.fails_after)
            self.members.pace(moment, self._rate())
            self._enter_at("SUBMITTING", moment)

    def end_due(self) -> None:
        """Enter the next status that is due, from INPROGRESS on, once the members that are due are runs."""
        now = WORLD.clock.service()
        if self._held:
            return
        if self.status == "INPROGRESS" and self.members is not None:
            end = max(self.members.end(), self.history[-1].service)
            if end <= now:
                self._enter_at("PROCESSED", end)
        elif self.status in ("STOPPING", "RUNS_DELETING") and self._next <= now:
            self._enter_at(self._outcome, self._next)
        self.count()

    def _rate(self) -> float:
        """Return how many members are submitted in a service second: no more than StartRun's own limit."""
        limit = WORLD.limits.per_second("StartRun")
        if limit is None:
            return self.rules.starts_per_second
        pace = 1.0 if WORLD.clock.frozen else WORLD.clock.pace
        return min(self.rules.starts_per_second, limit / pace)

    def starts_to_count(self) -> int:
        """Return how many members were submitted since this was last asked, once they were taken in."""
        tried = 0 if self.members is None else self.members.tried(WORLD.clock.service())
        fresh, self._counted = tried - self._counted, tried
        return fresh

    # -- settings --------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the settings of the members, and check them."""
        given: Any = self.asked["batchRunSettings"].get("inlineSettings")
        if self.settings_etag is not None:
            self._problem = self._changed_file()
            if self._problem is not None:
                return
            given = moto_stores.get_object(self._backend, self.asked["batchRunSettings"]["s3UriSettings"])
        runs, default = runs_of(self._backend), self.asked["defaultRunSetting"]
        try:
            settings = batches_settings.read(given, default, self.id, runs, self.rules)
        except SettingsError as error:
            self._problem = str(error)
        else:
            self.members = Members(runs, settings, self.uuid)

    def _changed_file(self) -> str | None:
        """Return what is wrong if the file of settings is not what it was."""
        if self.settings_etag is None:
            return None
        etag = moto_stores.etag_of(self._backend, self.asked["batchRunSettings"]["s3UriSettings"])
        if etag == self.settings_etag:
            return None
        return (
            f"Expected s3UriConfigs etag: {self.settings_etag} but was: {etag}. "
            "s3UriConfigs have changed since calling StartRunBatch"
        )

    # -- changes ---------------------------------------------------------------------------------------------

    def _fail(self, reason: str, moment: float, *, may_retry: bool = False) -> None:
        self.failure_reason, self.may_retry = reason, may_retry
        self._enter_at("FAILED", moment)

    def cancel(self) -> None:
        """Submit no more members, and cancel the runs of those that were submitted."""
        moment = WORLD.clock.read()
        self._next, self._outcome, self._held = moment[0], "CANCELLED", False
        if self.members is not None:
            self._next = self.members.cancel(moment[0], WORLD.batches.cancel_failures)
        self.enter("STOPPING", moment)
        self.count()

    def delete_runs(self) -> None:
        """Delete the runs of the members."""
        moment = WORLD.clock.read()
        self._next, self._held = moment[0] + self.rules.deleting_seconds, False
        deleted = self.members is None or self.members.delete(moment[0], WORLD.batches.delete_failures)
        self._outcome = "RUNS_DELETED" if deleted else "RUNS_DELETE_FAILED"
        self.enter("RUNS_DELETING", moment)
        self.count()

    def move(self, status: str, failure_reason: str | None) -> None:
        """Enter a status now, and stay there."""
        self._held = True
        moment = WORLD.clock.read()
        if status in ENDED | {"STOPPING", "RUNS_DELETING"} and self.members is not None:
            self.members.stop(moment[0])
        if status == "FAILED":
            self.failure_reason = failure_reason or self.rules.failure_reason
            self.may_retry = self.failure_reason == self.rules.failure_reason
        self.enter(status, moment)
        self.count()

    # -- counts ----------------------------------------------------------------------------------------------

    def counts(self, moment: float, status: str) -> dict[str, Any]:
        """Return ``totalRuns``, ``submissionSummary`` and ``runSummary`` as they were at a moment.

        :param status: the status of the batch then.
        """
        if self.members is None:
            return {}
        members = self.members
        tried = members.tried(moment)
        failed = members.failed_by(tried)
        submitting = status in ("PENDING", "SUBMITTING")
        runs = members.runs_then(moment)
        done: Counter[str] = members.submissions
        return {
            "totalRuns": members.total,
            "submissionSummary": {
                "successfulStartSubmissionCount": tried - failed,
                "failedStartSubmissionCount": failed,
                "pendingStartSubmissionCount": members.total - tried if submitting else 0,
                "successfulCancelSubmissionCount": done["CANCEL_SUCCESS"],
                "failedCancelSubmissionCount": done["CANCEL_FAILED"],
                "successfulDeleteSubmissionCount": done["DELETE_SUCCESS"],
                "failedDeleteSubmissionCount": done["DELETE_FAILED"],
            },
            "runSummary": {name: runs[counted] for counted, name in COUNTED.items()},
        }


class Batches:
    """The batches of one account and Region."""

    def __init__(self, backend: OmicsBackend) -> None:
        self._backend = backend
        self._table: Table[Batch] = Table(backend, KIND, "Batch")
        self.removed: list[tuple[dict[str, Any], list[BatchEntry]]] = []
        """What was said of the batches that are gone and how they went, until their events were sent."""
        self.repeats: Repeats[Batch] = Repeats("batch")

    def add(self, members: Mapping[str, Any], etag: str | None, batch_id: str | None = None) -> Batch:
        """Start a batch.

        :param members: the members of StartRunBatch.
        :param etag: that of the file of settings, if there is one.
        :param batch_id: its id; a new one if it is None.
        """
        batch_id = batch_id or self._table.new_id()
        batch = Batch(self._backend, id=batch_id, arn=self._table.arn(batch_id), members=members)
        batch.settings_etag = etag
        self._table.put(batch_id, batch)
        runs_of(self._backend).add_later(batch)
        return batch

    def find(self, batch_id: str) -> Batch | None:
        """Return a batch as it is now, or None."""
        runs_of(self._backend).bring_in()
        batch = self._table.find(batch_id)
        if batch is not None:
            batch.end_due()
        return batch

    def get(self, batch_id: str) -> Batch:
        """Return a batch as it is now.

        :raises OmicsServiceError: there is no such batch; it is a ResourceNotFoundException.
        """
        self.find(batch_id)
        return self._table.get(batch_id)

    def after(self, number: int) -> Iterator[tuple[int, Batch]]:
        """Yield number and batch of each after one, in order of creation, as it is now."""
        runs_of(self._backend).bring_in()
        for own, batch in self._table.after(number):
            batch.end_due()
            yield own, batch

    def remove(self, batch: Batch) -> None:
        """Let a batch not be found from now on; its runs stay, and those of its members that follow start."""
        # What it enters from now on has no events.
        self.removed.append((batch.said, list(batch.history)))
        self._table.remove(batch.id)

    def reuse(self, batch: Batch) -> Batch:
        """Give the id of a batch to another one that was asked for in the same way, created now."""
        self.remove(batch)
        return self.add(batch.asked, batch.settings_etag, batch.id)

    def starts_to_count(self) -> int:
        """Return how many members were submitted since this was last asked."""
        runs_of(self._backend).bring_in()
        return sum(batch.starts_to_count() for _, batch in self._table.after(0))


def batches_of(backend: OmicsBackend) -> Batches:
    """Return the batches of an account and Region."""
    return backend.state(Batches)


def locate(batch_id: str, account_id: str | None, region_name: str | None) -> tuple[Batches, Batch]:
    """Return a batch, wherever it is, and the batches that it is one of; see :func:`located`."""
    return located("batch", batch_id, batches_of, account_id, region_name)
