"""Which run or batch belongs to which attempt of a task: the token, the name and the tags that say so.

A task that is retried, cleared or mapped asks for a run several times. StartRun's ``requestId`` makes a
repeated request harmless. The name is the same for every run of a task instance, so that one ListRuns shows
them all, and the tags say which is which. Likewise for a batch, StartRunBatch and ListBatch:
https://docs.aws.amazon.com/omics/latest/dev/starting-a-run.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from airflow_omics._task.task_key import TAG_PREFIX, TaskKey, full_digest
from airflow_omics._task.values import LONGEST_NAME, MOST_TAGS

TOKEN_TAG: Final = "airflow-omics:token"
REQUEST_TAG: Final = "airflow-omics:request"
"""The tag with a digest of StartRun's request, so that a run of a different request is noticed."""
ETAG_TAG: Final = "airflow-omics:settings-etag"
"""The tag of a batch with the ETag of the file in S3 that holds the settings of its runs."""

_MOST_GENERATIONS: Final = 1000


@dataclass(frozen=True)
class Attempt:
    """One run or batch that a task is meant to have.

    :param task: the task.
    :param epoch: another number after each clear, see :func:`epoch_of`; None if a clear must not lead to a
        new run.
    :param generation: goes up after a run of this task ended badly.
    """

    task: TaskKey
    epoch: int | None = 0
    generation: int = 0

    @property
    def token(self) -> str:
        """The ``requestId``: 32 hexadecimal digits, the same wherever and whenever it is made."""
        return full_digest([*vars(self.task).values(), self.epoch, self.generation])[:32]

    def next_generation(self) -> Attempt:
        """Return the attempt after one whose run ended badly."""
        return self.with_generation(self.generation + 1)

    def in_epoch(self, epoch: int | None) -> Attempt:
        """Return the attempt with another epoch."""
        return replace(self, epoch=epoch)

    def with_generation(self, generation: int) -> Attempt:
        """Return the attempt with another generation."""
        return replace(self, generation=generation)

    def run_name(self, given: str | None, with_suffix: bool = True, longest: int = LONGEST_NAME) -> str:
        """Return the name of the run or batch.

        :param given: the name that the DAG gives; None makes one of dag and task.
        :param with_suffix: whether a given name gets the digits of the task, by which its runs are found
            quickly.
        :param longest: characters that it may have.
        :raises ValueError: the name is too long.
        """
        suffix = f"-{self.task.digest}"
        most, longest = longest, longest - len(suffix)
        if given is None:
            index = f"[{self.task.map_index}]" if self.task.map_index >= 0 else ""
            made = f"{self.task.dag_id}.{self.task.task_id}"
            return f"{made[: longest - len(index)]}{index}{suffix}"
        if not with_suffix:
            longest, suffix = most, ""
        if len(given) > longest:
            why = " (the last 13 are for the digits of the task)" if suffix else ""
            if suffix and most == LONGEST_NAME:
                why = " (the last 13 are for the digits of the task; name_suffix=False leaves them out)"
            raise ValueError(f"name has {len(given)} characters; it takes at most {longest}{why}.")
        return f"{given}{suffix}"

    def tags(
        self,
        given: Mapping[str, str],
        try_number: int,
        request_digest: str,
        noun: str = "run",
        also: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the tags: those given, and those by which the run or batch is found and recognised.

        :param request_digest: a digest of the request.
        :param noun: what gets the tags, for errors.
        :param also: other tags of the operator's own.
        :raises ValueError: a given tag is one of ours, or there are too many.
        """
        ours = {
            TOKEN_TAG: self.token,
            REQUEST_TAG: request_digest,
            **self.task.tags(),
            f"{TAG_PREFIX}:try_number": str(try_number),
            **(also or {}),
        }
        if both := sorted(set(ours) & set(given)):
            raise ValueError(f"tags holds {', '.join(both)}, which the operator sets itself; leave it out.")
        if len(given) + len(ours) > MOST_TAGS:
            raise ValueError(
                f"tags holds {len(given)} tags; with the operator's own {len(ours)} "
                f"a {noun} takes {MOST_TAGS}."
            )
        return {**given, **ours}

    def of_run(self, record: Mapping[str, Any]) -> Attempt | None:
        """Return the attempt of this task and epoch for which a run was started, by its tags, or None."""
        token = _tags_of(record).get(TOKEN_TAG)
        if token is None:
            return None
        generations = (self.with_generation(number) for number in range(_MOST_GENERATIONS))
        return next((attempt for attempt in generations if attempt.token == token), None)


def is_run_of(attempt: Attempt, record: Mapping[str, Any]) -> bool:
    """Return whether a run's tags say that it was started for this attempt."""
    return _tags_of(record).get(TOKEN_TAG) == attempt.token


def is_run_of_task(task: TaskKey, record: Mapping[str, Any]) -> bool:
    """Return whether a run's tags say that it was started for this task, in any attempt."""
    tags = _tags_of(record)
    wanted = {f"{TAG_PREFIX}:deployment": None, **task.tags()}
    return TOKEN_TAG in tags and all(tags.get(key) == value for key, value in wanted.items())


def digest_of(request: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that differ if two requests differ."""
    return full_digest(request)[:16]


def epoch_of(max_tries: int, memory: Mapping[str, Any] | None) -> int:
    """Return the clear-epoch: a number that stays while a task is retried, and changes when it is cleared.

    It is the task instance's ``max_tries``. From Airflow 2.11 to 3.3 that is set when the task instance is
    made, and again by each clear, to its try number plus ``retries``. Nothing else changes it, so editing
    ``retries`` in between does no harm.

    :param max_tries: of the task instance.
    :param memory: what an earlier attempt wrote down: ``max_tries`` and ``epoch``. As long as ``max_tries``
        is the same, so is the epoch; once it has changed, the epoch is one that was never used before.
    """
    if not memory or not isinstance(memory.get("epoch"), int):
        return max_tries
    before = int(memory["epoch"])
    return before if memory.get("max_tries") == max_tries else max(max_tries, before + 1)


def _tags_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    tags = record.get("tags")
    return tags if isinstance(tags, Mapping) else {}
