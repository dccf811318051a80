"""The manifest beside a run's outputs: the first one is never lost, whatever comes after it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_omics._outputs.provenance_file import write
from airflow_omics.emulator import EmulatorServer
from airflow_omics.exceptions import FaultKind, OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks.objects import OmicsObjectsHook
from airflow_omics.provenance import provenance_of, to_json
from tests.support.clocks import Clock, turn
from tests.support.fixtures import Connect, Output
from tests.support.scripted_s3 import FROM_AWS, LOST, Answer, ScriptedS3
from tests.support.sensors import ONE_ATTEMPT

pytestmark = pytest.mark.any_airflow

MARKER = "patient-4711-marker"
FIRST = "s3://bucket/out/1234567/logs/provenance.json"
RECORD: dict[str, Any] = {
    "id": "1234567",
    "uuid": "96c57683-74bf-9d6d-ae7e-f09b097db14a",
    "status": "COMPLETED",
    "runOutputUri": "s3://bucket/out/1234567",
    "digest": "sha256:a",
    "parameters": {"who": MARKER},
    "resourceDigests": {f"s3://bucket/{MARKER}": "etag:1"},
}
MANIFEST = provenance_of(RECORD)
ETAG = {**FROM_AWS, "ETag": '"etag-1"'}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    turn(monkeypatch, turned)
    return turned


def hook() -> OmicsObjectsHook:
    return OmicsObjectsHook(aws_conn_id="aws_default", config=ONE_ATTEMPT)


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
        made: Any = hook().conn
        made.create_bucket(Bucket="bucket")
        yield made


def content(client: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="bucket").get("Contents", ())]


@pytest.mark.parametrize("slash", ["", "/"])
def test_it_is_kept_in_the_logs_of_the_run_s_outputs(client: Any, slash: str) -> None:
    record = {**RECORD, "runOutputUri": RECORD["runOutputUri"] + slash}
    assert write(hook(), record, MANIFEST) == FIRST
    assert content(client, FIRST) == to_json(MANIFEST).encode()
    assert client.head_object(Bucket="bucket", Key="out/1234567/logs/provenance.json")["ContentType"] == (
        "application/json"
    )


def test_a_retry_finds_it_and_writes_nothing(client: Any, output: Output) -> None:
    write(hook(), RECORD, MANIFEST)
    stored = client.head_object(Bucket="bucket", Key="out/1234567/logs/provenance.json")["LastModified"]
    output()
    assert write(hook(), RECORD, MANIFEST) == FIRST
    assert keys(client) == ["out/1234567/logs/provenance.json"]
    assert client.head_object(Bucket="bucket", Key=keys(client)[0])["LastModified"] == stored
    assert "provenance" not in output()


def test_the_first_stays_the_only_one_if_another_task_says_the_same(client: Any, output: Output) -> None:
    write(hook(), RECORD, MANIFEST)
    later = {**MANIFEST, "recordedBy": {"dag_id": "another"}, "notes": ["GetWorkflow was denied"]}
    assert write(hook(), RECORD, later) == FIRST
    assert keys(client) == ["out/1234567/logs/provenance.json"]
    assert content(client, FIRST) == to_json(MANIFEST).encode()
    assert f"{FIRST} is there already, and says the same of what made the outputs; it stays" in output()


def test_one_that_knows_more_is_kept_beside_it(client: Any, output: Output) -> None:
    write(hook(), RECORD, MANIFEST)
    more = provenance_of(RECORD, workflow={"engine": "WDL", "main": "main.wdl"})
    uri = write(hook(), RECORD, more)
    assert uri.startswith("s3://bucket/out/1234567/logs/provenance-")
    assert content(client, FIRST) == to_json(MANIFEST).encode()
    assert content(client, uri) == to_json(more).encode()
    said = output()
    assert "It lacks engine.main, engine.name; the manifest of now is kept beside it" in said
    assert uri in said
    assert write(hook(), RECORD, more) == uri
    assert len(keys(client)) == 2


def test_one_that_knows_less_changes_nothing(client: Any) -> None:
    more = provenance_of(RECORD, workflow={"engine": "WDL", "main": "main.wdl"})
    write(hook(), RECORD, more)
    assert write(hook(), RECORD, MANIFEST) == FIRST
    assert len(keys(client)) == 1


def test_one_that_contradicts_it_is_kept_beside_it_and_the_log_names_no_input(
    client: Any, output: Output
) -> None:
    write(hook(), RECORD, MANIFEST)
    members = {"resourceDigests": {f"s3://bucket/{MARKER}": "etag:2"}, "digest": "sha256:b"}
    other = provenance_of({**RECORD, **members})
    uri = write(hook(), RECORD, other)
    assert content(client, FIRST) == to_json(MANIFEST).encode()
    assert content(client, uri) == to_json(other).encode()
    said = output()
    assert "It differs in definition.digest, inputs; " in said
    assert MARKER not in said


@pytest.mark.parametrize(
    "there",
    [
        b"",
        b"a workflow's own file",
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b"[]",
        b'{"schema": "urn:airflow-omics:schema:provenance:9", "madeBy": {}, "incomplete": []}',
        json.dumps({**MANIFEST, "madeBy": {"inputs": 7}}).encode(),
        json.dumps({**MANIFEST, "run": 7}).encode(),
        json.dumps({**MANIFEST, "incomplete": None}).encode(),
        json.dumps({**MANIFEST, "incomplete": [[]]}).encode(),
        json.dumps({**MANIFEST, "incomplete": [7, "engine.name"]}).encode(),
    ],
)
def test_a_file_that_is_no_manifest_stays_and_loses_none(client: Any, output: Output, there: bytes) -> None:
    client.put_object(Bucket="bucket", Key="out/1234567/logs/provenance.json", Body=there)
    uri = write(hook(), RECORD, MANIFEST)
    assert uri != FIRST
    assert content(client, FIRST) == there
    assert content(client, uri) == to_json(MANIFEST).encode()
    assert "stays as it is" in output()


def test_a_manifest_of_a_run_that_had_the_id_before_stays(client: Any, output: Output) -> None:
    before = provenance_of({**RECORD, "uuid": "11111111-74bf-9d6d-ae7e-f09b097db14a"})
    write(hook(), RECORD, before)
    uri = write(hook(), RECORD, MANIFEST)
    assert content(client, FIRST) == to_json(before).encode()
    assert content(client, uri) == to_json(MANIFEST).encode()
    assert "It is of another run, which had the same id; " in output()


def test_a_large_file_is_not_read_whole(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._outputs.provenance_file._LARGEST", 1000)
    there = to_json(MANIFEST).encode() + b" " * 2000
    client.put_object(Bucket="bucket", Key="out/1234567/logs/provenance.json", Body=there)
    assert write(hook(), RECORD, MANIFEST) != FIRST


@pytest.mark.parametrize("wrong", [None, "", "/out/1234567", 7])
def test_a_record_that_does_not_say_where_the_outputs_are_is_refused(wrong: Any) -> None:
    with pytest.raises(OmicsRequestError, match=r"run 1234567 has no runOutputUri.*as GetRun returns it"):
        write(hook(), {**RECORD, "runOutputUri": wrong}, MANIFEST)


# -- answers that moto does not give ----------------------------------------------------------------------


@pytest.fixture
def s3(connect: Connect) -> Iterator[ScriptedS3]:
    with ScriptedS3() as scripted:
        connect(
            login="testing-key",
            password="testing-secret",
            region_name="us-east-1",
            service_config={"s3": {"endpoint_url": scripted.endpoint_url}},
        )
        yield scripted


def test_it_is_one_request_that_may_not_overwrite(s3: ScriptedS3) -> None:
    s3.answers = [Answer(headers=ETAG)]
    assert write(hook(), RECORD, MANIFEST) == FIRST
    [asked] = s3.asked
    assert (asked.method, asked.headers["if-none-match"]) == ("PUT", "*")
    assert json.loads(asked.body) == MANIFEST


def test_a_lost_answer_is_looked_up(s3: ScriptedS3, clock: Clock) -> None:
    there = to_json(MANIFEST).encode()
    s3.answers = [
        LOST,
        Answer(412, "PreconditionFailed"),
        Answer(content=there, headers=ETAG),
        Answer(content=there, headers=ETAG),
    ]
    assert write(hook(), RECORD, MANIFEST) == FIRST
    assert s3.methods == ["PUT", "PUT", "HEAD", "GET"]


def test_one_that_breaks_off_while_it_is_read_is_read_again(s3: ScriptedS3, clock: Clock) -> None:
    there = to_json(MANIFEST).encode()
    s3.answers = [
        Answer(412, "PreconditionFailed"),
        Answer(content=there, headers=ETAG),
        Answer(content=there, headers=ETAG, cut=10),
        Answer(content=there, headers=ETAG),
        Answer(content=there, headers=ETAG),
    ]
    assert write(hook(), RECORD, MANIFEST) == FIRST
    assert s3.methods == ["PUT", "HEAD", "GET", "HEAD", "GET"]


def test_a_denial_is_an_error_that_names_the_action(s3: ScriptedS3) -> None:
    s3.answers = [Answer(403, "AccessDenied")]
    with pytest.raises(OmicsAccessError, match="s3:PutObject") as caught:
        write(hook(), RECORD, MANIFEST)
    assert (caught.value.kind, caught.value.run_id) == (FaultKind.DENIED, "1234567")
    assert str(caught.value).startswith("HealthOmics run 1234567: PutObject: AccessDenied: ")
    assert str(caught.value).endswith(f"Allow s3:PutObject to the caller. This was {FIRST}.")
    s3.answers = [Answer(412, "PreconditionFailed"), Answer(403, "AccessDenied")]
    with pytest.raises(OmicsAccessError, match="s3:GetObject"):
        write(hook(), RECORD, MANIFEST)


def test_an_outage_is_tolerated_for_five_minutes(s3: ScriptedS3, clock: Clock) -> None:
    s3.answers = [Answer(503, "ServiceUnavailable")]
    with pytest.raises(OmicsError):
        write(hook(), RECORD, MANIFEST)
    assert 300 <= clock.now < 400


def test_nothing_of_the_manifest_is_in_any_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write(hook(), RECORD, MANIFEST)
    write(hook(), RECORD, provenance_of({**RECORD, "parameters": {}, "resourceDigests": {}}))
    assert MARKER not in caplog.text
