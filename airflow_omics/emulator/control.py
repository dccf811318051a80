"""Control of the emulator from the process it lives in: clock, lives, faults, limits, and the request log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.base_backend import BackendDict
from moto.moto_api import state_manager

from airflow_omics.emulator.control_table import Control, control
from airflow_omics.emulator.controls.faults import FaultControls
from airflow_omics.emulator.controls.queues import QueueControls
from airflow_omics.emulator.controls.resources import ResourceControls
from airflow_omics.emulator.controls.runs import RunControls
from airflow_omics.emulator.lives.script import Life
from airflow_omics.emulator.other_services.events import deliver_due
from airflow_omics.emulator.other_services.written_by_runs import write_due
from airflow_omics.emulator.service.batches import new_rate
from airflow_omics.emulator.world.shared import STATE_MODEL, WORLD


class Emulator(RunControls, ResourceControls, QueueControls, FaultControls):
    """A handle on the emulator of this process; every handle controls the same one.

    :class:`airflow_omics.emulator.EmulatorClient` has the same methods for an emulator in another process. A
    wrong argument is a ValueError of one sentence, in both.
    """

    def _apply(self, control: Control, *args: Any, **kwargs: Any) -> Any:
        return control.function(self, *args, **kwargs)

    # -- clock -----------------------------------------------------------------------------------------------

    @control(reads=True)
    def now(self) -> float:
        """Return the time that the emulator's answers show, in seconds since the epoch."""
        return WORLD.clock.now()

    @property
    @control(reads=True)
    def pace(self) -> float:
        """Service seconds in a real second: at 60, a run of 20 minutes takes 20 seconds."""
        return WORLD.clock.pace

    @control()
    def set_pace(self, pace: float) -> None:
        """Let the clock run at ``pace``, also after :meth:`freeze`; answers show wall-clock time again."""
        with new_rate():
            WORLD.clock.set_pace(pace)

    @control()
    def freeze(self) -> None:
        """Stop the clock; only :meth:`advance` moves it now."""
        with new_rate():
            WORLD.clock.freeze()

    @control()
    def turn_back(self, seconds: float) -> None:
        """Freeze the clock ``seconds`` ago; :meth:`advance` by as many leads to the present again.

        So the hours of a run have passed by now, and do not lie in the future. What has happened already
        keeps its times, so do it first.
        """
        WORLD.clock.turn_back(seconds)

    @control()
    def advance(self, seconds: float) -> None:
        """Turn the clock forward by ``seconds`` of service time, freezing it first if it was running."""
        WORLD.clock.advance(seconds)

    # -- lives -----------------------------------------------------------------------------------------------

    @control(reads=True)
    def lives(self) -> list[str]:
        """Return the names of every life, the registered ones among them."""
        return sorted(WORLD.lives)

    @control()
    def add_life(self, life: Life | Mapping[str, Any]) -> None:
        """Register a life of your own, or replace one of the library's until :meth:`reset`."""
        if not isinstance(life, Life):
            life = Life.from_dict(life)
        WORLD.lives[life.name] = life

    @property
    def default_life(self) -> str:
        """The life of a run whose StartRun names none; may be set."""
        return self._default_life()

    @default_life.setter
    def default_life(self, name: str) -> None:
        self._default_life(str(name))

    @control(name="default_life", reads=True)
    def _default_life(self, value: str | None = None) -> str:
        """Return the default life, after setting it if a value is given."""
        if value is not None:
            WORLD.default_life = WORLD.life(value).name
        return WORLD.default_life

    # -- what happened ---------------------------------------------------------------------------------------

    @control(reads=True)
    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the latest requests, oldest first: time, operation, status, error, run_id and more."""
        return WORLD.requests.latest(operation)

    @control(reads=True)
    def counts(self) -> dict[str, int]:
        """Return how many requests each operation has had since :meth:`reset`."""
        return WORLD.requests.counts()

    @control()
    def wait_for(self, operation: str | None = None, count: int = 1, timeout: float = 10.0) -> int:
        """Block until so many requests were seen since :meth:`reset`, and return how many there are.

        :param operation: the operation; any if it is None.
        :param count: how many requests to wait for.
        :param timeout: real seconds.
        :raises TimeoutError: they were not seen in time.
        """
        return WORLD.requests.wait_for(operation, count, timeout)

    @control()
    def settle(self) -> None:
        """Write to CloudWatch Logs and S3 what runs have produced by now, and deliver the events.

        Reading CloudWatch Logs, S3 or SQS does the same.
        """
        deliver_due()
        write_due()

    @control()
    def reset(self) -> None:
        """Forget everything: runs, faults, lives of your own, requests, and all of moto's other services.

        Pace, default life, seed and limit are those that the emulator was started with.
        """
        with WORLD.lock:
            WORLD.reset()
            BackendDict.reset()
            state_manager.unset_transition(STATE_MODEL)
