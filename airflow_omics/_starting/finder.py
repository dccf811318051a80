"""The runs or batches that a task has had, as AWS knows them: found by name, recognised by tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from airflow_omics import _clock
from airflow_omics._faults import Fault, backoff
from airflow_omics._identity import KnownResource, Target, home_of
from airflow_omics._starting.attempt import Attempt, is_run_of, is_run_of_task
from airflow_omics._starting.calls import Calls
from airflow_omics._starting.kind import Kind
from airflow_omics.exceptions import FaultKind, OmicsError
from airflow_omics.hooks.faults import weighed
from airflow_omics.records import ACTIVE_STATUSES, RunRecord, parse_time

SPACING: Final = 0.2
"""Seconds between two GetRuns of one search: it leaves half of the service's default quota to others."""

CLOCK_MARGIN: Final = 60.0
"""Seconds by which the clocks of Airflow and of the service may differ."""


class Search(NamedTuple):
    """By which names and times a task's runs are looked for.

    :param names: names that a run of the task may have.
    :param is_shared: whether other tasks' runs may have the same name.
    :param since: for a shared name: seconds since the epoch before which no run of this task was made; None
        if that is not known.
    :param earlier_epochs: the epochs that this task may have had before it was last cleared.
    :param old_epoch: the epoch, as version 0.1.0 of this package counted it.
    """

    names: tuple[str, ...]
    is_shared: bool = False
    since: float | None = None
    earlier_epochs: tuple[int, ...] = ()
    old_epoch: int | None = None


class Found(NamedTuple):
    """A run of the task.

    :param record: GetRun's answer.
    :param attempt: the attempt that it was started for; None if its epoch is not known here.
    :param is_own: whether it is of the epoch that was looked for.
    """

    record: RunRecord
    attempt: Attempt | None
    is_own: bool


class Finder:
    """Finds the runs, or batches, of one task.

    :param kind: what the task starts.
    :param calls: makes the calls.
    :param search_of: returns how the runs of an attempt's task are looked for.
    :param log: the task's logger.
    """

    def __init__(self, kind: Kind, calls: Calls, search_of: Callable[[Attempt], Search], log: Any) -> None:
        self._kind = kind
        self._calls = calls
        self._search_of = search_of
        self._log = log
        self._may_list = True

    def runs_of(self, attempt: Attempt, *, wanted: Attempt | None = None) -> list[Found]:
        """Return the runs of the attempt's task, the newest first; none if runs may not be listed.

        :param attempt: any attempt of the epoch that is looked for.
        :param wanted: look only for the run of this attempt, among all runs of the name, however old.
        """
        search, found = self._search_of(attempt), []
        since = search.since if search.is_shared and wanted is None else None
        for record in self._records(search.names, since):
            if not is_run_of_task(attempt.task, record):
                continue
            known = _identify(attempt, search, record)
            found.append(known)
            if known.attempt is not None and known.attempt == wanted:
                return [known]
            if search.is_shared and _ends_search(known):
                break
        if search.old_epoch is not None and not search.is_shared and not any(run.is_own for run in found):
            found += self._runs_of_0_1(attempt.in_epoch(search.old_epoch), search.names)
        return found if wanted is None else [run for run in found if run.attempt == wanted]

    def read(
        self, run_id: str, uuid: str | None = None, *, arn: str | None = None, grace: float = 0.0
    ) -> RunRecord | None:
        """Return the record, or None if the run is gone or its id is another run's now.

        :param run_id: the id of the run or batch.
        :param arn: of a run that was known before. If "not found" may be another account's answer, the run is
            read again with fresh credentials: a run that is wrongly assumed to be gone leads to a second one.
        :param grace: seconds for which it may be unknown: a run that has just started, and one that was
            deleted, look the same.
        :raises OmicsAccessError: the doubt has lasted for five minutes.
        """
        unknown_until = _clock.monotonic() + grace
        target = Target(run_id, uuid, resource=self._kind.resource)
        retries = self._calls.retries(target)
        while True:
            try:
                record = getattr(self._calls.hook, target.resource.method)(run_id)
            except Exception as error:
                fault = self._calls.fault_of(error)
                if fault is None:
                    raise
                if fault.kind is FaultKind.NOT_FOUND:
                    if _clock.monotonic() < unknown_until:
                        retries.answered()
                        _clock.sleep(backoff(3))
                        continue
                    doubt = weighed(fault, self._calls.hook, home_of(arn)).doubt if arn else ""
                    if not doubt:
                        return None
                    said = f"{fault.message}; {doubt}. Check aws_conn_id and region_name"
                    fault = Fault(FaultKind.CREDENTIALS, said, fault.code)
                retries.wait(fault, error)
            else:
                return record if KnownResource(target).judge(record).verdict == "ours" else None

    def _records(self, names: Iterable[str], since: float | None) -> Iterator[RunRecord]:
        items, made = [item for name in names for item in self._listed(name)], self._kind.made
        if since is not None:
            items = [item for item in items if _made_after(item.get(made), since - CLOCK_MARGIN)]
        newest_first = sorted(items, key=lambda item: str(item.get(made)), reverse=True)
        for number, item in enumerate(newest_first):
            if number:
                _clock.sleep(SPACING)
            record = self.read(str(item["id"]))
            if record is not None:
                yield record

    def _listed(self, name: str) -> list[dict[str, Any]]:
        if not self._may_list:
            return []
        kind = self._kind
        try:
            listed = self._calls.retry(lambda hook: list(getattr(hook, kind.list_method)(name=name)))
        except OmicsError as error:
            if error.kind is not FaultKind.DENIED:
                raise
            self._may_list = False
            self._log.warning(
                "An earlier %s of this task can't be looked for, so only %s's token prevents a second "
                "one: %s",
                kind.resource.noun,
                kind.start,
                error,
            )
            return []
        # AWS does not say whether it filters by equality.
        return [item for item in listed if item.get("name") == name]

    def _runs_of_0_1(self, attempt: Attempt, names: Iterable[str]) -> list[Found]:
        """Return the runs that version 0.1.0 started, the newest first; it named each after its token.

        A task whose worker was ended for the upgrade must find its run.
        """
        found: list[Found] = []
        attempt, digits = attempt.with_generation(0), attempt.task.digest
        while True:
            named = [name.removesuffix(digits) + attempt.token[: len(digits)] for name in names]
            records = [record for record in self._records(named, None) if is_run_of(attempt, record)]
            if not records:
                return found[::-1]
            found.append(Found(records[0], attempt, is_own=True))
            attempt = attempt.next_generation()


def _identify(attempt: Attempt, search: Search, record: RunRecord) -> Found:
    if (own := attempt.of_run(record)) is not None:
        return Found(record, own, is_own=True)
    earlier = (attempt.in_epoch(epoch).of_run(record) for epoch in search.earlier_epochs)
    return Found(record, next((known for known in earlier if known is not None), None), is_own=False)


def _ends_search(found: Found) -> bool:
    """Return whether nothing older matters: runs of a task are made one after the other."""
    if not found.is_own or found.attempt is None:
        return False
    return found.attempt.generation == 0 or found.record.get("status") in ACTIVE_STATUSES


def _made_after(made: Any, moment: float) -> bool:
    return made is None or parse_time(str(made)).timestamp() >= moment
