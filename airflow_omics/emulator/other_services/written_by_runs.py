"""What runs write to CloudWatch Logs and S3, written to moto's ``logs`` and ``s3``.

Nothing is written in the background. :func:`write_due` writes what is due, and is called before anyone reads
logs or S3.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import NamedTuple

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.tasks import TaskState, scripted_running_seconds
from airflow_omics.emulator.other_services import output_summary
from airflow_omics.emulator.other_services.manifest import manifest_lines
from airflow_omics.emulator.service import run_tasks, runs_record
from airflow_omics.emulator.service.common.backend import backends
from airflow_omics.emulator.service.runs_state import Runs, runs_of
from airflow_omics.emulator.wire.names import LOG_GROUP, Place
from airflow_omics.emulator.world import moto_stores
from airflow_omics.emulator.world.shared import WORLD

# The account's quota on the time of a run, if its run group has none.
_LONGEST_MINUTES = 10080
_LOG_OF_STATUS = {
    "PENDING": (("CREATING_RUN", "Creating your workflow run."),),
    "STARTING": (
        ("STARTING_RUN", "Provisioning infrastructure for your workflow run."),
        ("SET_WORKFLOW_TIMEOUT", "Your workflow will be timed out after: {minutes} minutes."),
    ),
    "RUNNING": (("RUNNING_WORKFLOW", "Your workflow is now running."),),
    "STOPPING": (("STOPPING_RUN", "Stopping your workflow run."),),
    "COMPLETED": (("RUN_COMPLETED", "Workflow run completed."),),
    "FAILED": (("RUN_FAILED", "Workflow run failed."),),
    "CANCELLED": (("RUN_CANCELLED", "Workflow run cancelled."),),
}


class LogLine(NamedTuple):
    """One log event: its reported time and its stream."""

    moment: float
    stream: str
    message: str


def write_due() -> None:
    """Write every log event and output that is due, in every account and Region."""
    with WORLD.lock:
        for backend in backends():
            _write_due(backend, runs_of(backend))


def _write_due(place: Place, runs: Runs) -> None:
    runs.bring_in()
    for run in list(runs.unwritten.values()):
        runs.bring_up_to_date(run)
    # Read again: a run that took over an id is among them now.
    unwritten = list(runs.unwritten.values())
    for run in unwritten:
        _write_logs(place, run)
    # Two runs may write to one key. The one that ended later is the one whose text stays.
    for run in sorted((run for run in unwritten if run.ended is not None), key=_end):
        _write_outputs(place, run)
    for run in unwritten:
        if run.ended is not None or run.gone:
            runs.unwritten.pop(run.seq, None)


def _end(run: Run) -> float:
    return math.inf if run.ended is None else run.ended.service


# -- logs ----------------------------------------------------------------------------------------------------


def _lines(run: Run, now: float) -> Iterator[LogLine]:
    stream = f"run/{run.id}"
    minutes = _LONGEST_MINUTES if math.isinf(run.most) else round(run.most / 60)
    for entry in run.history:
        for code, message in _LOG_OF_STATUS.get(entry.status, ()):
            text = message.format(minutes=minutes)
            yield _run_line(stream, entry.reported, entry.status, code, text)
    for moment, text in engine_lines(run, now):
        yield LogLine(moment, f"{stream}/engine", text)
    for task in run_tasks.present_tasks(run):
        if task.created is None:
            continue
        named = f"Workflow run task: name: {task.script.name} and taskId: {task.id}"
        yield _run_line(stream, task.created, "RUNNING", "STARTING_TASK", f"{named} is starting.")
        if task.started is not None:
            yield _run_line(stream, task.started, "RUNNING", "RUNNING_TASK", f"{named} is running.")
        if task.stopped is not None and task.status == "FAILED":
            yield _run_line(stream, task.stopped, "RUNNING", "TASK_FAILED", f"{named} failed.")
        yield from _task_lines(task, f"{stream}/task/{task.id}")


def _run_line(stream: str, moment: float, status: str, code: str, message: str) -> LogLine:
    text = json.dumps({"runStatus": status, "logMessage": code, "message": message}, separators=(",", ":"))
    return LogLine(moment, stream, text)


def _task_lines(task: TaskState, stream: str) -> Iterator[LogLine]:
    if task.started is None:
        return
    running = next((stage.seconds or 0.0 for stage in task.script.stages if stage.status == "RUNNING"), 0.0)
    now = WORLD.clock.now()
    rate = 1.0 if WORLD.clock.frozen else 1.0 / WORLD.clock.pace
    count = len(task.script.log_lines)
    for number, text in enumerate(task.script.log_lines, 1):
        moment = task.started + running * rate * number / (count + 1)
        if task.stopped is not None:
            moment = min(moment, task.stopped)
        if moment <= now:
            yield LogLine(moment, stream, text)


def engine_lines(run: Run, now: float) -> list[tuple[float, str]]:
    """Return the engine log up to ``now`` (service time), each line with its reported time."""
    began, end = run.entered("RUNNING"), run.left_running
    if began is None:
        return []
    span = scripted_running_seconds(run.life)
    span = 480.0 if math.isinf(span) else span
    limit = now if end is None else end.service
    lines = []
    for number, text in enumerate(run.life.engine_log, 1):
        moment = began.service + span * number / (len(run.life.engine_log) + 1)
        if moment > limit and (end is None or run.cut):
            break
        lines.append((WORLD.clock.reported(min(moment, limit)), text))
    return lines


def _write_logs(place: Place, run: Run) -> None:
    if run.members["logLevel"] == "OFF":
        return
    lines = sorted(_lines(run, WORLD.clock.service()), key=lambda line: line.moment)
    if run.ended is not None:
        stream = f"manifest/run/{run.id}/{run.uuid}"
        lines += [LogLine(run.ended.reported, stream, text) for text in manifest_lines(place, run)]
    streams: dict[str, list[LogLine]] = {}
    for line in lines:
        streams.setdefault(line.stream, []).append(line)
    for stream, known in streams.items():
        fresh = known[run.written.get(stream, 0) :]
        if fresh:
            events = [(int(line.moment * 1000), line.message) for line in fresh]
            moto_stores.write_events(place, LOG_GROUP, stream, events)
            run.written[stream] = len(known)


# -- outputs -------------------------------------------------------------------------------------------------


def _write_outputs(place: Place, run: Run) -> None:
    ended = run.ended
    if ended is None or ended.status not in ("COMPLETED", "FAILED") or not run.life.exports:
        return
    bucket, _, prefix = runs_record.output_uri(run).removeprefix("s3://").partition("/")
    objects: dict[str, str] = {}
    engine = [text for _, text in engine_lines(run, WORLD.clock.service())]
    if engine and run.members["logLevel"] != "OFF":
        objects["logs/engine.log"] = "\n".join(engine) + "\n"
    if ended.status == "COMPLETED":
        objects.update({key: text for key, text in run.life.outputs.items() if text is not None})
        if (names := output_summary.summary(run)) is not None:
            objects["logs/outputs.json"] = names
    if objects:
        contents = {f"{prefix}/{key}".lstrip("/"): text.encode() for key, text in objects.items()}
        moto_stores.put_objects(place, bucket, contents, ended.reported)
