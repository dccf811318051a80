"""The calls that look into a batch: each retried by itself, and all of them within one rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_omics import _clock
from airflow_omics._identity import Target
from airflow_omics._watching.rate_limit import requests_per_second
from airflow_omics.exceptions import FaultKind, OmicsError, OmicsRequestError
from airflow_omics.hooks.retrying import Retries
from airflow_omics.records import RunRecord

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.hooks.listing import Listing

T = TypeVar("T")

PROGRESS_EVERY: Final = 10.0
"""Seconds between two log lines while a batch is looked into."""


class BatchCalls:
    """Makes the calls that look into one batch.

    :param hook: makes them.
    :param batch: the batch.
    :param log: takes a warning if a call has to be retried.
    :param until: when nothing is retried any more, in seconds of ``_clock.monotonic``.
    :raises OmicsRequestError: ``[omics] requests_per_second`` is no rate.
    """

    def __init__(self, hook: OmicsHook, batch: Target, log: Any, *, until: float = float("inf")) -> None:
        self.hook = hook
        self.batch = batch
        self.log = log
        self.until = until
        try:
            self._spacing = 1.0 / requests_per_second()
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        self._next_at = float("-inf")
        self._said_at = _clock.monotonic()
        self._began_at = self._said_at

    @property
    def is_late(self) -> bool:
        """Whether the time for these calls is up."""
        return _clock.monotonic() >= self.until

    def pages(self, listing: Listing) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a listing; a page that fails is asked for again, and not those before it.

        :raises OmicsError: a page could not be had.
        """
        while not listing.is_over:
            yield self.call(listing.next_page)

    def get_run(self, run_id: str) -> RunRecord | None:
        """Return the record of a run of the batch, or None if it is gone.

        :raises OmicsError: it could not be read.
        """
        try:
            record = self.call(lambda: self.hook.get_run(run_id), Target(run_id))
        except OmicsError as error:
            if error.kind is FaultKind.NOT_FOUND:
                return None
            raise
        # Ids are reused: the run of another batch is not ours.
        return record if record.get("batchId") in (None, self.batch.id) else None

    def call(self, call: Callable[[], T], target: Target | None = None) -> T:
        """Return what a call returns, after its turn.

        :param target: what it is about; the batch if it is not given.
        :raises OmicsError: an error was final, or lasted too long.
        """

        def in_turn() -> T:
            self.take_turn()
            return call()

        return Retries(lambda: self.hook, self.log, target=target or self.batch, until=self.until).call(
            in_turn
        )

    def say_progress(self, text: str) -> None:
        """Log what has been done so far, if nothing was said for ten seconds.

        :param text: follows the name of the batch.
        """
        now = _clock.monotonic()
        if now - self._said_at >= PROGRESS_EVERY:
            self._said_at = now
            self.log.info("%s: %s (%.0f s)", self.batch, text, now - self._began_at)

    def take_turn(self) -> None:
        """Wait until the next call may be made; ``call`` does so by itself."""
        now = _clock.monotonic()
        if now < self._next_at:
            _clock.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self._spacing
