"""How a run begins: by StartRun, or many at once by the control.

https://docs.aws.amazon.com/omics/latest/api/API_StartRun.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import Life
from airflow_omics.emulator.service import run_caches, run_groups, runs_uses
from airflow_omics.emulator.service.runs_state import Runs
from airflow_omics.emulator.wire import codec
from airflow_omics.emulator.wire.exceptions import validation
from airflow_omics.emulator.wire.model import operation_model
from airflow_omics.emulator.world.shared import WORLD

# What a rerun (``runId`` in StartRun) does not take over. It takes over all else, members to come included.
_NOT_TAKEN_OVER = frozenset(
    {"runId", "requestId", "roleArn", "outputUri", "tags", "sessionPolicy", "batchId"}
)
# Members of which a request has one or the other.
_EITHER = {"parameters": "parametersUri", "parametersUri": "parameters"}
_BULK_MEMBERS: dict[str, Any] = {
    "workflowId": "1234567",
    "workflowType": "PRIVATE",
    "roleArn": "arn:aws:iam::123456789012:role/OmicsRole",
    "outputUri": "s3://airflow-omics-emulator/runs",
    "retentionMode": "RETAIN",
    "storageType": "DYNAMIC",
    "logLevel": "ALL",
    "tags": {},
}


def start(runs: Runs, members: Mapping[str, Any]) -> Run:
    """Start a run, or return the earlier one with the same ``requestId``.

    :param members: the members of the request.
    :raises OmicsServiceError: what StartRun refuses.
    """
    earlier = runs.repeats.earlier(members)
    if earlier is not None:
        runs.bring_up_to_date(earlier)
        return earlier
    run = run_caches.add_run(runs, completed(runs, members), WORLD.life_of(members.get("tags")))
    runs.repeats.keep(members, run)
    return run


def completed(runs: Runs, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a request with what the service adds to them.

    :raises OmicsServiceError: what StartRun refuses.
    """
    members = dict(members)
    _check_output_uri(members.get("outputUri", ""))
    if "parameters" in members and "parametersUri" in members:
        raise validation("give either parameters or parametersUri, not both")
    if "runId" in members:
        _take_over(members, runs.get(members["runId"]).members)
    if "workflowId" not in members:
        raise validation("either workflowId or runId must be given")
    run_groups.check(runs.backend, members)
    run_caches.check(runs.backend, members)
    if members.get("networkingMode") == "VPC" and "configurationName" not in members:
        raise validation("configurationName is required when networkingMode is VPC")
    runs_uses.prepare(runs.backend, members)
    members.setdefault("workflowType", "PRIVATE")
    members.setdefault("retentionMode", "RETAIN")
    if members["workflowType"] == "PRIVATE":
        members.setdefault("storageType", "DYNAMIC")
    members.setdefault("logLevel", "ALL")
    members.setdefault("tags", {})
    return members


def _check_output_uri(uri: str) -> None:
    # The model of an old botocore does not say that it is required.
    bucket = uri.removeprefix("s3://").partition("/")[0]
    if not uri.startswith("s3://") or not bucket:
        raise validation(f"outputUri {uri!r} is not an S3 URI such as s3://bucket/prefix")
    if len(bucket) < 3:
        raise validation(
            f"outputUri {uri!r} names the bucket {bucket!r}; a bucket's name has at least 3 characters"
        )


def _take_over(members: dict[str, Any], source: Mapping[str, Any]) -> None:
    """Add to a rerun what it does not say itself, from the run that it repeats."""
    given = set(members)
    for name, value in source.items():
        if name not in _NOT_TAKEN_OVER and _EITHER.get(name) not in given:
            members.setdefault(name, value)


def start_many(
    runs: Runs, count: int, life: Life, members: Mapping[str, Any], *, quiet: bool = True, silent: bool = True
) -> list[str]:
    """Start many runs without a request, and return their ids in order of creation.

    :param members: members of StartRun; ``{n}`` in ``name`` becomes the number of the run, from 1.
    :param quiet: whether they write no logs and no outputs.
    :param silent: whether they have no events.
    :raises ValueError: a member has a value that StartRun refuses.
    """
    known = operation_model("StartRun").input_shape.members
    given = {name: value for name, value in members.items() if name in known and value is not None}
    if wrong := [what for name, value in given.items() for what in codec.problems(known[name], name, value)]:
        raise ValueError(f"StartRun would refuse such a run: {'; '.join(wrong)}")
    complete = {**_BULK_MEMBERS, **members}
    name = complete.get("name")
    ids = []
    for number in range(1, count + 1):
        if isinstance(name, str) and "{n}" in name:
            complete = {**complete, "name": name.replace("{n}", str(number))}
        ids.append(runs.add(complete, life, quiet=quiet, silent=silent).id)
    return ids
