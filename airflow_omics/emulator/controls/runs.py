"""Controls of runs and of batches of runs."""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator.control_table import control
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Stage
from airflow_omics.emulator.service import batches, runs_start
from airflow_omics.emulator.service.common.backend import default_backend
from airflow_omics.emulator.service.runs_state import locate, runs_of
from airflow_omics.emulator.world.shared import WORLD


class RunControls:
    """What a test can do with runs, past the service's own operations."""

    @control()
    def start_runs(
        self,
        count: int,
        life: str | None = None,
        *,
        logs: bool = False,
        events: bool = False,
        account_id: str | None = None,
        region_name: str | None = None,
        **members: Any,
    ) -> list[str]:
        """Start many runs at once, and return their ids in order of creation.

        No request is made: no limit holds, no fault strikes, and the request log has no entry.

        :param count: how many.
        :param life: the life of each; the default life if left out.
        :param logs: whether they write logs and outputs, which is slow for thousands.
        :param events: whether EventBridge gets their events.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        :param members: members of StartRun in the API's spelling, and ``batchId``; ``{n}`` in ``name``
            becomes the number of the run, from 1.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"count is {count!r}; give a number of runs >= 0")
        script = WORLD.life(life or WORLD.default_life)
        with WORLD.lock:
            runs = runs_of(default_backend(account_id, region_name))
            return runs_start.start_many(runs, count, script, members, quiet=not logs, silent=not events)

    @control()
    def move(
        self,
        run_id: str,
        status: str,
        failure_reason: str | None = None,
        status_message: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Put one run into a status now; it leaves its script and stays there until moved again.

        :param run_id: the run.
        :param status: a status of the service, or a word no SDK knows.
        :param failure_reason: replaces the ``failureReason`` of its life.
        :param status_message: replaces the ``statusMessage`` of its life.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            stage = Stage(status)
            if status in (VANISHED, REUSED):
                raise ValueError(f"{status} is no status; use vanish() or reuse_id()")
            if run.terminal and status not in TERMINAL:
                raise ValueError(f"run {run_id} is {run.status}; a run that has ended cannot become {status}")
            if failure_reason is not None:
                run.reason = failure_reason
            if status_message is not None:
                run.says = status_message
            runs.replan(run, (stage,))

    @control()
    def vanish(self, run_id: str, *, account_id: str | None = None, region_name: str | None = None) -> None:
        """Let a run not be found from now on, as after retention mode REMOVE took it away."""
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            runs.remove(run)

    @control()
    def reuse_id(
        self,
        run_id: str,
        life: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """Give a run's id to another run, created now, and return the uuid of that other run.

        :param run_id: the id.
        :param life: the life of the other run; the default life if left out.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        script = WORLD.life(life or WORLD.default_life)
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            return runs.reuse(run, script).uuid

    @control()
    def batches(self, **rules: Any) -> None:
        """Change how batches of runs behave: how fast they are, which members fail, what is answered.

        :param rules: those to change, such as ``starts_per_second=5``; docs/use/emulator.md has them all.
        """
        with WORLD.lock:
            WORLD.batches = WORLD.batches.changed(rules)

    @control()
    def move_batch(
        self,
        batch_id: str,
        status: str,
        failure_reason: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """Put one batch into a status now, where it stays, and return its uuid.

        :param batch_id: the batch.
        :param status: a status of the service; or ``VANISHED``, not found from now on; or ``REUSED``, its id
            is another batch's that was just started, whose uuid is returned.
        :param failure_reason: what GetBatch shows of one that is FAILED.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        with WORLD.lock:
            return batches.move(batch_id, status, failure_reason, account_id, region_name)
