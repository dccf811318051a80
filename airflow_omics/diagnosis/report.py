"""The report: what a diagnosis says to the person who opens the task's log."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from airflow_omics._words import moment, span
from airflow_omics.diagnosis.lines import clean_text
from airflow_omics.diagnosis.model import Findings, TaskFinding, seconds_between
from airflow_omics.diagnosis.waiting import active_lines
from airflow_omics.failures import EXIT_CODES, OWNERS, RETRY_OF_CLASS, Failure
from airflow_omics.records import sentence

LOG_GROUP: Final = "/aws/omics/WorkflowLog"

_RETRY_OF_STATUS: Final = {
    "CANCELLED": "It would start again what somebody has stopped.",
    "DELETED": "Only if its outputs are not complete.",
    "COMPLETED": "No; the run has done its work.",
}


def report(
    found: Findings,
    *,
    headline: str | None,
    run_page: str | None,
    commands: Iterable[str],
    now: float,
    log_tails: bool = True,
) -> str:
    """Return the report: paragraphs of plain lines, the most important first.

    :param headline: the first line, if the caller has one already.
    :param run_page: the URL of the run in the HealthOmics console; None if it is not known. The long URLs of
        logs are in the diagnosis, and Airflow has buttons for them.
    :param commands: the ``aws`` commands that show more.
    :param now: the service's time, in seconds since the epoch.
    :param log_tails: whether the report holds what programs printed, or only says where that is.
    """
    paragraphs = [
        [headline or _headline(found)],
        list(_meaning(found) if found.failure else active_lines(found, now)),
        list(_ending(found)),
        list(_task_summary(found)),
        *(_task(task, number, found, log_tails) for number, task in enumerate(found.failing, 1)),
        _log_lines("Engine log", found.engine_log, "", log_tails),
        list(_logs_not_read(found)),
        _listed("Not found out:", found.notes),
        _listed("To see more:", (*([run_page] if run_page else ()), *commands)),
    ]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def log_tails(found: Findings) -> Iterator[str]:
    """Yield what programs printed: each tail under a line that says which program it is from."""
    for number, task in enumerate(found.failing, 1):
        if task.log:
            yield f"Failed task {number}: {task.name} ({task.task_id})"
            yield from _log_lines("log", task.log)
    if found.engine_log:
        yield from _log_lines("Engine log", found.engine_log, indent="")


def commands_of(found: Findings, region: str | None) -> tuple[str, ...]:
    """Return the ``aws`` commands that show more about the run."""
    run_id = shlex.quote(str(found.record.get("id")))
    at = f" --region {shlex.quote(region)}" if region else ""
    status = found.record.get("status")
    commands = []
    if status == "DELETED" or found.record.get("source") == "manifest":
        uuid = found.record.get("uuid") or (found.before or {}).get("uuid")
        if uuid:
            commands.append(_log_command(f"manifest/run/{run_id}/{uuid}", at))
    else:
        commands.append(f"aws omics get-run --id {run_id}{at}")
    if found.failed_count and "source" not in found.record and status != "DELETED":
        commands.append(f"aws omics list-run-tasks --id {run_id} --status FAILED{at}")
        commands += (
            f"aws omics get-run-task --id {run_id} --task-id {shlex.quote(task.task_id)}{at}"
            for task in found.failing
        )
    commands += (_log_command(task.log_stream, at) for task in found.failing if task.log_stream)
    if found.engine_stream:
        commands.append(_log_command(found.engine_stream, at))
    event = {"CANCELLED": "CancelRun", "DELETED": "DeleteRun"}.get(str(status))
    if event:
        commands.append(
            "aws cloudtrail lookup-events --lookup-attributes "
            f"AttributeKey=EventName,AttributeValue={event}{at}"
        )
    return tuple(commands)


def _headline(found: Findings) -> str:
    line = sentence(found.record)
    if found.record.get("source") == "manifest":
        line += " HealthOmics has forgotten it; this is what its manifest says."
    return line


# -- what it means -------------------------------------------------------------------------------------------


def _meaning(found: Findings) -> Iterator[str]:
    own, cause, status = found.failure, found.cause, str(found.record.get("status"))
    if own is None or cause is None:
        return
    meaning = own.meaning
    if cause != own:
        meaning += f" The task's own reason is {cause.reason}: {cause.meaning}"
    yield f"What it means: {meaning}"
    yield f"Who can act: {who_can_act(cause)}. {cause.advice}"
    retry = RETRY_OF_CLASS.get(cause.failure_class, f"Its class is {cause.failure_class!r}.")
    if cause.reason is None:
        retry = _RETRY_OF_STATUS.get(status, retry)
    yield f"Would a retry help: {retry}"


def who_can_act(failure: Failure) -> str:
    """Return the owner of a failure, as texts name them."""
    return OWNERS.get(failure.owner, failure.owner)


def _ending(found: Findings) -> Iterator[str]:
    record = found.record
    status = record.get("status")
    if found.failure is None:
        return
    # The record of a run that was forgotten may be one from long before its end.
    times = found.before or record if status == "DELETED" else record
    created, started, stopped = (_time(times, key) for key in ("creationTime", "startTime", "stopTime"))
    before, ran = seconds_between(created, started), seconds_between(started, stopped)
    parts = []
    if created:
        parts.append(f"created {moment(created)}")
    if before is not None:
        parts.append(f"started after {span(before)}")
    elif created and status != "DELETED":
        parts.append("never started to run")
    if stopped:
        parts.append(
            f"ended {moment(stopped)}" + (f", {span(ran)} after its start" if ran is not None else "")
        )
    if parts:
        yield f"When: {'; '.join(parts)}."
    if ending := _ENDINGS.get(str(status)):
        yield from ending(found)
    if record.get("failureReason") == "RUN_TIMED_OUT":
        yield f"Which limit: {_time_limit(found)}"


def _time(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) else None


def _cancelled(found: Findings) -> Iterator[str]:
    yield "By whom: HealthOmics does not record it; AWS CloudTrail does, for 90 days, as the event CancelRun."
    if found.record.get("startedBy"):
        yield f"It had been started by {found.record['startedBy']}."


def _deleted(found: Findings) -> Iterator[str]:
    yield "By whom: if somebody deleted it, AWS CloudTrail knows for 90 days, as the event DeleteRun."
    if found.before:
        reasons = (found.before.get(key) for key in ("status", "failureReason", "statusMessage"))
        parts = ": ".join(str(reason) for reason in reasons if reason)
        yield f"How it had ended, by its manifest: {parts.removesuffix('.')}."


_ENDINGS: Final[Mapping[str, Callable[[Findings], Iterator[str]]]] = {
    "CANCELLED": _cancelled,
    "DELETED": _deleted,
}


def _time_limit(found: Findings) -> str:
    group_id = found.record.get("runGroupId")
    if not group_id:
        return (
            "it ran in no run group, so it was the account's quota (maximum run duration, 7 days by default) "
            "or, for a Ready2Run workflow, that workflow's own."
        )
    if found.run_group is None:
        return f"maxDuration of its run group {group_id}, or the account's quota (7 days by default)."
    minutes = found.run_group.get("maxDuration")
    if not isinstance(minutes, int | float):
        return f"its run group {group_id} sets no maxDuration, so it was the account's quota."
    ran = seconds_between(found.record.get("startTime"), found.record.get("stopTime"))
    if ran is not None and ran < minutes * 60:
        return (
            f"its run group {group_id} allows {minutes:g} minutes (maxDuration), more than it ran: it was "
            "the account's quota, or the run group has been changed since."
        )
    return f"its run group {group_id} allows {minutes:g} minutes (maxDuration)."


# -- tasks and logs ------------------------------------------------------------------------------------------


def _task_summary(found: Findings) -> Iterator[str]:
    if found.counts:
        parts = ", ".join(f"{count} {status}" for status, count in found.counts.items())
        yield f"Tasks: {parts}."
    elif found.failed_count == 0 and found.completed_count == 0 and not found.record.get("startTime"):
        yield "Tasks: none; the run ended before it was RUNNING."
    elif found.failed_count is not None:
        yield f"Tasks: {_tally(found)}."
    if found.retried:
        names = ", ".join(f"{task.name} ({task.task_id})" for task in found.retried)
        more = _and_more(found.retried_count - len(found.retried))
        yield f"Failed attempts that were followed by another of the same task: {names}{more}."
    if found.unfinished:
        title = "Under way" if found.failure is None else "Not finished when the run ended"
        yield f"{title}: {', '.join(_brief(task) for task in found.unfinished)}."


def _tally(found: Findings) -> str:
    if not found.failed_count and not found.completed_count:
        return "none failed and none completed"
    parts = [f"{found.failed_count:,}{' or more' if found.failed_more else ''} failed"]
    if found.completed_count is not None:
        more = " or more" if found.completed_more else ""
        cached = f" ({found.cached_count:,} of them from the run cache)" if found.cached_count else ""
        parts.append(f"{found.completed_count:,}{more} completed{cached}")
    shown = len(found.failing)
    if found.failed_count and shown < found.failed_count:
        parts.append(f"the first {shown} to fail are shown" if shown else "none is shown")
    return ", ".join(parts)


def _task(task: TaskFinding, number: int, found: Findings, log_tails: bool) -> list[str]:
    lines = [f"Failed task {number}: {task.name} ({task.task_id}){_after(task)}{_machine(task)}"]
    failure = task.failure
    if failure is not None and failure.reason and failure.reason != found.record.get("failureReason"):
        lines.append(f"  reason: {failure.reason}: {failure.meaning}")
    if task.status_message:
        lines.append(f"  message: {task.status_message}")
    if task.exit_code is not None:
        lines.append(f"  exit code: {task.exit_code}{_exit_hint(task.exit_code)}")
    if task.image:
        lines.append(f"  image: {task.image}")
    lines += _log_lines("log", task.log, show=log_tails)
    return lines


def _log_lines(
    what: str, log: tuple[str, ...] | None, indent: str = "  ", show: bool = True
) -> Sequence[str]:
    if log is None:
        return []
    if not log:
        return [f"{indent}{what}: empty"]
    count = "the last line" if len(log) == 1 else f"the last {len(log)} lines"
    if not show:
        be = "is" if len(log) == 1 else "are"
        return [f"{indent}{what}: {count} {be} in the Airflow task's own log"]
    return [f"{indent}{what}, {count}:", *(f"{indent}  | {line}" for line in log)]


def _logs_not_read(found: Findings) -> Iterator[str]:
    if not found.logs and (found.engine_stream or any(task.log_stream for task in found.failing)):
        yield "Logs: not read, since this task or [omics] log_tails says so; the commands below show them."


def _after(task: TaskFinding) -> str:
    seconds = task.seconds
    return f", after {span(seconds)}" if seconds is not None else ""


def _machine(task: TaskFinding) -> str:
    asked = [
        f"{value:g} {unit}"
        for value, unit in ((task.cpus, "vCPU"), (task.memory, "GiB"), (task.gpus, "GPU"))
        if value
    ]
    if not task.instance_type:
        return f", which asked for {', '.join(asked)}" if asked else ""
    return f", on {task.instance_type}" + (f" (asked for {', '.join(asked)})" if asked else "")


def _brief(task: TaskFinding) -> str:
    began = f"since {moment(task.started)}" if task.started else "not started"
    return f"{task.name} ({task.task_id}, {began})"


def _exit_hint(code: int) -> str:
    return f", {EXIT_CODES[code]}" if code in EXIT_CODES else ""


# -- pieces --------------------------------------------------------------------------------------------------


def _listed(title: str, items: Iterable[str]) -> list[str]:
    lines = [f"  {clean_text(item, 1000)}" for item in items if item]
    return [title, *lines] if lines else []


def _and_more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _log_command(stream: str, at: str) -> str:
    return (
        f"aws logs get-log-events --log-group-name {LOG_GROUP} --log-stream-name {shlex.quote(stream)}"
        f" --query 'events[].message' --output text{at}"
    )
