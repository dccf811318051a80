"""What a task remembers of its runs from one try to the next.

Airflow 3.3 keeps a store for each task instance that outlives its tries
(https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/resumable-tasks.html). Earlier versions
have none, and everything here lives as long as the process: a run is then found again by its name and tags.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final, cast

from airflow_omics._starting.attempt import Attempt
from airflow_omics.records import IDENTITY_KEYS, RunRecord

KEY: Final = "omics_started_run"
"""The key in the task state store. Renaming it would lose the runs of tasks that are under way."""


class Memory:
    """The runs that a task has had since it was last cleared.

    :param store: Airflow's task state store, or None.
    """

    def __init__(self, store: Any, log: Any) -> None:
        self._store = store
        self._log = log
        self._now: dict[str, Any] = {}
        self.run_of_cleared_wait: Mapping[str, Any] | None = None
        """The run that an attempt before the last clear was waiting for when the task was cleared."""

    @classmethod
    def of(cls, context: Mapping[str, Any], log: Any) -> Memory:
        """Return the memory of the task in this context."""
        return cls(context.get("task_state_store"), log)

    @functools.cached_property
    def noted(self) -> Mapping[str, Any]:
        """What the store held when the try began.

        It is read when it is first needed, and a task that resumes does not need it: it may be killed during
        that call, and knows its run already.
        """
        if self._store is None:
            return {}
        try:
            noted = self._store.get(KEY)
        except Exception as error:
            self._store = None
            self._log.warning("Airflow's task state store can't be read: %s: %s", type(error).__name__, error)
            return {}
        return noted if isinstance(noted, Mapping) else {}

    def begin(self, epoch: int, max_tries: int, *, forget: bool) -> None:
        """Begin a try.

        :param forget: whether the runs of another epoch are not needed any more.
        """
        same = not self.noted or self.noted.get("epoch") == epoch
        if same or not forget:
            self._now = {**self.noted, "epoch": epoch, "max_tries": max_tries}
            return
        self._now = {"epoch": epoch, "max_tries": max_tries}
        if self.noted.get("waiting") and self.noted.get("id"):
            self.run_of_cleared_wait = {key: self.noted[key] for key in IDENTITY_KEYS if self.noted.get(key)}

    def resume(self, carried: Mapping[str, Any]) -> None:
        """Go on after a deferral.

        :param carried: the value of :attr:`run` when the task was deferred.
        """
        self._now = dict(carried)

    @property
    def run(self) -> Mapping[str, Any]:
        """The last known run, with the ``token`` that it was started with."""
        return self._now

    @property
    def generation(self) -> int:
        """The generation of that run's attempt."""
        return int(self._now.get("generation", 0))

    @property
    def ends(self) -> list[dict[str, Any]]:
        """The runs that ended badly, in their order: ``id``, ``status`` and ``failureReason``."""
        return cast("list[dict[str, Any]]", self._now.setdefault("ends", []))

    def note_run(self, attempt: Attempt, record: RunRecord | None, *, waiting: bool) -> None:
        """Note the run of an attempt, or that one is being asked for."""
        known = {key: value for key, value in (record or {}).items() if key in IDENTITY_KEYS}
        kept: dict[str, Any] = {
            key: self._now[key] for key in ("epoch", "max_tries", "ends") if key in self._now
        }
        self._now = {
            **kept,
            "token": attempt.token,
            "generation": attempt.generation,
            "waiting": waiting,
            **known,
        }
        self._write()

    def note_end(self, attempt: Attempt, record: RunRecord, also: Mapping[str, Any] | None = None) -> None:
        """Note that the run of an attempt ended badly.

        :param also: what else is noted of it, plain JSON.
        """
        if any(end["generation"] == attempt.generation for end in self.ends):
            return  # noted by the try that saw it; it may have been deleted since
        members = ("id", "status", "failureReason")
        end = {"generation": attempt.generation, **{k: record[k] for k in members if record.get(k)}}  # type: ignore[literal-required]
        end.update(also or {})
        self.ends.append(end)

    def note_wait_over(self) -> None:
        """Note that nobody waits for the run any more."""
        if self._now.get("waiting"):
            self._now["waiting"] = False
            self._write()

    def _write(self) -> None:
        if self._store is None:
            return
        try:
            self._store.set(KEY, self._now)
        except Exception as error:
            self._store = None
            self._log.warning(
                "Airflow's task state store can't be written: %s: %s", type(error).__name__, error
            )
