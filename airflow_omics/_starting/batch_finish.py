"""How the task that started a batch goes on when it ends: success, another batch, or an error."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow_omics import _clock
from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.judge import Judged, count_members, judged
from airflow_omics._batches.lists import BatchLists, ListRunsRefusedError
from airflow_omics._batches.members import NAMED_TAG
from airflow_omics._batches.sources import is_in_s3
from airflow_omics._identity import Target
from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._starting.arguments import settings_of_reruns
from airflow_omics._starting.batch_arguments import EPOCH_TAG
from airflow_omics._starting.cohort import (
    Cohort,
    CohortHasEndedWellError,
    CohortReader,
    Rest,
    judged_among,
    may_pass,
    rest_of,
)
from airflow_omics._starting.finish import Finish
from airflow_omics._task.checks import to_seconds
from airflow_omics._waiting.ending import error_of
from airflow_omics._waiting.wait import Ending
from airflow_omics.exceptions import (
    OmicsBatchError,
    OmicsBatchMembersFailedError,
    OmicsBatchTimeoutError,
    OmicsError,
    without_retry,
)
from airflow_omics.records import BatchRecord, RunRecord, narrow

if TYPE_CHECKING:
    from airflow_omics._starting.members_file import MembersFile
    from airflow_omics.hooks import OmicsHook


class BatchFinish(Finish):
    """The end of one try of ``OmicsStartRunBatchOperator``.

    :ivar first_of_try: the first generation that this try started or waited for; None before that.
    :ivar epoch: the task's clear-epoch.
    :ivar has_cancelled: whether this try cancelled the batch, since too many members had ended badly.
    """

    _resource = BATCH
    _timeout_error = OmicsBatchTimeoutError
    _rerun = "Another batch is started of what did not complete."

    def __init__(
        self,
        *arguments: Any,
        hook_of: Callable[[], OmicsHook],
        members_file: MembersFile,
        timeout_at: Callable[[], float],
        asked: Callable[[], Collection[str] | None],
    ) -> None:
        super().__init__(*arguments)
        self._hook_of = hook_of
        self._members_file = members_file
        self._timeout_at = timeout_at
        self._asked = asked
        self._reader = CohortReader(hook_of, self._log)
        self._judged: tuple[Any, Judged, Cohort | None] | None = None
        self._cohorts: dict[tuple[Any, ...], Cohort] = {}
        self.first_of_try: int | None = None
        self.epoch: int | None = None
        self.has_cancelled = False

    @property
    def tolerance(self) -> Tolerance:
        """How many members may end badly."""
        return Tolerance(self._operator.max_failures, self._operator.max_failure_ratio)

    def has_ended_well(self, record: RunRecord) -> bool:
        """Return whether a batch is PROCESSED, and no more members ended badly than may."""
        if record.get("status") != "PROCESSED":
            return False
        # If members may be run again, the reason of each is read then; none is read twice.
        judgement = self._judge(record, with_reasons=not self._may_rerun)
        return judgement.is_tolerated and not (
            self._is_cleared(_epoch_of(record)) and (judgement.outcome.bad or self._has_more(judgement))
        )

    def _has_more(self, judgement: Judged) -> bool:
        """Return whether ``run_settings`` have more members by now than their batches had."""
        asked = self._asked()
        return asked is not None and len(asked) > judgement.outcome.total

    def noted_of(self, record: RunRecord) -> dict[str, Any]:
        """Return what is noted of a batch that ended badly, besides its id and how it ended."""
        tags = record.get("tags")
        # Nothing but a file in S3 is handed on as it is; without a record, that says how the runs are named.
        is_named = NAMED_TAG in tags if tags else not is_in_s3(self._operator.run_settings)
        noted = {
            "uuid": record.get("uuid"),
            "epoch": _epoch_of(record),
            "named": is_named or None,
            "totalRuns": record.get("totalRuns"),
        }
        return {key: value for key, value in noted.items() if value is not None}

    def succeeded(self, record: RunRecord) -> RunRecord:
        """Return what the task returns, and note that nobody waits for the batch any more."""
        self._memory.note_wait_over()
        is_judged = record.get("status") == "PROCESSED" or "outcome" in record
        if not is_judged or not self._operator.wait_for_completion:
            return narrow(record, self._operator.record_fields)
        judgement = self._judge(record)
        if judgement.outcome.bad:
            self._log.warning("%s", judgement.report)
        return narrow(self._complete(record), self._operator.record_fields)

    def rest(self) -> Rest:
        """Return what the next batch is to be started for, after those that have ended.

        :raises OmicsBatchMembersFailedError: nothing is left that may pass.
        :raises CohortHasEndedWellError: nothing is left, since enough members have completed.
        """
        ends = self._memory.ends
        cohort = self._cohort_of(ends)
        if not self._rest_after(cohort).number:
            cohort = self._ended_cohort_of(ends)
        rest = self._rest_after(cohort)
        # If nobody knows how many members there are, run_settings says whether any is left.
        if rest.number or cohort.total is None:
            return rest
        raise self.nothing_left()

    def nothing_left(self) -> Exception:
        """Return what to raise if no member is left that may complete."""
        last, cohort = self._memory.ends[-1], self._ended_cohort_of(self._memory.ends)
        known = self._reader.record_of(last)
        if known is None:  # deleted since
            known = cast(
                "Any", {key: last[key] for key in ("id", "uuid", "status", "totalRuns") if key in last}
            )
        judgement = judged_among(known, cohort, self.tolerance)
        record = cast("RunRecord", judgement.record)
        self._judged = ((record.get("id"), record.get("status"), True), judgement, cohort)
        if judgement.is_tolerated:
            return CohortHasEndedWellError(record)
        self._push(record)
        return without_retry(self._members_failed(judgement))

    def confirms_excess(self, target: Target, record: Mapping[str, Any]) -> bool:
        """Return whether the lists say, as the counts of a record did, that too many members ended badly."""
        lists = BatchLists(BatchCalls(self._hook_of(), target, self._log), is_named=True)
        runs = (lists.runs(status) for status in ("FAILED", "CANCELLED", "DELETED"))
        pages = itertools.chain(*runs, lists.not_submitted())
        most = self.tolerance.allowed(int(record.get("totalRuns") or 0))
        try:
            bad = sum(1 for _ in itertools.islice(itertools.chain.from_iterable(pages), most + 1))
        except (OmicsError, ListRunsRefusedError) as error:
            self._log.warning(
                "%s is not cancelled, since its counts could not be confirmed: %s", target, error
            )
            return False
        return bad > most

    # -- judging ---------------------------------------------------------------------------------------------

    def _judge(self, record: RunRecord, *, with_reasons: bool = True) -> Judged:
        key = (record.get("id"), record.get("status"))
        before = None if self._judged is None else self._judged[0]
        if before not in ((*key, with_reasons), (*key, True)):
            self._judged = ((*key, with_reasons), *self._judged_now(record, with_reasons))
            if before is None or before[:2] != key:
                count_members(self._judged[1].outcome)
        assert self._judged is not None
        return self._judged[1]

    def _judged_now(self, record: RunRecord, with_reasons: bool) -> tuple[Judged, Cohort | None]:
        earlier = self._earlier(record)
        if not earlier:
            known = self._cohorts.get((self.first_of_try, record.get("id"))) if with_reasons else None
            if known is not None and not known.active:
                return judged_among(record, known, self.tolerance), known
            return (
                judged(
                    cast("BatchRecord", record),
                    self._hook_of(),
                    tolerance=self.tolerance,
                    diagnose=self._operator.diagnose if with_reasons else False,
                    log=self._log,
                ),
                None,
            )
        batches = [*earlier, {**record, "generation": earlier[-1]["generation"] + 1}]
        cohort = self._ended_cohort_of(batches)
        return judged_among(record, cohort, self.tolerance), cohort

    def _ended_cohort_of(self, batches: list[Any]) -> Cohort:
        """Return what became of the members, once the runs that a batch has left behind have ended."""
        cohort = self._cohort_of(batches)
        while cohort.active and not self._is_late():
            # A batch that failed may have started runs, which go on.
            self._log.info("%s runs of earlier batches of this task go on.", f"{len(cohort.active):,}")
            _clock.sleep(to_seconds(self._operator.poke_interval) or 1.0)
            cohort = self._cohort_of(batches)
        return cohort

    def _is_late(self) -> bool:
        return bool(_clock.time() >= self._timeout_at())

    def _earlier(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [end for end in self._memory.ends if end.get("id") != record.get("id")]

    def _cohort_of(self, batches: list[Any]) -> Cohort:
        """Return what became of the members; it is read once, unless some runs went on then."""
        key = (self.first_of_try, *(batch.get("id") for batch in batches))
        cohort = self._cohorts.get(key)
        if cohort is None or cohort.active:
            cohort = self._cohorts[key] = self._reader.read(batches, first_of_try=self.first_of_try or 0)
            if (asked := self._asked()) is not None:
                cohort.keep(asked)
            self._reader.add_reasons(cohort)
        return cohort

    def _is_cleared(self, epoch: Any) -> bool:
        """Return whether the task was cleared after a batch, so that what did not complete is run again.

        A batch that this try has waited for, or has run members of again, is judged as any other.
        """
        if self._operator.on_clear != "failed" or self.first_of_try is not None:
            return False
        return epoch is not None and self.epoch is not None and int(epoch) != self.epoch

    def _rest_after(self, cohort: Cohort) -> Rest:
        # What an earlier try ran again does not count in this one.
        most = None if self.first_of_try is None else self._operator.rerun_failed
        is_cleared = self._is_cleared(self._memory.ends[-1].get("epoch"))
        return self._rest_of(cohort, everything=is_cleared, most=most)

    def _rest_of(self, cohort: Cohort, *, everything: bool = False, most: int | None = None) -> Rest:
        """Return what a next batch is for.

        :param most: how often a member may be run again within this try; None for any number of times.
        """
        return rest_of(
            cohort,
            retry_by_class=self._operator.retry_by_class or {},
            rerun_with=settings_of_reruns(self._operator),
            may_run=lambda setting_id: most is None or cohort.tries.get(setting_id, 0) <= most,
            everything=everything,
        )

    @property
    def _may_rerun(self) -> bool:
        return bool(self._operator.rerun_failed or settings_of_reruns(self._operator))

    def _is_rerun(self, record: RunRecord) -> bool:
        most: int = self._operator.rerun_failed
        if record.get("status") != "PROCESSED" or not self._may_rerun:
            return False
        return self._rest_of(self._cohort_of(self._memory.ends), most=most).number > 0

    # -- what the task leaves --------------------------------------------------------------------------------

    def _complete(self, record: RunRecord) -> RunRecord:
        """Return the record with what became of the members."""
        judgement = self._judge(record)
        complete: dict[str, Any] = {**judgement.record}
        earlier = self._earlier(record)
        if earlier:
            complete["batches"] = [*(end["id"] for end in earlier), record.get("id")]
        fields = self._operator.record_fields
        if fields is None or {"members", "membersUri"} & set(fields):
            cohort = self._judged[2] if self._judged else None
            # Each member of a batch that is PROCESSED was tried, and so is in a list.
            are_listed = cohort is None and record.get("status") == "PROCESSED"
            asked = None if are_listed else self._asked()
            complete.update(self._members_file.keep(record, cohort, asked))
        return cast("RunRecord", complete)

    def _push(self, record: RunRecord | None) -> None:
        if record is None or not self._operator.do_xcom_push:
            super()._push(record)  # nothing is pushed, so nothing is made complete
            return
        is_judged = record.get("status") == "PROCESSED" or self.has_cancelled or "outcome" in record
        super()._push(self._complete(record) if is_judged else record)

    def _failure_of(self, ending: Ending, record: RunRecord, target: Target | None) -> Exception:
        if record.get("status") != "PROCESSED" and not self.has_cancelled:
            return error_of(
                ending, narrow(record, self._operator.record_fields), record.get("id"), resource=BATCH
            )
        judgement = self._judge(record)
        error = self._members_failed(judgement)
        return error if self._helps_retry(judgement) else without_retry(error)

    def _helps_retry(self, judgement: Judged) -> bool:
        """Return whether some members may complete in a retry, and enough of them."""
        rerun_with = settings_of_reruns(self._operator)
        by_class = self._operator.retry_by_class or {}
        passing = sum(
            row["count"]
            for row in judgement.failures
            if row["reason"] in rerun_with or may_pass(row["reason"], row["class"], by_class)
        )
        if not judgement.failures:
            return True  # nobody has looked
        staying = judgement.outcome.bad - passing
        return passing > 0 and not self.tolerance.is_exceeded(staying, judgement.outcome.total)

    def _members_failed(self, judgement: Judged) -> OmicsBatchError:
        record = narrow(cast("RunRecord", judgement.record), self._operator.record_fields)
        return OmicsBatchMembersFailedError(
            judgement.report,
            batch_id=judgement.record.get("id"),
            record=cast("BatchRecord", record),
            failures=judgement.failures,
        )


def _epoch_of(record: Mapping[str, Any]) -> str | None:
    """Return the clear-epoch of the task when it started a batch, by the batch's tags."""
    epoch = (record.get("tags") or {}).get(EPOCH_TAG)
    return epoch if isinstance(epoch, str) and epoch.isdigit() else None
