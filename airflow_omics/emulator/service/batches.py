"""Batches of runs: StartRunBatch, GetBatch, ListBatch, ListRunsInBatch and what cancels and deletes them.

https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html and its neighbours. The other modules
whose names begin with ``batches_`` are parts of this resource. A botocore before 1.42.74 knows none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_omics.emulator.lives.script import REUSED, VANISHED
from airflow_omics.emulator.service import batches_settings
from airflow_omics.emulator.service.batches_state import (
    ENDED,
    KIND,
    STATUSES,
    Batch,
    batches_of,
    locate,
)
from airflow_omics.emulator.service.common.backend import OmicsBackend, backends
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.runs_state import KIND as RUN
from airflow_omics.emulator.service.runs_state import runs_of
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.exceptions import OmicsServiceError, conflict, validation
from airflow_omics.emulator.world import moto_stores
from airflow_omics.emulator.world.shared import WORLD

_TIMES = {"submittedTime": "INPROGRESS", "processedTime": "PROCESSED", "failedTime": "FAILED"}
_STEP_BACK = 60.0
"""How far back the counts step that do not lag otherwise, in service seconds."""


# -- StartRunBatch -------------------------------------------------------------------------------------------


def _start_run_batch(call: Call) -> dict[str, Any]:
    batches = batches_of(call.backend)
    batch = batches.repeats.earlier(call.members)
    if batch is not None:
        batch = _again(call, batch)
    if batch is None:
        etag = _checked(call)
        batch = batches.add(call.members, etag)
        batches.repeats.keep(call.members, batch)
    return {"id": batch.id, "arn": batch.arn, "uuid": batch.uuid, "status": batch.status, "tags": batch.tags}


def _again(call: Call, batch: Batch) -> Batch | None:
    """Return the batch that a repeated request is answered with; None if it starts another one.

    :param batch: what it started before.
    """
    batches_of(call.backend).find(batch.id)
    if not batch.may_retry or WORLD.batches.retry == "same":
        return batch
    if WORLD.batches.retry == "conflict":
        raise conflict(f"A batch with requestId {call.members['requestId']} already exists")
    return None


def _checked(call: Call) -> str | None:
    """Check what the service checks before it answers, and return the ETag of the file of settings."""
    default, given = call.members["defaultRunSetting"], call.members["batchRunSettings"]
    if len(given) != 1:
        raise validation("batchRunSettings must have exactly one of inlineSettings and s3UriSettings")
    if default.get("workflowType") == "READY2RUN":
        raise validation("workflowType READY2RUN cannot be run in a batch; only PRIVATE workflows can")
    batches_settings.completed(runs_of(call.backend), default, "0")
    uri = given.get("s3UriSettings")
    if uri is None:
        return None
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise validation(f"s3UriSettings {uri!r} is not the S3 URI of a file, such as s3://bucket/runs.json")
    etag = moto_stores.etag_of(call.backend, uri)
    if etag is None:
        raise validation(f"s3UriSettings {uri} does not exist, or {default['roleArn']} cannot read it")
    return etag


# -- GetBatch and ListBatch ----------------------------------------------------------------------------------


def _get_batch(call: Call) -> dict[str, Any]:
    batch = batches_of(call.backend).get(call.members["batchId"])
    record: dict[str, Any] = {
        "id": batch.id,
        "arn": batch.arn,
        "uuid": batch.uuid,
        "status": batch.status,
        "tags": batch.tags,
        "defaultRunSetting": batch.asked["defaultRunSetting"],
        "creationTime": batch.history[0].reported,
        **_counts(batch),
    }
    if "batchName" in batch.asked:
        record["name"] = batch.asked["batchName"]
    for member, status in _TIMES.items():
        if (entry := batch.entered(status)) is not None:
            record[member] = entry.reported
    if batch.status == "FAILED" and batch.failure_reason is not None:
        record["failureReason"] = batch.failure_reason
    return record


def _counts(batch: Batch) -> dict[str, Any]:
    """Return the counts that GetBatch shows: of the past, if a test has said so, and final once PROCESSED."""
    if batch.status == "CREATING":
        return {}
    moment, rules = WORLD.clock.service(), WORLD.batches
    if batch.status in ("SUBMITTING", "INPROGRESS"):
        batch.looks += 1
        moment -= rules.counts_lag
        if rules.counts_step_back and batch.looks % 2 == 0:
            moment -= rules.counts_lag or _STEP_BACK
    counts = batch.counts(moment, batch.status)
    if not rules.run_summary:
        counts.pop("runSummary", None)
    return counts


def _list_batch(call: Call) -> dict[str, Any]:
    given = _one_filter(call.members, ("status", "name", "runGroupId"))

    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for own, batch in batches_of(call.backend).after(number):
            default = batch.asked["defaultRunSetting"]
            known = {
                "status": batch.status,
                "name": batch.asked.get("batchName"),
                "runGroupId": default.get("runGroupId"),
            }
            if all(known[name] == value for name, value in given.items()):
                yield own, _item(batch)

    return page(_short(call.members), after, limit="maxItems")


def _item(batch: Batch) -> dict[str, Any]:
    item = {
        "id": batch.id,
        "status": batch.status,
        "createdAt": batch.history[0].reported,
        "workflowId": batch.asked["defaultRunSetting"]["workflowId"],
    }
    if "batchName" in batch.asked:
        item["name"] = batch.asked["batchName"]
    if batch.status != "CREATING" and batch.members is not None:
        item["totalRuns"] = batch.members.total
    return item


def _one_filter(members: Mapping[str, Any], filters: tuple[str, ...]) -> dict[str, Any]:
    """Return the filter of a list operation, of which there may be one."""
    given = {name: members[name] for name in filters if name in members}
    if len(given) > 1:
        raise validation(f"give only one of {', '.join(filters)}, not {' and '.join(given)}")
    return given


def _short(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a list's request with the pages as short as a test has said."""
    return {**members, "maxItems": min(members.get("maxItems", 100), WORLD.batches.page)}


