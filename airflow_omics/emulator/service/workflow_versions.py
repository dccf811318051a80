"""Versions of workflows: Create-, Get-, Update- and DeleteWorkflowVersion, and ListWorkflowVersions.

https://docs.aws.amazon.com/omics/latest/api/API_CreateWorkflowVersion.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_omics.emulator.service import workflows_definition, workflows_record
from airflow_omics.emulator.service.common.backend import backend_for
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.workflows import update
from airflow_omics.emulator.service.workflows_state import KIND, READY2RUN, named, workflows_of
from airflow_omics.emulator.wire.exceptions import conflict


def _create_workflow_version(call: Call) -> dict[str, Any]:
    workflows, members = workflows_of(call.backend), call.members
    version = workflows.version_repeats.earlier(members)
    if version is None:
        workflow_id, name = members["workflowId"], members["versionName"]
        if workflows.versions(workflow_id).find(name) is not None:
            raise conflict(f"Workflow {workflow_id} has a version {name} already")
        workflows_definition.check(members)
        version = workflows.add_version(members, workflows_definition.read(call.backend, members))
        workflows.version_repeats.keep(members, version)
    return workflows_record.created(version)


def _get_workflow_version(call: Call) -> dict[str, Any]:
    members = call.members
    version = named(
        call.backend,
        members["workflowId"],
        members["versionName"],
        kind=members.get("type"),
        owner=members.get("workflowOwnerId"),
    )
    links = workflows_record.exported(call.backend, version, members, call.host)
    return {**workflows_record.record(version), **links}


def _list_workflow_versions(call: Call) -> dict[str, Any]:
    members, backend = call.members, call.backend
    kind, owner = members.get("type"), members.get("workflowOwnerId", backend.account_id)
    workflow = named(backend, members["workflowId"], kind=kind, owner=owner)

    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        # A Ready2Run workflow has no versions here.
        if kind != READY2RUN:
            there = workflows_of(backend_for(owner, backend.region_name))
            for position, version in there.versions(workflow.id).after(number):
                yield position, workflows_record.item(version)

    return page(members, after)


def _update_workflow_version(call: Call) -> dict[str, Any]:
    members = call.members
    version = workflows_of(call.backend).get(members["workflowId"], members["versionName"])
    update(call.backend, version, members)
    return {}


def _delete_workflow_version(call: Call) -> dict[str, Any]:
    # Runs keep what they know of it.
    versions = workflows_of(call.backend).versions(call.members["workflowId"])
    versions.get(call.members["versionName"])
    versions.remove(call.members["versionName"])
    return {}


# The ARN of a version begins with that of its workflow.
RESOURCE = Resource(
    KIND,
    {
        "CreateWorkflowVersion": _create_workflow_version,
        "GetWorkflowVersion": _get_workflow_version,
        "ListWorkflowVersions": _list_workflow_versions,
        "UpdateWorkflowVersion": _update_workflow_version,
        "DeleteWorkflowVersion": _delete_workflow_version,
    },
)
