"""One try of the operator that starts a batch, in one world: the product's own code."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from airflow_omics._identity import Target
from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH
from airflow_omics._waiting.batch import BatchWait
from airflow_omics._waiting.wait import Wait
from airflow_omics.hooks.objects import OmicsObjectsHook
from airflow_omics.operators import OmicsStartRunBatchOperator
from airflow_omics.triggers import OmicsStartedRunBatchTrigger
from tests.simulation.exhaustive.batch_judge import BatchJudge
from tests.simulation.exhaustive.batch_service import (
    SAMPLES,
    Batch,
    BatchHook,
    BatchService,
    Bucket,
    objects_hook,
)
from tests.simulation.exhaustive.history import World
from tests.simulation.exhaustive.service import LASTS
from tests.simulation.exhaustive.tries import Played, Try, installed
from tests.support.start_operators import OUTPUT, ROLE

OPERATORS: Mapping[str, Mapping[str, Any]] = {
    "on_clear='failed'": {},
    "on_clear='new'": {"on_clear": "new"},
    "on_clear='reattach'": {"on_clear": "reattach"},
    "rerun_failed=1": {"rerun_failed": 1},
    "on_too_many_failures='cancel'": {"on_too_many_failures": "cancel"},
}
BATCH_LASTING = {
    "the task state store is": ("there", "missing"),
    "the task waits": ("in a worker", "deferred"),
    "the operator has": tuple(OPERATORS),
    "omics:ListBatch is": ("allowed", "denied"),
    "a repeated token is answered with": ("earlier", "conflict", "validation", "forgotten"),
}
"""What is so in a whole history of a batch, and how it may be."""

_FIXED: Mapping[str, Mapping[str, str]] = {
    "on_clear='new'": {"omics:ListBatch is": "allowed"},
    "on_clear='reattach'": {"omics:ListBatch is": "allowed", "the task waits": "in a worker"},
    "rerun_failed=1": {"omics:ListBatch is": "allowed"},
    "on_too_many_failures='cancel'": {"omics:ListBatch is": "allowed"},
}
"""What is so with such an operator: the search, and the wait, do not depend on it."""

_ENDS = (
    "COMPLETED",
    "one may pass",
    "one stays",
    "fails early",
    "is cancelled",
    "is deleted",
    "is another's",
)
_EARLY = ("one fails early", "one fails early, the counts step back", "the counts say too much")
_FIRST: Mapping[str, tuple[str, ...]] = {
    "on_clear='failed'": _ENDS,
    "on_clear='new'": ("COMPLETED", "one may pass", "fails early"),
    "on_clear='reattach'": ("COMPLETED", "one may pass", "fails early"),
    "rerun_failed=1": ("COMPLETED", "one may pass", "fails early"),
    "on_too_many_failures='cancel'": ("COMPLETED", *_EARLY),
}
_LATER: Mapping[str, tuple[str, ...]] = {
    "on_clear='failed'": ("COMPLETED", "fails early"),
    "on_clear='new'": ("COMPLETED", "one may pass"),
    "on_clear='reattach'": ("COMPLETED", "one may pass"),
    "rerun_failed=1": ("COMPLETED", "one may pass", "fails early"),
    "on_too_many_failures='cancel'": ("COMPLETED", "one fails early"),
}


@dataclass
class BatchWorld(World):
    """The world of one task that starts batches.

    :param clears: how often a person has cleared the task.
    """

    questions: ClassVar[Mapping[str, tuple[str, ...]]] = BATCH_LASTING
    listing: ClassVar[str] = "omics:ListBatch is"

    service: BatchService = field(default_factory=BatchService)
    clears: int = 0

    def key(self) -> str:
        """Return what is equal for two worlds that go on alike."""
        return f"{super().key()} {sorted(self.service.objects)} {self.clears}"

    def _key_of(self, run: Any) -> Any:
        batch: Batch = run
        samples = [(s.setting_id, s.status, s.reason, s.run_id is None) for s in batch.samples]
        key = (super()._key_of(batch), samples, batch.fate, batch.is_anothers)
        return (*key, batch.looks, batch.clears)


class Operator(Played, OmicsStartRunBatchOperator):
    """The operator that starts a batch."""


@functools.cache
def _operator(waits: str, kind: str) -> Operator:
    return Operator(
        task_id="start",
        workflow_id="1234567",
        role_arn=ROLE,
        output_uri=OUTPUT,
        run_settings=[{"runSettingId": sample} for sample in SAMPLES],
        retries=3,
        poke_interval=2 * LASTS,
        wait_timeout=50 * LASTS,
        deferrable=waits == "deferred",
        **OPERATORS[kind],
    )


class BatchTry(Try):
    """One try of a task that starts batches."""

    world: Any
    judge = BatchJudge()

    def __init__(self, world: BatchWorld, *arguments: Any, **also: Any) -> None:
        super().__init__(world, *arguments, **also)
        for batch in world.service.batches:
            for sample in batch.samples:
                if sample.is_active:
                    sample.due = self._now + LASTS

    def make_operator(self) -> Any:
        """Return the operator, which may be that of an earlier try."""
        kind = self.lasting("the operator has")
        self.world.lasting["cancel_on_kill is"] = "True"
        self.world.lasting["on_clear is"] = OPERATORS[kind].get("on_clear", "failed")
        self.world.lasting.update(_FIXED.get(kind, {}))
        return _operator(self.lasting("the task waits"), kind)

    def make_hook(self, **of_try: Any) -> Any:
        """Return what stands in for the hook."""
        now_in = (self.world.try_number, self.world.clears)
        hook = BatchHook(self.world.service, self.ask, self.time, self.at, now_in=now_in, **of_try)
        kind = self.lasting("the operator has")
        hook.fates = (_FIRST[kind], _LATER[kind])
        return hook

    def wait_of(self, arguments: Mapping[str, Any]) -> tuple[Any, Wait]:
        """Return the trigger and the wait of a trigger's arguments."""
        wait = BatchWait(
            Target.parse(arguments["batch_id"], BATCH),
            started_at=arguments["started_at"],
            timeout_at=arguments["timeout_at"],
            terminal_statuses=arguments["terminal_statuses"],
            created=arguments["created"],
            status=arguments["status"],
            tolerance=Tolerance(arguments["max_failures"], arguments["max_failure_ratio"]),
            stop_when_exceeded=arguments["stop_when_exceeded"],
        )
        return OmicsStartedRunBatchTrigger(**arguments), wait

    def _failed(self, error: Exception, ended: str) -> None:
        super()._failed(error, ended)
        self.judge.left(self.world, self.pushed.get("return_value"))

    def objects(self, _: Any = None) -> OmicsObjectsHook:
        """Return the hook for S3."""
        return objects_hook(Bucket(self.world.service, self.at))

    @classmethod
    @contextlib.contextmanager
    def installed(cls) -> Iterator[None]:
        """Let the package reach the try that is being played."""
        with installed(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(OmicsObjectsHook, "beside", lambda hook: Try.now_playing.objects())  # type: ignore[attr-defined]
            # Three samples stand for a hundred thousand: one or two of them are few.
            patch.setattr("airflow_omics._batches.settings.MOST_INLINE", 2)
            patch.setattr("airflow_omics._starting.members_file.MOST_IN_XCOM", 2)
            patch.setattr("airflow_omics._batches.calls.requests_per_second", lambda: 5.0)
            yield
