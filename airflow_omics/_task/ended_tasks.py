"""The tasks of a run that has ended: as the diagnosis has listed them, or by one request for a hundred."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics import _clock
from airflow_omics._monitoring.task_table import TaskTable
from airflow_omics.diagnosis.bounded import may_read_connections, result_within
from airflow_omics.diagnosis.model import Listed
from airflow_omics.records import ACTIVE_STATUSES

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

log = logging.getLogger(__name__)

MOST_PAGES: Final = 10
"""Pages that are listed, of 100 tasks each."""

SECONDS: Final = 5.0
"""Seconds that listing takes at most: the task's own result waits for it."""


def has_tasks(record: Mapping[str, Any], *, is_explained: bool) -> bool:
    """Return whether a run has ended, and may have tasks that somebody still knows.

    :param is_explained: whether a diagnosis has listed some; of a run that was deleted, from its manifest.
    """
    status = record.get("status")
    never_ran = "creationTime" in record and "startTime" not in record
    has_ended = status is not None and status not in ACTIVE_STATUSES
    return has_ended and (is_explained or (status != "DELETED" and not never_ran))


def ended_tasks(
    record: Mapping[str, Any],
    make_hook: Callable[[], OmicsHook],
    known: Mapping[str, Listed] | None,
    *,
    seen: float,
) -> TaskTable | None:
    """Return the tasks of a run that has ended; None if a diagnosis has tried in vain to list them.

    :param make_hook: returns what reaches the run.
    :param known: the tasks that a diagnosis has listed, by status; None if there was no diagnosis.
    :param seen: when they were read, in seconds since the epoch, in the service's clock.
    :raises Exception: not one page could be had.
    """
    run_id = str(record["id"])
    if known is not None and not known:
        return None
    if known and "FAILED" in known:
        parts = [*known.values(), *_missing(run_id, make_hook, known)]
    else:
        parts = [_listed(run_id, make_hook)]
    items = itertools.chain.from_iterable(part.items for part in parts)
    return TaskTable.of(items, seen, more=any(part.more for part in parts))


def _missing(
    run_id: str, make_hook: Callable[[], OmicsHook], known: Mapping[str, Listed]
) -> Iterator[Listed]:
    """Yield what a diagnosis of a failed run has not listed."""
    if "COMPLETED" not in known:
        yield Listed((), more=True)  # it could not
    if "CANCELLED" not in known:  # those that went on when another failed
        try:
            yield _listed(run_id, make_hook, "CANCELLED")
        except Exception:
            log.debug("The cancelled tasks of run %s could not be listed", run_id, exc_info=True)
            yield Listed((), more=True)


def _listed(run_id: str, make_hook: Callable[[], OmicsHook], status: str | None = None) -> Listed:
    """Return as many tasks of a run as can be had in time."""
    hook = make_hook()
    if not may_read_connections():
        hook.conn_config  # noqa: B018
    items: list[dict[str, Any]] = []
    until = _clock.monotonic() + SECONDS

    def list_pages() -> bool:
        listing = hook.list_run_tasks(run_id, status=status)
        for _ in range(MOST_PAGES):
            items.extend(listing.next_page())
            if listing.is_over or _clock.monotonic() >= until:
                break
        return listing.is_over

    try:
        is_over = result_within(SECONDS, list_pages, f"omics-tasks-{run_id}")
    except Exception:
        if not items:
            raise
        is_over = False
    return Listed(tuple(items), more=not is_over)
