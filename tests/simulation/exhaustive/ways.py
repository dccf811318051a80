"""The ways that something can go: every question that comes up is answered in every way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Ways:
    """One way through the questions.

    :param given: the answers that are fixed; any other question gets its first answer.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given or {}
        self.taken: dict[str, str] = {}
        """The answers so far, in the order of the questions."""
        self.turnings: list[tuple[dict[str, str], str, tuple[str, ...]]] = []
        """The questions that were not fixed: the answers before each, its name, and the answers not given."""

    def __call__(self, question: str, answers: tuple[str, ...]) -> str:
        """Return the answer to a question; a question that comes again has the same answer."""
        if question in self.taken:
            return self.taken[question]
        answer = self._given.get(question)
        if answer is None:
            answer = answers[0]
            self.turnings.append((dict(self.taken), question, answers[1:]))
        assert answer in answers, f"{answer!r} is no answer to {question!r}: {answers}"
        self.taken[question] = answer
        return answer


def all_ways(go: Callable[[Ways], T], given: Mapping[str, str] | None = None) -> Iterator[tuple[Ways, T]]:
    """Yield every way and what came of it. A question that is never asked makes no other way."""
    open_ways: list[Mapping[str, str]] = [given or {}]
    while open_ways:
        ways = Ways(open_ways.pop())
        result = go(ways)
        for before, question, others in ways.turnings:
            open_ways += [{**ways._given, **before, question: other} for other in others]
        yield ways, result
