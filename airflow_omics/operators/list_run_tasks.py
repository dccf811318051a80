"""The operator that lists the tasks of one run."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_fields, check_names, check_switch
from airflow_omics.links import RUN_LINKS, persist_links
from airflow_omics.records import TASK_STATUSES, describe

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

_DETAIL_SPACING = 0.2  # seconds: half of the service's default quota for GetRunTask, so that others have room


class OmicsListRunTasksOperator(RunTaskMixin, BaseOperator):
    """List the tasks of a HealthOmics run, of all pages, and return their records.

    A record is what ListRunTasks answers for a task, with the API's own names, in plain JSON: ``taskId``,
    ``status``, ``name``, ``cpus``, ``memory``, ``instanceType``, times and so on. A run that has no tasks
    (yet) gives an empty list. Each try of a task inside the run has its own ``taskId``, so a COMPLETED run
    may hold FAILED tasks: the run's own status says how it ended, its tasks do not.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that waited for the run. Templated.
    :param statuses: only tasks in one of these statuses, such as ``["FAILED"]``; None lists all.
    :param details: whether to read each listed task by a GetRunTask of its own, which adds ``failureReason``,
        ``statusMessage``, ``logStream`` and ``imageDetails`` if they are known. It reads five tasks a second.
    :param task_fields: members of each record to return; ``taskId`` and ``status`` always stay. None
        returns all of them.
    :param max_tasks: the most tasks to return, in AWS's order, which is not documented; the log warns if
        there are more. None returns all, and a run may have thousands.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: a list of task records, in XCom as ``return_value``; map over it with ``.output``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run.
    :raises OmicsRunDeletedError: the id of the record given as ``run_id`` belongs to another run now.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, or AWS refused it.

    Needs the IAM actions ``omics:GetRun`` and ``omics:ListRunTasks``; with ``details``,
    ``omics:GetRunTask``.
    See https://docs.aws.amazon.com/omics/latest/api/API_ListRunTasks.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any,
        statuses: Collection[str] | None = None,
        details: bool = False,
        task_fields: Collection[str] | None = None,
        max_tasks: int | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.statuses = _check_task_statuses(check_names("statuses", statuses, "['FAILED']"))
        self.details = check_switch("details", details)
        self.task_fields = check_fields("task_fields", task_fields, "['name', 'instanceType']")
        if max_tasks is not None and (
            isinstance(max_tasks, bool) or not isinstance(max_tasks, int) or max_tasks < 1
        ):
            raise ValueError(f"max_tasks is {max_tasks!r}; it takes a number of tasks, 1 or more, or None.")
        self.max_tasks = max_tasks
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the run's tasks and return their records."""
        from airflow_omics.hooks.retrying import with_retries

        target = self._target()
        hook = self._make_hook(target)
        run_id = target.id

        def retried(call: Any) -> Any:
            return with_retries(call, hook=hook, target=target, log=self.log)

        # ListRunTasks returns neither a run's uuid nor its account, and may list another run's tasks.
        run = self._checked(target, retried(lambda: hook.get_run(run_id)))
        persist_links(context, run)
        tasks: list[dict[str, Any]] = retried(lambda: self._list(hook, run_id))
        if self.max_tasks is not None and len(tasks) > self.max_tasks:
            self.log.warning(
                "There are more tasks than max_tasks, %d: the others are left out", self.max_tasks
            )
            tasks = tasks[: self.max_tasks]
        if self.details:
            for index, task in enumerate(tasks):
                if index:
                    _clock.sleep(_DETAIL_SPACING)
                tasks[index] = task | retried(lambda task=task: hook.get_run_task(run_id, task["taskId"]))
        self.log.info("%s. Tasks listed: %d", describe(run).removesuffix("."), len(tasks))
        return [self._narrowed(task) for task in tasks]

    def _list(self, hook: OmicsHook, run_id: str) -> list[dict[str, Any]]:
        # ListRunTasks takes one status. For several, all tasks are listed once, so that each appears once:
        # with one listing for each status, a task of an active run could appear twice or not at all.
        wanted = self.statuses
        one = wanted[0] if wanted is not None and len(wanted) == 1 else None
        found: Iterator[dict[str, Any]] = hook.list_run_tasks(run_id, status=one)
        if wanted is not None:
            found = (task for task in found if task.get("status") in wanted)
        limit = None if self.max_tasks is None else self.max_tasks + 1
        return list(itertools.islice(found, limit))

    def _narrowed(self, task: dict[str, Any]) -> dict[str, Any]:
        if self.task_fields is None:
            return task
        return {key: value for key, value in task.items() if key in (*self.task_fields, "taskId", "status")}


def _check_task_statuses(statuses: tuple[str, ...] | None) -> tuple[str, ...] | None:
    for status in statuses or ():
        if status not in TASK_STATUSES:
            raise ValueError(
                f"statuses holds {status!r}; a task's status is one of {', '.join(TASK_STATUSES)}."
            )
    if statuses == ():
        raise ValueError("statuses is empty, so no task could be listed; name one status, or leave it out.")
    return statuses
