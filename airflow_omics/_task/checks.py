"""Checks of arguments while a DAG file is parsed: one that cannot be right is refused in one sentence.

Every DAG file that names a sensor or an operator imports this module.
"""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from airflow_omics._outcome import Tolerance
from airflow_omics._resource import BATCH, RUN, Resource
from airflow_omics._task.fields import holds_reference

log = logging.getLogger(__name__)

LONGEST: Final = 100 * 365.25 * 24 * 3600.0
"""Seconds that a span of time may take; Python's dates cannot hold a deadline much later."""

WITHOUT_LOGS: Final = "without logs"
"""What ``diagnose`` takes besides True and False."""


def check_names(name: str, values: Any, example: str) -> tuple[str, ...] | None:
    """Return a collection of names as a tuple, None as None, or raise ValueError.

    :param name: the argument's name, for the error.
    :param example: a good value, for the error.
    """
    if values is None:
        return None
    if (
        isinstance(values, str | bytes | Mapping)
        or not isinstance(values, Collection)
        or not all(isinstance(value, str) for value in values)
    ):
        raise ValueError(f"{name} is {values!r}; it takes a collection of names, such as {example}.")
    for given in values:
        if not is_known_now(given):
            raise ValueError(f"{name} holds {given!r}, a template; {name} is not templated.")
    return tuple(values)


def check_fields(name: str, values: Any, example: str) -> tuple[str, ...] | None:
    """Return names of a record's members as :func:`check_names` does; refuse a name that can't be a member's.

    Any other unknown name may be a member that AWS adds later.
    """
    names = check_names(name, values, example)
    for given in names or ():
        first, *others = given.strip("_").split("_")
        if "_" in given:
            member = first + "".join(part[:1].upper() + part[1:] for part in others)
            raise ValueError(
                f"{name} holds {given!r}, and no member's name has an underscore; did you mean {member!r}?"
            )
    return names


