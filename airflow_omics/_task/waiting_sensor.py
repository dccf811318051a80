"""A sensor that waits for a run or batch in every mode of Airflow's sensors, and ends alike in each.

Airflow's own ``execute`` and ``resume_execution`` treat skips, failures and timeouts differently by mode and
version, so this class has its own.
"""

from __future__ import annotations

import datetime
import importlib.util
import itertools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_omics import _clock
from airflow_omics._compat import (
    AirflowRescheduleException,
    AirflowSkipException,
    BaseSensorOperator,
    Context,
    PokeReturnValue,
    TaskDeferralError,
    conf,
    first_reschedule_date,
)
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import (
    check_diagnose,
    check_fields,
    check_statuses,
    check_switch,
    to_seconds,
    warn_of_short_interval,
)
from airflow_omics._task.from_trigger import StartTriggerArguments, why_not_end, why_not_start
from airflow_omics._task.publishing import PublishingMixin
from airflow_omics.links import RunLinks, persist_links
from airflow_omics.records import IDENTITY_KEYS, narrow

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics._task.snapshots import Snapshots
    from airflow_omics._waiting.ending import EndPolicy, Explanation
    from airflow_omics._waiting.poller import Poller
    from airflow_omics._waiting.wait import Ending, Wait
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import RunRecord


