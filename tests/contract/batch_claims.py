"""The claims about batches. They need a botocore that knows batches, 1.42.74 or newer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from .claims import Finding
from .world import BATCH_ENDED, TAG, World, code_of, refusal_of

_EITHER = ("ConflictException", "ValidationException")


def tried(world: World) -> Iterator[Finding]:
    """Try every claim about batches, and yield what each has found."""
    if not world.has_batches:
        yield Finding("b", "batches", "the installed botocore does not know them", None)
        return
    single = world.members("batch")
    request = {
        "batchName": world.name,
        "requestId": f"{world.name}-batch",
        "tags": {TAG: world.token},
        "defaultRunSetting": {
            **{name: single[name] for name in ("workflowId", "roleArn", "outputUri", "storageType")},
            "name": single["name"],
            "runTags": single["tags"],
        },
        "batchRunSettings": {"inlineSettings": [{"runSettingId": "one"}, {"runSettingId": "two"}]},
    }
    try:
        batch_id = world.start_batch(request)
    except ClientError as error:
        yield Finding("b", "StartRunBatch of two runs", f"refused with {code_of(error)}", False)
        return
    yield _repeated(world, request, batch_id)
    yield from _watched(world, batch_id)
    yield from _refusals(world, batch_id)


def _repeated(world: World, request: dict[str, Any], batch_id: str) -> Finding:
    claim = "the same StartRunBatch again"
    try:
        again = world.start_batch(request)
    except ClientError as error:
        return Finding("b", claim, code_of(error), code_of(error) in _EITHER)
    if again == batch_id:
        return Finding("b", claim, "the earlier batch", True)
    return Finding("b", claim, "another batch", True)


def _watched(world: World, batch_id: str) -> Iterator[Finding]:
    seen: list[str] = []
    summaries: list[dict[str, int]] = []

    def look() -> dict[str, Any]:
        answer: dict[str, Any] = world.patient(lambda: world.omics.get_batch(batchId=batch_id))
        if answer["status"] not in seen:
            seen.append(answer["status"])
        if summary := answer.get("runSummary"):
            summaries.append(summary)
        return answer

    batch = world.until(look, lambda answer: answer["status"] in BATCH_ENDED)
    members = world.adopt_members(batch_id)
    yield Finding("b", "a batch of two runs that fail", ", ".join(seen), batch["status"] == "PROCESSED")
    totals = [sum(summary.values()) for summary in summaries]
    lags = "steps back" if totals != sorted(totals) else "only rises"
    says = f"{batch.get('runSummary', 'absent')} in the end; its sum {lags}"
    yield Finding("b", "its runSummary", says, sum(batch.get("runSummary", {}).values()) in (0, 2))
    runs = {world.record(run_id)["status"] for run_id in members}
    yield Finding(None, "the status of its runs", ", ".join(sorted(runs)), runs == {"FAILED"})


def _refusals(world: World, batch_id: str) -> Iterator[Finding]:
    for claim, call, codes in (
        (
            "CancelRunBatch of a batch that is over",
            lambda: world.omics.cancel_run_batch(batchId=batch_id),
            _EITHER,
        ),
        (
            "ListRunsInBatch with two filters",
            lambda: world.omics.list_runs_in_batch(
                batchId=batch_id, submissionStatus="SUCCESS", runSettingId="one"
            ),
            ("ValidationException",),
        ),
        (
            "ListRuns with batchId and status",
            lambda: world.omics.list_runs(batchId=batch_id, status="FAILED"),
            ("accepted", "ValidationException"),
        ),
    ):
        got = refusal_of(call) or "accepted"
        yield Finding("b", claim, got, got in codes)
