"""A sensor that hands its wait to a trigger, or lets Airflow begin it there."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_omics import _clock
from airflow_omics._task.from_trigger import BACKSTOP
from airflow_omics._task.waiting_sensor import WaitingSensor

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

    from airflow_omics._waiting.wait import Wait


class DeferringSensor(WaitingSensor):
    """A sensor without its arguments, with its trigger."""

    trigger_name: ClassVar[str]
    """The name of its trigger in ``airflow_omics.triggers``."""

    def _defer(self, wait: Wait) -> NoReturn:
        from airflow_omics import triggers

        trigger_class = getattr(triggers, self.trigger_name)
        trigger = trigger_class.of_wait(wait, self._aws_arguments(wait.target), **self._trigger_arguments())
        # The trigger ends at its own deadline, and then this sensor decides. Airflow's timeout would bypass
        # both; it is only for a trigger that the triggerer itself has lost.
        backstop = datetime.timedelta(seconds=max(0.0, wait.timeout_at - _clock.time()) + BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)
        raise AssertionError("defer does not return")

    def _start_arguments(self) -> StartTriggerArgs:
        """Return what Airflow starts the trigger with if no worker does; the triggerer renders templates."""
        from airflow.triggers.base import StartTriggerArgs

        as_given = self._given_aws_arguments
        # Airflow stores these in the DAG, and a triggerer reads a copy of the DAG for each gate in it: so the
        # trigger's defaults stay out. A connection that is None is not the default, and must be stored.
        arguments = {**self._trigger_arguments(), **as_given.serialize()}.items()
        said = {name: value for name, value in arguments if value not in (None, []) or name == "aws_conn_id"}
        named = {self.resource.argument: getattr(self, self.resource.argument)}
        return StartTriggerArgs(
            trigger_cls=f"airflow_omics.triggers.{self.trigger_name}",
            trigger_kwargs={**named, "timeout": self.timeout, **said},
            next_method="execute_complete",
            timeout=datetime.timedelta(seconds=self.timeout + BACKSTOP),
        )

    def _trigger_arguments(self) -> dict[str, Any]:
        """Return what the trigger takes besides the wait itself."""
        # If the task's result is that of the whole DAG, Airflow pushes it in a special way, in a worker.
        ends_itself = self.end_from_trigger and not getattr(self, "returns_dag_result", False)
        return {
            "terminal_statuses": list(self._end_policy.named_statuses),
            "success_statuses": list(self.success_statuses) if ends_itself else [],
            "skip_statuses": list(self.skip_statuses) if ends_itself else [],
            "push_record": self.do_xcom_push,
            "poke_interval": self.poke_interval,
            "record_fields": self.record_fields and list(self.record_fields),
        }
