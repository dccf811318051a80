"""The settings of a batch in S3: written once, never overwritten, and read again whatever happens."""

# ruff: noqa: E501 - each message stands whole, in one line

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics._batches.settings import Prepared, prepare
from airflow_omics._batches.settings_file import SettingsFolder, StoredFile, folder_for
from airflow_omics._connection import AwsArguments
from airflow_omics.emulator import EmulatorServer
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.objects import OmicsObjectsHook, StoredObject
from tests.support.clocks import turn
from tests.support.fixtures import Connect, Output
from tests.support.scripted_s3 import FROM_AWS, LOST, Answer, ScriptedS3
from tests.support.sensors import ONE_ATTEMPT

# They are about values and files, and need nothing of Airflow that differs.
pytestmark = pytest.mark.any_airflow

MARKER = "patient-4711-marker"
URI = "s3://bucket/out/airflow-omics-batches/token-1/"
GIVEN = [
    {"runSettingId": f"s{number}", "name": f"s{number}", "parameters": {"who": MARKER}}
    for number in range(300)
]
ETAG = {**FROM_AWS, "ETag": '"etag-1"'}
log = logging.getLogger("airflow.task")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses = 0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.pauses += 1
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    turn(monkeypatch, turned)
    return turned


@pytest.fixture
def prepared() -> Iterator[Prepared]:
    with prepare(GIVEN, defaults={}) as made:
        yield made


def folder_of(conn_id: str = "aws_default") -> SettingsFolder:
    return SettingsFolder(OmicsHook.of(AwsArguments(conn_id, botocore_config=ONE_ATTEMPT)), log)


@pytest.fixture
def s3(connect: Connect) -> Iterator[ScriptedS3]:
    """An S3 whose answers are written down, and a connection to it; HealthOmics is elsewhere."""
    with ScriptedS3() as scripted:
        connect(
            login="testing-key",
            password="testing-secret",
            region_name="us-east-1",
            service_config={"s3": {"endpoint_url": scripted.endpoint_url}},
        )
        yield scripted


# -- over the emulator ---------------------------------------------------------------------------------------


@pytest.fixture
def client(connect: Connect) -> Iterator[Any]:
    """A client of the emulator's S3, to which the connection leads as well."""
    with EmulatorServer() as server:
        connect(
            login="testing-key",
            password="testing-secret",
            region_name="us-east-1",
            endpoint_url=server.endpoint_url,
        )
        made: Any = OmicsObjectsHook(aws_conn_id="aws_default").conn
        made.create_bucket(Bucket="bucket")
        yield made


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="bucket").get("Contents", ())]


def test_the_settings_are_written_once_and_found_again(client: Any, prepared: Prepared) -> None:
    assert prepared.array is not None
    kept = folder_of().keep(prepared.array, "s3://bucket/out/", "token-1")
    [key] = keys(client)
    stored = client.get_object(Bucket="bucket", Key=key)
    content = stored["Body"].read()
    assert json.loads(content) == GIVEN
    assert key == f"out/token-1/{hashlib.sha256(content).hexdigest()[:16]}.json"
    assert kept == StoredFile(f"s3://bucket/{key}", stored["ETag"].strip('"'))
    assert stored["ContentType"] == "application/json"

    with prepare(GIVEN, defaults={}) as again:
        assert again.array is not None
        assert folder_of().keep(again.array, "s3://bucket/out", "token-1") == kept
    assert client.get_object(Bucket="bucket", Key=key)["LastModified"] == stored["LastModified"]
    folder_of().keep(prepared.array, "s3://bucket/out", "token-2")
    with prepare(GIVEN[:200], defaults={}) as other:
        assert other.array is not None
        folder_of().keep(other.array, "s3://bucket/out", "token-1")
    assert len(keys(client)) == 3


def test_what_is_there_is_never_overwritten(client: Any, prepared: Prepared) -> None:
    assert prepared.array is not None
    kept = folder_of().keep(prepared.array, "s3://bucket", "token-1")
    key = kept.uri.removeprefix("s3://bucket/")
    client.put_object(Bucket="bucket", Key=key, Body=b"changed by somebody")
    again = folder_of().keep(prepared.array, "s3://bucket", "token-1")
    assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == b"changed by somebody"
    assert again.uri == kept.uri
    assert again.etag != kept.etag, "so whoever compares them sees that it was changed"


