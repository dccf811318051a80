"""What OmicsListRunOutputsOperator makes of an S3 that lists badly, elsewhere, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics._connection import AwsArguments
from airflow_omics._outputs.patterns import Patterns
from airflow_omics._outputs.reader import OutputsReader
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks import OmicsHook
from tests.support.clocks import Clock, turn
from tests.support.fixtures import Connect, Output
from tests.support.scripted_s3 import FROM_AWS, LOST, Answer, ScriptedS3
from tests.support.sensors import ONE_ATTEMPT

pytestmark = pytest.mark.any_airflow

RECORD = {"id": "1234567", "status": "COMPLETED", "runOutputUri": "s3://bucket/runs/1234567"}
URI = "s3://bucket/runs/1234567/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    turn(monkeypatch, turned)
    return turned


@pytest.fixture
def s3(connect: Connect) -> Iterator[ScriptedS3]:
    """An S3 whose answers are written down, and a connection to it."""
    with ScriptedS3() as scripted:
        connect(
            login="testing-key",
            password="testing-secret",
            region_name="us-east-1",
            service_config={"s3": {"endpoint_url": scripted.endpoint_url}},
        )
        yield scripted


def page(*keys: str, token: str | None = None, **changes: str) -> Answer:
    """Return a page of a list, as S3 writes it."""
    items = "".join(
        f"<Contents><Key>runs/1234567/{key}</Key><LastModified>2026-03-01T10:20:30.000Z</LastModified>"
        f"<ETag>&quot;etag-{key}&quot;</ETag><Size>3</Size></Contents>"
        for key in keys
    )
    more = "<IsTruncated>false</IsTruncated>"
    if token is not None:
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    content = (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>'
        f"<KeyCount>{len(keys)}</KeyCount>{more}{items}</ListBucketResult>"
    )
    return Answer(content=content.encode(), **{"headers": FROM_AWS, **changes})


def list_outputs(pattern: Any = None) -> list[dict[str, Any]]:
    hook = OmicsHook.of(AwsArguments("aws_default", botocore_config=ONE_ATTEMPT))
    reader = OutputsReader(hook, Patterns(pattern), logging.getLogger("airflow.task"))
    found = reader.of_run(RECORD)
    assert found.faults == []
    return [output.to_plain() for output in found.outputs]


def test_a_page_is_what_s3_writes(s3: ScriptedS3) -> None:
    s3.answers = [page("out/a%2Bb+c.txt")]
    assert list_outputs() == [
        {
            "uri": f"{URI}out/a+b c.txt",
            "bytes": 3,
            "etag": "etag-out/a%2Bb+c.txt",
            "lastModified": "2026-03-01T10:20:30+00:00",
            "run_id": "1234567",
        }
    ]
    [asked] = s3.asked
    assert asked.path.startswith("/bucket?list-type=2&")
    assert "prefix=runs%2F1234567%2F&" in f"{asked.path}&"


def test_the_next_page_is_asked_for_by_the_token_of_the_last(s3: ScriptedS3) -> None:
    s3.answers = [page("a", token="t+1"), page("b", token="t2"), page("c")]
    assert [output["uri"] for output in list_outputs()] == [f"{URI}{key}" for key in "abc"]
    assert ["continuation-token" in one.path for one in s3.asked] == [False, True, True]
    assert "continuation-token=t%2B1" in s3.asked[1].path


MORE_WITHOUT_TOKEN = page("a").content.replace(b"false", b"true")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, "SlowDown"),
        Answer(500, "InternalError"),
        Answer(400, "ExpiredToken"),
        Answer(content=b"<html>a proxy</html>"),
        Answer(content=b""),
        LOST,
        Answer(content=MORE_WITHOUT_TOKEN),
    ],
    ids=["slow down", "inside", "expired token", "a proxy", "an empty answer", "a lost answer", "no token"],
)
def test_a_page_that_could_not_be_had_is_asked_for_again_and_nothing_is_missing(
    s3: ScriptedS3, answer: Answer | str
) -> None:
    s3.answers = [page("a", token="t1"), answer, page("b")]
    assert [output["uri"] for output in list_outputs()] == [f"{URI}a", f"{URI}b"]
    assert s3.asked[1].path == s3.asked[2].path


def test_an_s3_that_is_down_is_an_error_after_five_minutes(s3: ScriptedS3, clock: Clock) -> None:
    s3.answers = [Answer(503, "SlowDown")]
    with pytest.raises(OmicsError, match="HealthOmics run 1234567: ListObjectsV2: SlowDown") as caught:
        list_outputs()
    assert caught.value.kind is FaultKind.TRANSIENT
    assert 240 <= clock.now < 420


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        # botocore asks for the bucket's Region itself, and S3 does not say it to everybody.
        (
            [Answer(301, "PermanentRedirect"), Answer(403)],
            "The bucket is in another Region than the connection",
        ),
        ([Answer(404, "NoSuchBucket")], "The bucket was deleted, or is in another partition"),
        ([Answer(400, "InvalidBucketName")], "InvalidBucketName: so it is"),
    ],
)
def test_a_bucket_that_can_not_be_listed_says_which_and_why(
    s3: ScriptedS3, clock: Clock, answers: list[Answer], says: str
) -> None:
    s3.answers = list(answers)
    with pytest.raises(OmicsRequestError) as caught:
        list_outputs()
    assert says in str(caught.value)
    assert f"This was {URI}." in str(caught.value)
    assert (caught.value.run_id, caught.value.kind) == ("1234567", FaultKind.REFUSED)
    assert clock.now == 0


def test_a_bucket_in_another_region_is_listed_there(s3: ScriptedS3) -> None:
    elsewhere = {**FROM_AWS, "x-amz-bucket-region": "eu-west-1"}
    s3.answers = [Answer(301, "PermanentRedirect", headers=elsewhere), page("a")]
    assert [output["uri"] for output in list_outputs()] == [f"{URI}a"]
    assert ["/us-east-1/s3" in one.headers["authorization"] for one in s3.asked] == [True, False]


def test_a_denied_list_names_the_action_at_once(s3: ScriptedS3, clock: Clock) -> None:
    s3.answers = [Answer(403, "AccessDenied")]
    with pytest.raises(OmicsAccessError, match="Allow s3:ListBucket to the caller") as caught:
        list_outputs()
    assert f"This was {URI}; the worker calls S3 with the identity of its Airflow connection" in str(
        caught.value
    )
    assert clock.now == 0


def test_dead_credentials_are_not_said_to_lack_a_permission(s3: ScriptedS3) -> None:
    s3.answers = [Answer(400, "ExpiredToken")]
    with pytest.raises(OmicsAccessError) as caught:
        list_outputs()
    assert caught.value.kind is FaultKind.CREDENTIALS
    assert "policy" not in str(caught.value)


def test_names_that_can_not_be_had_for_long_are_an_error_and_no_list_without_them(s3: ScriptedS3) -> None:
    s3.answers = [page("a", "logs/outputs.json"), Answer(503, "SlowDown")]
    with pytest.raises(OmicsError, match="HeadObject"):
        list_outputs()


def test_names_that_dead_credentials_keep_back_are_an_error_and_no_list_without_them(s3: ScriptedS3) -> None:
    s3.answers = [page("a", "logs/outputs.json"), Answer(400)]  # all that HEAD says of an expired token
    with pytest.raises(OmicsAccessError, match="HeadObject") as caught:
        list_outputs()
    assert caught.value.kind is FaultKind.CREDENTIALS


def test_names_that_are_in_an_archive_are_a_warning_that_blames_no_permission(
    s3: ScriptedS3, output: Output
) -> None:
    summary = Answer(content=b"{}", headers={**FROM_AWS, "ETag": '"etag-1"'})
    s3.answers = [page("a", "logs/outputs.json"), summary, Answer(403, "InvalidObjectState")]
    assert [found["uri"] for found in list_outputs()] == [f"{URI}a"]
    said = output()
    assert "its outputs have no names: " in said
    assert "InvalidObjectState" in said
    assert "Allow" not in said


def test_the_last_page_is_the_one_that_is_not_truncated(s3: ScriptedS3) -> None:
    s3.answers = [Answer(content=page("a", token="t1").content.replace(b"true", b"false"))]
    assert [output["uri"] for output in list_outputs()] == [f"{URI}a"]
    assert len(s3.asked) == 1
