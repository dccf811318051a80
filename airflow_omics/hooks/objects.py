"""The hook for objects in S3: outputs of runs, settings of the runs of a batch, lists of its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any, Final, NamedTuple

from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks.named import NamedConnectionHook
from airflow_omics.hooks.responses import UnusableAnswerError, is_of_aws
from airflow_omics.hooks.settings import with_defaults
from airflow_omics.records import to_plain

_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}
_CHUNK: Final = 256 * 1024


class StoredObject(NamedTuple):
    """An object in S3.

    :param size: bytes.
    :param etag: without the quotation marks around it.
    """

    size: int
    etag: str


class ListedObject(NamedTuple):
    """An object in S3, as a list has it.

    :param key: its name in its bucket.
    :param size: bytes.
    :param etag: without the quotation marks around it.
    :param last_modified: ISO-8601 in UTC.
    """

    key: str
    size: int
    etag: str
    last_modified: str


class ListedPage(NamedTuple):
    """One page of a list.

    :param objects: at most 1,000.
    :param next_token: what the next page is asked for with; None if this is the last one.
    """

    objects: list[ListedObject]
    next_token: str | None


class OmicsObjectsHook(NamedConnectionHook):
    """Write and read objects in S3 through an Airflow connection of type ``aws``.

    It takes every parameter of ``AwsBaseHook`` except ``client_type``. Its calls raise the errors of AWS and
    the network as they came: ``airflow_omics.hooks.faults.fault_of`` says what one means.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "s3"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """The settings of its clients, also of the one that assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def _get_config(self, config: Config | None = None) -> Config:
        merged = super()._get_config(config)
        if not self.has_own_endpoint(merged):
            return merged
        # A bucket's name before the name of an endpoint of one's own leads nowhere.
        return with_defaults(merged, {"s3": {"addressing_style": "path"}})

    def list_page(self, uri: str, token: str | None = None) -> ListedPage:
        """Return a page of the objects whose names begin with the one given.

        :param uri: such as ``s3://bucket/folder/``.
        :param token: ``next_token`` of the page before; None for the first page.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
        """
        client: Any = self.conn
        bucket, key = _named(uri).values()
        request = {"Bucket": bucket, "Prefix": key}
        if token is not None:
            request["ContinuationToken"] = token
        answer = client.list_objects_v2(**request)
        if "KeyCount" not in answer and "Contents" not in answer:
            raise UnusableAnswerError("S3 answered without a list of objects")
        objects = [
            ListedObject(
                str(item["Key"]), int(item["Size"]), _etag(item), str(to_plain(item["LastModified"]))
            )
            for item in answer.get("Contents", ())
        ]
        token = answer.get("NextContinuationToken") if answer.get("IsTruncated") else None
        if answer.get("IsTruncated") and not token:
            raise UnusableAnswerError("S3 answered that there is another page, and not how to ask for it")
        return ListedPage(objects, token)

    def put_if_absent(self, uri: str, body: IO[bytes]) -> str:
        """Write an object, unless there is one of that name, and return the ETag of what is there then.

        It is one request and one part: other parts would give the same bytes another ETag.

        :param uri: such as ``s3://bucket/folder/name.json``.
        :param body: what is written, from its beginning; 5 GB at most.
        :raises botocore.exceptions.ClientError: as AWS answered. A 409 means that another request writes the
            same object: try again.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        """
        if (etag := self.put_new(uri, body)) is not None:
            return etag
        found = self.head(uri)
        if found is None:
            raise UnusableAnswerError(f"S3 answered that {uri} is there, and then that it is not")
        return found.etag

    def put_new(self, uri: str, body: IO[bytes]) -> str | None:
        """Write an object and return its ETag; return None, and write nothing, if there is one of that name.

        The arguments and errors are those of :meth:`put_if_absent`.
        """
        client: Any = self.conn
        body.seek(0)
        try:
            answer = client.put_object(
                **_named(uri), Body=body, IfNoneMatch="*", ContentType="application/json"
            )
        except ClientError as error:
            if _status(error) != 412:
                raise
            return None
        return _etag(answer)

    def head(self, uri: str) -> StoredObject | None:
        """Return size and ETag of an object, or None if there is none.

        :raises botocore.exceptions.ClientError: as AWS answered. S3 answers 403 for an object that is not
            there to whoever may not list the bucket.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        """
        client: Any = self.conn
        try:
            answer = client.head_object(**_named(uri))
        except ClientError as error:
            if _status(error) == 404 and is_of_aws(error.response):
                return None
            raise
        return StoredObject(int(answer["ContentLength"]), _etag(answer))

    def read(self, uri: str, *, start: int = 0, etag: str) -> Iterator[bytes]:
        """Yield an object in chunks, each at most 256 KiB.

        :param start: bytes to leave out at the beginning.
        :param etag: of the object that is meant.
        :raises OmicsRequestError: another object is there by now.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        client: Any = self.conn
        request: dict[str, Any] = {**_named(uri), "IfMatch": f'"{etag}"'}
        if start:
            request["Range"] = f"bytes={start}-"
        try:
            answer = client.get_object(**request)
        except ClientError as error:
            if _status(error) == 412:
                raise OmicsRequestError(
                    f"{uri} was changed while it was read; it must stay as it is."
                ) from error
            raise
        body = answer["Body"]
        try:
            yield from body.iter_chunks(_CHUNK)
        finally:
            body.close()


def _named(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _etag(answer: Mapping[str, Any]) -> str:
    etag = answer.get("ETag")
    if not isinstance(etag, str) or not etag.strip('"'):
        raise UnusableAnswerError("S3 answered without an ETag")
    return etag.strip('"')