def test_an_object_is_written_from_its_beginning(client: Any) -> None:
    body = io.BytesIO(b"12345")
    body.read(3)
    OmicsObjectsHook(aws_conn_id="aws_default").put_if_absent("s3://bucket/a", body)
    assert client.get_object(Bucket="bucket", Key="a")["Body"].read() == b"12345"


def test_a_file_is_found_or_not(client: Any) -> None:
    client.put_object(Bucket="bucket", Key="a/b.json", Body=b"12345")
    found = folder_of().find("s3://bucket/a/b.json")
    assert found == StoredObject(5, hashlib.md5(b"12345").hexdigest())
    assert folder_of().find("s3://bucket/a/none.json") is None
    assert folder_of().find("s3://another-bucket/b.json") is None


def test_only_some_entries_of_a_file_in_s3_are_taken(client: Any) -> None:
    foreign = [{"runSettingId": f"s{n}", "name": "all alike", "priority": n} for n in range(20_000)]
    client.put_object(Bucket="bucket", Key="a.json", Body=json.dumps(foreign, indent=1).encode())
    with prepare(
        "s3://bucket/a.json", defaults={}, files=folder_of(), wanted=lambda run_id: run_id in ("s7", "s19999")
    ) as some:
        assert some.ids == ("s7", "s19999")
        assert some.inline == [
            {"runSettingId": "s7", "name": "s7", "priority": 7},
            {"runSettingId": "s19999", "name": "s19999", "priority": 19_999},
        ]


def test_entries_of_a_file_in_s3_are_weighed_with_what_all_runs_have(client: Any) -> None:
    client.put_object(
        Bucket="bucket", Key="a.json", Body=b'[{"runSettingId": "a", "parameters": {"x": "y"}}]'
    )
    shared = {"parameters": {"all": "x" * 262_130}}
    with pytest.raises(
        OmicsRequestError, match=r"entry 1 \('a'\): parameters \(with those of all runs\) takes"
    ):
        prepare("s3://bucket/a.json", defaults=shared, files=folder_of(), wanted=lambda run_id: True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"runSettingId": "a"},', "run_settings is 's3://bucket/a.json', and it is not valid JSON, at entry 2."),
        (b"\xff", "run_settings is 's3://bucket/a.json', and it is not UTF-8 text."),
        (b'[{"runSettingId": "a", "priority": "x"}]', "run_settings, entry 1 ('a'): priority is not in its"),
        (b'[["a"]]', "run_settings, entry 1: it is a list; it takes a dict of"),
    ],
)  # fmt: skip
def test_a_file_in_s3_that_is_broken_is_refused_when_it_is_read(
    client: Any, content: bytes, message: str
) -> None:
    client.put_object(Bucket="bucket", Key="a.json", Body=content)
    with pytest.raises(OmicsRequestError) as raised:
        prepare("s3://bucket/a.json", defaults={}, files=folder_of(), wanted=lambda run_id: True)
    assert str(raised.value).startswith(message)


# -- a file that the DAG gives -------------------------------------------------------------------------------


def test_a_file_in_s3_is_handed_on_as_it_is(s3: ScriptedS3) -> None:
    s3.answers = [Answer(headers={**ETAG, "Content-Length": "6442450944"})]
    with prepare("s3://bucket/a.json", defaults={}, files=folder_of()) as handed_on:
        assert (handed_on.uri, handed_on.etag) == ("s3://bucket/a.json", "etag-1")
        assert (handed_on.size, handed_on.count, handed_on.ids) == (6_442_450_944, None, None)
        assert (handed_on.inline, handed_on.array, handed_on.digest) == (None, None, None)
    assert s3.methods == ["HEAD"]


def test_a_file_in_s3_that_is_too_large_or_not_there(s3: ScriptedS3) -> None:
    s3.answers = [Answer(headers={**ETAG, "Content-Length": "6442450945"}), Answer(404, "NoSuchKey")]
    for message in (
        "run_settings is 's3://bucket/a.json', of 6,442,450,945 bytes; StartRunBatch reads at most 6,442,450,944.",
        "run_settings is 's3://bucket/a.json', and there is no such file in S3.",
    ):
        with pytest.raises(OmicsRequestError) as raised:
            prepare("s3://bucket/a.json", defaults={}, files=folder_of())
        assert str(raised.value) == message
    assert s3.methods == ["HEAD", "HEAD"]


# -- what may happen to a request ----------------------------------------------------------------------------


