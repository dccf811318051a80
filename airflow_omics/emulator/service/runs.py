"""Runs: StartRun, GetRun, ListRuns, CancelRun and DeleteRun.

https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html and its neighbours. The other modules whose names
begin with ``runs_`` are parts of this resource.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_omics.emulator.lives.run import Entry, Run
from airflow_omics.emulator.lives.script import Stage
from airflow_omics.emulator.service import runs_definition, runs_record, runs_start
from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.runs_state import KIND, runs_of
from airflow_omics.emulator.wire.exceptions import conflict, validation
from airflow_omics.emulator.world.faults import Fault
from airflow_omics.emulator.world.shared import WORLD

_DELETABLE = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


def _start_run(call: Call) -> dict[str, Any]:
    run = runs_start.start(runs_of(call.backend), call.members)
    return runs_record.started_run(call.backend, run)


def _get_run(call: Call) -> dict[str, Any]:
    run = runs_of(call.backend).get(call.members["id"], tick=True)
    record = runs_record.run_record(call.backend, run)
    if "DEFINITION" in call.members.get("export", ()):
        now = WORLD.clock.now()
        record["definition"] = runs_definition.url(call.backend, run, call.host, now)
    return record


def _cancel_run(call: Call) -> dict[str, Any]:
    # A run that is STOPPING already ends as it was going to.
    runs = runs_of(call.backend)
    run = runs.get(call.members["id"])
    if run.terminal:
        message = f"Run {run.id} is {run.status} and cannot be cancelled"
        raise conflict(message) if WORLD.cancel_policy == "conflict" else validation(message)
    if run.status != "STOPPING":
        runs.replan(run, (Stage("STOPPING", run.life.cancel_seconds), Stage("CANCELLED")))
    return {}


def _delete_run(call: Call) -> dict[str, Any]:
    # It deletes what GetRun shows; the run's logs and outputs stay.
    runs = runs_of(call.backend)
    run = runs.get(call.members["id"])
    if run.status not in _DELETABLE:
        raise conflict(f"Run {run.id} is {run.status}; only a run that has ended can be deleted")
    # For whoever is told of it; GetRun does not find the run any more.
    runs.replan(run, (Stage("DELETED"),))
    runs.remove(run)
    return {}


def _tags_of(backend: OmicsBackend, run_id: str) -> dict[str, str]:
    run = runs_of(backend).get(run_id)
    # Runs that were started together share their members.
    tags = dict(run.members["tags"])
    run.members = {**run.members, "tags": tags}
    return tags


# -- ListRuns ------------------------------------------------------------------------------------------------


def _list_runs(call: Call) -> dict[str, Any]:
    faults = WORLD.faults.pick_list()
    wanted = call.members.get("status")
    names = [name for name in ("name", "runGroupId", "batchId") if name in call.members]
    if WORLD.batches.list_runs == "one filter" and "batchId" in names and wanted is not None:
        raise validation("give either batchId or status, not both")
    # A list that is wrong shows runs that do not match.
    known = () if faults else (*names, "status")
    filters = {name: call.members[name] for name in known if name in call.members}

    def after(seq: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for run in runs_of(call.backend).after(seq, filters):
            if any(run.members.get(name) != call.members[name] for name in names):
                continue
            entry = _shown_entry(run, faults)
            if entry is not None and wanted in (None, entry.status):
                yield run.seq, _item(call, run, entry, faults)

    return page(call.members, after)


def _shown_entry(run: Run, faults: list[Fault]) -> Entry | None:
    """Return the entry that ListRuns shows of a run; None if it leaves the run out."""
    entry: Entry | None = None if run.gone else run.history[-1]
    for fault in faults:
        if fault.run_id not in (None, run.id):
            continue
        if fault.kind == "list-lags":
            entry = run.at(WORLD.clock.service() - float(fault.options["seconds"]))
        elif fault.kind == "list-omits":
            return None
        elif fault.kind == "list-lies" and entry is not None:
            entry = (run.entered("RUNNING") or run.created)._replace(status=str(fault.options["status"]))
    return entry


def _item(call: Call, run: Run, entry: Entry, faults: list[Fault]) -> dict[str, Any]:
    item = runs_record.run_item(run, entry)
    for fault in faults:
        if fault.kind == "list-wrong-arn" and fault.run_id in (None, run.id):
            item["arn"] = item["arn"].replace(f":{call.backend.account_id}:", ":999999999999:")
    return item


RESOURCE = Resource(
    KIND,
    {
        "StartRun": _start_run,
        "GetRun": _get_run,
        "ListRuns": _list_runs,
        "CancelRun": _cancel_run,
        "DeleteRun": _delete_run,
    },
    tags_of=_tags_of,
)
