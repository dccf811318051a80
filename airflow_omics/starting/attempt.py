"""Which run belongs to which attempt of a task: the token, the name and the tags that tell it again.

A task that is retried, cleared or mapped asks for a run several times. StartRun's ``requestId`` makes a
repeated request harmless, and the name and tags let a later attempt find the run from the AWS side:
https://docs.aws.amazon.com/omics/latest/dev/starting-a-run.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from airflow_omics.starting.request import LONGEST_NAME, MOST_TAGS

TOKEN_TAG: Final = "airflow-omics:token"
_PREFIX: Final = "airflow"
_SUFFIX_DIGITS: Final = 12


@dataclass(frozen=True)
class TaskKey:
    """One task of one DAG run.

    :param deployment: which Airflow this is, where several share an AWS account.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    deployment: str = ""

    def serialize(self) -> dict[str, Any]:
        """Return the key as plain JSON, by the names of the constructor."""
        return dict(vars(self))


@dataclass(frozen=True)
class Attempt:
    """One run that a task means to have.

    :param task: the task.
    :param epoch: goes up when the task is cleared; None where clearing is no reason for a new run.
    :param generation: goes up after a run of this task ended badly.
    """

    task: TaskKey
    epoch: int | None = 0
    generation: int = 0

    @property
    def token(self) -> str:
        """StartRun's ``requestId``: 32 hexadecimal digits, the same wherever and whenever it is made."""
        parts = [*vars(self.task).values(), self.epoch, self.generation]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def next_generation(self) -> Attempt:
        """Return the attempt after one whose run ended badly."""
        return replace(self, generation=self.generation + 1)

    def run_name(self, given: str | None, with_suffix: bool = True) -> str:
        """Return the run's name.

        :param given: the name that the DAG gives; None makes one of dag and task.
        :param with_suffix: whether a given name gets the token's digits, by which it is found quickly.
        :raises ValueError: when the name is too long.
        """
        suffix = f"-{self.token[:_SUFFIX_DIGITS]}"
        longest = LONGEST_NAME - len(suffix)
        if given is None:
            index = f"[{self.task.map_index}]" if self.task.map_index >= 0 else ""
            made = f"{self.task.dag_id}.{self.task.task_id}"
            return f"{made[: longest - len(index)]}{index}{suffix}"
        if not with_suffix:
            longest, suffix = LONGEST_NAME, ""
        if len(given) > longest:
            why = (
                " (the last 13 are for the token's digits; name_suffix=False leaves them out)"
                if suffix
                else ""
            )
            raise ValueError(f"name has {len(given)} characters; it takes at most {longest}{why}.")
        return f"{given}{suffix}"

    def tags(self, given: Mapping[str, str], try_number: int) -> dict[str, str]:
        """Return the run's tags: those given, and those by which its task is found from the AWS side.

        :raises ValueError: when a given tag is one of ours, or there are too many.
        """
        ours = {
            TOKEN_TAG: self.token,
            f"{_PREFIX}:dag_id": self.task.dag_id,
            f"{_PREFIX}:run_id": self.task.run_id,
            f"{_PREFIX}:task_id": self.task.task_id,
            f"{_PREFIX}:map_index": str(self.task.map_index),
            f"{_PREFIX}:try_number": str(try_number),
        }
        if self.task.deployment:
            ours[f"{_PREFIX}:deployment"] = self.task.deployment
        if both := sorted(set(ours) & set(given)):
            raise ValueError(f"tags holds {', '.join(both)}, which the operator sets itself; leave it out.")
        if len(given) + len(ours) > MOST_TAGS:
            raise ValueError(
                f"tags holds {len(given)} tags; with the operator's own {len(ours)} a run takes {MOST_TAGS}."
            )
        return {**given, **{key: _tag_value(value) for key, value in ours.items()}}


def is_run_of(attempt: Attempt, record: Mapping[str, Any]) -> bool:
    """Return whether a run's tags say that it was started for this attempt."""
    tags = record.get("tags")
    return isinstance(tags, Mapping) and tags.get(TOKEN_TAG) == attempt.token


def epoch_of(max_tries: int, retries: int, memory: Mapping[str, Any] | None) -> int:
    """Return the clear-epoch: 0 until the task is cleared, and another number after each clear.

    Clearing sets a task instance's ``max_tries`` to its try number plus ``retries``, on every Airflow,
    and nothing else moves it, so the difference tells; but only while ``retries`` is what it was.

    :param max_tries: of the task instance.
    :param retries: of the task, as the DAG has it now.
    :param memory: what an earlier attempt wrote down: ``max_tries`` and ``epoch``. While ``max_tries`` has
        not moved, the epoch has not.
    """
    epoch = max(0, max_tries - retries)
    if not memory or not isinstance(memory.get("epoch"), int):
        return epoch
    before = int(memory["epoch"])
    return before if memory.get("max_tries") == max_tries else max(epoch, before + 1)


def _tag_value(text: str) -> str:
    """Return the text as a tag's value may be: 256 characters, and no others than AWS takes."""
    return re.sub(r"[^\w\s.:/=+\-@]", "_", text)[:256]