def keep(prepared: Prepared) -> str:
    assert prepared.array is not None
    kept = folder_of().keep(prepared.array, "s3://bucket/out/airflow-omics-batches", "token-1")
    assert kept.uri == f"{URI}{str(prepared.digest)[:16]}.json"
    return kept.etag


THERE = Answer(412, "PreconditionFailed")
PUT: list[Any] = [
    pytest.param([Answer(headers=ETAG)], ["PUT"], id="written"),
    pytest.param([THERE, Answer(headers=ETAG)], ["PUT", "HEAD"], id="there already"),
    pytest.param([Answer(409, "ConditionalRequestConflict"), Answer(headers=ETAG)], ["PUT", "PUT"], id="a conflict"),
    pytest.param([Answer(503, "SlowDown"), Answer(headers=ETAG)], ["PUT", "PUT"], id="slow down"),
    pytest.param([Answer(400, "RequestTimeout"), Answer(headers=ETAG)], ["PUT", "PUT"], id="a request that was slow"),
    pytest.param([Answer(400, "ExpiredToken"), Answer(headers=ETAG)], ["PUT", "PUT"], id="an expired token"),
    pytest.param([Answer(403, "InvalidAccessKeyId"), Answer(headers=ETAG)], ["PUT", "PUT"], id="a rotated key"),
    pytest.param([LOST, THERE, Answer(headers=ETAG)], ["PUT", "PUT", "HEAD"], id="an answer that is lost"),
    pytest.param([THERE, Answer(404, "NoSuchKey"), Answer(headers=ETAG)], ["PUT", "HEAD", "PUT"], id="gone in between"),
    pytest.param([THERE, Answer(400), Answer(400), Answer(headers=ETAG)], ["PUT", "HEAD", "HEAD", "PUT"], id="a HEAD without a word"),
    pytest.param([Answer(), THERE, Answer(headers=ETAG)], ["PUT", "PUT", "HEAD"], id="an answer of a proxy"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "methods"), PUT)
def test_one_conditional_request_writes_it(
    s3: ScriptedS3, clock: Clock, prepared: Prepared, answers: Any, methods: list[str], output: Output
) -> None:
    s3.answers = [*answers, Answer(500, "InternalError")]
    assert keep(prepared) == "etag-1"
    assert s3.methods == methods
    for asked in s3.asked:
        if asked.path == "/bucket":
            continue  # botocore asks for the Region of the bucket
        assert asked.path == f"/{URI.removeprefix('s3://')}{str(prepared.digest)[:16]}.json"
        if asked.method == "PUT":
            assert asked.headers["if-none-match"] == "*"
            assert json.loads(asked.body) == GIVEN
    assert clock.pauses == methods.count("PUT") - 1
    assert MARKER not in output()


DENIED: list[Any] = [
    ([Answer(403, "AccessDenied")], "s3:PutObject", "PutObject: AccessDenied: so it is (request id REQ1)."),
    ([THERE, Answer(403)], "s3:GetObject", "HeadObject: 403: Forbidden (request id REQ1)."),
]


@pytest.mark.parametrize(("answers", "action", "said"), DENIED)
def test_a_denied_call_says_who_needs_which_permission(
    s3: ScriptedS3, clock: Clock, prepared: Prepared, answers: Any, action: str, said: str
) -> None:
    s3.answers = answers
    with pytest.raises(OmicsAccessError) as raised:
        keep(prepared)
    assert str(raised.value) == (
        f"{said} Allow {action} to the caller. The worker calls S3 with the identity of its Airflow connection, "
        f"for {URI}{str(prepared.digest)[:16]}.json; the role of the runs needs s3:GetObject there as well."
    )
    assert raised.value.kind is FaultKind.DENIED
    assert clock.pauses == 0


def test_a_file_that_may_not_be_read_may_be_missing(s3: ScriptedS3) -> None:
    s3.answers = [Answer(403)]
    with pytest.raises(OmicsAccessError) as raised:
        folder_of().find("s3://bucket/a.json")
    assert str(raised.value) == (
        "HeadObject: 403: Forbidden (request id REQ1). Allow s3:GetObject to the caller. The worker calls S3 with "
        "the identity of its Airflow connection, for s3://bucket/a.json; the role of the runs needs s3:GetObject "
        "there as well. S3 says the same of a file that is not there, unless s3:ListBucket is allowed."
    )