class WaitingSensor(PublishingMixin, RunTaskMixin, BaseSensorOperator):
    """A sensor without its arguments and its trigger: those belong to the subclass.

    What differs between a run and a batch is in ``resource``, :meth:`_wait` and :meth:`_judged`.
    """

    success_statuses: tuple[str, ...]
    skip_statuses: tuple[str, ...]
    export: tuple[str, ...] | None = None
    record_fields: tuple[str, ...] | None
    deferrable: bool
    diagnose: bool | str
    start_from_trigger: bool
    end_from_trigger: bool
    start_trigger_args = StartTriggerArguments()
    result_member = "runOutputUri"
    """A member of the record that a DAG may want, for errors."""

    def _take(
        self,
        *,
        success_statuses: Collection[str],
        skip_statuses: Collection[str],
        record_fields: Collection[str] | None,
        diagnose: bool | str,
    ) -> None:
        """Check and keep what the constructor was given of the task's ends.

        :raises ValueError: for an argument that can't be right.
        """
        self.success_statuses = check_statuses("success_statuses", success_statuses, self.resource)
        self.skip_statuses = check_statuses("skip_statuses", skip_statuses, self.resource)
        if not self.success_statuses:
            raise ValueError("success_statuses is empty, so the task could never succeed; name one status.")
        if both := sorted(set(self.success_statuses) & set(self.skip_statuses)):
            raise ValueError(
                f"{', '.join(both)} is in success_statuses and in skip_statuses; name it in one."
            )
        self.record_fields = check_fields("record_fields", record_fields, f"[{self.result_member!r}]")
        self.diagnose = check_diagnose(diagnose)

    def _take_modes(self, deferrable: bool | None, start: bool, end: bool) -> str | None:
        """Check and keep where the task waits, begins and ends; return a warning of what is not possible.

        It is called last: whether the task can begin in the triggerer depends on its other arguments.

        :param start: ``start_from_trigger``; ``end`` likewise.
        :raises ValueError: for an argument that can't be right.
        """
        start, end = check_switch("start_from_trigger", start), check_switch("end_from_trigger", end)
        if deferrable is None:
            by_default = conf.getboolean("operators", "default_deferrable", fallback=False)
            deferrable = start or end or by_default
        self.deferrable = check_switch("deferrable", deferrable)
        self._check_aws_arguments()
        self._check_target()
        self.start_from_trigger, self.end_from_trigger = False, False
        return self._step_into_triggerer(start, end) if start or end else None

    def execute(self, context: Context) -> RunRecord:
        """Wait for the end, sleeping, rescheduling or deferred between looks; return the record."""
        from airflow_omics._waiting.poller import until_over
        from airflow_omics._waiting.wait import Ending
        from airflow_omics.exceptions import OmicsRequestError

        if self.deferrable:
            _check_async_client()
        elif not self.reschedule:
            warn_of_short_interval(self.poke_interval, self.resource.read)
        try:
            wait = self._new_wait(context)
        except OmicsRequestError as error:
            return self._end_task(Ending("error", None, str(error), "OmicsRequestError"), context)
        poller, pauses = self._poller(wait), itertools.count(1)
        snapshots = self._snapshots(context)
        links: RunLinks | None = None

        def look() -> Ending | None:
            nonlocal links
            ending = poller.look()
            if wait.record is not None:  # an execution_timeout may end the task at any moment
                self._note_published(narrow(wait.record, self.record_fields))
            links = persist_links(context, wait.record, links)
            snapshots.looked(wait, poller.hook, is_over=ending is not None)
            return ending

        ending = until_over(look, lambda: self._between_looks(wait, next(pauses)))
        return self._end_task(ending, context, wait.target.id, snapshots)

    def _between_looks(self, wait: Wait, looks: int) -> None:
        """Sleep, or leave the worker: only here do the modes differ."""
        if self.deferrable:
            self._defer(wait)
        now = _clock.time()
        pause = wait.pause(self._interval(wait.started_at, looks), now)
        if self.reschedule and not wait.needs_memory:
            due = datetime.datetime.fromtimestamp(now + pause, tz=datetime.UTC)
            raise AirflowRescheduleException(due)  # type: ignore[no-untyped-call]
        _clock.sleep(pause)

    def _defer(self, wait: Wait) -> NoReturn:
        """Hand the wait over to a trigger."""
        raise NotImplementedError

    def execute_complete(self, context: Context, event: Any = None) -> RunRecord:
        """Take the trigger's event: return the record, skip or fail as in every other mode."""
        from airflow_omics._waiting.ending import ending_from_event

        ending = ending_from_event(event)
        persist_links(context, ending.record)
        return self._end_task(ending, context, self._id_of(ending))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; Airflow's own method turns some endings into skips, by version."""
        kwargs = next_kwargs or {}
        if next_method != "__fail__":
            return getattr(self, next_method)(context, **kwargs)
        reason = str(kwargs.get("error", "unknown"))
        if kwargs.get("traceback"):
            self.log.error("The trigger failed:\n%s", "\n".join(kwargs["traceback"]))
        if "timeout" in reason.lower():
            from airflow_omics._waiting.wait import Ending

            resource_id = self._id_of(None)
            name = self.resource.named(resource_id or "unknown")
            message = f"{name}: deferred beyond the sensor's timeout."
            return self._end_task(Ending("timeout", None, message), context, resource_id)
        if self.never_fail:
            raise AirflowSkipException(f"Skipped, as never_fail is set: {reason}")
        raise TaskDeferralError(reason)

    def _id_of(self, ending: Ending | None) -> str | None:
        """Return what was waited for; the argument, rendered again, may name another or none by now."""
        from airflow_omics.exceptions import OmicsRequestError

        if ending is not None and ending.record is not None:
            return ending.record.get("id")
        try:
            return self._target().id
        except OmicsRequestError:
            return None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once: return that it is done, with the record, or not done; or raise as ``execute`` would.

        Airflow never calls this, since this class has its own ``execute``. It is here for those who call a
        sensor's ``poke`` themselves, in a branch or a test.
        """
        wait = self._new_wait(context)
        ending = self._poller(wait).look()
        if ending is None:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._end_task(ending, context, wait.target.id))

    def _step_into_triggerer(self, start: bool, end: bool) -> str | None:
        """Begin and end in the triggerer if that is possible; return a warning of what is not."""
        kept = []
        refused = None if self.deferrable else "deferrable=False is given"
        if start:
            reason = refused or why_not_start(self)
            self.start_from_trigger = reason is None
            if reason:
                kept.append(f"start_from_trigger has no effect because {reason}")
        if end:
            reason = refused or why_not_end(self)
            self.end_from_trigger = reason is None
            if reason:
                kept.append(f"end_from_trigger has no effect because {reason}")
        return f"Task {self.task_id!r} uses a worker: {'; '.join(kept)}." if kept else None

    @property
    def _end_policy(self) -> EndPolicy:
        from airflow_omics._waiting.ending import EndPolicy

        return EndPolicy(
            self.success_statuses, self.skip_statuses, self.soft_fail, self.never_fail, self.record_fields
        )

    def _end_task(
        self,
        ending: Ending,
        context: Context,
        resource_id: str | None = None,
        snapshots: Snapshots | None = None,
    ) -> RunRecord:
        def push(record: RunRecord) -> None:
            self._note_published(record)
            ti: Any = context.get("ti")  # None if a test calls execute()
            if self.do_xcom_push and ti is not None:
                ti.xcom_push(key="return_value", value=record)

        def end() -> RunRecord:
            judged, explain = self._judged(ending, context)
            record = self._end_policy.end_task(judged, push, resource_id, explain, self.resource)
            self.log.info("%s", judged.message)
            self._publish(record, context)
            return record

        snapshots = snapshots or self._snapshots(context)
        snapshots.note(ending.record)
        return snapshots.around(end)

    def _snapshots(self, context: Context) -> Snapshots:
        from airflow_omics._identity import Target
        from airflow_omics._task.snapshots import Snapshots

        def make_hook(record: RunRecord) -> OmicsHook:
            from airflow_omics.hooks import OmicsHook

            # The argument, rendered again after a deferral, may name another run by now.
            named = {key: value for key, value in record.items() if key in IDENTITY_KEYS}
            return OmicsHook.of(self._aws_arguments(Target.parse(named, self.resource)))

        return Snapshots(self, context, make_hook)

    def _judged(
        self, ending: Ending, context: Context
    ) -> tuple[Ending, Callable[[Ending, bool], Explanation | None] | None]:
        """Return the ending as the task takes it, and what explains one that fails the task."""

        def explained(ending: Ending, skipped: bool) -> Explanation | None:
            from airflow_omics._task.explain import explain

            return explain(
                self,
                ending.record or {},
                ending.message,
                context,
                lambda: self._aws_arguments(self._target()),
                has_error=not skipped,
            )

        return ending, explained if self.diagnose else None

    def _interval(self, started_at: float, looks: int) -> float:
        # Airflow doubles the interval with each look and overflows after about a thousand of them; sixty
        # doublings are more than any timeout.
        return self._get_next_poke_interval(started_at, lambda: _clock.time() - started_at, min(looks, 60))

    def _poller(self, wait: Wait) -> Poller:
        from airflow_omics._waiting.poller import Poller

        gap = self._longest_gap(_clock.time() - wait.started_at) if self.reschedule else None
        return Poller(wait, lambda: self._make_hook(wait.target), self.export, self.log, gap=gap)

    def _longest_gap(self, waited: float) -> float:
        """Return the most seconds that may lie between the look before and one after so many seconds."""
        if not self.exponential_backoff:
            return self.poke_interval
        # Each interval is twice the one before, or up to twice that by jitter: under two thirds of them all.
        doubled = max(self.poke_interval, waited * 2 / 3)
        return doubled if (most := to_seconds(self.max_wait)) is None else min(doubled, most)

    def _new_wait(self, context: Context) -> Wait:
        target = self._target()
        first = first_reschedule_date(context, self.retries) if self.reschedule else None
        self._region_is_checked = first is not None  # the process that looked first has warned
        started_at = _clock.time() if first is None else first.timestamp()
        return self._wait(
            target,
            started_at=started_at,
            timeout_at=started_at + self.timeout,
            terminal_statuses=self._end_policy.named_statuses,
            looked_before=first is not None,
        )

    def _wait(self, target: Target, **arguments: Any) -> Wait:
        """Return the wait, from the arguments that every wait has."""
        from airflow_omics._waiting.wait import Wait

        return Wait(target, **arguments)


def _check_async_client() -> None:
    if importlib.util.find_spec("aiobotocore") is None:
        from airflow_omics.exceptions import OmicsRequestError

        raise OmicsRequestError(
            "deferrable=True needs aiobotocore, on workers and triggerers: install "
            "'apache-airflow-providers-amazon[aiobotocore]', or set deferrable=False."
        )
