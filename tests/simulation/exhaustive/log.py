"""What a task's log says of its runs: which of them a person would find named as one that goes on."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any


class Log:
    """Takes log lines in place of a task's logger.

    :param say: takes the level and the text of each line.
    """

    def __init__(self, say: Callable[[int, str], None]) -> None:
        self._say = say

    def log(self, level: int, message: str, *values: Any) -> None:
        self._say(level, message % values if values else message)

    def debug(self, message: str, *values: Any, **_: Any) -> None:
        pass

    def info(self, message: str, *values: Any, **_: Any) -> None:
        self.log(logging.INFO, message, *values)

    def warning(self, message: str, *values: Any, **_: Any) -> None:
        self.log(logging.WARNING, message, *values)

    def error(self, message: str, *values: Any, **_: Any) -> None:
        self.log(logging.ERROR, message, *values)


_ID = re.compile(r"\b[0-9]{7}\b")


def named_in(level: int, text: str) -> set[str]:
    """Return the ids of the runs of which a line says that they go on, or may.

    A line of the wait (``HealthOmics run 1000001 is RUNNING``) names its run as one that is being watched.
    """
    if level >= logging.WARNING or "goes on" in text:
        return set(_ID.findall(text))
    return set()