def test_a_bucket_that_is_missing_is_named(s3: ScriptedS3, clock: Clock, prepared: Prepared) -> None:
    s3.answers = [Answer(404, "NoSuchBucket")]
    with pytest.raises(OmicsRequestError) as raised:
        keep(prepared)
    assert str(raised.value).startswith(f"{URI}{str(prepared.digest)[:16]}.json: PutObject: NoSuchBucket: ")
    assert (s3.methods, clock.pauses) == (["PUT"], 0)


@pytest.mark.parametrize("status", [403, 404])
def test_the_answer_of_a_proxy_says_nothing_of_a_file(s3: ScriptedS3, clock: Clock, status: int) -> None:
    s3.answers = [Answer(status, headers={}), Answer(headers={**ETAG, "Content-Length": "7"})]
    assert folder_of().find("s3://bucket/a.json") == StoredObject(7, "etag-1")
    s3.answers = [Answer(status, headers={})]
    with pytest.raises(OmicsError) as raised:
        folder_of().find("s3://bucket/a.json")
    assert raised.value.kind is FaultKind.TRANSIENT
    assert 200 < clock.now < 700


def test_dead_credentials_are_not_said_to_lack_a_permission(
    s3: ScriptedS3, clock: Clock, prepared: Prepared
) -> None:
    s3.answers = [Answer(400, "ExpiredToken")]
    with pytest.raises(OmicsAccessError) as raised:
        keep(prepared)
    assert raised.value.kind is FaultKind.CREDENTIALS
    assert str(raised.value) == "PutObject: ExpiredToken: so it is (request id REQ1)"
    assert clock.now >= 300


def test_the_connection_is_read_again_after_a_rotation(
    s3: ScriptedS3, clock: Clock, connect: Connect, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.answers = [Answer(400, "ExpiredToken"), Answer(headers=ETAG)]
    slept = clock.sleep

    def rotate(seconds: float) -> None:
        slept(seconds)
        connect(
            login="another-key",
            password="another-secret",
            region_name="us-east-1",
            service_config={"s3": {"endpoint_url": s3.endpoint_url}},
        )

    monkeypatch.setattr("airflow_omics._clock.sleep", rotate)
    keep(prepared)
    keys_used = [asked.headers["authorization"].split("Credential=")[1].split("/")[0] for asked in s3.asked]
    assert keys_used == ["testing-key", "another-key"]


def test_a_connection_that_cannot_be_read_is_tried_again(
    s3: ScriptedS3, clock: Clock, connect: Connect, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.answers = [Answer(headers=ETAG)]
    folder = folder_of("lab")
    slept = clock.sleep

    def defined(seconds: float) -> None:
        slept(seconds)
        connect(
            "lab",
            login="testing-key",
            password="testing-secret",
            region_name="us-east-1",
            service_config={"s3": {"endpoint_url": s3.endpoint_url}},
        )

    monkeypatch.setattr("airflow_omics._clock.sleep", defined)
    assert prepared.array is not None
    assert folder.keep(prepared.array, "s3://bucket/out", "token-1").etag == "etag-1"
    assert clock.pauses == 1


# -- reading -------------------------------------------------------------------------------------------------

CONTENT = json.dumps([{"runSettingId": f"s{number}"} for number in range(1000)]).encode()
HEAD = Answer(headers={**ETAG, "Content-Length": str(len(CONTENT))})


def test_what_breaks_off_is_read_on_from_there(s3: ScriptedS3, clock: Clock) -> None:
    s3.answers = [
        HEAD,
        Answer(content=CONTENT, cut=5000, headers=ETAG),
        Answer(503, "SlowDown"),
        Answer(206, content=CONTENT[5000:], headers=ETAG),
    ]
    assert b"".join(folder_of().read("s3://bucket/a.json")) == CONTENT
    assert s3.methods == ["HEAD", "GET", "GET", "GET"]
    assert [asked.headers.get("range") for asked in s3.asked] == [None, None, "bytes=5000-", "bytes=5000-"]
    assert {asked.headers["if-match"] for asked in s3.asked[1:]} == {'"etag-1"'}


def test_what_breaks_off_often_is_read_whole_as_long_as_it_goes_on(s3: ScriptedS3, clock: Clock) -> None:
    pieces = range(0, len(CONTENT), 500)
    s3.answers = [HEAD, *(Answer(206, content=CONTENT[at:], cut=500, headers=ETAG) for at in pieces)]
    assert b"".join(folder_of().read("s3://bucket/a.json")) == CONTENT
    assert len(s3.asked) == 1 + len(pieces)
    assert len(pieces) > 40


def test_a_file_that_is_changed_while_it_is_read(s3: ScriptedS3, clock: Clock) -> None:
    s3.answers = [HEAD, Answer(content=CONTENT, cut=5000, headers=ETAG), Answer(412, "PreconditionFailed")]
    with pytest.raises(OmicsRequestError) as raised:
        list(folder_of().read("s3://bucket/a.json"))
    assert str(raised.value) == "s3://bucket/a.json was changed while it was read; it must stay as it is."


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(404, "NoSuchKey"), OmicsRequestError, "GetObject: NoSuchKey"),
        (Answer(403, "AccessDenied"), OmicsAccessError, "Allow s3:GetObject to the caller"),
    ],
)
def test_a_file_that_can_not_be_read(
    s3: ScriptedS3, clock: Clock, answer: Answer, error: type[OmicsError], said: str
) -> None:
    s3.answers = [HEAD, answer]
    with pytest.raises(error, match=said):
        list(folder_of().read("s3://bucket/a.json"))
    assert clock.pauses == 0


