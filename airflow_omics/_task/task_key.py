"""Which of Airflow's task instances a run belongs to, and how that is written on the AWS side."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

TAG_PREFIX: Final = "airflow"
_DIGITS: Final = 12  # of the task's digest, in the name of its runs


@dataclass(frozen=True)
class TaskKey:
    """One task of one DAG run.

    :param deployment: which Airflow this is, if several share an AWS account.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    deployment: str = ""

    def serialize(self) -> dict[str, Any]:
        """Return the key as plain JSON, by the names of the constructor."""
        return dict(vars(self))

    @property
    def digest(self) -> str:
        """12 hexadecimal digits, in the name of each run of this task, whatever the epoch and generation."""
        return full_digest([*vars(self).values()])[:_DIGITS]

    def tags(self) -> dict[str, str]:
        """Return the tags by which a run's task is found from the AWS side."""
        tags = {
            f"{TAG_PREFIX}:dag_id": self.dag_id,
            f"{TAG_PREFIX}:run_id": self.run_id,
            f"{TAG_PREFIX}:task_id": self.task_id,
            f"{TAG_PREFIX}:map_index": str(self.map_index),
        }
        if self.deployment:
            tags[f"{TAG_PREFIX}:deployment"] = self.deployment
        return {key: _tag_value(value) for key, value in tags.items()}


def full_digest(value: Any) -> str:
    """Return 64 hexadecimal digits that differ if two values of plain JSON differ."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _tag_value(text: str) -> str:
    """Return the text as a valid tag value: at most 256 characters, and only those that AWS takes."""
    return re.sub(r"[^\w\s.:/=+\-@]", "_", text)[:256]
