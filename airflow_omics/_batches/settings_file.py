"""Where the settings of a batch's runs are kept in S3, and the list of its members.

A file is named after its content, so that a retry finds it, and nothing is ever overwritten: a changed file
fails a batch that HealthOmics has not read yet. Nothing is deleted: it is the only record of what was asked.
https://docs.aws.amazon.com/omics/latest/api/API_StartRunBatch.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from airflow_omics._batches.checks import LONGEST_URI
from airflow_omics._batches.json_array import JsonArray
from airflow_omics._task.values import is_s3_location
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsRequestError
from airflow_omics.hooks.faults import fault_of
from airflow_omics.hooks.objects import OmicsObjectsHook, StoredObject
from airflow_omics.hooks.omics import OmicsHook
from airflow_omics.hooks.retrying import Retries

DEFAULT_FOLDER: Final = "airflow-omics-batches"

T = TypeVar("T")


class StoredFile(NamedTuple):
    """A file in S3.

    :param uri: where.
    :param etag: as S3 gives it, without the quotation marks.
    """

    uri: str
    etag: str


def folder_for(settings_uri: str | None, output_uri: str) -> str:
    """Return the folder for the settings of batches.

    :param settings_uri: the folder that the DAG gives; without it one of its own in ``output_uri``.
    :raises ValueError: ``settings_uri`` is no place in S3.
    """
    if settings_uri is None:
        return f"{output_uri.rstrip('/')}/{DEFAULT_FOLDER}"
    if not is_s3_location(settings_uri):
        raise ValueError(
            f"settings_uri is {settings_uri!r}; it takes an S3 location, such as 's3://bucket/folder'."
        )
    return settings_uri.rstrip("/")


class SettingsFolder:
    """Keeps files in S3, through the connection of a task, and reads them.

    The calls are the worker's own; HealthOmics reads the settings with the role of the runs.

    :param hook: of the task; S3 is called through the same connection.
    :param log: takes a warning when a call is tried again.
    """

    def __init__(self, hook: OmicsHook, log: Any) -> None:
        self._omics, self._log = hook, log
        self._objects: OmicsObjectsHook | None = None

    def keep(self, array: JsonArray, folder: str, token: str, prefix: str = "") -> StoredFile:
        """Return where an array is kept; write it if it is not there yet.

        :param folder: as :func:`folder_for` returns it.
        :param token: of the batch.
        :param prefix: how the file's name begins: by what is in it.
        :raises OmicsAccessError: S3 denied it.
        :raises OmicsRequestError: there is no such bucket, or the name is too long.
        :raises OmicsError: transient errors lasted too long.
        """
        uri = f"{folder.rstrip('/')}/{token}/{prefix}{array.digest[:16]}.json"
        if len(uri) > LONGEST_URI:
            raise OmicsRequestError(
                f"settings_uri makes a URI of {len(uri)} characters for the settings; it takes at most "
                f"{LONGEST_URI}, so give a shorter one."
            )
        return StoredFile(uri, self._call(uri, lambda s3: s3.put_if_absent(uri, array.body)))

    def find(self, uri: str) -> StoredObject | None:
        """Return size and ETag of a file, or None if it is not there.

        :raises OmicsAccessError: S3 denied it, as it does for a file that is not there to whoever may not
            list the bucket.
        :raises OmicsError: transient errors lasted too long.
        """
        return self._call(
            uri,
            lambda s3: s3.head(uri),
            denied="S3 says the same of a file that is not there, unless s3:ListBucket is allowed.",
        )

    def read(self, uri: str) -> Iterator[bytes]:
        """Yield a file in chunks; what breaks off is read on from there.

        :raises OmicsRequestError: there is no such file, or it was changed meanwhile.
        :raises OmicsAccessError: S3 denied it.
        :raises OmicsError: transient errors lasted too long.
        """
        found = self.find(uri)
        if found is None:
            raise OmicsRequestError(f"{uri} is not there any more; the settings of a batch must stay.")
        retries, position = self._retries(), 0
        while position < found.size:
            try:
                for chunk in self._hook().read(uri, start=position, etag=found.etag):
                    position += len(chunk)
                    retries.answered()
                    yield chunk
            except Exception as error:
                fault = fault_of(error, self._objects)
                if fault is None or isinstance(error, OmicsRequestError):
                    raise
                retries.wait(fault, error)

    def _call(self, uri: str, call: Callable[[OmicsObjectsHook], T], *, denied: str = "") -> T:
        try:
            return self._retries().call(lambda: call(self._hook()))
        except OmicsRequestError as error:
            raise OmicsRequestError(f"{uri}: {error}", kind=error.kind) from error
        except OmicsAccessError as error:
            if error.kind is not FaultKind.DENIED:
                raise
            raise OmicsAccessError(
                f"{error} The worker calls S3 with the identity of its Airflow connection, for {uri}; the "
                f"role of the runs needs s3:GetObject there as well. {denied}".rstrip(),
                kind=error.kind,
            ) from error

    def _hook(self) -> OmicsObjectsHook:
        # The connection is read for it, which may fail, and is tried again with the call.
        if self._objects is None:
            self._objects = OmicsObjectsHook.beside(self._omics)
        return self._objects

    def _retries(self) -> Retries:
        return Retries(lambda: self._objects or self._omics, self._log)
