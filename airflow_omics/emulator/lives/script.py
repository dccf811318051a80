"""The script of a life: what happens to a run, and when, as frozen data that JSON can hold.

The library of ready-made scripts is in :mod:`airflow_omics.emulator.lives.library`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

LIFE_TAG = "airflow-omics:life"
"""The tag on StartRun whose value names the life of the run."""

VANISHED = "VANISHED"
"""Not a status of the service: from this stage on the run is not found, as under retention mode REMOVE."""
REUSED = "REUSED"
"""Not a status of the service: from this stage on the id is another run's, with ``Life.next_life``."""

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "DELETED"})
_PSEUDO = frozenset({VANISHED, REUSED})
_KNOWN = ("PENDING", "STARTING", "RUNNING", "STOPPING", *sorted(TERMINAL | _PSEUDO))


@dataclass(frozen=True)
class Stage:
    """One status and how long it lasts.

    :param status: a ``RunStatus`` (or ``TaskStatus``) of the service, a word no SDK knows, ``VANISHED``
        or ``REUSED``.
    :param seconds: service seconds until the next stage; ``None`` lasts for ever.
    """

    status: str
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be played."""
        if not isinstance(self.status, str) or not self.status:
            raise ValueError(f"a stage's status is a word such as 'RUNNING', not {self.status!r}")
        if self.status not in _KNOWN:
            # A word like none of the known ones simulates a status to come; nearly one of them is a slip.
            meant = get_close_matches(self.status.strip().upper(), _KNOWN, 1, 0.8)
            if meant:
                raise ValueError(f"status is {self.status!r}; did you mean {meant[0]!r}?")
        # Compared, and not asked whether it is finite: that fails with a whole number beyond every float.
        if self.seconds is not None and not (
            isinstance(self.seconds, int | float)
            and not isinstance(self.seconds, bool)
            and 0 <= self.seconds <= sys.float_info.max
        ):
            raise ValueError(
                f"stage {self.status}: seconds is {self.seconds!r}; give a number >= 0, or None for ever"
            )


@dataclass(frozen=True)
class Task:
    """The script of one task of a run.

    :param name: as GetRunTask shows it.
    :param at: service seconds after the run entered RUNNING at which the task is created.
    :param stages: its statuses; the last one is where it ends.
    :param cpus: requested vCPUs.
    :param memory: requested memory in GiB.
    :param gpus: requested GPUs.
    :param instance_type: the instance it runs on, such as ``omics.c.large``.
    :param cache_hit: ``True`` for a task answered by the run cache: it has no times. ``None`` leaves the
        member out.
    :param cache_s3_uri: where the cached outputs lie.
    :param failure_reason: shown once the task is FAILED.
    :param status_message: shown once the task is FAILED.
    :param image: the container image; ``{registry}`` stands for the account's own registry.
    :param log_lines: what it writes to its log stream, spread over its running time.
    """

    name: str
    at: float = 0.0
    stages: tuple[Stage, ...] = (
        Stage("PENDING", 4),
        Stage("STARTING", 120),
        Stage("RUNNING", 76),
        Stage("COMPLETED"),
    )
    cpus: int = 1
    memory: int = 1
    gpus: int = 0
    instance_type: str = "omics.c.large"
    cache_hit: bool | None = None
    cache_s3_uri: str | None = None
    failure_reason: str | None = None
    status_message: str | None = None
    image: str = "{registry}/amazonlinux:2023"
    log_lines: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Service seconds from the task's creation to its last stage."""
        return sum(stage.seconds or 0.0 for stage in self.stages[:-1])


@dataclass(frozen=True)
class Life:
    """The script of one run, from StartRun to its end and beyond.

    :param name: what the tag ``airflow-omics:life`` says.
    :param stages: its statuses in order. PENDING comes first.
    :param description: one sentence for the documentation.
    :param failure_reason: ``failureReason``, shown while the run is FAILED.
    :param status_message: ``statusMessage``, shown once the run has ended.
    :param tasks: its tasks.
    :param engine_log: lines of the engine log, spread over the running time.
    :param outputs: files written below ``runOutputUri`` on COMPLETED: relative key to text; None for one that
        the run's summary names, and that is not there. ``out/<name>/<file>`` is the workflow's output
        ``<name>``, and ``out/<name>/0/<file>`` the first of an array.
    :param cancel_seconds: service seconds in STOPPING after a CancelRun.
    :param next_life: the life of the run that takes the id over at ``REUSED``.
    :param storage_gib: ``storageCapacity`` of a DYNAMIC run once it has ended; ``None`` leaves it out.
    :param exports: whether outputs reach S3 at all (an EXPORT_FAILED run has none).
    """

    name: str
    stages: tuple[Stage, ...]
    description: str = ""
    failure_reason: str | None = None
    status_message: str | None = None
    tasks: tuple[Task, ...] = ()
    engine_log: tuple[str, ...] = ()
    outputs: Mapping[str, str | None] = field(default_factory=dict)
    cancel_seconds: float = 60.0
    next_life: str = "completed"
    storage_gib: int | None = None
    exports: bool = True

    def __post_init__(self) -> None:
        """Refuse a script that could not be played."""
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a life needs a name, not {self.name!r}")
        if not self.stages:
            raise ValueError(f"life {self.name!r} has no stages; the first is usually Stage('PENDING', 2)")
        if self.stages[0].status in _PSEUDO:
            raise ValueError(f"life {self.name!r} cannot begin with {self.stages[0].status}")
        for stage in self.stages[:-1]:
            if stage.seconds is None:
                raise ValueError(
                    f"life {self.name!r}: stage {stage.status} lasts for ever, so what follows never comes"
                )

    @property
    def outcome(self) -> str:
        """The last status the service shows for such a run."""
        return next(stage.status for stage in reversed(self.stages) if stage.status not in _PSEUDO)

    @property
    def uses_gpu(self) -> bool:
        """Whether any of its tasks asks for a GPU."""
        return any(task.gpus for task in self.tasks)

    def to_dict(self) -> dict[str, Any]:
        """Return the life as plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Life:
        """Make a life from plain JSON.

        :param value: the keys of this class; stages are ``{"status": ..., "seconds": ...}``.
        :raises ValueError: it cannot be played.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"a life is an object with 'name' and 'stages', not {value!r}")
        fields = dict(value)
        try:
            fields["stages"] = _stages(fields.get("stages", ()))
            fields["tasks"] = tuple(
                Task(**{**task, **({"stages": _stages(task["stages"])} if "stages" in task else {}),
                        "log_lines": tuple(task.get("log_lines", ()))})
                for task in fields.get("tasks", ())
            )  # fmt: skip
            fields["engine_log"] = tuple(fields.get("engine_log", ()))
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"life {fields.get('name')!r} cannot be read: {error}") from None


def _stages(values: Any) -> tuple[Stage, ...]:
    return tuple(value if isinstance(value, Stage) else Stage(**value) for value in values)
