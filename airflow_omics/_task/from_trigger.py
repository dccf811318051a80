"""Whether a sensor's task can begin and end in the triggerer, and if not, why.

For a task that begins there, Airflow builds the trigger from the DAG file, without a worker that could read
what the trigger depends on. A task that ends there only gets its state, without a worker for the rest.
Airflow does not report most of what is then missing, so it is decided while the DAG file is parsed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._compat import conf, has_listeners

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

BACKSTOP: Final = 600.0
"""Seconds from a trigger's own deadline to Airflow's, at which Airflow ends the trigger without asking it."""

HOLD: Final = 10.0
"""Seconds after a deferral for which a trigger holds back its event.

If a task runs again before the scheduler knows that the worker which deferred it has ended, the scheduler
assumes that the task was killed: it uses up a try, or fails the task
(https://github.com/apache/airflow/issues/72716). It knows within seconds; runs take minutes.
"""

# What a triggerer of Airflow 3.3 resolves in a template. It does not resolve XComs, ``ti`` and the DAG's own
# macros: some hang for ever there, and others are silently empty.
_RESOLVED_NAMES: Final = frozenset(
    {
        "dag_run",
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "logical_date",
        "params",
        "run_id",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "var",
    }
)


class StartTriggerArguments:
    """The ``start_trigger_args`` of a sensor: None, except for an instance that begins in the triggerer.

    Airflow builds a mapped task's trigger from the class's ``start_trigger_args``, before the task knows its
    own arguments, so the class must have none. An instance makes its own when they are read, and not before:
    cluster policies change a task after its constructor has run.
    """

    def __get__(self, task: Any, owner: type | None = None) -> StartTriggerArgs | None:
        if task is None or not task.start_from_trigger:
            return None
        arguments: StartTriggerArgs = task._start_arguments()
        return arguments


def why_not_start(task: Any) -> str | None:
    """Return why a task can't begin in the triggerer, or None if it can.

    :param task: the sensor, with all of its arguments set.
    """
    from airflow.triggers.base import BaseTrigger

    if not hasattr(BaseTrigger, "render_template_fields"):
        return "it needs Airflow 3.3 or newer"
    if getattr(task, "_BaseOperator__from_mapped", False):
        return "Airflow starts a mapped task in a worker"
    if importlib.util.find_spec("aiobotocore") is None:
        return "aiobotocore is not installed"
    if task.execution_timeout is not None:
        return "Airflow would count the whole wait against execution_timeout"
    if task.inlets or task.outlets:
        return "it has inlets or outlets, which only a worker resolves"
    if conf.getboolean("triggerer", "queues_enabled", fallback=False):
        return "[triggerer] queues_enabled is set, and Airflow gives such a start no queue"
    if reason := _why_not_rendered_there(task):
        return reason
    for name in task.template_fields:
        if reason := _why_not_resolved(getattr(task, name)):
            return f"{name} {reason}"
    return None


def why_not_end(task: Any) -> str | None:
    """Return why a task can't end in the triggerer, or None if it can.

    :param task: the sensor, with all of its arguments set.
    """
    if importlib.util.find_spec("airflow.sdk") is None:
        return "it needs Airflow 3"
    lost = ["on_success_callback", "on_skipped_callback", "outlets", "multiple_outputs", "_post_execute_hook"]
    if task.start_from_trigger:
        lost += ["on_execute_callback", "_pre_execute_hook"]
    for name in lost:
        if getattr(task, name, None):
            shown = name.removeprefix("_").removesuffix("_hook")
            return f"it has {shown}, which only a worker handles"
    # Airflow calls no listener for a task that ends there, so it refuses the whole DAG file.
    if has_listeners():
        return "a plugin has a listener, which Airflow calls only in a worker"
    return None


def _why_not_rendered_there(task: Any) -> str | None:
    """Return which setting of its templates a task would lose: a triggerer renders with the defaults."""
    from jinja2 import StrictUndefined

    dag = task.dag if task.has_dag() else None
    if getattr(task, "render_template_as_native_obj", None) or getattr(
        dag, "render_template_as_native_obj", False
    ):
        return "render_template_as_native_obj is set, which only a worker applies"
    if getattr(dag, "template_undefined", StrictUndefined) is not StrictUndefined:
        return "its DAG has template_undefined, which only a worker applies"
    if getattr(dag, "jinja_environment_kwargs", None):
        return "its DAG has jinja_environment_kwargs, which only a worker applies"
    return None


def _why_not_resolved(value: Any) -> str | None:
    if hasattr(value, "iter_references") or hasattr(value, "resolve"):
        return "is an upstream task's output, which only a worker can read"
    for text in _texts(value):
        if any(mark in text for mark in ("{{", "{%", "{#")) and (reason := _why_not_rendered(text)):
            return reason
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else ()
    if isinstance(value, list | tuple):
        items = value
    for item in items:
        yield from _texts(item)


def _why_not_rendered(template: str) -> str | None:
    import jinja2
    import jinja2.meta

    try:
        tree = jinja2.Environment(autoescape=False).parse(template)
        names = jinja2.meta.find_undeclared_variables(tree)
    except jinja2.TemplateError as error:
        return f"is a template that Jinja cannot read by itself ({error.message})"
    if list(jinja2.meta.find_referenced_templates(tree)):
        return "is a template that includes another, which only a worker finds"
    if unresolved := sorted(names - _RESOLVED_NAMES):
        return f"is a template that names {', '.join(unresolved)}, which only a worker can resolve"
    return None