def test_a_file_that_is_gone(s3: ScriptedS3) -> None:
    s3.answers = [Answer(404, "NoSuchKey")]
    with pytest.raises(OmicsRequestError, match="is not there any more"):
        list(folder_of().read("s3://bucket/a.json"))


# -- where -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings_uri", "folder"),
    [
        (None, "s3://bucket/out/airflow-omics-batches"),
        ("s3://other/x//", "s3://other/x"),
        ("s3://other", "s3://other"),
    ],
)
def test_the_folder_is_the_one_that_is_given_or_beside_the_outputs(
    settings_uri: str | None, folder: str
) -> None:
    assert folder_for(settings_uri, "s3://bucket/out/") == folder


@pytest.mark.parametrize("settings_uri", ["", "/data", "s3://", 7])
def test_a_folder_elsewhere_than_in_s3_is_refused(settings_uri: Any) -> None:
    with pytest.raises(ValueError, match=r"^settings_uri is .*; it takes an S3 location, such as"):
        folder_for(settings_uri, "s3://bucket/out")


def test_a_name_that_is_too_long_for_a_batch_is_refused_before_it_is_written(
    s3: ScriptedS3, prepared: Prepared
) -> None:
    s3.answers = [Answer(headers=ETAG)]
    assert prepared.array is not None
    rest = len("/token-1/0123456789abcdef.json")
    folder = "s3://bucket/" + "x" * (750 - rest - len("s3://bucket/"))
    assert len(folder_of().keep(prepared.array, folder, "token-1").uri) == 750
    with pytest.raises(OmicsRequestError) as raised:
        folder_of().keep(prepared.array, folder + "x", "token-1")
    assert str(raised.value) == (
        "settings_uri makes a URI of 751 characters for the settings; it takes at most 750, so give a shorter one."
    )
    assert s3.methods == ["PUT"]


@pytest.mark.parametrize("how", ["connection", "environment"])
def test_an_endpoint_of_health_omics_is_none_of_s3(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    own = "http://127.0.0.1:9/omics"
    if how == "connection":
        connect(region_name="us-west-2", service_config={"omics": {"endpoint_url": own}})
    else:
        connect(region_name="us-west-2")
        monkeypatch.setenv("AWS_ENDPOINT_URL_OMICS", own)
    hook = OmicsHook(aws_conn_id="aws_default")
    assert hook.conn.meta.endpoint_url == own
    s3: Any = OmicsObjectsHook.beside(hook).conn
    assert s3.meta.endpoint_url == "https://s3.us-west-2.amazonaws.com"
    assert (s3.meta.config.s3 or {}).get("addressing_style") is None


def test_a_bucket_is_in_the_path_of_an_endpoint_of_one_s_own(connect: Connect) -> None:
    connect(region_name="us-west-2", endpoint_url="http://s3.lab:9000")
    config: Any = OmicsObjectsHook(aws_conn_id="aws_default").conn.meta.config
    assert config.s3["addressing_style"] == "path"


def test_settings_of_the_connection_for_s3_are_kept(connect: Connect) -> None:
    connect(
        region_name="us-west-2",
        endpoint_url="http://127.0.0.1:9",
        config_kwargs={"s3": {"addressing_style": "virtual"}, "read_timeout": 7},
    )
    config: Any = OmicsObjectsHook(aws_conn_id="aws_default").conn.meta.config
    assert config.s3["addressing_style"] == "virtual"
    assert (config.read_timeout, config.connect_timeout) == (7, 10)
