"""What a run uses of what was made here: its workflow, a version of it, a configuration.

It is looked up once, when the run starts, so that a run still knows it when it is deleted. So are the ETags
of the objects in S3 that its parameters name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.service.common.backend import OmicsBackend, backend_for
from airflow_omics.emulator.service.configurations import Configuration, configurations_of
from airflow_omics.emulator.service.workflows_state import READY2RUN, Workflow, named, ready2run, workflows_of
from airflow_omics.emulator.wire.exceptions import validation
from airflow_omics.emulator.world import moto_stores
from airflow_omics.emulator.world.shared import WORLD


class Uses(NamedTuple):
    """What a run uses; None for what nobody made here.

    :param workflow: its workflow.
    :param defined: what defines it: the version of the workflow that it names, or else the workflow.
    """

    workflow: Workflow | None = None
    defined: Workflow | None = None
    configuration: Configuration | None = None


_NOTHING = Uses()


def uses_of(run: Run) -> Uses:
    """Return what a run uses."""
    uses: Uses = run.uses
    return uses


def found(backend: OmicsBackend, members: Mapping[str, Any]) -> Uses:
    """Return what a run with these members uses.

    :param members: the members of StartRun.
    """
    workflow_id, version = members["workflowId"], members.get("workflowVersionName")
    workflow: Workflow | None
    if members.get("workflowType") == READY2RUN:
        workflow = ready2run(backend).get(workflow_id)
        defined = None if version else workflow
    else:
        workflows = workflows_of(_owner(backend, members))
        workflow = workflows.find(workflow_id)
        defined = workflows.find(workflow_id, version)
    name = members.get("configurationName")
    configuration = None if name is None else configurations_of(backend).table.find(name)
    if workflow is None and configuration is None:
        return _NOTHING
    return Uses(workflow, defined, configuration)


def _owner(backend: OmicsBackend, members: Mapping[str, Any]) -> OmicsBackend:
    owner = members.get("workflowOwnerId", backend.account_id)
    return backend if owner == backend.account_id else backend_for(owner, backend.region_name)


def input_uris(parameters: Any) -> Iterator[str]:
    """Yield the URIs of objects in S3 that parameters name, however deep; folders are none."""
    if isinstance(parameters, Mapping):
        for value in parameters.values():
            yield from input_uris(value)
    elif isinstance(parameters, list):
        for value in parameters:
            yield from input_uris(value)
    elif isinstance(parameters, str) and parameters.startswith("s3://") and not parameters.endswith("/"):
        yield parameters


def etags_of_inputs(backend: OmicsBackend, members: Mapping[str, Any]) -> dict[str, str]:
    """Return the ETags of those objects that a run's parameters name and that are in the emulator's S3."""
    # Without it nobody has put an object, and importing it takes its time.
    if "moto.s3.models" not in sys.modules:
        return {}
    found = {uri: moto_stores.etag_of(backend, uri) for uri in input_uris(members.get("parameters"))}
    return {uri: etag for uri, etag in found.items() if etag is not None}


def prepare(backend: OmicsBackend, members: dict[str, Any]) -> None:
    """Check what a new run names, and add the storage that its workflow has by default.

    :param members: the members of StartRun, before the service's own defaults are added.
    :raises OmicsServiceError: what it names cannot be used; or is not there, if the emulator is strict.
    """
    if WORLD.strict:
        _must_be_there(backend, members)
    uses = found(backend, members)
    for kind, thing in (("Workflow", uses.defined), ("Configuration", uses.configuration)):
        if thing is not None and thing.status != "ACTIVE":
            name = members["configurationName"] if kind == "Configuration" else members["workflowId"]
            raise validation(f"{kind} {name} is {thing.status}; a run needs one that is ACTIVE")
    if uses.defined is None:
        return
    if WORLD.strict:
        _must_have_parameters(uses.defined, members)
    defaults = uses.defined.members
    if "storageType" not in members and "storageType" in defaults:
        members["storageType"] = defaults["storageType"]
    if members.get("storageType") == "STATIC" and "storageCapacity" in defaults:
        members.setdefault("storageCapacity", defaults["storageCapacity"])


def _must_be_there(backend: OmicsBackend, members: Mapping[str, Any]) -> None:
    named(
        backend,
        members["workflowId"],
        members.get("workflowVersionName"),
        kind=members.get("workflowType"),
        owner=members.get("workflowOwnerId"),
    )
    if "configurationName" in members:
        configurations_of(backend).table.get(members["configurationName"])


def _must_have_parameters(workflow: Workflow, members: Mapping[str, Any]) -> None:
    # What is in parametersUri is seen when the run begins.
    if "parametersUri" in members:
        return
    given = members.get("parameters") or {}
    lacking = [
        name
        for name, parameter in (workflow.parameters or {}).items()
        if not parameter.get("optional") and name not in given
    ]
    if lacking:
        raise validation(f"parameters lacks {', '.join(lacking)}, which workflow {workflow.id} requires")
