"""What made the outputs of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from airflow_omics.provenance.text import SCHEMA, at, parameters_digest
from airflow_omics.records import TERMINAL_STATUSES

_FIRST: Final = ("arn", "creationTime", "outputUri", "roleArn", "workflowId")
"""Members that GetRun has returned from the beginning: a record without one of them was narrowed."""

_TOKEN_TAG: Final = "airflow-omics:token"
_TASK_TEXTS: Final = ("deployment", "dag_id", "run_id", "task_id")
_TASK_NUMBERS: Final = ("map_index", "try_number")

# The parts of a manifest that are the record's own members: their names there and in the record.
_PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "run": {
        key: key
        for key in (
            *("id", "uuid", "arn", "name", "status", "failureReason"),
            *("outputUri", "runOutputUri", "batchId", "runGroupId", "source"),
        )
    },
    "workflow": {
        "id": "workflowId",
        "uuid": "workflowUuid",
        "type": "workflowType",
        "ownerId": "workflowOwnerId",
        "versionName": "workflowVersionName",
    },
    "times": {key: key for key in ("creationTime", "startTime", "stopTime")},
    "who": {key: key for key in ("startedBy", "roleArn")},
    "storage": {"type": "storageType", "capacity": "storageCapacity", "scratch": "scratchStorageMode"},
    "cache": {"id": "cacheId", "behavior": "cacheBehavior"},
}

_ALWAYS: Final = (
    "engine.main",
    "engine.name",
    "images",
    "inputs",
    "parametersDigest",
    "run.arn",
    "run.runOutputUri",
    "run.uuid",
    "times.creationTime",
    "who.roleArn",
    "who.startedBy",
    "workflow.id",
    "workflow.uuid",
)
"""What can be said of every run."""
_ONCE_COMPLETED: Final = ("times.startTime", "times.stopTime")
IF_ANY: Final[Mapping[str, str]] = {
    "accelerators": "accelerators",
    "engine.settingsDigest": "engineSettings",
    "engine.version": "engineVersion",
    "networkingMode": "networkingMode",
    "workflow.versionName": "workflowVersionName",
}
"""What GetRun leaves out if there is none, and its member of the record. If the record was narrowed, or
botocore did not know the member, its absence says nothing."""


def provenance_of(
    record: Mapping[str, Any],
    *,
    workflow: Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
    notes: Iterable[str] = (),
    unread: Collection[str] = (),
) -> dict[str, Any]:
    """Return the provenance manifest of a run. No call is made: ``OmicsHook.provenance`` makes them.

    The same arguments give the same manifest: it does not say when it was made.

    :param record: the run's record, as whole as there is. What it lacks is named in ``incomplete``.
    :param workflow: GetWorkflow's or GetWorkflowVersion's answer for the run's workflow, if it is known.
    :param task: the task of Airflow that asks, if one does: ``dag_id``, ``run_id``, ``task_id``,
        ``map_index``, ``try_number`` and ``deployment`` are taken from it, and nothing else.
    :param notes: sentences for the member ``notes``.
    :param unread: members of GetRun's answer that botocore was too old for when the record was read.
    :return: plain JSON of the schema docs/reference/schemas/provenance-1.json.
    :raises ValueError: ``record`` is no record of a run.

    See https://docs.aws.amazon.com/omics/latest/api/API_GetRun.html
    """
    _check_record(record)
    said = [str(note) for note in notes]
    if workflow is not None and (other := _of_another(record, workflow)):
        said.append(f"{other}; what it says is left out.")
        workflow = None
    manifest: dict[str, Any] = {part: _members(record, names) for part, names in _PARTS.items()}
    manifest["workflow"].update(_repository(workflow or {}))
    manifest["startedFor"] = _task_of_tags(record.get("tags"))
    manifest["recordedBy"] = _task(task or {})
    made_by = _made_by(record, workflow or {})
    return {
        **{part: members for part, members in manifest.items() if members},
        "schema": SCHEMA,
        "madeBy": made_by,
        "incomplete": sorted(_unknown(record, {**manifest, **made_by}, unread)),
        "notes": sorted({*said, *_notes(record, made_by)}),
    }


def _check_record(record: Any) -> None:
    if not isinstance(record, Mapping) or not isinstance(record.get("id"), str):
        shown = "a record without 'id'" if isinstance(record, Mapping) else f"a {type(record).__name__}"
        raise ValueError(f"record is {shown}; it takes a run's record, such as OmicsHook.get_run returns it.")
    if ":runBatch/" in str(record.get("arn")) or "runSummary" in record:
        raise ValueError(
            "record is a batch's; a manifest is made for each run of it, from the run's own record."
        )


def _members(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the members that are there and have their own form, by their names in the manifest."""
    found = {name: record.get(member) for name, member in names.items()}
    return {name: value for name, value in found.items() if value and _FORM.get(name, _is_text)(value)}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", value) is not None


_FORM: Final[Mapping[str, Callable[[Any], bool]]] = {
    "capacity": lambda value: type(value) is int,
    **dict.fromkeys(_PARTS["times"], _is_time),
}


