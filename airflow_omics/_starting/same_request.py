"""Whether a run that was found is the one that is meant now: it was started with the same request.

A token says for which task a run was started, and not what it was to compute. If a DAG run is deleted and
made again under the same id, or a mapped task's list comes in another order, its token is that of a run with
other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_omics._batches.members import NAMED_TAG
from airflow_omics._starting.attempt import ETAG_TAG, REQUEST_TAG
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.records import to_plain


def check_same_request(
    request: Mapping[str, Any], record: Mapping[str, Any], *, is_before: bool, log: Any
) -> None:
    """Refuse a run that an earlier DAG run started with a different request; warn of one of this DAG run.

    A retry may have a different request without anybody meaning it, for example if a parameter is a time.

    :param request: StartRun's members, as this attempt would send them.
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
            f"HealthOmics run {run_id} was started for this task by an earlier DAG run of the same id, with "
            f"a different request (it differs in {members}), so this DAG run does not use it. Clear the "
            "task to start a new run, or give the DAG run an id of its own.",
            run_id=run_id,
        )
    log.warning(
        "HealthOmics run %s is the run of this task, but was started with a different request (it differs in "
        "%s). It is used as it is; clear the task (with on_clear='new') to start another.",
        run_id,
        members,
    )


_SETTINGS: Final[Mapping[str, str]] = {
    REQUEST_TAG: "what all its runs have in common",
    NAMED_TAG: "its run_settings",
    ETAG_TAG: "the file of its run_settings",
}


def check_same_settings(
    wanted: Mapping[str, str], record: Mapping[str, Any], *, is_before: bool, log: Any
) -> None:
    """Refuse a batch that an earlier DAG run started with different settings; warn of one of this DAG run.

    :param wanted: the tags that say what a batch is started with now.
    :param record: GetBatch's answer for the batch that was found.
    :param is_before: whether it was made before this DAG run was.
    :raises OmicsRequestError: saying which part differs, and no value.
    """
    had = record.get("tags") or {}
    differing = [_SETTINGS[tag] for tag, value in wanted.items() if had.get(tag) not in (None, value)]
    if not differing:
        return
    batch_id, what = str(record.get("id")), " and ".join(differing)
    if is_before:
        raise OmicsRequestError(
            f"HealthOmics batch {batch_id} was started for this task by an earlier DAG run of the same id, "
            f"and {what} differ, so this DAG run does not use it. Give the DAG run an id of its own.",
            batch_id=batch_id,
        )
    log.warning(
        "HealthOmics batch %s is the batch of this task, but %s have changed since it was started. What it "
        "has done is kept.",
        batch_id,
        what,
    )


def differing_members(request: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the members of StartRun for which GetRun shows another value, in alphabetical order.

    The operator's own tags do not count.
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
