"""What a task can be about: a run, or a batch of runs. What differs between them is said here, and once.

Every DAG file that imports a sensor pays for this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from airflow_omics.records import (
    ACTIVE_BATCH_STATUSES,
    ACTIVE_STATUSES,
    TERMINAL_BATCH_STATUSES,
    TERMINAL_STATUSES,
    describe,
    describe_batch,
)

NotFoundName = Literal["OmicsRunNotFoundError", "OmicsBatchNotFoundError"]


class Resource(NamedTuple):
    """A kind of thing in HealthOmics that a task waits for or changes.

    :param noun: how texts name one, after "HealthOmics".
    :param argument: the argument of operators and sensors that names one.
    :param arn_type: how ARNs name the kind.
    :param read: the operation that reads one, as AWS calls it.
    :param method: the same, as a method of the hook and of the async client; it takes the id.
    :param cancel: the operation that cancels one, as AWS calls it.
    :param cancel_method: the same, as a method of the hook and of the async client; it takes the id.
    :param not_found: the error for one that HealthOmics does not know.
    :param active: the statuses of one that goes on, in their order.
    :param terminal: the statuses in which one stays.
    :param describe: returns a line about one and its status, from its record.
    """

    noun: str
    argument: str
    arn_type: str
    read: str
    method: str
    cancel: str
    cancel_method: str
    not_found: NotFoundName
    active: tuple[str, ...]
    terminal: tuple[str, ...]
    describe: Callable[..., str]

    @property
    def accepted(self) -> str:
        """What the argument takes, for errors."""
        return (
            f"it takes a HealthOmics {self.noun} id ('1234567' or the int), a {self.noun} ARN "
            f"('arn:aws:omics:us-east-1:123456789012:{self.arn_type}/1234567'), or a record that holds 'id' "
            f"(the output of the task that started the {self.noun})"
        )

    def named(self, resource_id: str) -> str:
        """Return how texts name one of them."""
        return f"HealthOmics {self.noun} {resource_id}"

    def about(self, resource_id: str, text: str) -> str:
        """Return a text about one with its name before it."""
        separator = " " if text.startswith("is ") else ": "
        return f"{self.named(resource_id)}{separator}{text}"

    def sentence(self, record: Mapping[str, Any]) -> str:
        """Return the line about one with one full stop, also if AWS's own message ends in one."""
        return f"{self.describe(record).removesuffix('.')}."


RUN: Final = Resource(
    "run",
    "run_id",
    "run",
    "GetRun",
    "get_run",
    "CancelRun",
    "cancel_run",
    "OmicsRunNotFoundError",
    ACTIVE_STATUSES,
    TERMINAL_STATUSES,
    describe,
)
BATCH: Final = Resource(
    "batch",
    "batch_id",
    "runBatch",
    "GetBatch",
    "get_batch",
    "CancelRunBatch",
    "cancel_run_batch",
    "OmicsBatchNotFoundError",
    ACTIVE_BATCH_STATUSES,
    TERMINAL_BATCH_STATUSES,
    describe_batch,
)
