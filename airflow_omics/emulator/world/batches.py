"""How batches of runs behave where a test decides: the rules of ``Emulator.batches``."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from airflow_omics.emulator.wire.exceptions import STATUS_OF
from airflow_omics.emulator.world.numbers import is_number

TRANSIENT = "There was a transient error in the service. Retry the batch."
"""The documented ``failureReason`` of a batch that failed through no fault of its own."""
MOST_STARTS_A_SECOND = 1_000_000
_LONGEST_SECONDS = 1_000_000_000
REASONS = tuple(
    sorted(set(STATUS_OF) - {"ExpiredTokenException", "UnrecognizedClientException"}),
)
"""What ``submissionFailureReason`` can be."""
_MESSAGES = {
    "AccessDeniedException": "The role is not authorized to perform: omics:StartRun",
    "ConflictException": "The request conflicts with the state of the resource.",
    "InternalServerException": "An unexpected error occurred. Try again.",
    "RequestTimeoutException": "The request timed out.",
    "ResourceNotFoundException": "The resource was not found.",
    "ServiceQuotaExceededException": "The request exceeds a service quota.",
    "ThrottlingException": "Rate exceeded",
    "ValidationException": "The input fails to satisfy the constraints of the service.",
}


@dataclass(frozen=True)
class BatchRules:
    """The rules that batches follow; docs/use/emulator.md says what each does.

    The first group is taken over by a batch when it is started. The others hold for all batches at once.
    """

    creating_seconds: float = 5.0
    pending_seconds: float = 30.0
    deleting_seconds: float = 30.0
    starts_per_second: float = 1.0
    fail: Mapping[str, Any] = field(default_factory=dict)
    fail_share: Mapping[str, float] = field(default_factory=dict)
    fails_after: int | None = None
    failure_reason: str = TRANSIENT

    retry: str = "new"
    cancel_failures: Any = 0.0
    delete_failures: Any = 0.0
    refusal: str = "conflict"
    counts_lag: float = 0.0
    counts_step_back: bool = False
    run_summary: bool = True
    untried: str = "absent"
    page: int = 100
    list_runs: str = "both"

    def changed(self, options: Mapping[str, Any]) -> BatchRules:
        """Return the rules with some of them changed.

        :raises ValueError: there is no such rule, or its value is none that it takes.
        """
        known = [each.name for each in dataclasses.fields(self)]
        for name, value in options.items():
            if name not in known:
                meant = get_close_matches(name, known, 1)
                hint = f"did you mean {meant[0]!r}?" if meant else f"there are {', '.join(known)}"
                raise ValueError(f"batches have no rule {name!r}; {hint}")
            _CHECKS[name](name, value)
        return dataclasses.replace(self, **options)


def failure_of(reason: Any) -> tuple[str, str]:
    """Return reason and message of a member that cannot be submitted.

    :param reason: a reason, or a reason and a message.
    """
    if isinstance(reason, str):
        return reason, _MESSAGES[reason]
    code, message = reason
    return str(code), str(message)


def chosen(which: Any, setting_id: str, chance: random.Random) -> bool:
    """Return whether a rule strikes a member.

    :param which: a share of all members, or the ids of some.
    """
    if is_number(which):
        return which > 0 and chance.random() < which
    return setting_id in which


def _seconds(name: str, value: Any) -> None:
    if not (is_number(value) and 0 <= value <= _LONGEST_SECONDS):
        raise ValueError(f"{name} is {value!r}; give a number of seconds from 0 to {_LONGEST_SECONDS}")


def _rate(name: str, value: Any) -> None:
    if not (is_number(value) and 0.001 <= value <= MOST_STARTS_A_SECOND):
        raise ValueError(f"{name} is {value!r}; give a number from 0.001 to {MOST_STARTS_A_SECOND}")


def _reasons(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {value!r}; give a mapping such as {{'sample-7': 'ThrottlingException'}}")
    for setting_id, reason in value.items():
        code = reason if isinstance(reason, str) else None
        if isinstance(reason, list | tuple) and len(reason) == 2 and all(isinstance(r, str) for r in reason):
            code = reason[0]
        if code not in REASONS:
            raise ValueError(
                f"{name} has {reason!r} for {setting_id!r}; give one of {', '.join(REASONS)}, "
                "or one of them and a message"
            )


def _shares(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {value!r}; give a mapping such as {{'ThrottlingException': 0.05}}")
    for reason, share in value.items():
        if reason not in REASONS:
            raise ValueError(f"{name} has the reason {reason!r}; give {', '.join(REASONS)}")
        if not _is_share(share):
            raise ValueError(f"{name} has {share!r} for {reason}; give a share of the members from 0 to 1")
    if sum(value.values()) > 1:
        raise ValueError(f"{name} adds up to {sum(value.values()):g}; all shares together are at most 1")


def _is_share(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def _which(name: str, value: Any) -> None:
    if _is_share(value):
        return
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return
    raise ValueError(f"{name} is {value!r}; give a share of the members from 0 to 1, or a list of their ids")


def _number(least: int, most: float, what: str, *, none: bool = False) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole and least <= value <= most) and not (none and value is None):
            raise ValueError(f"{name} is {value!r}; give {what}")

    return check


def _one_of(*words: str) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        if value not in words:
            raise ValueError(f"{name} is {value!r}; give one of {', '.join(words)}")

    return check


def _true_or_false(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; give True or False")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; give a text")


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "creating_seconds": _seconds,
    "pending_seconds": _seconds,
    "deleting_seconds": _seconds,
    "starts_per_second": _rate,
    "fail": _reasons,
    "fail_share": _shares,
    "fails_after": _number(0, float("inf"), "a number of members >= 0, or None for never", none=True),
    "failure_reason": _text,
    "retry": _one_of("new", "same", "conflict"),
    "cancel_failures": _which,
    "delete_failures": _which,
    "refusal": _one_of("conflict", "validation"),
    "counts_lag": _seconds,
    "counts_step_back": _true_or_false,
    "run_summary": _true_or_false,
    "untried": _one_of("absent", "listed"),
    "page": _number(1, 100, "a number of items from 1 to 100"),
    "list_runs": _one_of("both", "one filter"),
}
