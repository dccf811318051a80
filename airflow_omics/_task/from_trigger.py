"""Whether a sensor's task can begin and end in the triggerer, and why not where it can't.

A task that begins there has its trigger built from what the DAG file says, with no worker to read what it
depends on; one that ends there ends by its state alone, with no worker to do what comes with an end.
Airflow is silent about most of what is then missing, so this is decided while the DAG file is parsed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._compat import conf, has_listeners

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

BACKSTOP: Final = 600.0
"""Seconds from a trigger's own deadline to Airflow's, which asks neither trigger nor sensor."""

HOLD: Final = 10.0
"""Seconds after a deferral for which a trigger keeps its event to itself.

A scheduler that hears of the end of the worker that deferred only when the task runs again takes the task
for killed, and spends a try or fails it: https://github.com/apache/airflow/issues/72716. It hears of it
within seconds; runs take minutes.
"""

# What a triggerer of Airflow 3.3 resolves in a template. XComs, ``ti`` and macros of the DAG's own are not
# among it: some hang for ever there, and others silently come out empty.
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


class StartArguments:
    """The ``start_trigger_args`` of a sensor class: None, but for an instance that begins in the triggerer.

    A mapped task builds its trigger from its class's, before it knows its own arguments, and so must find
    none there. An instance makes its own when it is asked, and not before: cluster policies change a task
    after its constructor has run.
    """

    def __get__(self, task: Any, owner: type | None = None) -> StartTriggerArgs | None:
        if task is None or not task.start_from_trigger:
            return None
        arguments: StartTriggerArgs = task._start_arguments()
        return arguments


def why_not_start(task: Any) -> str | None:
    """Return why a task can't begin in the triggerer, or None when it can.

    :param task: the sensor, all of its arguments set.
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
    """Return why a task can't end in the triggerer, or None when it can.

    :param task: the sensor, all of its arguments set.
    """
    if importlib.util.find_spec("airflow.sdk") is None:
        return "it needs Airflow 3"
    lost = ["on_success_callback", "on_skipped_callback", "outlets", "multiple_outputs", "_post_execute_hook"]
    if task.start_from_trigger:
        lost += ["on_execute_callback", "_pre_execute_hook"]
    for name in lost:
        if getattr(task, name, None):
            shown = name.removeprefix("_").removesuffix("_hook")
            return f"it has {shown}, which only a worker sees to"
    # Airflow calls no listener for a task that ends there, and refuses the whole DAG file.
    if has_listeners():
        return "a plugin has a listener, which Airflow calls in a worker alone"
    return None


def _why_not_rendered_there(task: Any) -> str | None:
    """Return which setting of its templates a task would lose: a triggerer renders as by default."""
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
        return f"is a template that jinja alone cannot read ({error.message})"
    if list(jinja2.meta.find_referenced_templates(tree)):
        return "is a template that includes another, which only a worker finds"
    if unresolved := sorted(names - _RESOLVED_NAMES):
        return f"is a template that names {', '.join(unresolved)}, which only a worker can resolve"
    return None
