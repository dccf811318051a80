"""How a start operator's arguments are rendered: what StartRun takes as text stays text.

A DAG with ``render_template_as_native_obj`` would turn a version ``"1.0"`` and an account's id into numbers,
and a session policy into a dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow_omics._task.fields import Renderer

TEXT_ARGUMENTS: Final = frozenset(
    {
        "workflow_id",
        "role_arn",
        "output_uri",
        "name",
        "workflow_type",
        "workflow_version_name",
        "workflow_owner_id",
        "run_group_id",
        "storage_type",
        "log_level",
        "cache_id",
        "cache_behavior",
        "retention_mode",
    }
)
"""The operator's arguments that are text; an id consists of digits, and may begin with a zero."""


_ENTRY_TEXTS: Final = frozenset({"runSettingId", "name", "outputUri", "outputBucketOwnerId", "runTags"})


def render_argument(name: str, value: Any, render: Renderer) -> Any:
    """Return the rendered value of an argument.

    :param name: the operator's name for it, or ``start_run_kwargs`` or ``rerun_with``.
    :param value: as given in the DAG file, or as Airflow has it from an upstream task.
    """
    if name == "run_settings":
        return _render_settings(value, render)
    if not isinstance(value, Mapping) or render.is_final(value):
        return render(value, as_text=name in TEXT_ARGUMENTS)
    if name in ("tags", "run_tags"):
        return render(value, as_text=True)
    if name == "start_run_kwargs":
        texts = _text_members()
        return {member: render(item, as_text=member in texts) for member, item in value.items()}
    if name == "rerun_with":
        return {reason: _render_changes(changes, render) for reason, changes in value.items()}
    return render(value)


def _render_settings(value: Any, render: Renderer) -> Any:
    """Render the entries of a batch; what an entry has as text stays text.

    A sample sheet has a path that may be a template, and nothing else.
    """
    if render.is_final(value):
        return value
    if isinstance(value, list | tuple):
        return [_render_entry(entry, render) for entry in value]
    if path := getattr(value, "path", None):
        return value.with_path(render(path, as_text=True))
    return render(value)


def _render_entry(entry: Any, render: Renderer) -> Any:
    if not isinstance(entry, Mapping) or render.is_final(entry):
        return render(entry)
    return {member: render(item, as_text=member in _ENTRY_TEXTS) for member, item in entry.items()}


def _render_changes(changes: Any, render: Renderer) -> Any:
    if not isinstance(changes, Mapping) or render.is_final(changes):
        return render(changes)
    return {name: render_argument(name, value, render) for name, value in changes.items()}


def _text_members() -> set[str]:
    from airflow_omics.hooks import OmicsHook

    members = {**OmicsHook.start_run_members("DefaultRunSetting"), **OmicsHook.start_run_members()}
    return {member for member, type_name in members.items() if type_name == "string"}
