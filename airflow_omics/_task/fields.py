"""Template fields: what a task keeps of an assigned value, and how it is rendered.

A constructor assigns each field as it was given; here the class says what it keeps of that. A DAG file, a
cluster policy, Airflow's rendering and a mapped task all set attributes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_omics._identity import reduce_to_identity

if TYPE_CHECKING:
    import jinja2

    from airflow_omics._compat import BaseOperator

    _Task = BaseOperator
else:
    _Task = object


class Renderer:
    """Renders a value as Airflow does, or as text even if the DAG renders to native Python objects.

    :param task: the task whose field it is.
    :param arguments: context, Jinja environment and the ids of objects that are not to be rendered.
    """

    def __init__(self, task: TaskFields, *arguments: Any) -> None:
        self._task, self._arguments = task, arguments

    def __call__(self, value: Any, *, as_text: bool = False) -> Any:
        """Return ``value`` rendered."""
        task = self._task
        task._as_text = as_text
        try:
            return super(TaskFields, task).render_template(value, *self._arguments)
        finally:
            task._as_text = False

    def is_final(self, value: Any) -> bool:
        """Return whether Airflow has the value from an upstream task: then nothing in it is a template."""
        return id(value) in self._arguments[-1]


class TaskFields(_Task):
    """A task that decides what each of its template fields keeps, and how it is rendered."""

    text_fields: frozenset[str] = frozenset()
    """Fields that are always text, whatever the DAG's ``render_template_as_native_obj``."""
    run_fields: frozenset[str] = frozenset({"run_id", "batch_id"})
    """Fields that take a run or batch; of a record they keep only what identifies it."""

    hidden_fields: tuple[str, ...] = ()
    """The arguments that may hold patient data or secrets: their values are shown nowhere."""

    _field: str | None = None
    _as_text = False

    def kept(self, name: str, value: Any) -> Any:
        """Return what the field keeps of an assigned ``value``; a value kept before is returned as it is.

        Airflow stores what it reads of a field for its UI, in the DAG and once it is rendered.
        """
        if name not in self.run_fields:
            return value
        # Airflow makes a mapped task just before it renders it. Then it recognises what came from an upstream
        # task, and is no template, by the object's own id: such a value is narrowed after rendering.
        made_of_mapped = getattr(self, "_BaseOperator__from_mapped", False)
        return value if made_of_mapped else reduce_to_identity(value)

    def __setattr__(self, name: str, value: Any) -> None:
        is_kept = name in self.template_fields or name in self.hidden_fields
        super().__setattr__(name, self.kept(name, value) if is_kept else value)

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Any,
        jinja_env: Any,
        seen_oids: set[int],
    ) -> None:
        # Airflow does not say which field it renders; and for a mapped task it calls only this method.
        for name in template_fields:
            self._field = name if parent is self else None
            try:
                super()._do_render_template_fields(parent, (name,), context, jinja_env, seen_oids)
            finally:
                self._field = None

    def render_template(
        self, content: Any, context: Any, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render as Airflow does; a field of this task as :meth:`render_field` says."""
        name, self._field = self._field, None  # this method also renders the parts of the field's value
        if name is None:
            return super().render_template(content, context, jinja_env, seen_oids)
        oids = set() if seen_oids is None else seen_oids
        return self.render_field(name, content, Renderer(self, context, jinja_env, oids))

    def render_field(self, name: str, value: Any, render: Renderer) -> Any:
        """Return the rendered value of one field; of a record, only what identifies its run or batch."""
        rendered = render(value, as_text=name in self.text_fields)
        return reduce_to_identity(rendered) if name in self.run_fields else rendered

    def _render(self, template: jinja2.Template, context: Any, dag: Any = None) -> Any:
        if self._as_text:
            return _render_as_text(template, context)
        return super()._render(template, context, dag)


def _render_as_text(template: jinja2.Template, context: Any) -> str | None:
    """Return a template's text, or None if it is one expression whose native value is None."""
    from jinja2.nativetypes import NativeEnvironment

    names = copy.copy(context)  # as Airflow does: nothing is looked up before the template uses it
    names.update({name: value for name, value in template.globals.items() if name not in names})
    try:
        parts = list(template.root_render_func(template.new_context(names, shared=True)))
    except Exception:
        template.environment.handle_exception()  # raises again, with the template's own line
    if parts == [None] and isinstance(template.environment, NativeEnvironment):
        return None
    return "".join(str(part) for part in parts)


def holds_reference(value: Any) -> bool:
    """Return whether a value is, or holds, an upstream task's output, which only a worker knows."""
    if isinstance(value, Mapping):
        return any(holds_reference(item) for item in value.values())
    if isinstance(value, list | tuple | set):
        return any(holds_reference(item) for item in value)
    return hasattr(value, "iter_references") or hasattr(value, "resolve")
