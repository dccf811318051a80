"""What one message of a queue says: the id comes from the ARN, and what the event lacks is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._listening.events import FOREIGN, GARBAGE, Ended, NotForUs, ended_of
from airflow_omics._listening.remembered import Remembered
from tests.support.event_queues import event, uuid_of

pytestmark = pytest.mark.any_airflow


def said(**others: Any) -> Ended:
    answer = ended_of(json.dumps(event(1234567, **others)))
    assert isinstance(answer, Ended)
    return answer


def test_a_run_is_the_one_of_the_arn_and_not_that_of_run_id() -> None:
    ended = said(detail={"runId": "9999999"})
    assert ended.members == {
        "id": "1234567",
        "uuid": uuid_of(1234567),
        "arn": "arn:aws:omics:us-east-1:123456789012:run/1234567",
        "status": "COMPLETED",
        "name": "sample-1234567",
        "runOutputUri": "s3://bucket/runs/1234567",
        "workflowId": "7654321",
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2026-01-15T12:00:00Z",
    }
    assert (ended.kind, ended.status, ended.workflow_id) == ("run", "COMPLETED", "7654321")


def test_an_event_of_2023_has_arn_and_status_alone() -> None:
    bare = event(1234567)
    bare["detail"] = {name: bare["detail"][name] for name in ("omicsVersion", "arn", "status")}
    ended = ended_of(json.dumps(bare))
    assert isinstance(ended, Ended)
    assert set(ended.members) == {"id", "arn", "status", "account", "region", "time"}
    assert ended.workflow_id is None


def test_copies_have_one_key_and_another_status_or_run_has_another() -> None:
    assert said().key == said(id="other", time="2026-01-15T12:00:07Z").key
    upper, lower = ({"uuid": text} for text in ("ABCDEF01-0000", "abcdef01-0000"))
    assert said(detail=upper).key == said(detail=lower).key
    assert said().key != said(status="DELETED").key
    # The id of a run that was deleted is used again.
    assert said().key != said(detail={"uuid": uuid_of(2)}).key


def test_without_a_uuid_the_time_tells_a_run_from_the_next_of_its_id() -> None:
    without = {"detail": {"uuid": None}}
    assert said(**without).key == said(**without).key
    assert said(**without).key != said(time="2026-02-15T12:00:00Z", **without).key


@pytest.mark.parametrize("value", [None, 7, "", "x" * 5000, ["a"], {"a": 1}, "a\ud800", "a\0b"])
def test_a_member_that_is_no_text_is_left_out(value: Any) -> None:
    detail = {"runName": value, "runOutputUri": value, "workflowId": value, "uuid": value}
    members = said(detail=detail, time=value).members
    assert set(members) == {"id", "arn", "status", "account", "region"}


def test_nothing_else_of_an_event_goes_on() -> None:
    marker = "patient-7"
    detail = {"parameters": {"sample": marker}, "tags": {"a": marker}, "statusMessage": marker}
    assert marker not in json.dumps(said(detail=detail, resources=[marker]).members)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "text",
        "1",
        "[]",
        "{}",
        '{"source": 7}',
        "[" * 100_000,
        json.dumps(event(detail={"arn": None})),
        json.dumps(event(detail={"arn": "arn:aws:omics:us-east-1:123456789012:runBatch/7"})),
        json.dumps(event(detail={"arn": "arn:aws:omics:us-east-1:123456789012:run/"})),
        json.dumps(event(detail={"status": None})),
        json.dumps({**event(), "detail": None}),
        json.dumps({**event(), "detail": ["COMPLETED"]}),
        json.dumps(event()["detail"]),
    ],
)
def test_what_is_no_event_of_a_run_is_garbage(body: str) -> None:
    assert ended_of(body) is GARBAGE


@pytest.mark.parametrize(
    "others",
    [
        {"source": "aws.s3"},
        {"detail-type": "Task Status Change"},
        {"detail-type": "Workflow Status Change"},
        {"detail-type": None},
    ],
)
def test_an_event_of_something_else_is_foreign(others: dict[str, Any]) -> None:
    assert ended_of(json.dumps(event(**others))) is FOREIGN


def test_a_message_of_200_kilobytes_is_read() -> None:
    large = said(detail={"more": "x" * 200_000})
    assert large.members["id"] == "1234567"
    assert len(json.dumps(large.members)) < 1000


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn"])
def test_other_partitions_are_read(partition: str) -> None:
    arn = f"arn:{partition}:omics:us-gov-west-1:123456789012:run/7"
    assert said(detail={"arn": arn}).members["region"] == "us-gov-west-1"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_message_is_an_error(detail: Any) -> None:
    assert isinstance(ended_of(json.dumps(event(detail={"arn": detail, "status": detail}))), NotForUs)
    whole = ended_of(json.dumps({**event(), "detail": detail}))
    assert isinstance(whole, NotForUs)
    assert isinstance(ended_of(json.dumps(detail)), NotForUs)


def test_no_more_than_ten_thousand_copies_are_remembered() -> None:
    remembered = Remembered()
    assert all(remembered.is_first(number) for number in range(10_001))
    assert not any(remembered.is_first(number) for number in range(1, 10_001))
    assert remembered.is_first(0)
    assert 1 not in remembered
