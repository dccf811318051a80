"""The workflows of one account and Region and their versions: made, found, changed and taken away.

Nothing happens in the background: a workflow has the status that the clock gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_omics.emulator.lives.run import Entry
from airflow_omics.emulator.service.common import kept
from airflow_omics.emulator.service.common.backend import OmicsBackend, backend_for
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.service.workflows_definition import Definition, readme
from airflow_omics.emulator.wire import names
from airflow_omics.emulator.wire.exceptions import not_found
from airflow_omics.emulator.world.shared import WORLD

KIND = "workflow"
READY2RUN = "READY2RUN"


@dataclass(eq=False)
class Workflow:
    """A workflow, or a version of one.

    :param members: what it was created with, without the definition itself; changed by an update.
    :param created: service time and reported time of its creation.
    :param decided: the service time at which it is CREATING no more.
    :param failure: why it is FAILED then; None if it is ACTIVE.
    :param workflow: the workflow that this is a version of; None if it is a workflow itself.
    :param deleted: service time and reported time of its deletion; None if it is there.
    """

    id: str
    arn: str
    uuid: str
    members: dict[str, Any]
    definition: Definition
    created: tuple[float, float]
    decided: float
    failure: str | None = None
    workflow: Workflow | None = None
    deleted: tuple[float, float] | None = None

    @property
    def history(self) -> list[Entry]:
        """Its statuses from its creation on, also those to come."""
        entries = [Entry(*self.created, "CREATING")] if self.decided > self.created[0] else []
        if self.deleted is None or self.decided <= self.deleted[0]:
            status = "ACTIVE" if self.failure is None else "FAILED"
            entries.append(Entry(self.decided, WORLD.clock.reported(self.decided), status))
        return entries if self.deleted is None else [*entries, Entry(*self.deleted, "DELETED")]

    @property
    def type(self) -> str:
        """``PRIVATE`` or ``READY2RUN``."""
        return str(self.members.get("type", "PRIVATE"))

    @property
    def name(self) -> str | None:
        """Its name, which it need not have; of a version, that of its workflow."""
        return (self.workflow or self).members.get("name")

    @property
    def version_name(self) -> str | None:
        """The name of the version; None if it is no version."""
        return self.members.get("versionName")

    @property
    def status(self) -> str:
        """Its status at the present."""
        if WORLD.clock.service() < self.decided:
            return "CREATING"
        return "ACTIVE" if self.failure is None else "FAILED"

    @property
    def parameters(self) -> Mapping[str, Any] | None:
        """Its parameter template: the one it was given, or else the one that follows from its definition."""
        return self.members.get("parameterTemplate") or self.definition.parameters

    @property
    def definition_key(self) -> str:
        """Where its definition is kept."""
        return f"definition/{self.uuid}.zip"

    @property
    def readme_key(self) -> str:
        """Where its README is kept, if it has one."""
        return f"readme/{self.uuid}.md"


class Workflows:
    """The workflows of one account and Region."""

    def __init__(self, backend: OmicsBackend) -> None:
        self._backend = backend
        self._table: Table[Workflow] = Table(backend, KIND, "Workflow")
        self._versions: dict[str, Table[Workflow]] = {}
        self.unannounced: list[Workflow] = []
        """Workflows of which something has happened that EventBridge is not told of yet; no versions."""
        self.repeats: Repeats[Workflow] = Repeats("workflow")
        self.version_repeats: Repeats[Workflow] = Repeats("workflow version")

    @property
    def table(self) -> Table[Workflow]:
        """The workflows."""
        return self._table

    def versions(self, workflow_id: str) -> Table[Workflow]:
        """Return the versions of a workflow.

        :raises OmicsServiceError: there is no such workflow.
        """
        return self._versions[self._table.get(workflow_id).id]

    def add(
        self,
        members: Mapping[str, Any],
        definition: Definition,
        *,
        workflow_id: str | None = None,
        at_once: bool = False,
    ) -> Workflow:
        """Add a workflow, in place of what had its id.

        :param members: the members of CreateWorkflow.
        :param workflow_id: its id; a new one if it is None.
        :param at_once: whether it is never CREATING.
        """
        workflow_id = workflow_id or self._table.new_id()
        workflow = self._made(members, definition, workflow_id, self._table.arn(workflow_id), at_once)
        self._table.put(workflow_id, workflow)
        self.unannounced.append(workflow)
        kind = f"{KIND}/{workflow_id}/version"
        self._versions[workflow_id] = Table(self._backend, kind, f"Version of workflow {workflow_id}")
        return workflow

    def add_version(
        self, members: Mapping[str, Any], definition: Definition, *, at_once: bool = False
    ) -> Workflow:
        """Add a version to a workflow that there is.

        :param members: the members of CreateWorkflowVersion.
        :param at_once: whether it is never CREATING.
        """
        workflow, name = self._table.get(members["workflowId"]), members["versionName"]
        versions = self.versions(workflow.id)
        version = self._made(members, definition, workflow.id, versions.arn(name), at_once)
        version.workflow = workflow
        versions.put(name, version)
        return version

    def _made(
        self, members: Mapping[str, Any], definition: Definition, workflow_id: str, arn: str, at_once: bool
    ) -> Workflow:
        creation = WORLD.creations[KIND]
        created = WORLD.clock.read()
        text = readme(self._backend, members)
        not_kept = ("definitionZip", "requestId", "readmeMarkdown")
        workflow = Workflow(
            id=workflow_id,
            arn=arn,
            uuid=WORLD.uuid(),
            members={
                **{name: value for name, value in members.items() if name not in not_kept},
                "tags": dict(members.get("tags", {})),
                "readme": text is not None,
            },
            definition=definition,
            created=created,
            decided=created[0] + (0 if at_once else creation.seconds),
            failure=definition.failure or (None if at_once else creation.failure),
        )
        if definition.content is not None:
            kept.keep(self._backend, workflow.definition_key, definition.content, created[1])
        if text is not None:
            kept.keep(self._backend, workflow.readme_key, text, created[1])
        return workflow

    def remove(self, workflow_id: str) -> None:
        """Forget a workflow and its versions."""
        workflow = self._table.get(workflow_id)
        workflow.deleted = WORLD.clock.read()
        self.unannounced.append(workflow)
        self._table.remove(workflow_id)
        del self._versions[workflow_id]

    def find(self, workflow_id: str, version_name: str | None = None) -> Workflow | None:
        """Return a workflow, or a version of it; None if there is no such thing."""
        if version_name is None:
            return self._table.find(workflow_id)
        return self._versions[workflow_id].find(version_name) if workflow_id in self._versions else None

    def get(self, workflow_id: str, version_name: str | None = None) -> Workflow:
        """Return a workflow, or a version of it.

        :raises OmicsServiceError: there is no such thing.
        """
        if version_name is None:
            return self._table.get(workflow_id)
        return self.versions(workflow_id).get(version_name)


def workflows_of(backend: OmicsBackend) -> Workflows:
    """Return the workflows of an account and Region."""
    return backend.state(Workflows)


_MAIN = {"WDL": "main.wdl", "NEXTFLOW": "main.nf"}
# The ids are those that tools of others use in their tests; all else is made up.
_MADE_UP = (
    ("7330987", "Emulated germline calling", "WDL"),
    ("7709200", "Emulated alignment on GPUs", "WDL"),
    ("9500764", "Emulated RNA quantification", "NEXTFLOW"),
)


class _Ready2Run:
    """The Ready2Run workflows that there are in a Region: made up, and the same everywhere."""

    def __init__(self, backend: OmicsBackend) -> None:
        self.all: dict[str, Workflow] = {}
        moment = WORLD.clock.read()
        for workflow_id, name, engine in _MADE_UP:
            self.all[workflow_id] = Workflow(
                id=workflow_id,
                arn=names.arn(backend, KIND, workflow_id, account_id=""),
                uuid=names.stable_uuid(backend, READY2RUN, workflow_id),
                members={
                    "name": name,
                    "type": READY2RUN,
                    "description": "Made up by the emulator: no workflow of AWS is like it.",
                    "metadata": {"publisher": "airflow-omics emulator"},
                    "parameterTemplate": {"inputFASTQ": {"description": "Made up.", "optional": False}},
                },
                definition=Definition(None, engine, _MAIN[engine]),
                created=moment,
                decided=moment[0],
            )


def ready2run(backend: OmicsBackend) -> Mapping[str, Workflow]:
    """Return the Ready2Run workflows of a Region by id."""
    return backend.state(_Ready2Run).all


def named(
    backend: OmicsBackend,
    workflow_id: str,
    version_name: str | None = None,
    *,
    kind: str | None = None,
    owner: str | None = None,
) -> Workflow:
    """Return the workflow, or the version of one, that a request names.

    :param kind: ``READY2RUN`` for one of those; without it, they are not found.
    :param owner: the account that it is in, if it is shared. Every workflow counts as shared.
    :raises OmicsServiceError: there is no such thing.
    """
    if kind != READY2RUN:
        there = backend if owner is None else backend_for(owner, backend.region_name)
        return workflows_of(there).get(workflow_id, version_name)
    found = ready2run(backend).get(workflow_id)
    if found is None:
        raise not_found(f"Workflow {workflow_id}")
    if version_name is not None:
        raise not_found(f"Version of workflow {workflow_id} {version_name}")
    return found
