"""Lists what a run has left in S3, and says what is missing of it.

It lists the folder that GetRun calls ``runOutputUri``. AWS's pages differ in what that ends with (the run's
id, or its uuid as well), so it is never built here: a run whose record has none is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from airflow_omics._identity import Target
from airflow_omics._outputs.names import LARGEST, SUMMARIES, OutputNames
from airflow_omics._outputs.patterns import Patterns
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsRequestError
from airflow_omics.hooks.objects import ListedObject, ListedPage, OmicsObjectsHook, StoredObject
from airflow_omics.hooks.retrying import Retries

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

T = TypeVar("T")

MOST_PAGES: Final = 100
"""Pages of one run's folder that are listed: 100,000 objects."""

_NAMED_AT_MOST: Final = 5


class Output(NamedTuple):
    """One file that a run has left.

    :param path: relative to the run's folder.
    :param uri: where it is.
    :param bytes: its size.
    :param etag: without the quotation marks around it.
    :param last_modified: ISO-8601 in UTC.
    :param run_id: the run.
    :param name: the workflow's own name of it, if the run's summary says it.
    """

    path: str
    uri: str
    bytes: int
    etag: str
    last_modified: str
    run_id: str
    name: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON; without a name that is not known."""
        plain: dict[str, Any] = {
            "uri": self.uri,
            "bytes": self.bytes,
            "etag": self.etag,
            "lastModified": self.last_modified,
            "run_id": self.run_id,
        }
        return plain if self.name is None else {**plain, "name": self.name}


class Found(NamedTuple):
    """What a run has left.

    :param outputs: those that are meant.
    :param faults: what is missing or too small, a text each; none if all is as it is required.
    """

    outputs: list[Output]
    faults: list[str]


class OutputsReader:
    """Lists the outputs of runs, through the connection of a task.

    :param hook: of the task; S3 is called through the same connection.
    :param patterns: which outputs are meant.
    :param log: takes a warning when a call is tried again.
    :param require: how many outputs each pattern must meet; without patterns, how many there must be.
    :param min_bytes: the size of an output that is not too small.
    """

    def __init__(
        self, hook: OmicsHook, patterns: Patterns, log: Any, *, require: int = 1, min_bytes: int = 1
    ) -> None:
        self._omics, self._log = hook, log
        self._patterns = patterns
        self._require, self._min_bytes = require, min_bytes
        self._objects: OmicsObjectsHook | None = None

    @property
    def objects(self) -> OmicsObjectsHook:
        """The hook for S3, on the task's connection, which is read when it is first used."""
        if self._objects is None:
            self._objects = OmicsObjectsHook.beside(self._omics)
        return self._objects

    def of_run(self, record: Mapping[str, Any]) -> Found:
        """Return what a run has left.

        :param record: GetRun's, of a run that is COMPLETED.
        :raises OmicsRequestError: the record does not say where, the bucket is not there or elsewhere, or
            the folder holds too many objects.
        :raises OmicsAccessError: S3 denied it.
        :raises OmicsError: transient errors lasted too long.
        """
        target = Target.parse(dict(record))
        root = _root_of(record, target)
        listed = self._listed(root, target)
        names = self._names(root, listed, target)
        outputs = [
            Output(path, root + path, found.size, found.etag, found.last_modified, target.id)
            for path, found in listed.items()
            if self._patterns.matches(path)
        ]
        outputs = [output._replace(name=names.name_of(output.uri, root)) for output in outputs]
        return Found(outputs, [*self._missing(outputs, names, root, listed), *self._too_small(outputs)])

    # -- calls -----------------------------------------------------------------------------------------------

    def _listed(self, root: str, target: Target) -> dict[str, ListedObject]:
        """Return the objects in a run's folder by their path in it; only where the patterns look."""
        uri = root + self._patterns.prefix
        length = len(root.removeprefix("s3://").partition("/")[2])
        listed: dict[str, ListedObject] = {}
        token: str | None = None
        for _ in range(MOST_PAGES):
            page = self._call(uri, target, partial(self._page, uri, token))
            for found in page.objects:
                # The console makes an object of no bytes for a folder; it is no output.
                if not found.key.endswith("/"):
                    listed[found.key[length:]] = found
            if page.next_token is None:
                return listed
            token = page.next_token
        raise OmicsRequestError(
            f"{target}: there are more than {MOST_PAGES * 1000:,} objects under {uri}; give patterns that "
            "begin with the folder that is meant, such as 'out/vcf/*.vcf.gz': only that folder is listed "
            "then.",
            run_id=target.id,
        )

    def _names(self, root: str, listed: Mapping[str, ListedObject], target: Target) -> OutputNames:
        """Return the workflow's names of its outputs. Without them the outputs are the same."""
        try:
            summary = self._summary(root, listed, target)
            return OutputNames() if summary is None else OutputNames(summary)
        except (OmicsAccessError, OmicsRequestError, ValueError) as error:
            if isinstance(error, OmicsAccessError) and error.kind is not FaultKind.DENIED:
                raise
            self._log.warning("%s: its outputs have no names: %s", target, error)
            return OutputNames()

    def _summary(self, root: str, listed: Mapping[str, ListedObject], target: Target) -> bytes | None:
        for path in SUMMARIES:
            # A list of the whole folder has it, or there is none.
            if path.startswith(self._patterns.prefix) and path not in listed:
                continue
            uri = root + path
            found = self._call(uri, target, partial(self._head, uri))
            if found is None:
                continue
            if found.size > LARGEST:
                raise ValueError(f"{uri} is larger than {LARGEST:,} bytes")
            return self._call(uri, target, partial(self._content, uri, found.etag))
        return None

    def _page(self, uri: str, token: str | None) -> ListedPage:
        return self.objects.list_page(uri, token)

    def _head(self, uri: str) -> StoredObject | None:
        return self.objects.head(uri)

    def _content(self, uri: str, etag: str) -> bytes:
        return b"".join(self.objects.read(uri, etag=etag))

    def _call(self, uri: str, target: Target, call: Callable[[], T]) -> T:
        try:
            return Retries(lambda: self._objects or self._omics, self._log, target=target).call(call)
        except OmicsRequestError as error:
            raise OmicsRequestError(
                f"{str(error).removesuffix('.')}. This was {uri}.{_hint(str(error))}",
                run_id=target.id,
                kind=error.kind,
            ) from error
        except OmicsAccessError as error:
            if error.kind is not FaultKind.DENIED:
                raise
            raise OmicsAccessError(
                f"{error} This was {uri}; the worker calls S3 with the identity of its Airflow connection. "
                "If the bucket is of another account, its policy must allow it as well.",
                run_id=target.id,
                kind=error.kind,
            ) from error

    # -- what is not as required -----------------------------------------------------------------------------

    def _missing(
        self, outputs: Sequence[Output], names: OutputNames, root: str, listed: Mapping[str, ListedObject]
    ) -> Iterator[str]:
        if not self._require:
            return
        for pattern in self._patterns.all or (None,):
            meant = [output for output in outputs if pattern is None or pattern.matches(output.path)]
            met = [output for output in meant if output.bytes >= self._min_bytes]
            if len(met) < self._require:
                has_small = len(met) < len(meant)
                yield self._too_few(len(met), None if pattern is None else pattern.text, root, has_small)
        there = listed.keys() | _folders_of(listed)
        for name, uris in names.told:
            paths = [uri.removeprefix(root) for uri in uris if uri.startswith(root)]
            is_meant = any(self._patterns.matches(path) for path in paths)
            if is_meant and there.isdisjoint(paths):
                yield f"{name} is not there: its file is {root}{paths[0]}, by {SUMMARIES[0]}"

    def _too_few(self, count: int, pattern: str | None, root: str, has_small: bool) -> str:
        of_bytes = " that is not empty" if has_small else ""
        if self._min_bytes > 1:
            of_bytes = f" of at least {self._min_bytes:,} bytes"
        if count == 0:
            matches = "is there" if pattern is None else f"matches {pattern!r}"
            return f"no output{of_bytes} {matches} in {root}"
        of_bytes = of_bytes.replace("that is", "that are")
        match = "are there" if pattern is None else f"match {pattern!r}"
        return f"only {count:,} of {self._require:,} outputs{of_bytes} {match} in {root}"

    def _too_small(self, outputs: Sequence[Output]) -> Iterator[str]:
        """Yield what was asked for and is too small: by a pattern, or by the workflow."""
        for output in outputs:
            if output.bytes < self._min_bytes and (self._patterns.all or output.name is not None):
                called = "" if output.name is None else f"{output.name}, "
                size = "is empty" if not output.bytes else f"has {output.bytes:,} bytes"
                yield f"{called}{output.uri} {size}"


def shown(faults: Sequence[str]) -> str:
    """Return the first faults as one text."""
    more = len(faults) - _NAMED_AT_MOST
    return "; ".join(faults[:_NAMED_AT_MOST]) + (f"; and {more:,} more" if more > 0 else "")


def _folders_of(paths: Iterable[str]) -> set[str]:
    folders = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    return folders


def _root_of(record: Mapping[str, Any], target: Target) -> str:
    """Return the folder that a run writes to, with a slash at its end."""
    uri = record.get("runOutputUri")
    if not isinstance(uri, str) or not uri.startswith("s3://") or not uri.removeprefix("s3://").strip("/"):
        raise OmicsRequestError(
            f"{target}: its record has no runOutputUri, so where its outputs are is not known, and it is not "
            f"guessed; its outputUri is {record.get('outputUri') or 'not known'}.",
            run_id=target.id,
        )
    return f"{uri.rstrip('/')}/"


def _hint(said: str) -> str:
    if "PermanentRedirect" in said or "AuthorizationHeaderMalformed" in said:
        return " The bucket is in another Region than the connection; S3 did not say which."
    if "NoSuchBucket" in said:
        return " The bucket was deleted, or is in another partition of AWS than the connection."
    return ""