def check_switch(name: str, value: Any) -> bool:
    """Return ``value``, or raise ValueError unless it is True or False: any text would count as True."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; it takes True or False.")
    return value


def check_diagnose(value: Any) -> bool | str:
    """Return ``value``, or raise ValueError unless it is True, False or ``"without logs"``."""
    if not isinstance(value, bool) and value != WITHOUT_LOGS:
        raise ValueError(f"diagnose is {value!r}; it takes True, False or {WITHOUT_LOGS!r}.")
    return value  # type: ignore[no-any-return]


def check_statuses(name: str, statuses: Any, resource: Resource = RUN) -> tuple[str, ...]:
    """Return ``statuses`` as a tuple, or raise a ValueError that says what the argument takes.

    :param name: the argument's name, for the error.
    :param resource: what has these statuses.
    """
    noun, wanted = resource.noun, resource.terminal[0]
    if isinstance(statuses, str) or not isinstance(statuses, Collection):
        raise ValueError(
            f"{name} is {statuses!r}; it takes a collection of terminal {noun} statuses, such as "
            f"({wanted!r},)."
        )
    for status in statuses:
        if status in resource.active:
            raise ValueError(
                f"{name} holds {status!r}, a status that a {noun} leaves again; it takes statuses in which a "
                f"{noun} stays: {', '.join(resource.terminal)}."
            )
        if not isinstance(status, str) or status != status.upper() or not status:
            raise ValueError(f"{name} holds {status!r}; statuses are upper-case text, such as {wanted!r}.")
        if (meant := _meant_status(status, resource)) != status:
            raise ValueError(f"{name} holds {status!r}; did you mean {meant!r}?")
    return tuple(statuses)


def _meant_status(status: str, resource: Resource) -> str:
    """Return the status that is meant; one that is like no known status may be one that AWS adds later."""
    known, stripped = (*resource.terminal, *resource.active), status.strip()
    if stripped in known:
        return stripped
    if stripped == _GOOD[resource.noun][0]:
        return _GOOD[resource.noun][1]
    import difflib  # every DAG file that waits for a run pays for this module

    near = difflib.get_close_matches(stripped, known, n=1, cutoff=0.85)
    return near[0] if near else stripped


# A run that has ended well is COMPLETED, and a batch is PROCESSED: for each, the other's and its own.
_GOOD: Final = {one.noun: (other.terminal[0], one.terminal[0]) for one, other in ((RUN, BATCH), (BATCH, RUN))}


def check_tolerance(max_failures: Any, max_failure_ratio: Any) -> Tolerance:
    """Return how many runs of a batch may end badly, or raise a ValueError that says what is taken.

    :param max_failures: a number of runs.
    :param max_failure_ratio: a share of all runs, or None.
    """
    if not isinstance(max_failures, int) or isinstance(max_failures, bool) or max_failures < 0:
        raise ValueError(
            f"max_failures is {max_failures!r}; it takes a number of runs, 0 or more, as an int."
        )
    ratio = max_failure_ratio
    if ratio is not None and (
        not isinstance(ratio, int | float) or isinstance(ratio, bool) or not 0 <= ratio <= 1
    ):
        raise ValueError(
            f"max_failure_ratio is {ratio!r}; it takes a share of the batch's runs from 0 to 1, such as "
            "0.05, or None."
        )
    return Tolerance(max_failures, ratio)


def check_seconds(name: str, value: Any, *, required: bool = False) -> None:
    """Raise ValueError unless ``value`` is a span of time, as Airflow's sensors take it.

    Airflow's own check does not say what was given, and accepts a negative timedelta and infinity.

    :param required: whether None is refused as well.
    """
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if seconds is None and not required:
        return
    a_number = "a number"
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        if 0 <= seconds <= LONGEST:
            return
        if isinstance(seconds, float) and not math.isfinite(seconds):
            a_number = "a finite number"
        elif seconds > LONGEST:
            raise ValueError(f"{name} is {value!r}; it takes at most {LONGEST:.0f} seconds, 100 years.")
    raise ValueError(f"{name} is {value!r}; it takes seconds, zero or more, as {a_number} or a timedelta.")


def check_spans(value_of: Callable[[str], Any]) -> None:
    """Raise ValueError unless the spans of time that every sensor takes are some.

    :param value_of: returns the value of an argument, None if it is not given.
    """
    for name in ("poke_interval", "timeout", "max_wait"):
        check_seconds(name, value_of(name))


def warn_of_short_interval(seconds: float, operation: str = "GetRun") -> None:
    """Log one warning if a worker is to look more often than once a second.

    :param operation: what is called for each look.
    """
    if seconds < 1.0:
        log.warning(
            "poke_interval is %g s: %s is called that often, out of a quota of 10 calls a second that "
            "the whole account shares by default; give 30 or more, since runs take at least ten minutes.",
            seconds,
            operation,
        )


def to_seconds(value: float | datetime.timedelta | None) -> float | None:
    """Return a span of time that :func:`check_seconds` accepted, in seconds."""
    return value.total_seconds() if isinstance(value, datetime.timedelta) else value


def check_limits(value_of: Callable[[str], Any]) -> None:
    """Raise ValueError unless the spans of time that only a wait for a run takes are some, or None.

    :param value_of: returns the value of an argument.
    """
    for name in _LIMITS:
        check_seconds(name, value_of(name))


def limits_of(task: Any) -> dict[str, Any]:
    """Return those spans in seconds, by the names that the wait and the trigger have for them.

    :param task: the sensor or operator.
    """
    return {name: to_seconds(getattr(task, name)) for name in _LIMITS}


_LIMITS: Final = ("start_timeout", "stuck_after")


def is_known_now(value: Any) -> bool:
    """Return False for a template and for an upstream task's output, which have no value at parse time."""
    if isinstance(value, Mapping):
        return all(is_known_now(item) for item in value.values())
    if isinstance(value, list | tuple | set):
        return all(is_known_now(item) for item in value)
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    return not holds_reference(value)


def check_retry_by_class(value: Any) -> None:
    """Raise ValueError unless ``value`` is a dict of True or False by class of failure, or None."""
    if value is None:
        return
    from airflow_omics.failures import ENDINGS, FAILURES

    classes = sorted({row.failure_class for row in (*FAILURES.values(), *ENDINGS.values())})
    if (
        not isinstance(value, Mapping)
        or not all(isinstance(retry, bool) for retry in value.values())
        or not set(value) <= set(classes)
    ):
        raise ValueError(
            f"retry_by_class is {value!r}; it takes a dict of True or False by class of failure: "
            f"{', '.join(map(repr, classes))}."
        )


def check_one_of(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of those accepted.

    :raises ValueError: it is none of them.
    """
    if value not in accepted:
        raise ValueError(f"{name} is {value!r}; it takes {' or '.join(map(repr, accepted))}.")
    return str(value)


def check_count(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number, 0 or more.

    :raises ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}; it takes a whole number, 0 or more.")
    return value
