"""What all accounts and Regions of one emulator share: clock, lives, faults, request log and policies."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_omics.emulator.lives.library import DEFAULT_LIFE, LIVES
from airflow_omics.emulator.lives.script import LIFE_TAG, Life
from airflow_omics.emulator.wire.exceptions import validation
from airflow_omics.emulator.world.batches import BatchRules
from airflow_omics.emulator.world.clock import Clock
from airflow_omics.emulator.world.event_policy import EventPolicy
from airflow_omics.emulator.world.faults import FaultBook
from airflow_omics.emulator.world.limits import Limits
from airflow_omics.emulator.world.numbers import is_number
from airflow_omics.emulator.world.request_log import RequestLog

STATE_MODEL = "omics::run"
"""The model name under which moto's state manager knows runs."""
REPEAT_POLICIES = ("earlier", "conflict", "validation", "forgotten")
CANCEL_POLICIES = ("conflict", "validation")


class Creation(NamedTuple):
    """How the creation of a thing goes.

    :param seconds: how long it is CREATING, in seconds of service time.
    :param failure: why it is FAILED after that; None if it is ACTIVE, unless there is another reason.
    """

    seconds: float
    failure: str | None = None


# In AWS a configuration takes up to 15 minutes.
_CREATIONS = {"workflow": Creation(2.0), "configuration": Creation(10.0)}
_LONGEST = 86_400


class World:
    """The shared state; one in a process, because moto's backends are one in a process."""

    def __init__(self) -> None:
        self._configured: tuple[float, str | None, int | None, float | None] = (1.0, None, None, None)
        self.lock = threading.RLock()
        self.clock = Clock()
        self.faults = FaultBook()
        self.limits = Limits()
        self.requests = RequestLog()
        self.released = threading.Event()
        """Set and replaced by ``release``: connections that hang wait for it."""
        self._fresh()

    def configure(
        self,
        *,
        pace: float = 1.0,
        life: str | None = None,
        seed: int | None = None,
        limit: float | None = None,
    ) -> None:
        """Set what a reset returns to, and reset."""
        before = self._configured
        self._configured = (pace, life, seed, limit)
        try:
            self.reset()
        except ValueError:
            self._configured = before
            raise

    def _fresh(self) -> None:
        self.lives: dict[str, Life] = dict(LIVES)
        self.default_life = DEFAULT_LIFE
        self.repeat_policy = "earlier"
        self.cancel_policy = "conflict"
        self.event_policy = EventPolicy()
        self.creations = dict(_CREATIONS)
        """How the creation of things goes that are made from now on, by kind."""
        self.strict = False
        """Whether a request that names what nobody made is refused, such as a workflow."""
        self.batches = BatchRules()
        self.seed: int | None = None
        self.random = random.Random()

    def reset(self) -> None:
        """Return to the beginning: running clock, library of lives, no fault, empty log."""
        pace, life, seed, limit = self._configured
        with self.lock:
            self.release()
            self.clock.reset(pace)
            self.faults.reset(seed or 0)
            self.limits.reset()
            self.requests.reset()
            self._fresh()
            self.seed = seed
            self.random = random.Random(seed)
            if life is not None:
                self.default_life = self.life(life).name
            if limit is not None:
                self.limits.set("*", limit)

    def set_creation(self, kind: str, seconds: float, failure: str | None) -> None:
        """Set how the creation of things of a kind goes from now on.

        :raises ValueError: an argument is wrong.
        """
        if not isinstance(kind, str) or kind not in self.creations:
            raise ValueError(f"kind is {kind!r}; give one of {', '.join(self.creations)}")
        # A comparison with NaN is never true.
        if not (is_number(seconds) and 0 <= seconds <= _LONGEST):
            raise ValueError(f"seconds is {seconds!r}; give a number from 0 to {_LONGEST}")
        if failure is not None and not (isinstance(failure, str) and failure):
            raise ValueError(f"failure is {failure!r}; give a sentence, or None for no failure")
        self.creations[kind] = Creation(float(seconds), failure)

    def release(self) -> None:
        """End every connection that hangs."""
        self.released.set()
        self.released = threading.Event()

    def generator(self, scope: str) -> random.Random:
        """Return a generator of run ids for one account and Region; repeatable when there is a seed."""
        return random.Random() if self.seed is None else random.Random(f"{self.seed}/{scope}")

    def uuid(self) -> str:
        """Return a new random (version 4) UUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def life(self, name: str) -> Life:
        """Return the life called ``name``.

        :raises ValueError: there is none; the error lists those there are.
        """
        try:
            return self.lives[name]
        except (KeyError, TypeError):
            raise ValueError(
                f"life {name!r} is unknown; the lives are {', '.join(sorted(self.lives))}"
            ) from None

    def life_of(self, tags: Mapping[str, Any] | None) -> Life:
        """Return the life that StartRun's tags ask for.

        :raises OmicsServiceError: there is none of this name; it is a ValidationException.
        """
        try:
            return self.life((tags or {}).get(LIFE_TAG, self.default_life))
        except ValueError as error:
            raise validation(f"tag {LIFE_TAG}: {error}") from None


WORLD = World()
