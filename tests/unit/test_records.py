"""The run record: GetRun's answer as plain JSON, with nothing lost, nothing added and times in UTC."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any, get_type_hints

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics.records import RunRecord, describe, narrow, parse_time, to_plain, to_record, with_status

pytestmark = pytest.mark.any_airflow
UTC = datetime.UTC

times = st.datetimes(
    min_value=datetime.datetime(1970, 1, 2),
    max_value=datetime.datetime(2100, 1, 1),
    timezones=st.sampled_from(
        [UTC, datetime.timezone(datetime.timedelta(hours=9)), datetime.timezone(datetime.timedelta(hours=-5))]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(),
    st.binary(),
    times,
    st.decimals(min_value=-(10**18), max_value=10**18),
    st.dates(),
    st.uuids(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.frozensets(st.text(), max_size=3),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), values, max_size=6))
def test_a_record_is_plain_json(answer: dict[str, Any]) -> None:
    record = to_record(answer)
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@given(st.dictionaries(st.text(min_size=1), values, max_size=6))
def test_a_record_stays_the_same_when_normalised_again(answer: dict[str, Any]) -> None:
    record = to_record(answer)
    assert to_record(record) == record


@given(times)
def test_a_time_keeps_its_moment_and_becomes_utc(moment: datetime.datetime) -> None:
    text = to_plain(moment)
    assert text.endswith("+00:00")
    assert datetime.datetime.fromisoformat(text) == moment
    assert parse_time(text) == moment


@given(st.dictionaries(st.text(min_size=1), values, max_size=6))
def test_no_member_is_lost_and_none_is_added(answer: dict[str, Any]) -> None:
    assert set(to_record(answer)) == set(answer) - {"ResponseMetadata"}


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (
            datetime.datetime(2023, 4, 7, 16, 44, 22, 262471, tzinfo=UTC),
            "2023-04-07T16:44:22.262471+00:00",
        ),
        # A time on the whole second has no fraction: what parses one form must parse the other.
        (datetime.datetime(2023, 4, 7, 16, 44, 22, tzinfo=UTC), "2023-04-07T16:44:22+00:00"),
        (
            datetime.datetime(2023, 4, 7, 18, 44, 22, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2023-04-07T16:44:22+00:00",
        ),
        (datetime.datetime(2023, 4, 7, 16, 44, 22), "2023-04-07T16:44:22+00:00"),
    ],
)
def test_times_are_iso_8601_in_utc(moment: datetime.datetime, text: str) -> None:
    assert to_plain(moment) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-04-07T16:44:22.262471+00:00", 1680885862.262471),
        ("2023-04-07T16:44:22+00:00", 1680885862.0),
        ("2023-04-07T16:44:22Z", 1680885862.0),
        ("2023-04-07T16:44:22.5Z", 1680885862.5),
        ("2023-04-07T16:44:22", 1680885862.0),
        ("2023-04-07T18:44:22+02:00", 1680885862.0),
    ],
)
def test_every_form_of_a_time_is_read(text: str, seconds: float) -> None:
    assert parse_time(text).timestamp() == seconds


def test_text_that_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"\x00\xff", "AP8="),
        (bytearray(b"\x00\xff"), "AP8="),
        (decimal.Decimal("1200"), 1200),
        (decimal.Decimal("0.5"), 0.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (decimal.Decimal("NaN"), "NaN"),
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
        (True, True),
        (datetime.date(2023, 4, 7), "2023-04-07"),
    ],
)
def test_what_json_does_not_have_becomes_what_it_has(value: Any, plain: Any) -> None:
    got = to_plain(value)
    assert got == plain
    assert type(got) is type(plain)


def test_unknown_members_pass_through() -> None:
    answer = {"id": "1234567", "status": "RUNNING", "carbonFootprint": {"grams": 12, "at": [1.5]}}
    assert to_record(answer) == answer


def test_absent_members_stay_absent() -> None:
    assert to_record({"id": "1234567", "status": "PENDING"}) == {"id": "1234567", "status": "PENDING"}


def test_response_metadata_is_no_part_of_the_record() -> None:
    answer = {"id": "1", "status": "PENDING", "ResponseMetadata": {"RequestId": "x", "HTTPStatusCode": 200}}
    assert to_record(answer) == {"id": "1", "status": "PENDING"}


def test_a_record_shares_nothing_with_the_answer() -> None:
    answer: dict[str, Any] = {"id": "1", "status": "PENDING", "tags": {"a": "b"}}
    to_record(answer)["tags"]["a"] = "changed"
    assert answer["tags"] == {"a": "b"}


def test_every_member_that_botocore_knows_has_a_key_in_run_record() -> None:
    model = botocore.session.get_session().get_service_model("omics")
    members = set(model.operation_model("GetRun").output_shape.members)
    assert members <= set(get_type_hints(RunRecord))
    assert "status" in members


def test_run_record_promises_no_member_to_be_there() -> None:
    assert RunRecord.__required_keys__ == frozenset()


# -- narrow, with_status, describe --------------------------------------------------------------------------

RECORD: Any = {"id": "1234567", "status": "FAILED", "uuid": "u", "parameters": {"sample": "s"}, "tags": {}}


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (None, {"id", "status", "uuid", "parameters", "tags"}),
        ([], {"id", "status"}),
        (["uuid"], {"id", "status", "uuid"}),
        (["id", "status"], {"id", "status"}),
        (["startTime"], {"id", "status"}),
        ({"tags", "noSuchMember"}, {"id", "status", "tags"}),
    ],
)
def test_narrow_keeps_what_is_named_and_id_and_status(fields: Any, kept: set[str]) -> None:
    narrowed = narrow(RECORD, fields)
    assert set(narrowed) == kept
    assert all(narrowed[key] == RECORD[key] for key in kept)  # type: ignore[literal-required]


@given(st.lists(st.sampled_from(["uuid", "tags", "parameters", "startTime"])))
def test_narrow_never_changes_the_record(fields: list[str]) -> None:
    before = json.dumps(RECORD, sort_keys=True)
    narrow(RECORD, fields)
    assert json.dumps(RECORD, sort_keys=True) == before


def test_with_status_replaces_the_status_alone() -> None:
    assert with_status(RECORD, "DELETED") == {**RECORD, "status": "DELETED"}
    assert RECORD["status"] == "FAILED"


def test_a_run_that_failed_before_it_started_is_described_without_its_start_time() -> None:
    # Peers read startTime of every run and die of a KeyError here.
    text = describe({"id": "1234567", "status": "FAILED", "failureReason": "ASSUME_ROLE_FAILED"})
    assert text == "HealthOmics run 1234567 is FAILED: ASSUME_ROLE_FAILED"


def test_a_run_is_described_by_name_workflow_status_and_reason() -> None:
    text = describe(
        {
            "id": "1234567",
            "name": "wgs",
            "workflowId": "7654321",
            "status": "FAILED",
            "failureReason": "RUN_TASK_FAILED",
            "statusMessage": "Task X failed.",
        }
    )
    assert text == (
        "HealthOmics run 1234567 'wgs' of workflow 7654321 is FAILED: RUN_TASK_FAILED: Task X failed."
    )


def test_a_reason_that_is_a_sentence_gets_no_second_full_stop() -> None:
    from airflow_omics._faults import run_error

    error = run_error({"id": "1", "status": "FAILED", "statusMessage": "A task ran out of memory."})
    assert str(error) == "HealthOmics run 1 is FAILED: A task ran out of memory."
