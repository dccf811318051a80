"""A queue with rule and dead-letter queue in one call, in process and over HTTP."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorClient, EmulatorServer

from .batches import needs_batches
from .support import ROLE, start

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "use" / "emulator.md"
HERE = {"region_name": "us-west-2"}


@pytest.fixture(params=["in process", "over HTTP"])
def control(request: pytest.FixtureRequest, server: EmulatorServer) -> Emulator:
    server.control.freeze()
    return server.control if request.param == "in process" else EmulatorClient(server.endpoint_url)


def details(sqs: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **options).get("Messages", [])
    return [json.loads(message["Body"])["detail"] for message in found]


def test_it_gets_the_events_that_were_asked_for(control: Emulator, connect: Callable[..., Any]) -> None:
    sqs, omics = connect("sqs"), connect()
    url = control.event_queue("ended", ["COMPLETED", "FAILED"], **HERE)
    assert url == "https://sqs.us-west-2.amazonaws.com/123456789012/ended"
    runs = [start(omics), start(omics, "failed-service-error"), start(omics, "cancelled")]
    control.advance(7200)
    assert {detail["arn"]: detail["status"] for detail in details(sqs, url)} == {
        runs[0]["arn"]: "COMPLETED",
        runs[1]["arn"]: "FAILED",
    }


def test_without_statuses_it_gets_all_of_a_run(control: Emulator, connect: Callable[..., Any]) -> None:
    sqs, omics = connect("sqs"), connect()
    url = control.event_queue("all", **HERE)
    start(omics)
    control.advance(7200)
    statuses = [detail["status"] for detail in details(sqs, url)]
    assert statuses == ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]


def test_it_gets_nothing_of_before(control: Emulator, connect: Callable[..., Any]) -> None:
    sqs, omics = connect("sqs"), connect()
    start(omics)
    control.advance(7200)
    url = control.event_queue("ended", **HERE)
    assert details(sqs, url) == []
    start(omics)
    assert [detail["status"] for detail in details(sqs, url)] == ["PENDING"]


def test_a_queue_that_delays_its_messages_delays_events(
    control: Emulator, connect: Callable[..., Any]
) -> None:
    sqs, omics = connect("sqs"), connect()
    url = control.event_queue("ended", ["PENDING"], **HERE)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "900"})
    start(omics)
    assert details(sqs, url) == []
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"


@needs_batches
def test_it_may_get_those_of_batches(control: Emulator, connect: Callable[..., Any]) -> None:
    sqs, omics = connect("sqs"), connect()
    url = control.event_queue("batches", ["PROCESSED"], "RunBatch Status Change", **HERE)
    batch = omics.start_run_batch(
        defaultRunSetting={"workflowId": "1", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"},
        batchRunSettings={"inlineSettings": [{"runSettingId": "one"}]},
    )
    control.advance(7200)
    [detail] = details(sqs, url)
    assert (detail["arn"], detail["status"]) == (batch["arn"], "PROCESSED")


def test_what_is_received_too_often_is_with_the_dead_letters(
    control: Emulator, connect: Callable[..., Any]
) -> None:
    sqs = connect("sqs")
    url = control.event_queue("ended", visibility_seconds=0, max_receives=2, **HERE)
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    bodies = [sqs.receive_message(QueueUrl=url).get("Messages", []) for _ in range(3)]
    assert [len(messages) for messages in bodies] == [1, 1, 0]
    dead = sqs.get_queue_url(QueueName="ended-dead-letters")["QueueUrl"]
    assert len(sqs.receive_message(QueueUrl=dead)["Messages"]) == 1


def test_its_attributes_are_those_of_the_documented_queue(
    control: Emulator, connect: Callable[..., Any]
) -> None:
    sqs = connect("sqs")
    url = control.event_queue("ended", **HERE)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:us-west-2:123456789012:ended-dead-letters",
        "maxReceiveCount": 20,
    }


def test_a_place_may_be_named(control: Emulator, connect: Callable[..., Any]) -> None:
    url = control.event_queue("ended", account_id="111122223333", region_name="eu-central-1")
    assert url == "https://sqs.eu-central-1.amazonaws.com/111122223333/ended"
    assert control.event_queue("ended") == "https://sqs.us-east-1.amazonaws.com/123456789012/ended"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "ended.fifo"}, "name is 'ended.fifo'; give letters, digits"),
        ({"name": ""}, "name is ''; give letters, digits"),
        ({"name": "n" * 52}, "at most 51"),
        ({"name": 7}, "name is 7; give letters"),
        ({"name": "a", "statuses": "COMPLETED"}, "statuses is 'COMPLETED'; give a list such as"),
        ({"name": "a", "statuses": []}, r"statuses is \[\]; give a list such as"),
        ({"name": "a", "statuses": ["completed"]}, r"statuses is \['completed'\]; give a list such as"),
        ({"name": "a", "statuses": [1]}, r"statuses is \[1\]; give a list such as"),
        ({"name": "a", "detail_type": "Run"}, "detail_type is 'Run'; give one of Run Status Change, "),
        ({"name": "a", "visibility_seconds": -1}, "visibility_seconds is -1; give a whole number from 0"),
        ({"name": "a", "visibility_seconds": 1.5}, "visibility_seconds is 1.5; give a whole number"),
        ({"name": "a", "max_receives": 0}, "max_receives is 0; give a whole number from 1 to 1000"),
        ({"name": "a", "max_receives": True}, "max_receives is True; give a whole number"),
        ({"name": "a", "region_name": "nowhere"}, "region_name is 'nowhere'; give a Region"),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_makes_nothing(
    control: Emulator, connect: Callable[..., Any], arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        control.event_queue(**arguments)
    assert "QueueUrls" not in connect("sqs", "us-east-1").list_queues()
    assert connect("events", "us-east-1").list_rules()["Rules"] == []


def test_a_name_that_is_taken_is_refused(control: Emulator, connect: Callable[..., Any]) -> None:
    control.event_queue("ended", **HERE)
    with pytest.raises(ValueError, match="there is a queue ended already; give another name"):
        control.event_queue("ended", **HERE)
    connect("sqs").delete_queue(QueueUrl="https://sqs.us-west-2.amazonaws.com/123456789012/ended")
    connect("sqs").delete_queue(
        QueueUrl="https://sqs.us-west-2.amazonaws.com/123456789012/ended-dead-letters"
    )
    with pytest.raises(ValueError, match="there is a rule ended already; give another name"):
        control.event_queue("ended", **HERE)


def test_the_consumer_of_the_page_receives_its_events() -> None:
    code = PAGE.read_text().partition("\n## Events")[2].partition("```python\n")[2].partition("```")[0]
    known: dict[str, Any] = {}
    exec(compile(code, "emulator.md", "exec"), known)
    assert len(known["ended"]) == 3


def test_a_fifo_queue_gets_events_in_the_group_of_its_target(
    control: Emulator, connect: Callable[..., Any]
) -> None:
    sqs, events, omics = connect("sqs"), connect("events"), connect()
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="ended.fifo", Attributes=attributes)["QueueUrl"]
    events.put_rule(Name="ended", EventPattern=json.dumps({"source": ["aws.omics"]}))
    arn = "arn:aws:sqs:us-west-2:123456789012:ended.fifo"
    target = {"Id": "queue", "Arn": arn, "SqsParameters": {"MessageGroupId": "runs"}}
    events.put_targets(Rule="ended", Targets=[target])
    start(omics)
    [message] = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "runs"
