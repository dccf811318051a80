"""Each form that ``run_settings`` may have, as entries one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from airflow_omics._batches.sample_sheet import DELIMITERS, SampleSheet
from airflow_omics._task.files import FileBesideDag
from airflow_omics._task.hidden import Hidden

_TAKES: Final = (
    "it takes a list of entries, a dict of parameters by sample, a SampleSheet, the path of a .json, .yaml, "
    ".csv or .tsv file relative to the DAG file, or the s3:// URI of a JSON file"
)
_CHUNK: Final = 256 * 1024


class Source(NamedTuple):
    """Entries, in the order in which they are given.

    :param entries: number and entry.
    :param word: what the number counts.
    """

    entries: Iterator[tuple[int, Any]]
    word: str


def check_form(given: Any) -> None:
    """Refuse at parse time what is no form of ``run_settings``.

    :param given: not a template and not an upstream task's output.
    :raises ValueError: saying what was given and what it takes.
    """
    given = _unhidden(given)
    if isinstance(given, SampleSheet):
        return
    if isinstance(given, str):
        suffix = _suffix(given)
        if given.startswith("s3://"):
            if suffix in (*DELIMITERS, ".yaml", ".yml"):
                raise ValueError(f"run_settings is {given!r}; in S3 it takes a JSON file.")
            return
        if suffix not in _READERS or any(mark in given for mark in "{}\n"):
            raise ValueError(f"run_settings is text, but not the path of a file; {_TAKES}.")
        return
    if given is None:
        raise ValueError(
            "run_settings is None: it is not given, or came out as None from a template or from an upstream "
            f"task that pushed nothing; {_TAKES}."
        )
    if isinstance(given, bytes | bytearray) or not isinstance(given, Mapping | Sequence):
        raise ValueError(f"run_settings is a {type(given).__name__}; {_TAKES}.")
    if isinstance(given, Mapping) and isinstance(given.get("runSettingId"), str):
        raise ValueError(f"run_settings is one entry and no list of them; {_TAKES}.")


def is_in_s3(given: Any) -> bool:
    """Return whether the settings are a file in S3 already."""
    given = _unhidden(given)
    return isinstance(given, str) and given.startswith("s3://")


def source_of(given: Any, folder: str | Path | None) -> Source:
    """Return the entries of ``run_settings``, as they are given; a file is read while they are taken.

    :param given: rendered.
    :param folder: of the DAG file.
    :raises ValueError: it is no form of ``run_settings``, or the file can't be read, also later.
    """
    given = _unhidden(given)
    check_form(given)
    if isinstance(given, SampleSheet):
        from airflow_omics._batches.sheet_rows import rows_of

        file = FileBesideDag("run_settings", given.path, folder)
        return Source(rows_of(given, file, any_id=False), "row")
    if isinstance(given, str):
        return _READERS[_suffix(given)](FileBesideDag("run_settings", given, folder), given)
    pairs: Iterable[tuple[Any, Any]] = (
        given.items() if isinstance(given, Mapping) else ((None, e) for e in given)
    )
    return Source(_entries(pairs), "entry")


def source_in_s3(uri: str, chunks: Iterable[bytes]) -> Source:
    """Return the entries of a JSON file in S3, without the names of their runs.

    The file may give other names than the ids, as it was not made for this package.

    :param chunks: of its content.
    :raises ValueError: later: the content is no JSON.
    """
    pairs = _json_pairs(chunks, lambda what: ValueError(f"run_settings is {uri!r}, and it {what}"))
    return Source(((number, _without_name(entry)) for number, entry in _entries(pairs)), "entry")


def _without_name(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {member: value for member, value in entry.items() if member != "name"}


def _entries(pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[int, Any]]:
    """Yield number and entry of each pair; one with a key is the parameters of the sample of that name."""
    for number, (key, value) in enumerate(pairs, 1):
        if key is None:
            yield number, value
        else:
            yield number, {"runSettingId": key, "parameters": value}


def _json_pairs(
    chunks: Iterable[bytes], error_of: Callable[[str], ValueError]
) -> Iterator[tuple[str | None, Any]]:
    from airflow_omics._batches.json_items import NotJsonError, items_of

    try:
        yield from items_of(chunks)
    except NotJsonError as error:
        raise error_of(str(error)) from None
    except UnicodeDecodeError:
        raise error_of("is not UTF-8 text.") from None


def _json(file: FileBesideDag, given: str) -> Source:
    def chunks() -> Iterator[bytes]:
        with file.reading(lambda: file.path.open("rb")) as content:
            while chunk := file.reading(lambda: content.read(_CHUNK)):
                yield chunk

    return Source(_entries(_json_pairs(chunks(), file.error)), "entry")


def _yaml(file: FileBesideDag, given: str) -> Source:
    pairs = file.parsed(_yaml_pairs, "YAML")
    if pairs is None:
        raise file.error("holds neither a list nor an object.")
    return Source(_entries(pairs), "entry")


def _yaml_pairs(text: str) -> Sequence[tuple[Any, Any]] | None:
    import yaml  # type: ignore[import-untyped]

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        make = partial(loader.construct_object, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return [(None, make(item)) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            # Pair by pair, or a sample that is there twice would replace the first one.
            loader.flatten_mapping(node)
            return [(make(key), make(value)) for key, value in node.value]
        return None
    finally:
        loader.dispose()


def _sheet(file: FileBesideDag, given: str) -> Source:
    from airflow_omics._batches.sheet_rows import rows_of

    return Source(rows_of(SampleSheet(given), file, any_id=True), "row")


_READERS: Final[Mapping[str, Callable[[FileBesideDag, str], Source]]] = {
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
    **dict.fromkeys(DELIMITERS, _sheet),
}


def _suffix(text: str) -> str:
    return text[text.rfind(".") :] if "." in text else ""


def _unhidden(value: Any) -> Any:
    """Return the value itself, without copying it as ``shown_value`` does: it may hold 100,000 entries."""
    while isinstance(value, Hidden):
        value = value.value
    return value
