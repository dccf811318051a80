"""Which ways there are for the start of a batch; ``starts.py`` plays them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulation.exhaustive.accidents import ACCIDENTS
from tests.simulation.exhaustive.batch_judge import BatchJudge
from tests.simulation.exhaustive.batch_service import Batch, end_samples, settle_as
from tests.simulation.exhaustive.batch_tries import BatchTry, BatchWorld
from tests.simulation.exhaustive.starts import DEATH, STOP, Branch, Histories, Table
from tests.simulation.exhaustive.ways import Ways

_BETWEEN = ("goes on", "COMPLETED", "one may pass", "fails early")


class BatchHistories(Histories):
    """The histories of one start of a batch."""

    world = BatchWorld
    plays = BatchTry
    judge = BatchJudge()
    start = "StartRunBatch"
    # A worker that is told to stop leaves what one leaves that dies.
    accidents = tuple(kind for kind in ACCIDENTS if kind != STOP)
    every = 31
    small: Mapping[str, tuple[str, ...]] = {
        "the task waits": ("in a worker",),
        "the operator has": ("on_clear='failed'", "rerun_failed=1"),
        "omics:ListBatch is": ("allowed",),
    }

    def kinds(self, branch: Branch) -> tuple[str, ...]:
        """Return the accidents that a second try has."""
        return (DEATH,)

    def goes_on(self, world: Any, ways: Ways) -> None:
        """Let happen what may while no worker has the task."""
        for batch in world.service.batches[-1:]:
            self._goes_on(world, batch, ways)

    def _goes_on(self, world: Any, batch: Batch, ways: Ways) -> None:
        question = f"batch {batch.number} meanwhile"
        if batch.is_gone:
            return
        if batch.status == "RUNNING" and not batch.fate:
            became = ways(question, _BETWEEN if batch.number == 1 else _BETWEEN[:2])
            if became != "goes on":
                settle_as(batch, became, batch.created)
        elif batch.status in ("RUNNING", "STOPPING"):
            pass  # the next try sees its end
        elif batch.status == "FAILED" and batch.number == 1:
            became = ways(question, ("stays", "its runs end", "is deleted"))
            if became == "its runs end":
                end_samples(batch, "COMPLETED")
            batch.is_gone = became == "is deleted"


def all_batch_starts() -> Table:
    """Play every history of one start of a batch."""
    return BatchHistories().all()
