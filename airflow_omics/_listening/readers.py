"""The triggers that read one queue together: what any of them wants, and how far apart events are."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Final, Protocol

from airflow_omics._connection import AwsArguments
from airflow_omics._listening.events import Ended

log = logging.getLogger(__name__)


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

    @contextlib.contextmanager
    def joined_by(self, reader: Reader) -> Iterator[None]:
        """Note a reader as long as the context lasts."""
        self._now.append(reader)
        if len(self._now) == 2:
            log.warning(
                "Several triggers read the queue %s. Each message goes to one triggerer, so events are lost "
                "if these triggers are not on the same one: give each trigger a queue of its own.",
                self._queue_url,
            )
        try:
            yield
        finally:
            self._now.remove(reader)

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
