"""What a task may start, a run or a batch of runs: by which operations, and how it is found again."""

from __future__ import annotations

from typing import Final, NamedTuple

from airflow_omics._resource import BATCH, RUN, Resource


class Kind(NamedTuple):
    """A kind of thing that a task starts once.

    :param resource: what it is.
    :param start: the operation that starts one, as AWS calls it.
    :param start_method: the same, as a method of the hook; it takes the request.
    :param list: the operation that lists them, as AWS calls it.
    :param list_method: the same, as a method of the hook; it takes ``name``.
    :param made: the member of a listed item that says when it was made.
    :param longest_name: characters that a name has at most.
    """

    resource: Resource
    start: str
    start_method: str
    list: str
    list_method: str
    made: str
    longest_name: int


RUNS: Final = Kind(RUN, "StartRun", "start_run", "ListRuns", "list_runs", "creationTime", 128)
BATCHES: Final = Kind(BATCH, "StartRunBatch", "start_run_batch", "ListBatch", "list_batches", "createdAt", 64)
