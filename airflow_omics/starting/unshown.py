"""Rendered values that Airflow must not show: it stores what it reads back of a template field for the UI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PATHS = (".json", ".yaml", ".yml")


class Unshown:
    """A rendered value that prints as a description of itself.

    Airflow's templating passes it through untouched, so that rendering a task twice does no harm, and
    its rendered fields hold the description alone.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, Mapping):
            return f"{', '.join(str(key) for key in self.value)} (values are not shown)"
        if is_path(self.value):
            return str(self.value)
        return f"a {type(self.value).__name__}, not shown"

    def serialize(self) -> str:
        """Return what Airflow stores for the UI."""
        return repr(self)


class TemplateText(str):
    """Text of a template field that is one object, so that it is told from equal text in other fields."""

    __slots__ = ()


def is_path(value: Any) -> bool:
    """Return whether a value is the path of a parameter file, not text that holds the parameters."""
    return isinstance(value, str) and value.endswith(_PATHS) and not any(mark in value for mark in "{}\n")


def shown_value(value: Any) -> Any:
    """Return the value itself, whether it is wrapped or not, or something within it is."""
    if isinstance(value, Unshown):
        return shown_value(value.value)
    if isinstance(value, Mapping):
        # The same object may stand in a field of its own, and have been wrapped for that.
        return {key: shown_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown_value(item) for item in value]
    return str(value) if isinstance(value, TemplateText) else value
