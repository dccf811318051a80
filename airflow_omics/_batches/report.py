"""The report on a batch: what a person reads in one look, however many members it has."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from airflow_omics._batches.failures import Failures, Reason
from airflow_omics._batches.lists import Member
from airflow_omics._outcome import Outcome, Tolerance
from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.diagnosis.report import who_can_act
from airflow_omics.failures import CHANGE, LOOK_INSIDE, NOT_LOOKED_AT, RETRY, SETTINGS
from airflow_omics.records import describe_batch

_MOST_REASONS: Final = 7
_MOST_NOTES: Final = 3
_LONGEST_ID: Final = 40

_RETRY_OF_CLASS: Final = {
    RETRY: "a retry may pass",
    CHANGE: "fails again until something has changed",
    SETTINGS: "may pass with other settings",
    LOOK_INSIDE: "look inside",
}

_RETRY_OF_REASON: Final = {
    "CANCELLED": "a retry of the task that started it runs it again",
    "DELETED": "it may have completed, so no retry runs it again",
}


def report(
    record: Mapping[str, Any],
    outcome: Outcome | None,
    failures: Failures,
    tolerance: Tolerance,
    *,
    notes: Sequence[str] = (),
) -> str:
    """Return the report: paragraphs of plain lines, the most important first, about 40 lines at most.

    It has ids, numbers and reasons, and nothing of what was given to the runs.

    :param record: the batch's record.
    :param outcome: how many ended in which way; None if that is not known.
    :param failures: why members ended badly.
    :param tolerance: how many may.
    :param notes: what could not be found out, besides the notes of ``failures``.
    """
    paragraphs = [
        [_headline(record, outcome, tolerance)],
        [] if outcome is None else [_how_they_ended(outcome)],
        list(_by_reason(failures.reasons)),
        _listed("Not found out:", _first([*notes, *failures.notes], _MOST_NOTES)),
        _listed("To see more:", commands_of(record, outcome, failures)),
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def commands_of(record: Mapping[str, Any], outcome: Outcome | None, failures: Failures) -> tuple[str, ...]:
    """Return the ``aws`` commands that show more about the batch."""
    batch_id = shlex.quote(str(record.get("id")))
    arn = str(record.get("arn") or "").split(":")
    at = f" --region {shlex.quote(arn[3])}" if len(arn) > 5 and arn[3] else ""
    commands = [f"aws omics get-batch --batch-id {batch_id}{at}"]
    if outcome is None or outcome.failed:
        commands.append(f"aws omics list-runs --batch-id {batch_id} --status FAILED{at}")
    if outcome is None or outcome.not_started:
        commands.append(f"aws omics list-runs-in-batch --batch-id {batch_id} --submission-status FAILED{at}")
    examples = (member for reason in failures.reasons for member in reason.examples)
    if example := next((member for member in examples if member.status == "FAILED"), None):
        commands.append(f"aws omics get-run --id {shlex.quote(str(example.run_id))}{at}")
        commands.append(
            f"aws omics list-run-tasks --id {shlex.quote(str(example.run_id))} --status FAILED{at}"
        )
    return tuple(commands)


def _headline(record: Mapping[str, Any], outcome: Outcome | None, tolerance: Tolerance) -> str:
    line = clean_text(describe_batch(record).removesuffix("."))
    if outcome is None:
        return f"{line}; how its runs ended is not known."
    return (
        f"{line}: {outcome.bad:,} of {outcome.total:,} runs did not complete; "
        f"{tolerance.describe(outcome.total)}."
    )


def _how_they_ended(outcome: Outcome) -> str:
    names = ("completed", "failed", "cancelled", "deleted", "not started")
    parts = [f"{number:,} {name}" for name, number in zip(names, outcome[1:], strict=True) if number]
    other = outcome.total - sum(outcome[1:])
    parts += [f"{other:,} unknown"] if other > 0 else []
    return f"How they ended: {', '.join(parts) or 'there were none'}."


def _by_reason(reasons: Sequence[Reason]) -> Iterator[str]:
    if not reasons:
        return
    yield "By reason:"
    shown = reasons[:_MOST_REASONS]
    width = max(len(f"{reason.number:,}") for reason in shown)
    names = [clean_text(reason.failure.reason or "no reason given", 64) for reason in shown]
    longest = max(map(len, names))
    for reason, name in zip(shown, names, strict=True):
        indent = " " * (width + 4)
        if reason.failure == NOT_LOOKED_AT:
            yield f"  {reason.number:>{width},}  {name}"
        else:
            retry = _RETRY_OF_CLASS.get(reason.failure.failure_class, reason.failure.failure_class)
            retry = _RETRY_OF_REASON.get(str(reason.failure.reason), retry)
            yield f"  {reason.number:>{width},}  {name:<{longest}}  {who_can_act(reason.failure)}; {retry}"
            yield f"{indent}{reason.failure.advice}"
        if reason.examples:
            yield f"{indent}such as {', '.join(map(_named, reason.examples))}"
    if rest := reasons[_MOST_REASONS:]:
        yield f"  {sum(reason.number for reason in rest):,} more, for {len(rest)} other reasons"


def _named(member: Member) -> str:
    setting_id = clean_text(member.setting_id or "", _LONGEST_ID)
    if member.run_id is None:
        return setting_id
    return f"{setting_id} (run {member.run_id})" if setting_id else f"run {member.run_id}"


def _first(items: Sequence[str], most: int) -> list[str]:
    more = len(items) - most
    return [*items[:most], f"and {more:,} more"] if more > 0 else list(items)


def _listed(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"  {clean_text(item, 1000)}" for item in items]
    return [title, *lines] if lines else []
