"""Workflows: CreateWorkflow, GetWorkflow, ListWorkflows, UpdateWorkflow and DeleteWorkflow.

https://docs.aws.amazon.com/omics/latest/api/API_CreateWorkflow.html and its neighbours. The other modules
whose names begin with ``workflows_`` are parts of this resource.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from airflow_omics.emulator.service import workflows_definition, workflows_record
from airflow_omics.emulator.service.common import kept
from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.workflows_state import (
    KIND,
    READY2RUN,
    Workflow,
    named,
    ready2run,
    workflows_of,
)
from airflow_omics.emulator.world.shared import WORLD

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-._]{0,63}")
_UPDATED = ("name", "description", "storageType", "storageCapacity")


def _create_workflow(call: Call) -> dict[str, Any]:
    workflows, members = workflows_of(call.backend), call.members
    workflow = workflows.repeats.earlier(members)
    if workflow is None:
        workflows_definition.check(members)
        workflow = workflows.add(members, workflows_definition.read(call.backend, members))
        workflows.repeats.keep(members, workflow)
    return workflows_record.created(workflow)


def _get_workflow(call: Call) -> dict[str, Any]:
    members = call.members
    workflow = named(
        call.backend, members["id"], kind=members.get("type"), owner=members.get("workflowOwnerId")
    )
    links = workflows_record.exported(call.backend, workflow, members, call.host)
    return {**workflows_record.record(workflow), **links}


def _list_workflows(call: Call) -> dict[str, Any]:
    name, kind = call.members.get("name"), call.members.get("type")

    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for position, workflow in _numbered(call.backend, kind, number):
            if name in (None, workflow.name):
                yield position, workflows_record.item(workflow)

    return page(call.members, after)


def _numbered(backend: OmicsBackend, kind: str | None, number: int) -> Iterator[tuple[int, Workflow]]:
    if kind != READY2RUN:
        yield from workflows_of(backend).table.after(number)
        return
    for position, workflow in enumerate(ready2run(backend).values(), 1):
        if position > number:
            yield position, workflow


def update(backend: OmicsBackend, workflow: Workflow, members: Mapping[str, Any]) -> None:
    """Change a workflow, or a version of one, as an update asks for.

    :param members: the members of UpdateWorkflow or UpdateWorkflowVersion.
    """
    workflow.members.update({name: members[name] for name in _UPDATED if name in members})
    if "readmeMarkdown" in members:
        kept.keep(backend, workflow.readme_key, members["readmeMarkdown"].encode(), WORLD.clock.now())
        workflow.members["readme"] = True


def _update_workflow(call: Call) -> dict[str, Any]:
    update(call.backend, workflows_of(call.backend).get(call.members["id"]), call.members)
    return {}


def _delete_workflow(call: Call) -> dict[str, Any]:
    # Runs keep what they know of it.
    workflows = workflows_of(call.backend)
    workflows.remove(workflows.get(call.members["id"]).id)
    return {}


def _tags_of(backend: OmicsBackend, name: str) -> dict[str, str]:
    # A version's ARN begins with that of its workflow.
    workflow_id, version, version_name = name.partition("/version/")
    tags: dict[str, str] = (
        workflows_of(backend).get(workflow_id, version_name if version else None).members["tags"]
    )
    return tags


def describe(
    backend: OmicsBackend,
    workflow_id: str,
    name: str | None,
    engine: str,
    parameter_template: Mapping[str, Any] | None,
    versions: Collection[str],
) -> None:
    """Make a workflow that does nothing, and versions of it, all ACTIVE at once.

    :raises ValueError: an argument is wrong.
    """
    workflow_id = str(workflow_id)
    if not (workflow_id.isascii() and workflow_id.isdigit() and len(workflow_id) <= 18):
        raise ValueError(
            f"workflow_id is {workflow_id!r}; ids of workflows are up to 18 digits, such as '1234567'"
        )
    if engine not in workflows_definition.ENGINES:
        raise ValueError(f"engine is {engine!r}; give one of {', '.join(workflows_definition.ENGINES)}")
    if parameter_template is not None and not (
        isinstance(parameter_template, Mapping)
        and all(isinstance(parameter, Mapping) for parameter in parameter_template.values())
    ):
        raise ValueError(
            f"parameter_template is {parameter_template!r}; "
            "give a dict such as {'reads': {'description': 'FASTQ files', 'optional': False}}"
        )
    if name is not None and not (isinstance(name, str) and 1 <= len(name) <= 128):
        raise ValueError(f"name is {name!r}; give a text of 1 to 128 characters")
    if not isinstance(versions, list | tuple) or not all(
        _VERSION.fullmatch(str(version)) for version in versions
    ):
        raise ValueError(
            f"versions is {versions!r}; give a list of names such as ['1.0.0'], "
            "each of up to 64 letters, digits, -, . and _"
        )
    given = {"name": name, "engine": engine, "parameterTemplate": parameter_template}
    members = {key: value for key, value in given.items() if value is not None}
    definition, workflows = workflows_definition.nothing(engine), workflows_of(backend)
    workflows.add(members, definition, workflow_id=workflow_id, at_once=True)
    members.pop("name", None)
    for version in versions:
        more = {"workflowId": workflow_id, "versionName": version}
        workflows.add_version({**members, **more}, definition, at_once=True)


RESOURCE = Resource(
    KIND,
    {
        "CreateWorkflow": _create_workflow,
        "GetWorkflow": _get_workflow,
        "ListWorkflows": _list_workflows,
        "UpdateWorkflow": _update_workflow,
        "DeleteWorkflow": _delete_workflow,
    },
    tags_of=_tags_of,
)
