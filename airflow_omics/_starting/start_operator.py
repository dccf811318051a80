"""What the operators that start something share as tasks: what they hide, and how a try begins.

Every DAG file that imports an operator imports this module. So the functions themselves import what only a
running task needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._starting.rendering import render_argument
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.fields import Renderer
from airflow_omics._task.hidden import Hidden, shown_value
from airflow_omics._task.publishing import PublishingMixin

if TYPE_CHECKING:
    from airflow_omics._starting.start_try import StartTry


class StartOperator(PublishingMixin, RunTaskMixin, BaseOperator):
    """An operator that starts something; its arguments, and what one try does, belong to the subclass."""

    def __init__(self, **kwargs: Any) -> None:
        # Without a constructor of its own, Airflow takes BaseOperator's for it, and each task that is mapped
        # gets the defaults of that one: None for its inlets and outlets.
        super().__init__(**kwargs)

    def render_field(self, name: str, value: Any, render: Renderer) -> Any:
        """Return the rendered value of one field; what may hold patient data is returned hidden."""
        if isinstance(value, Hidden):
            if value.is_rendered:
                return value
            value = value.value
        elif name in self.hidden_fields:
            value = shown_value(value)
        if name in self.hidden_fields:
            rendered = render_argument(name, value, render)
            return Hidden(rendered, is_rendered=True, shows_keys=name != "run_settings")
        rendered = super().render_field(name, value, render)
        if name in self.run_fields:
            return rendered
        # A record by mistake: it is refused, but only after Airflow has stored it for the UI.
        is_record = isinstance(rendered, Mapping | list | tuple)
        return Hidden(rendered, is_rendered=True) if is_record else rendered

    # -- the task --------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Find or start what is meant, wait for it, and return its record."""
        running = self._begin(context)
        return self._ended(running.snapshots.around(running.execute), context)

    def execute_complete(
        self, context: Context, event: Any = None, waited: Mapping[str, Any] | None = None
    ) -> Any:
        """Take the trigger's event: return the record, go on with the next start, or fail."""
        running = self._begin(context)
        return self._ended(running.snapshots.around(lambda: running.resume(event, waited or {})), context)

    def _ended(self, record: Any, context: Context) -> Any:
        self._publish(record, context)
        return record

    def on_kill(self) -> None:
        """Cancel what was started, if ``cancel_on_kill`` says so and a person has ended the task."""
        running: StartTry | None = getattr(self, "_running", None)
        if running is not None:
            running.kill()

    def _begin(self, context: Context) -> StartTry:
        from airflow_omics.exceptions import OmicsRequestError

        if context.get("ti") is None:
            raise OmicsRequestError(
                f"Task {self.task_id!r} was executed without a task instance, which a retry needs to find "
                f"its {self.resource.noun} again; let Airflow run it: dag.test() does, in one process."
            )
        self._running = self._new_try(context)
        return self._running

    def _new_try(self, context: Context) -> StartTry:
        """Return what one try of the task does."""
        raise NotImplementedError
