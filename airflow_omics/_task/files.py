"""Files that a DAG author puts beside the DAG file. An error says what is wrong, and quotes nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class FileBesideDag:
    """A file whose path is given in a DAG file.

    :param argument: the operator's argument that names it, for errors.
    :param text: the path as it was given, relative to the DAG file.
    :param folder: of the DAG file; None for the current one.
    """

    def __init__(self, argument: str, text: str, folder: str | Path | None) -> None:
        self._given = f"{argument} is {text!r}"
        self.path = Path(folder or ".") / text

    def error(self, what: str) -> ValueError:
        """Return the error that something is wrong with the file."""
        return ValueError(f"{self._given}, and {self.path} {what}")

    def reading(self, read: Callable[[], T]) -> T:
        """Return what ``read`` reads from the file.

        :raises ValueError: the file can't be read, or is not UTF-8.
        """
        try:
            return read()
        except OSError as error:
            raise self.error(f"can't be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise self.error("is not UTF-8 text.") from None

    def text(self) -> str:
        """Return the whole text.

        :raises ValueError: as :meth:`reading` does.
        """
        return self.reading(lambda: self.path.read_text(encoding="utf-8-sig"))

    def parsed(self, parse: Callable[[str], Any], kind: str) -> Any:
        """Return what ``parse`` makes of the whole text.

        :param kind: what the text should be, for the error.
        :raises ValueError: it is not; the parser's own error may quote the file.
        """
        text = self.text()
        try:
            return parse(text)
        except Exception as error:
            line = getattr(error, "lineno", None)
            if mark := getattr(error, "problem_mark", None):
                line = mark.line + 1
            where = f", at line {line}" if line else ""
            raise self.error(f"is not valid {kind}{where}.") from None
