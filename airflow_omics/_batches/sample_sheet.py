"""The sample sheet that a DAG author names: what each of its columns is for.

Every DAG file that imports an operator imports this module; ``sheet_rows`` reads the sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TYPES: Final = ("str", "int", "float", "bool")
DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


class SampleSheet:
    """A sample sheet: a ``.csv`` or ``.tsv`` file with a header and one row for each run of a batch.

    A cell is text without the blanks around it, unless ``types`` says otherwise; an empty cell is left out,
    and so is an empty row. The run of a row has the id of the sample as its name, so that one list of runs
    shows which sample is how far: no column gives the name.

    :param path: relative to the DAG file. Templated. The file is UTF-8, with or without a byte order mark.
    :param id_column: the column with the id of each sample, its ``runSettingId``: unique, 1 to 128
        characters.
    :param types: what the cells of a column become, by the column's name: ``int``, ``float``, ``bool`` or
        ``str``, or the names of these. A ``bool`` is true or false, yes or no, 1 or 0.
    :param parameters: which columns are the workflow's parameters, and the parameter's name for each. None:
        every column that is not used otherwise, by its own name. The id is a parameter only if it is named
        here: ``{"sample": "sample_name", "reads": "fastq"}``.
    :param priority: the column with the priority in the run group, 0 to 100000.
    :param output_uri: the column with the S3 location for the outputs of a run.
    :param delimiter: what is between two cells; without it a comma for ``.csv`` and a tab for ``.tsv``.
    :raises ValueError: an argument can't be right.

    See https://docs.aws.amazon.com/omics/latest/api/API_InlineSetting.html
    """

    shows_no_values = True
    """Its text names the file and columns, and Airflow may show that."""

    __slots__ = ("delimiter", "id_column", "output_uri", "parameters", "path", "priority", "types")

    def __init__(
        self,
        path: str,
        id_column: str = "sample",
        types: Mapping[str, type | str] | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        priority: str | None = None,
        output_uri: str | None = None,
        delimiter: str | None = None,
    ) -> None:
        self.path = _checked_path(path, delimiter)
        self.id_column = _checked_column("id_column", id_column)
        self.types = {} if types is None else _checked_types(types)
        self.parameters = None if parameters is None else _checked_parameters(parameters)
        self.priority = None if priority is None else _checked_column("priority", priority)
        self.output_uri = None if output_uri is None else _checked_column("output_uri", output_uri)
        self.delimiter = None if delimiter is None else _checked_delimiter(delimiter)

    def with_path(self, path: str) -> SampleSheet:
        """Return the same of another file, such as of a path that was rendered.

        :raises ValueError: the path can't be right.
        """
        return SampleSheet(
            path,
            self.id_column,
            self.types,
            self.parameters,
            priority=self.priority,
            output_uri=self.output_uri,
            delimiter=self.delimiter,
        )

    def serialize(self) -> str:
        """Return what Airflow stores for its UI: what is in the DAG file, and nothing of the sheet."""
        return repr(self)

    def __repr__(self) -> str:
        given = [f"id_column={self.id_column!r}"] if self.id_column != "sample" else []
        others = ("types", "parameters", "priority", "output_uri", "delimiter")
        given += [f"{name}={value!r}" for name in others if (value := getattr(self, name))]
        return f"SampleSheet({', '.join([repr(self.path), *given])})"

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, SampleSheet):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # like the dicts that it holds


def _checked_path(path: Any, delimiter: Any) -> str:
    takes = "it takes the path of a .csv or .tsv file, relative to the DAG file"
    if not isinstance(path, str):
        raise ValueError(f"path is a {type(path).__name__}; {takes}.")
    is_template = any(mark in path for mark in ("{{", "{%", "{#"))
    if not path or (not path.endswith(tuple(DELIMITERS)) and delimiter is None and not is_template):
        raise ValueError(f"path is {path!r}; {takes}, or of another one if delimiter is given.")
    if path.startswith("s3://"):
        raise ValueError(
            f"path is {path!r}; {takes}: download it, or put the entries into an s3:// JSON file."
        )
    return path


def _checked_column(name: str, column: Any) -> str:
    if not isinstance(column, str) or not column.strip():
        raise ValueError(f"{name} is {column!r}; it takes the name of a column.")
    return column.strip()


def _checked_types(types: Any) -> dict[str, str]:
    takes = "it takes a dict of int, float, bool or str by column, such as {'depth': int}"
    if not isinstance(types, Mapping):
        raise ValueError(f"types is a {type(types).__name__}; {takes}.")
    checked = {}
    for column, given in types.items():
        name = given.__name__ if isinstance(given, type) else given
        if name not in TYPES:
            raise ValueError(f"types[{column!r}] is {given!r}; {takes}.")
        checked[_checked_column("a key of types", column)] = name
    return checked


def _checked_parameters(parameters: Any) -> dict[str, str]:
    takes = "it takes a dict of parameters' names by column, such as {'reads': 'fastq'}"
    if not isinstance(parameters, Mapping):
        raise ValueError(f"parameters is a {type(parameters).__name__}; {takes}.")
    checked: dict[str, str] = {}
    for column, name in parameters.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"parameters[{column!r}] is {name!r}; {takes}.")
        if name in checked.values():
            raise ValueError(f"parameters gives {name!r} to two columns; {takes}.")
        checked[_checked_column("a key of parameters", column)] = name
    return checked


def _checked_delimiter(delimiter: Any) -> str:
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n" ':
        raise ValueError(f"delimiter is {delimiter!r}; it takes one character, such as ';'.")
    return delimiter
