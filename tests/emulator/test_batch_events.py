"""The events of batches: RunBatch Status Change, as a rule of EventBridge and its queue get them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics.emulator import Emulator

from .batches import COMPLETED, PENDING, VALIDATED, begin, needs_batches, put, settings
from .support import aws
from .test_events import PATTERN, Queue, seconds

pytestmark = needs_batches

BATCHES = {**PATTERN, "detail-type": ["RunBatch Status Change"]}


@pytest.fixture
def began(emulator: Emulator) -> float:
    """Freeze the clock; return the reported time of that."""
    emulator.freeze()
    return emulator.now()


def test_a_batch_has_an_event_for_each_status_with_its_counts_as_texts(
    client: Any, emulator: Emulator, began: float
) -> None:
    queue = Queue(aws, pattern=BATCHES)
    batch = begin(client, 3, batchName="cohort")
    emulator.advance(VALIDATED + 3 + COMPLETED)
    events = queue.received()
    assert [(seconds(event, began), event["detail"]["status"]) for event in events] == [
        (0, "CREATING"),
        (VALIDATED - PENDING, "PENDING"),
        (VALIDATED, "SUBMITTING"),
        (VALIDATED + 3, "INPROGRESS"),
        (VALIDATED + 3 + COMPLETED, "PROCESSED"),
    ]
    assert {tuple(event["resources"]) for event in events} == {(batch["arn"],)}
    # As in the sample of https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html
    assert events[-1]["detail"] == {
        "omicsVersion": "1.0.0",
        "arn": batch["arn"],
        "batchId": batch["id"],
        "status": "PROCESSED",
        "uuid": batch["uuid"],
        "batchName": "cohort",
        "totalRuns": "3",
        "successfulStartSubmissionCount": "3",
        "failedStartSubmissionCount": "0",
        "pendingStartSubmissionCount": "0",
        "completedRunCount": "3",
        "failedRunCount": "0",
        "cancelledRunCount": "0",
        "workflowId": "1234567",
    }
    assert "totalRuns" not in events[0]["detail"]
    assert queue.received() == []


def test_a_batch_that_fails_says_why_with_a_code(client: Any, emulator: Emulator, began: float) -> None:
    queue = Queue(aws, pattern=BATCHES)
    begin(client, [{"runSettingId": "one"}, {"runSettingId": "one"}])
    emulator.advance(VALIDATED)
    detail = queue.received()[-1]["detail"]
    assert detail["status"] == "FAILED"
    assert detail["failureReason"] == "VALIDATION_EXCEPTION"
    assert detail["failureMessage"] == "Expected 2 unique runSettingIds but there were 1"


def test_a_batch_that_is_deleted_before_anyone_asks_has_had_its_events(
    client: Any, emulator: Emulator, began: float
) -> None:
    queue = Queue(aws, pattern=BATCHES)
    batch = begin(client, 1)
    emulator.advance(VALIDATED + 1 + COMPLETED)
    client.delete_batch(batchId=batch["id"])
    assert queue.statuses() == ["CREATING", "PENDING", "SUBMITTING", "INPROGRESS", "PROCESSED"]
    assert queue.received() == []


@pytest.mark.parametrize("look", [True, False])
def test_a_batch_that_vanished_has_no_events_from_then_on(
    look: bool, client: Any, emulator: Emulator, began: float
) -> None:
    queue = Queue(aws, pattern=BATCHES)
    batch = begin(client, 1)
    emulator.advance(VALIDATED)
    emulator.move_batch(batch["id"], "VANISHED")
    events = queue.received() if look else []
    emulator.advance(VALIDATED)
    events += queue.received()
    assert [event["detail"]["status"] for event in events] == ["CREATING", "PENDING", "SUBMITTING"]


def test_a_batch_whose_id_is_reused_has_had_its_events(client: Any, emulator: Emulator, began: float) -> None:
    queue = Queue(aws, pattern=BATCHES)
    batch = begin(client, 1)
    emulator.advance(VALIDATED)
    uuid = emulator.move_batch(batch["id"], "REUSED")
    emulator.advance(VALIDATED + 1)
    details = [event["detail"] for event in queue.received()]
    seen = ["CREATING", "PENDING", "SUBMITTING"]
    assert [detail["status"] for detail in details if detail["uuid"] == batch["uuid"]] == seen
    assert [detail["status"] for detail in details if detail["uuid"] == uuid] == [*seen, "INPROGRESS"]
    assert {detail["batchId"] for detail in details} == {batch["id"]}


def test_its_runs_have_their_own_events(client: Any, emulator: Emulator, began: float) -> None:
    queue = Queue(aws, pattern={**PATTERN, "detail-type": ["Run Status Change"]})
    begin(client, 2)
    emulator.advance(VALIDATED + 2 + COMPLETED)
    statuses = queue.statuses()
    assert (statuses.count("PENDING"), statuses.count("COMPLETED")) == (2, 2)


def test_the_runs_of_a_large_batch_have_theirs_from_when_a_rule_was_made(
    client: Any, emulator: Emulator, began: float
) -> None:
    begin(client, put(settings(1210)))
    emulator.advance(VALIDATED + 1210 + COMPLETED - 20)
    ended = {**PATTERN, "detail-type": ["Run Status Change"], "detail": {"status": ["COMPLETED"]}}
    queue = Queue(aws, pattern=ended)
    emulator.advance(60)
    # Those that had ended before the rule was made have had theirs.
    assert len(queue.statuses()) == 20


def test_a_rule_for_batches_alone_makes_no_runs(client: Any, emulator: Emulator, began: float) -> None:
    queue = Queue(aws, pattern=BATCHES)
    begin(client, put(settings(1100)))
    emulator.advance(VALIDATED + 1100 + COMPLETED)
    assert queue.statuses()[-1] == "PROCESSED"
    # One that was made would have written its outputs.
    aws("s3", "us-east-1").create_bucket(Bucket="omics-outputs")
    assert "Contents" not in aws("s3", "us-east-1").list_objects_v2(Bucket="omics-outputs")
