"""Controls of what runs use: run groups, workflows, configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_omics.emulator.control_table import control
from airflow_omics.emulator.service import run_groups, workflows
from airflow_omics.emulator.service.common.backend import default_backend
from airflow_omics.emulator.world.shared import WORLD


class ResourceControls:
    """What a test can do with what runs use, past the service's own operations."""

    @control()
    def run_group(
        self,
        run_group_id: str,
        *,
        name: str | None = None,
        max_runs: int | None = None,
        max_cpus: int | None = None,
        max_gpus: int | None = None,
        max_duration: int | None = None,
        limits: bool = True,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Make a run group with an id of your own, or another one under an id that there is.

        It limits its runs as one that CreateRunGroup made: those that are there already as well.

        :param run_group_id: its id, such as a run's ``runGroupId``.
        :param name: its name.
        :param max_runs: runs at once.
        :param max_cpus: vCPUs at once.
        :param max_gpus: GPUs at once.
        :param max_duration: minutes a run may be RUNNING.
        :param limits: False for a group that GetRunGroup answers, and that limits no run.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        """
        group = {
            "name": name,
            "maxRuns": max_runs,
            "maxCpus": max_cpus,
            "maxGpus": max_gpus,
            "maxDuration": max_duration,
        }
        if not isinstance(limits, bool):
            raise ValueError(f"limits is {limits!r}; give True or False")
        with WORLD.lock:
            backend = default_backend(account_id, region_name)
            run_groups.describe(backend, run_group_id, group, limits=limits)

    @control()
    def workflow(
        self,
        workflow_id: str,
        *,
        name: str | None = None,
        engine: str = "WDL",
        parameter_template: Mapping[str, Any] | None = None,
        versions: Sequence[str] = (),
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Make a workflow without a request, ACTIVE at once. Its definition does nothing.

        :param workflow_id: its id, such as a run's ``workflowId``; takes the place of what had it.
        :param name: its name.
        :param engine: ``WDL``, ``NEXTFLOW``, ``CWL`` or ``WDL_LENIENT``.
        :param parameter_template: its ``parameterTemplate``.
        :param versions: the names of versions that it has.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        """
        with WORLD.lock:
            backend = default_backend(account_id, region_name)
            workflows.describe(backend, workflow_id, name, engine, parameter_template, versions)

    @control()
    def creation(self, kind: str, seconds: float, failure: str | None = None) -> None:
        """Set how the creation of workflows and their versions, or of configurations, goes from now on.

        :param kind: ``workflow`` or ``configuration``.
        :param seconds: how long each is CREATING, in seconds of service time.
        :param failure: the ``statusMessage`` with which each is FAILED after that; ACTIVE if left out, unless
            there is something wrong with it.
        """
        WORLD.set_creation(kind, seconds, failure)

    @control()
    def strict(self, on: bool = True) -> None:
        """Set whether StartRun refuses a workflow, run group, run cache or configuration that nobody made.

        AWS answers ResourceNotFoundException. Otherwise the emulator accepts any id, so that a test need not
        make what it is not about. Parameters that a workflow requires are checked as well.
        """
        if not isinstance(on, bool):
            raise ValueError(f"on is {on!r}; give True or False")
        WORLD.strict = on
