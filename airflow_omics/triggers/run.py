"""The deferred half of the sensor of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from airflow_omics._identity import Target
from airflow_omics._resource import RUN
from airflow_omics._waiting.wait import Wait
from airflow_omics.triggers.waiting import WaitArguments, WaitEvent, WaitingTrigger


class OmicsRunEvent(WaitEvent):
    """How a wait ended: ``{"outcome": "terminal" | "timeout" | "error", "record": ..., "message": ...}``.

    The triggerer logs every event in its printed form, so an event prints no more of the record than the
    run's id and status.
    """


class OmicsRunTrigger(WaitingTrigger):
    """Wait in the triggerer for a HealthOmics run to end, and fire one event that says how.

    Every argument is plain JSON and is returned by ``serialize``.

    :param run_id: the run: an id, an ARN, or those of ``{"id", "uuid", "arn"}`` that are known.
    :param started_at: when the sensor looked first, in seconds since the epoch; now, if left out.
    :param timeout_at: when the wait must end, in seconds since the epoch; it stays the same when a
        triggerer restarts. Seven days after the start, if left out.
    :param timeout: instead of these two, the seconds that the wait may take, for a task that begins in the
        triggerer: its ``start_trigger_args`` are written before anybody can know when that will be.
    :param hold_until: no event before that time, in seconds since the epoch; the event is held back for
        :data:`airflow_omics._task.from_trigger.HOLD` seconds at most.
    :param created: when the run was made, in seconds since the epoch by the service's clock, if known.
    :param status: the run's status when it was last seen, so that only a change of it is logged.
    :param terminal_statuses: statuses that end the wait besides COMPLETED, FAILED, CANCELLED and DELETED.
    :param success_statuses: statuses in which the trigger itself ends the task as a success, with no worker;
        none, if left out: then the task resumes, whatever the status.
    :param skip_statuses: statuses in which the trigger itself ends the task as skipped.
    :param push_record: whether the trigger leaves the record in XCom if it ends the task itself.
    :param poke_interval: seconds between two looks, as far as the rate allows.
    :param start_timeout: seconds that the run may take from its creation until it is RUNNING; None for no
        limit. The event then is a ``timeout`` whose ``argument`` is ``start_timeout``.
    :param stuck_after: seconds after which a warning says that nothing has moved in the run; None for none.
    :param export: names for GetRun's ``export``, once the run has ended.
    :param record_fields: members of the record that leave the trigger, besides those that an error and
        the extra links need.
    :param aws_conn_id: as for the sensor; likewise ``region_name``, ``verify`` and ``botocore_config``.
    """

    resource = RUN
    event_class = OmicsRunEvent
    _class_path = "airflow_omics.triggers.OmicsRunTrigger"
    _own_arguments = ("export", "start_timeout", "stuck_after")

    def __init__(
        self,
        run_id: Any,
        *,
        export: Sequence[str] | None = None,
        start_timeout: float | None = None,
        stuck_after: float | None = None,
        **arguments: Unpack[WaitArguments],
    ) -> None:
        super().__init__(**arguments)
        self.run_id = run_id
        self.export = None if export is None else list(export)
        self.start_timeout = start_timeout
        self.stuck_after = stuck_after

    def _wait(self, target: Target, **arguments: Any) -> Wait:
        limits = {"start_timeout": self.start_timeout, "stuck_after": self.stuck_after}
        return super()._wait(target, **limits, **arguments)
