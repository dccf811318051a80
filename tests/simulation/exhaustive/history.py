"""What a history has come to: the world of one task between two of its tries."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.simulation.exhaustive.service import Run, Service

LASTING = {
    "the task state store is": ("there", "missing"),
    "the task waits": ("in a worker", "deferred", "not at all"),
    "on_clear is": ("new", "reattach"),
    "cancel_on_kill is": ("True", "False"),
    "omics:ListRuns is": ("allowed", "denied"),
    "omics:CancelRun is": ("allowed", "denied"),
    "a repeated token is answered with": ("earlier", "conflict", "validation", "forgotten"),
}
"""What is so in a whole history, and how it may be. A history that never asks stands for all answers."""

RETRIES = 3


@dataclass
class World:
    """Everything that outlives a try, and what was meant so far.

    :cvar questions: what is so in a whole history.
    :cvar listing: the one of them that says whether what the task has started can be found by its name.
    :param lasting: answers to those of them that were asked.
    :param store: the task state store's values; unused if there is none.
    :param wish: counts what a person asked for: the task itself, and each clear that means a new run.
    :param is_given_up: whether a person has ended the task.
    :param is_small: whether only the last run goes on in every way between two tries.
    :param breaches: the promises that were broken, by the names of the reasons in ``broken.REASONS``.
    """

    questions: ClassVar[Mapping[str, tuple[str, ...]]] = LASTING
    listing: ClassVar[str] = "omics:ListRuns is"

    lasting: dict[str, str] = field(default_factory=dict)
    service: Service = field(default_factory=Service)
    store: dict[str, str] = field(default_factory=dict)
    try_number: int = 0
    max_tries: int = RETRIES
    wish: int = 1
    is_given_up: bool = False
    breaches: frozenset[str] = frozenset()
    accidents: int = 0
    is_small: bool = False

    def copy(self) -> World:
        made = copy.copy(self)
        made.lasting, made.service, made.store = dict(self.lasting), self.service.copy(), dict(self.store)
        return made

    def key(self) -> str:
        """Return what is equal for two worlds that go on alike.

        Times are not in it: each try begins at a time of its own, and nothing of the package compares the
        times of two runs of a task but by their order.
        """
        runs = [self._key_of(run) for run in self.service.runs]
        rest = (
            sorted(self.lasting.items()),
            self.service.tokens,
            self.store,
            (self.try_number, self.max_tries, self.wish, self.is_given_up, self.accidents, self.is_small),
            sorted(self.breaches),
        )
        return json.dumps((runs, rest), sort_keys=True)

    def _key_of(self, run: Run) -> Any:
        key = (run.members["name"], run.members["tags"], run.wish)
        if run.is_gone:
            return key
        ended = (*key, run.status, run.is_noted, run.is_returned, sorted(run.marks))
        return (*ended, run.is_cancelled, run.is_named) if run.is_active else ended

    def is_so(self, question: str, *answers: str) -> bool:
        """Return whether one of the lasting questions was answered so."""
        return self.lasting.get(question) in answers

    def mark(self, mark: str) -> None:
        """Note on each run that goes on what has happened to its task."""
        for run in self.service.runs:
            if run.is_active and run.status == "RUNNING":
                run.marks |= {mark}

    @property
    def unasked(self) -> int:
        """How many histories this one stands for, which differ in what it never asked."""
        number = 1
        for question, answers in self.questions.items():
            if question not in self.lasting:
                number *= len(answers)
        return number


class StateStore:
    """Airflow 3.3's task state store.

    :param world: holds its values.
    :param at: is called before and after each access, with its name; it may raise.
    """

    def __init__(self, world: World, at: Any) -> None:
        self._world, self._values, self._at = world, world.store, at

    def get(self, key: str, default: Any = None) -> Any:
        self._at("before", "reading the store")
        return json.loads(self._values[key]) if key in self._values else default

    def set(self, key: str, value: Any) -> None:
        self._at("before", "writing the store")
        self._values[key] = json.dumps(value)
        for run in self._world.service.runs:
            run.is_noted = run.is_noted or value.get("id") == run.id
        self._at("after", "writing the store")
