"""A sample sheet, read row by row: each row becomes an entry of ``run_settings``."""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from airflow_omics._batches.sample_sheet import DELIMITERS, SampleSheet
from airflow_omics._task.files import FileBesideDag

ID_COLUMNS: Final = ("sample", "runSettingId")
"""What the column with the ids may be called if nobody says it."""

_BOOLS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class _Column(NamedTuple):
    """What becomes of the cells of a column."""

    position: int
    name: str
    convert: Callable[[str], Any] | None
    type_name: str


def rows_of(sheet: SampleSheet, file: FileBesideDag, *, any_id: bool) -> Iterator[tuple[int, Any]]:
    """Yield the number of each row, as a spreadsheet counts them, and its entry.

    :param any_id: whether the column with the ids is one of :data:`ID_COLUMNS`, whatever the sheet says.
    :raises ValueError: the file can't be read, or a row is not as the header says.
    """
    with file.reading(lambda: file.path.open(encoding="utf-8-sig", newline="")) as lines:
        rows = _records(csv.reader(lines, delimiter=_delimiter(sheet), strict=True), file)
        number, header = next(rows, (0, None))
        if header is None:
            raise file.error("is empty; it takes a header and one row for each run.")
        reader = _Reader(sheet, header, file, any_id)
        for number, row in rows:
            yield number, reader.entry(number, row)


def _delimiter(sheet: SampleSheet) -> str:
    suffix = sheet.path[-4:]
    return sheet.delimiter or DELIMITERS.get(suffix, ",")


def _records(reader: Any, file: FileBesideDag) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, with their numbers."""
    number = 0
    while True:
        number += 1
        try:
            row = file.reading(lambda: next(reader, None))
        except csv.Error as error:
            # Its texts are of the format alone.
            raise file.error(f"is no sheet, at row {number}: {error}.") from None
        if row is None:
            return
        cells = [cell.strip() for cell in row]  # blanks around a cell are what spreadsheets leave
        if any(cells):
            yield number, cells


class _Reader:
    """Makes entries of rows.

    :param header: the names of the columns.
    """

    def __init__(self, sheet: SampleSheet, header: Sequence[str], file: FileBesideDag, any_id: bool) -> None:
        self._file = file
        self._width = len(header)
        self._nameless = [position for position, name in enumerate(header) if not name]
        positions = _positions(header, file)
        id_column = _id_column(positions, file) if any_id else sheet.id_column
        needed = [id_column, *sheet.types, *(sheet.parameters or ()), sheet.priority, sheet.output_uri]
        _check_columns(positions, [name for name in needed if name is not None], file)
        self._id = positions[id_column]
        self._members = {
            member: positions[column]
            for member, column in (("priority", sheet.priority), ("outputUri", sheet.output_uri))
            if column is not None
        }
        used = {id_column, sheet.priority, sheet.output_uri}
        parameters = sheet.parameters
        if parameters is None:
            parameters = {name: name for name in positions if name not in used}
        self._parameters = [
            (parameter, self._column(column, positions, sheet)) for column, parameter in parameters.items()
        ]

    def _column(self, name: str, positions: dict[str, int], sheet: SampleSheet) -> _Column:
        type_name = sheet.types.get(name, "str")
        return _Column(positions[name], name, _CONVERT.get(type_name), type_name)

    def entry(self, number: int, row: list[str]) -> dict[str, Any]:
        """Return the entry of a row.

        :raises ValueError: the row is too short or too long, or a cell is not of its column's type.
        """
        if len(row) != self._width:
            raise self._file.error(
                f"has {_counted(len(row), 'cell')} in row {number}, and {_counted(self._width, 'column')} in "
                "its header; each row takes a cell for each column."
            )
        for position in self._nameless:
            if row[position]:
                raise self._file.error(
                    f"has a cell in row {number} whose column, number {position + 1}, has no name."
                )
        parameters = {}
        for parameter, column in self._parameters:
            cell: Any = row[column.position]
            if not cell:
                continue
            if column.convert is not None:
                cell = column.convert(cell)
                if cell is None:
                    raise self._file.error(
                        f"has a cell in row {number}, column {column.name!r}, that is no {column.type_name}; "
                        f"it takes {_TAKES[column.type_name]}."
                    )
            parameters[parameter] = cell
        members = {name: row[position] for name, position in self._members.items() if row[position]}
        return {"runSettingId": row[self._id], **members, "parameters": parameters}


def _positions(header: Sequence[str], file: FileBesideDag) -> dict[str, int]:
    # No name is shown: if the sheet has no header, its first row is a patient's.
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        if name in positions:
            raise file.error(
                f"has one name for columns {positions[name] + 1} and {position + 1}; its header, the first "
                "row, takes a name of its own for each column."
            )
        if name:
            positions[name] = position
    return positions


def _id_column(positions: Iterable[str], file: FileBesideDag) -> str:
    found = [name for name in ID_COLUMNS if name in positions]
    if len(found) == 1:
        return found[0]
    what = "both columns" if found else "none of the columns"
    raise file.error(
        f"has {what} 'sample' and 'runSettingId'; say which one has the ids: "
        "SampleSheet(path, id_column=...)."
    )


def _check_columns(positions: Iterable[str], needed: Iterable[str], file: FileBesideDag) -> None:
    known = list(positions)
    for name in needed:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "its first row takes the names of its columns."
            raise file.error(f"has no column {name!r}; {hint}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _to_int(cell: str) -> int | None:
    return int(cell) if re.fullmatch(r"[+-]?[0-9]{1,4000}", cell) else None


def _to_float(cell: str) -> float | None:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", cell):
        return None
    number = float(cell)
    return number if math.isfinite(number) else None


def _to_bool(cell: str) -> bool | None:
    return _BOOLS.get(cell.lower())


_CONVERT: Final[dict[str, Callable[[str], Any]]] = {"int": _to_int, "float": _to_float, "bool": _to_bool}
_TAKES: Final = {
    "int": "a whole number",
    "float": "a number with a point, such as 0.5",
    "bool": "true or false, yes or no, 1 or 0",
}
