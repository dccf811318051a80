"""What the service shows of workflows and their versions, in the API's own terms."""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator.service.common import kept
from airflow_omics.emulator.service.common.backend import OmicsBackend, backend_for
from airflow_omics.emulator.service.workflows_state import Workflow
from airflow_omics.emulator.wire.exceptions import validation

_AS_GIVEN = (
    "name",
    "versionName",
    "description",
    "storageType",
    "storageCapacity",
    "accelerators",
    "metadata",
    "tags",
    "containerRegistryMap",
    "readmePath",
    "workflowBucketOwnerId",
)
_AS_GIVEN_IN_LISTS = ("name", "versionName", "description", "metadata")


def _ids(workflow: Workflow) -> dict[str, str]:
    return {"id" if workflow.version_name is None else "workflowId": workflow.id}


def created(workflow: Workflow) -> dict[str, Any]:
    """Return the answer of CreateWorkflow or CreateWorkflowVersion."""
    version = workflow.version_name
    return {
        "arn": workflow.arn,
        **_ids(workflow),
        **({} if version is None else {"versionName": version}),
        "status": workflow.status,
        "tags": workflow.members["tags"],
        "uuid": workflow.uuid,
    }


def item(workflow: Workflow) -> dict[str, Any]:
    """Return a workflow's item in ListWorkflows, or a version's in ListWorkflowVersions."""
    found: dict[str, Any] = {
        "arn": workflow.arn,
        **_ids(workflow),
        "status": workflow.status,
        "type": workflow.type,
        "creationTime": workflow.created[1],
        **{name: workflow.members[name] for name in _AS_GIVEN_IN_LISTS if name in workflow.members},
    }
    if found["status"] == "ACTIVE" and workflow.definition.digest is not None:
        found["digest"] = workflow.definition.digest
    return found


def record(workflow: Workflow) -> dict[str, Any]:
    """Return the answer of GetWorkflow or GetWorkflowVersion, without what is exported on request."""
    members, definition = workflow.members, workflow.definition
    found = {
        **item(workflow),
        "uuid": workflow.uuid,
        **{name: members[name] for name in _AS_GIVEN if name in members},
    }
    # What is not given is known once the definition was read.
    read = found["status"] == "ACTIVE"
    engine = definition.engine if read else members.get("engine")
    main = definition.main if read else members.get("main")
    parameters = workflow.parameters if read else members.get("parameterTemplate")
    detected = {"engine": engine, "main": main, "parameterTemplate": parameters}
    found |= {name: value for name, value in detected.items() if value is not None}
    if found["status"] == "FAILED" and workflow.failure is not None:
        found["statusMessage"] = workflow.failure
    if "definitionRepository" in members:
        asked = members["definitionRepository"]
        names = ("connectionArn", "fullRepositoryId", "sourceReference")
        found["definitionRepositoryDetails"] = {name: asked[name] for name in names if name in asked}
    return found


def exported(backend: OmicsBackend, workflow: Workflow, members: dict[str, Any], host: str) -> dict[str, str]:
    """Return the links of GetWorkflow or GetWorkflowVersion: to the README, and to the definition on request.

    :param backend: the account and Region that ask.
    :raises OmicsServiceError: the definition is not the account's own to export.
    """
    links = {}
    if workflow.members.get("readme"):
        there = backend_for(members.get("workflowOwnerId", backend.account_id), backend.region_name)
        links["readme"] = kept.url(there, workflow.readme_key, host)
    if "DEFINITION" not in members.get("export", ()):
        return links
    if members.get("workflowOwnerId", backend.account_id) != backend.account_id:
        raise validation(f"Workflow {workflow.id} is shared, and its definition cannot be exported")
    if workflow.definition.content is None:
        # Of a Ready2Run workflow, or of one whose definition could not be read.
        return links
    links["definition"] = kept.url(backend, workflow.definition_key, host)
    return links
