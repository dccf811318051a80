"""What a history has come to: the world of one task between two of its tries."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True)
class Breach:
    """A promise that a history did not hold.

    :param what: which promise: a key of ``broken.PROMISES``.
    :param run: the number of the run that it is about.
    :param facts: what else was so, for ``broken``.
    """

    what: str
    run: int
    facts: tuple[str, ...] = ()


@dataclass
class World:
    """Everything that outlives a try, and what was meant so far.

    :param lasting: answers to the questions of ``LASTING`` that were asked.
    :param store: the task state store's values; unused if there is none.
    :param wish: counts what a person asked for: the task itself, and each clear that means a new run.
    :param is_given_up: whether a person has ended the task.
    :param facts: what has happened to the task that no later try can find out.
    """

    lasting: dict[str, str] = field(default_factory=dict)
    service: Service = field(default_factory=Service)
    store: dict[str, str] = field(default_factory=dict)
    try_number: int = 0
    max_tries: int = RETRIES
    wish: int = 1
    is_given_up: bool = False
    facts: frozenset[str] = frozenset()
    breaches: frozenset[Breach] = frozenset()
    accidents: int = 0

    def copy(self) -> World:
        made = copy.copy(self)
        made.lasting, made.service, made.store = dict(self.lasting), self.service.copy(), dict(self.store)
        return made

    def key(self) -> str:
        """Return what is equal for two worlds that go on alike.

        Times are not in it: each try begins at a time of its own, and nothing of the package compares the times of
        two runs of a task but by their order.
        """
        runs = [
            (r.members["name"], r.members["tags"], r.wish, r.status, r.is_gone, r.is_answered, r.is_cancelled)
            + (r.is_named, r.is_returned)
            for r in self.service.runs
        ]
        rest = (
            sorted(self.lasting.items()),
            self.service.tokens,
            self.store,
            (self.try_number, self.max_tries, self.wish, self.is_given_up, self.accidents),
            sorted(self.facts),
            sorted(map(repr, self.breaches)),
        )
        return json.dumps((runs, rest), sort_keys=True)

    def is_so(self, question: str) -> str:
        """Return the answer to one of ``LASTING``'s questions, or an empty text if it was never asked."""
        return self.lasting.get(question, "")

    def note(self, what: str, run: Run, *facts: str) -> None:
        """Note that a promise was broken."""
        self.breaches |= {Breach(what, run.number, (*sorted(self.facts), *facts))}

    def learn(self, fact: str) -> None:
        self.facts |= {fact}

    @property
    def unasked(self) -> int:
        """How many histories this one stands for, which differ in what it never asked."""
        number = 1
        for question, answers in LASTING.items():
            if question not in self.lasting:
                number *= len(answers)
        return number


class StateStore:
    """Airflow 3.3's task state store.

    :param values: what it holds.
    :param at: is called before and after each access, with its name; it may raise.
    """

    def __init__(self, values: dict[str, str], at: Any) -> None:
        self._values, self._at = values, at

    def get(self, key: str, default: Any = None) -> Any:
        self._at("before", "reading the store")
        return json.loads(self._values[key]) if key in self._values else default

    def set(self, key: str, value: Any) -> None:
        self._at("before", "writing the store")
        self._values[key] = json.dumps(value)
        self._at("after", "writing the store")
