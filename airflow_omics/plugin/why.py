"""Why a run ended badly: what its diagnosis says, or, without one, what its reason means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_omics.failures import EXIT_CODES, OWNERS, RETRY_OF_CLASS, classify
from airflow_omics.plugin.html import facts, folded, note, printed, section, text
from airflow_omics.plugin.run_state import RunState

_MOST = 50
"""Items of a list that are shown; a diagnosis of ours has fewer."""


def why(state: RunState) -> str:
    """Return the section; an empty text if nothing is to be explained."""
    found = state.view.diagnosis
    if state.ended_badly:
        return _bad_end(state, found)
    if report := _words(found.get("text")):
        title = "What the run waits for" if state.is_active else "What was found out about the run"
        return section("why", title, printed("report-text", "Report", report), "plain")
    return ""


def _bad_end(state: RunState, found: Mapping[str, Any]) -> str:
    judgement = found if found.get("meaning") else _by_reason(state)
    reason = _words(judgement.get("reason"))
    title = reason or f"The run is {state.status}"
    message = state.member("statusMessage")
    rows = [
        ("What it means", _words(judgement.get("meaning"))),
        ("Message", message if message != reason else None),
        ("Who can act", OWNERS.get(owner := _words(judgement.get("owner")) or "", owner)),
        ("What to do", _words(judgement.get("advice"))),
        ("Would a retry help", RETRY_OF_CLASS.get(_words(judgement.get("class")) or "") if reason else None),
    ]
    body = [
        facts((name, text(value)) for name, value in rows if value),
        *_failing_tasks(found),
        _log("engine-log", "engine log", found.get("engine_log")),
        *_not_found_out(found),
    ]
    if report := _words(found.get("text")):
        body.append(folded("report", "The whole report", printed("report-text", "Report", report)))
    return section("why", title, "".join(body), "alert")


def _by_reason(state: RunState) -> Mapping[str, Any]:
    """Return what the reason means, for a run that was not diagnosed.

    A reason that ``record_fields`` keeps out of XCom is not guessed at.
    """
    snapshot = state.view.gate.snapshot
    reason = _words(snapshot.get("reason")) or state.member("failureReason")
    if reason is None and state.status == "FAILED" and "class" not in snapshot:
        return {"meaning": "The task has left no reason here; its log may have one."}
    known = classify({"status": state.status, "failureReason": reason})._asdict()
    owner, kind = _words(snapshot.get("owner")), _words(snapshot.get("class"))
    return {**known, "owner": owner or known["owner"], "class": kind or known["failure_class"]}


def _failing_tasks(found: Mapping[str, Any]) -> Iterator[str]:
    tasks = [task for task in _items(found.get("tasks")) if isinstance(task, Mapping)]
    failed = found.get("failed_tasks")
    if isinstance(failed, int) and failed > len(tasks) and tasks:
        yield f'<p class="note">{failed:,} tasks failed; the first {len(tasks)} of them are shown.</p>'
    for number, task in enumerate(tasks, 1):
        name = _words(task.get("name")) or "unnamed"
        yield f'<h3>Failed task: {text(name)} <span class="dim">{text(task.get("task_id") or "")}</span></h3>'
        yield facts(_facts_of(task, _words(found.get("reason"))))
        yield _log(f"log-{number}", f"log of {name}", task.get("log"))


def _facts_of(task: Mapping[str, Any], known: str | None) -> Iterator[tuple[str, str]]:
    failure = task.get("failure")
    reason = _words(failure.get("reason")) if isinstance(failure, Mapping) else None
    if isinstance(failure, Mapping) and reason and reason != known:
        yield "Its reason", text(reason) + note(text(_words(failure.get("meaning")) or ""))
    if message := _words(task.get("status_message")):
        yield "Its message", text(message)
    code = task.get("exit_code")
    if isinstance(code, int) and not isinstance(code, bool):
        hint = EXIT_CODES.get(code)
        yield "Exit code", text(f"{code}, {hint}" if hint else code)
    if instance := _words(task.get("instance_type")):
        yield "On", text(instance)


def _log(name: str, what: str, lines: Any) -> str:
    shown = [str(line) for line in _items(lines)]
    if not isinstance(lines, Sequence) or isinstance(lines, str):
        return ""
    if not shown:
        return f'<p class="note">The {text(what)} is empty.</p>'
    count = "The last line" if len(shown) == 1 else f"The last {len(shown)} lines"
    summary = f"{count} of the {what}"
    return folded(name, summary, printed(f"{name}-text", summary, "\n".join(shown)))


def _not_found_out(found: Mapping[str, Any]) -> Iterator[str]:
    notes = "".join(f"<li>{text(line)}</li>" for line in _items(found.get("notes")) if line)
    if notes:
        yield f'<h3>Not found out</h3><ul class="links">{notes}</ul>'


def _items(value: Any) -> Sequence[Any]:
    return value[:_MOST] if isinstance(value, list | tuple) else ()


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
