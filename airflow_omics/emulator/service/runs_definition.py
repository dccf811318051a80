"""The definition that GetRun exports on request: its workflow's, or a stand-in if nobody made that here."""

from __future__ import annotations

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.service import workflows_definition
from airflow_omics.emulator.service.common import kept
from airflow_omics.emulator.service.common.backend import OmicsBackend, backend_for
from airflow_omics.emulator.service.runs_uses import uses_of
from airflow_omics.emulator.service.workflows_definition import Definition


def _definition(run: Run) -> Definition:
    """Return the definition of a run's workflow.

    Of a workflow that nobody made here it is one that does nothing. If the run has settings of an engine, it
    is Nextflow's; everything else is assumed to be WDL.
    """
    defined = uses_of(run).defined
    if defined is not None:
        return defined.definition
    return workflows_definition.nothing("NEXTFLOW" if run.members.get("engineSettings") else "WDL")


def source(run: Run) -> tuple[str | None, str | None]:
    """Return the engine and the main file of a run's workflow."""
    definition = _definition(run)
    return definition.engine, definition.main


def workflow_name(run: Run) -> str | None:
    """Return the name that the WDL of a run's workflow gives it; None for another language."""
    return _definition(run).workflow_name


def url(backend: OmicsBackend, run: Run, host: str, moment: float) -> str:
    """Return a URL of a run's definition that needs no keys, as a presigned one does not.

    :param host: the host that HealthOmics was asked at.
    :param moment: the present, in seconds since the epoch.
    """
    defined, definition = uses_of(run).defined, _definition(run)
    if defined is not None and definition.content is not None:
        owner = backend_for(run.members.get("workflowOwnerId", backend.account_id), backend.region_name)
        return kept.url(owner, defined.definition_key, host)
    content = definition.content or workflows_definition.nothing(definition.engine or "WDL").content
    assert content is not None
    key = f"definition/{run.members['workflowId']}/{definition.main}.zip"
    kept.keep(backend, key, content, moment)
    return kept.url(backend, key, host)