def _made_by(record: Mapping[str, Any], workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return what made the outputs, as far as it is known."""
    made: dict[str, Any] = {
        "definition": {
            **_members(record, {"digest": "digest"}),
            **_members(workflow, {"workflowDigest": "digest"}),
        },
        "engine": {
            **_members(workflow, {"name": "engine", "main": "main"}),
            **_members(record, {"version": "engineVersion"}),
        },
        **_members(record, {key: key for key in ("accelerators", "networkingMode")}),
    }
    if settings := record.get("engineSettings"):
        made["engine"]["settingsDigest"] = parameters_digest(settings)
    if record.get("parameters") is not None:
        made["parametersDigest"] = parameters_digest(record["parameters"])
    made = {name: value for name, value in made.items() if value}
    digests = record.get("resourceDigests")
    if isinstance(digests, Mapping):
        said = {str(name): str(value) for name, value in digests.items()}
        made["inputs"] = {name: value for name, value in said.items() if "://" in name}
        made["images"] = {name: value for name, value in said.items() if "://" not in name}
    return made


def _repository(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a workflow's definition was taken from, if that was a repository."""
    details = workflow.get("definitionRepositoryDetails")
    if not isinstance(details, Mapping):
        return {}
    reference = details.get("sourceReference")
    found: dict[str, Any] = _members(details, {"id": "fullRepositoryId"})
    if isinstance(reference, Mapping):
        found |= _members(reference, {"referenceType": "type", "reference": "value"})
    return {"repository": found} if found else {}


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: task[key] for key in _TASK_TEXTS if isinstance(task.get(key), str) and task[key]}
    numbers = {key: str(task[key]) for key in _TASK_NUMBERS if task.get(key) is not None}
    return {
        **texts,
        **{key: int(text) for key, text in numbers.items() if re.fullmatch(r"-?[0-9]{1,9}", text)},
    }


def _task_of_tags(tags: Any) -> dict[str, Any]:
    """Return the task for which a start operator has started the run, by the operator's own tags."""
    if not isinstance(tags, Mapping) or _TOKEN_TAG not in tags:
        return {}
    return _task({key: tags.get(f"airflow:{key}") for key in (*_TASK_TEXTS, *_TASK_NUMBERS)})


def _of_another(record: Mapping[str, Any], workflow: Mapping[str, Any]) -> str | None:
    """Return how GetWorkflow's answer can't be about the run's workflow, or None if it can."""
    version = record.get("workflowVersionName")
    pairs = [
        ("id", record.get("workflowId"), workflow.get("workflowId") or workflow.get("id")),
        ("version", version, workflow.get("versionName")),
    ]
    if not version and not workflow.get("versionName"):  # a version has a uuid of its own
        pairs.append(("uuid", record.get("workflowUuid"), workflow.get("uuid")))
    of_run, of_workflow = (str(about.get("arn") or "").split(":") for about in (record, workflow))
    if len(of_run) > 5 and len(of_workflow) > 5:
        # The ARN of a Ready2Run workflow names no account.
        owner = record.get("workflowOwnerId") or of_run[4]
        pairs += [("Region", of_run[3], of_workflow[3]), ("account", owner, of_workflow[4])]
    for what, wanted, answered in pairs:
        if wanted and answered and wanted != answered:
            return f"GetWorkflow's answer has the {what} {answered}, and the run's workflow {wanted}"
    return None


def _is_narrow(record: Mapping[str, Any]) -> bool:
    return record.get("source") == "manifest" or any(record.get(key) is None for key in _FIRST)


def may_have_a_version(record: Mapping[str, Any], unread: Collection[str]) -> bool:
    """Return whether a run may be of a version of its workflow that its record does not name."""
    if record.get("workflowVersionName"):
        return False
    return _is_narrow(record) or "workflowVersionName" in unread


def _unknown(record: Mapping[str, Any], parts: Mapping[str, Any], unread: Collection[str]) -> Iterator[str]:
    """Yield what a manifest would have if the record told more."""
    status = record.get("status")
    paths = [*_ALWAYS, *(_ONCE_COMPLETED if status == "COMPLETED" else ())]
    narrow = _is_narrow(record)
    paths += [path for path, member in IF_ANY.items() if narrow or member in unread]
    if at(parts, "engine.name") == "NEXTFLOW":
        paths.append("engine.version")
    yield from {path for path in paths if at(parts, path) is None}
    if not parts.get("definition"):
        yield "definition"
    if record.get("tags") is None and not parts["startedFor"]:
        yield "startedFor"
    if status not in TERMINAL_STATUSES:
        # What it will read may not all be there yet.
        yield from {kind for kind in ("inputs", "images") if kind in parts}


def _notes(record: Mapping[str, Any], made_by: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader must know of a manifest."""
    status = record.get("status")
    if status not in TERMINAL_STATUSES:
        yield f"The run was {status} when it was read; inputs and images may not all be known yet."
    elif status != "COMPLETED":
        yield f"The run is {status}: it has no outputs, or not all."
    if record.get("source") == "manifest":
        yield "The run is described by its manifest in CloudWatch Logs, which says less than GetRun."
    if made_by.get("networkingMode") == "VPC":
        yield "The run's tasks could use a network; what they have read there is not known."
    if record.get("cacheId"):
        yield "The run used a run cache; results of tasks may be those of an earlier run on the same inputs."
    digests = set(made_by.get("definition", {}).values())
    if len(digests) > 1:
        yield "GetRun and GetWorkflow give two digests of the definition."
