"""Values that Airflow must not show, given in the DAG file or rendered.

For its UI, Airflow stores what it reads of a template field, in the DAG and in the rendered fields. It logs a
field that cannot be rendered. And listeners, such as OpenLineage's, send any attribute of a task elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from airflow_omics._task.fields import holds_reference

_PATHS = (".json", ".yaml", ".yml")
_SHEETS = (".csv", ".tsv")
_MOST_KEYS = 20


class Hidden:
    """A value that prints as a description of itself.

    :param value: the value.
    :param is_rendered: whether it has been rendered: it is not rendered a second time.
    :param shows_keys: whether its description has the keys of a dict.
    """

    __slots__ = ("is_rendered", "shows_keys", "value")

    def __init__(self, value: Any, *, is_rendered: bool = False, shows_keys: bool = True) -> None:
        self.value = value
        self.is_rendered = is_rendered
        self.shows_keys = shows_keys

    def __repr__(self) -> str:
        if isinstance(self.value, Mapping) and not self.shows_keys:
            return f"a dict of {len(self.value):,}, not shown"
        if isinstance(self.value, Mapping):
            keys = [str(key) for key in islice(self.value, _MOST_KEYS)]
            if more := len(self.value) - len(keys):
                keys.append(f"and {more:,} more")
            return f"{', '.join(keys)} (values are not shown)"
        if _is_path(self.value, _PATHS + _SHEETS) or getattr(self.value, "shows_no_values", False):
            return str(self.value)
        return f"a {type(self.value).__name__}, not shown"

    def serialize(self) -> str:
        """Return what Airflow stores for the UI."""
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: Any) -> bool:
        """Compare as the value itself does, so that a DAG's test can compare a field with what was given."""
        return bool(shown_value(self) == shown_value(other))

    def keys(self) -> Any:
        """Return the keys of a dict, so that a subclass or a cluster policy can write ``{**task.tags}``."""
        return self.value.keys()

    def __getitem__(self, key: Any) -> Any:
        """Return the value of a key, in the open."""
        return self.value[key]

    __iter__ = None  # what is shown of a list would be its items
    __hash__ = None  # type: ignore[assignment]  # like the dict that it usually holds


def hidden(value: Any, *, shows_keys: bool = True) -> Any:
    """Return a value that is not shown; if it holds an upstream task's output, with the other parts hidden.

    Airflow looks for such outputs in dicts and lists, to find out which tasks a task depends on.

    :param shows_keys: as for :class:`Hidden`.
    """
    if value is None or isinstance(value, Hidden):
        return value
    if not holds_reference(value):
        return Hidden(value, shows_keys=shows_keys)
    if isinstance(value, Mapping):
        return {key: hidden(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [hidden(item) for item in value]
    return value


def is_path(value: Any) -> bool:
    """Return whether a value is the path of a parameter file, not text that holds the parameters."""
    return _is_path(value, _PATHS)


def _is_path(value: Any, suffixes: tuple[str, ...]) -> bool:
    return isinstance(value, str) and value.endswith(suffixes) and not any(mark in value for mark in "{}\n")


def shown_value(value: Any) -> Any:
    """Return the value itself, whether it is hidden, parts of it are, or nothing is."""
    if isinstance(value, Hidden):
        return shown_value(value.value)
    if isinstance(value, Mapping):
        return {key: shown_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown_value(item) for item in value]
    return value
