"""What a real Airflow sends to OpenLineage: collected by the client's own file transport, and read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

Event = dict[str, Any]


class Collected:
    """The events that an Airflow with a file transport has written.

    Each event gets a file of its own: several processes write at once, and a line of kilobytes that is added
    to a shared file may be torn.

    :param folder: a folder for the events alone; it is made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._passed: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow's environment needs, so that its provider sends the events here."""
        transport = {"type": "file", "log_file_path": str(self._folder / "event"), "append": False}
        return {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport)}

    def pass_over(self) -> None:
        """Leave out what has been written until now."""
        self._passed |= {path.name for path in self._folder.iterdir()}

    def pass_over_nothing(self) -> None:
        """Take back what :meth:`pass_over` has done."""
        self._passed.clear()

    def events(self) -> list[Event]:
        """Return the events, in the order in which they were written."""
        paths = sorted(path for path in self._folder.glob("event-*.json") if path.name not in self._passed)
        return [cast(Event, json.loads(text)) for path in paths if (text := path.read_text()).endswith("\n")]

    def of(self, job: str) -> list[Event]:
        """Return the events of a job: ``dag_id``, or ``dag_id.task_id``."""
        return [event for event in self.events() if event["job"]["name"] == job]


def kinds(events: Sequence[Event]) -> list[str]:
    """Return what each event tells of its run, such as ``START``."""
    return [event["eventType"] for event in events]


def places(value: Any, marker: str, path: str = "") -> set[str]:
    """Return the paths in an event at which a text has a marker in it, as key or as value.

    A number in a list is ``*``, and a key that holds the marker is ``!``.
    """
    found: set[str] = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            name = "!" if marker in str(key) else str(key)
            if name == "!":
                found.add(f"{path}.!".lstrip("."))
            found |= places(inner, marker, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            found |= places(inner, marker, f"{path}.*")
    elif marker in str(value):
        found.add(path.lstrip("."))
    return found