# -- ListRunsInBatch -----------------------------------------------------------------------------------------


def _list_runs_in_batch(call: Call) -> dict[str, Any]:
    given = _one_filter(call.members, ("submissionStatus", "runSettingId", "runId"))
    batch = batches_of(call.backend).get(call.members["batchId"])
    tried = 0 if batch.members is None else batch.members.tried(WORLD.clock.service())

    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        members = batch.members
        if members is None or batch.status == "CREATING":
            return
        shown = members.total if WORLD.batches.untried == "listed" else tried
        for position in members.matching(given, number, shown):
            status = None if position >= tried else members.submission_status(position)
            if given.get("submissionStatus") in (None, status):
                yield position + 1, _member(call.backend, batch, position, status)

    return page(_short(call.members), after, limit="maxItems", items="runs")


def _member(backend: OmicsBackend, batch: Batch, position: int, status: str | None) -> dict[str, Any]:
    members = batch.members
    assert members is not None
    item = {"runSettingId": members.settings.ids[position]}
    if status is None:
        return item
    item["submissionStatus"] = status
    if status == "FAILED":
        reason, message = members.settings.failures[position]
        return {**item, "submissionFailureReason": reason, "submissionFailureMessage": message}
    run_id = members.run_id(position)
    return {
        **item,
        "runId": run_id,
        "runInternalUuid": members.run_uuid(position),
        "runArn": names.arn(backend, RUN, run_id),
    }


# -- CancelRunBatch, DeleteRunBatch and DeleteBatch ----------------------------------------------------------


def _refused(message: str) -> OmicsServiceError:
    return conflict(message) if WORLD.batches.refusal == "conflict" else validation(message)


def _cancel_run_batch(call: Call) -> dict[str, Any]:
    batch = batches_of(call.backend).get(call.members["batchId"])
    if batch.status in ("STOPPING", "RUNS_DELETING"):
        raise conflict(f"Batch {batch.id} is {batch.status}; only one cancel or delete can be under way")
    if batch.status not in ("PENDING", "SUBMITTING", "INPROGRESS"):
        raise _refused(f"Batch {batch.id} is {batch.status} and cannot be cancelled")
    batch.cancel()
    return {}


def _delete_run_batch(call: Call) -> dict[str, Any]:
    batch = batches_of(call.backend).get(call.members["batchId"])
    if batch.status in ("STOPPING", "RUNS_DELETING"):
        raise conflict(f"Batch {batch.id} is {batch.status}; only one cancel or delete can be under way")
    if batch.status not in ("PROCESSED", "CANCELLED", "RUNS_DELETE_FAILED"):
        raise _refused(f"The runs of batch {batch.id}, which is {batch.status}, cannot be deleted")
    batch.delete_runs()
    return {}


def _delete_batch(call: Call) -> dict[str, Any]:
    # It deletes what GetBatch shows; the runs stay.
    batches = batches_of(call.backend)
    batch = batches.get(call.members["batchId"])
    if batch.status not in ENDED:
        raise _refused(f"Batch {batch.id} is {batch.status}; only a batch that has ended can be deleted")
    batches.remove(batch)
    return {}


# -- what a test and the rest of the emulator ask ------------------------------------------------------------


def move(
    batch_id: str, status: str, failure_reason: str | None, account_id: str | None, region_name: str | None
) -> str:
    """Put a batch into a status, where it stays; see :meth:`airflow_omics.emulator.Emulator.move_batch`.

    :raises ValueError: there is no such batch, or no such status.
    """
    known = (*STATUSES, VANISHED, REUSED)
    if status not in known:
        raise ValueError(f"status is {status!r}; give one of {', '.join(known)}")
    batches, batch = locate(batch_id, account_id, region_name)
    if status == VANISHED:
        batches.remove(batch)
    elif status == REUSED:
        batch = batches.reuse(batch)
    else:
        batch.move(status, failure_reason)
    return batch.uuid


@contextmanager
def new_rate() -> Iterator[None]:
    """Let members be submitted at another rate from now on: the one that is in force after the block.

    Those that were due before it were submitted at the old one, also if nobody has looked.
    """
    with WORLD.lock:
        _bring_in()
        yield
        _bring_in()


def _bring_in() -> None:
    for backend in backends():
        runs_of(backend).bring_in()


def _tags_of(backend: OmicsBackend, batch_id: str) -> dict[str, str]:
    return batches_of(backend).get(batch_id).tags


def _starts(scope: str) -> int:
    account_id, _, region_name = scope.partition("/")
    with WORLD.lock:
        return sum(batches_of(each).starts_to_count() for each in backends(account_id, region_name))


# Members are submitted out of the same rate limit as the calls of StartRun.
WORLD.limits.sharers["StartRun"] = _starts

RESOURCE = Resource(
    KIND,
    {
        "StartRunBatch": _start_run_batch,
        "GetBatch": _get_batch,
        "ListBatch": _list_batch,
        "ListRunsInBatch": _list_runs_in_batch,
        "CancelRunBatch": _cancel_run_batch,
        "DeleteRunBatch": _delete_run_batch,
        "DeleteBatch": _delete_batch,
    },
    tags_of=_tags_of,
)
