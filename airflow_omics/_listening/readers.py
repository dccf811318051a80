"""The triggers that read one queue together: what any of them wants, and how far apart events are."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Final, Protocol

from airflow_omics import _clock
from airflow_omics._connection import AwsArguments
from airflow_omics._listening.events import Ended

log = logging.getLogger(__name__)

_REPLACING: Final = 60.0  # seconds for which a trigger and that of an edited DAG file may both be there


class Reader(Protocol):
    """A trigger that reads a queue."""

    spacing: float

    def wants(self, ended: Ended) -> bool:
        """Return whether it fires for that."""

    def aws_arguments(self) -> AwsArguments:
        """Return how it reaches the queue."""


class Readers:
    """Those that read a queue now.

    Airflow makes one stream for a group of triggers, from the arguments of the first, and says nothing of the
    others. So each of them is noted here as long as it reads.

    :param queue_url: the queue.
    :param first: the one whose arguments count while nobody reads.
    """

    def __init__(self, queue_url: str, first: Reader) -> None:
        self._queue_url = queue_url
        self._first = first
        self._now: list[Reader] = []
        self._turn = 0
        self._joined_at = 0.0
        self._warned = False

    @contextlib.contextmanager
    def joined_by(self, reader: Reader) -> Iterator[None]:
        """Note a reader as long as the context lasts."""
        self._now.append(reader)
        self._joined_at = _clock.monotonic()
        try:
            yield
        finally:
            self._now.remove(reader)

    def warn_of_several(self) -> None:
        """Warn once if several read the queue, and not only while one replaces another."""
        if len(self._now) < 2 or self._warned or _clock.monotonic() - self._joined_at < _REPLACING:
            return
        self._warned = True
        log.warning(
            "%d triggers read the queue %s. A message goes to one of them, or to those on one triggerer, so "
            "events may be lost: give each trigger a queue of its own.",
            len(self._now),
            self._queue_url,
        )

    def __bool__(self) -> bool:
        """Return whether anybody reads."""
        return bool(self._now)

    @property
    def spacing(self) -> float:
        """The least seconds between two batches, so that each reader has at least its own."""
        return max(reader.spacing for reader in self._now or [self._first])

    def want(self, ended: Ended) -> bool:
        """Return whether any of them fires for that. If nobody reads, it is kept for whoever comes."""
        return not self._now or any(reader.wants(ended) for reader in self._now)

    def arguments(self) -> AwsArguments:
        """Return how the queue is reached: as each of them says, in turn."""
        readers = self._now or [self._first]
        self._turn += 1
        return readers[(self._turn - 1) % len(readers)].aws_arguments()


_READERS: Final[dict[str, Readers]] = {}


def readers_of(queue_url: str, first: Reader) -> Readers:
    """Return those that read a queue in this process."""
    found = _READERS.setdefault(queue_url, Readers(queue_url, first))
    if not found:
        found._first = first
    return found
