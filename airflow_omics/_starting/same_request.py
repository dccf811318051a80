"""Whether a run that was found is the one that is meant now, by what it was asked for with.

A token says which task a run was started for, and nothing of what it was to compute: a DAG run that is
deleted and made again under the same id, or a mapped task whose list comes in another order, has the token of
a run with other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_omics._starting.attempt import REQUEST_TAG
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.records import to_plain


def check_same_request(
    request: Mapping[str, Any], record: Mapping[str, Any], *, is_before: bool, log: Any
) -> None:
    """Refuse a run that was asked for otherwise by an earlier DAG run; warn of one of this DAG run.

    A retry may ask for another run without anybody meaning so, as where a parameter is a time.

    :param request: StartRun's members, as this attempt would ask for a run.
    :param record: GetRun's answer for the run that was found.
    :param is_before: whether it was made before this DAG run was.
    :raises OmicsRequestError: naming the members that differ, never their values.
    """
    wanted, had = request.get("tags") or {}, record.get("tags") or {}
    if had.get(REQUEST_TAG) in (None, wanted.get(REQUEST_TAG)):
        return
    members = ", ".join(differing_members(request, record)) or "members that GetRun does not return"
    run_id = str(record.get("id"))
    if is_before:
        raise OmicsRequestError(
            f"HealthOmics run {run_id} was started for this task by an earlier DAG run of the same id, and "
            f"was asked for otherwise (it differs in {members}). It is not taken for this one's. Clear the "
            "task to start a new run, or give the DAG run an id of its own.",
            run_id=run_id,
        )
    log.warning(
        "HealthOmics run %s is the run of this task, but was asked for otherwise than this attempt would "
        "(it differs in %s). It is taken as it is; clear the task (with on_clear='new') to start another.",
        run_id,
        members,
    )


def differing_members(request: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the members of StartRun whose value GetRun shows to be another, in alphabetical order.

    Of the tags, the operator's own do not count.
    """
    differing = []
    for member, value in request.items():
        if member == "tags":
            if _given(value) != _given(record.get("tags") or {}):
                differing.append(member)
        elif member in record and to_plain(value) != record[member]:
            differing.append(member)
    return tuple(sorted(differing))


def _given(tags: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tags.items() if not key.startswith(("airflow:", "airflow-omics:"))}
