"""Faults of SQS, in process and over HTTP: with the codes that SQS has, and not those of HealthOmics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config

from airflow_omics.emulator import Emulator, EmulatorClient, EmulatorServer

from .support import aws, refused

ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def sqs(emulator: Emulator) -> Any:
    return aws("sqs", config=ONE_ATTEMPT)


@pytest.fixture
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="ended")["QueueUrl"])


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("access-denied", "AccessDenied", 403),
        ("not-found", "AWS.SimpleQueueService.NonExistentQueue", 400),
        ("throttle", "RequestThrottled", 403),
        ("internal-error", "InternalFailure", 500),
        ("expired-token", "ExpiredToken", 403),
        ("unrecognized-client", "InvalidClientTokenId", 403),
        ("validation", "InvalidParameterValue", 400),
    ],
)
def test_a_queue_can_fail(emulator: Emulator, sqs: Any, url: str, kind: str, code: str, status: int) -> None:
    emulator.fault("ReceiveMessage", kind, times=1)
    assert refused(sqs.receive_message, QueueUrl=url)[:2] == (code, status)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_queue_that_is_gone_by_a_fault_is_like_one_that_is_gone(
    emulator: Emulator, sqs: Any, url: str
) -> None:
    sqs.delete_queue(QueueUrl=url)
    gone = refused(sqs.receive_message, QueueUrl=url)
    emulator.fault("ReceiveMessage", "not-found", times=1)
    url = sqs.create_queue(QueueName="ended")["QueueUrl"]
    assert refused(sqs.receive_message, QueueUrl=url) == gone
    emulator.fault("ReceiveMessage", "not-found", times=1)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.receive_message(QueueUrl=url)


def test_a_denial_names_action_and_queue(emulator: Emulator, sqs: Any, url: str) -> None:
    emulator.fault("GetQueueAttributes", "access-denied")
    says = refused(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["All"])[2]
    assert "not authorized to perform: sqs:getqueueattributes" in says
    assert "arn:aws:sqs:us-west-2:123456789012:ended" in says


def test_a_denial_of_a_look_by_name_names_the_queue(emulator: Emulator, sqs: Any, url: str) -> None:
    emulator.fault("GetQueueUrl", "access-denied")
    assert "arn:aws:sqs:us-west-2:123456789012:ended" in refused(sqs.get_queue_url, QueueName="ended")[2]


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("ChangeMessageVisibility", {"ReceiptHandle": "h", "VisibilityTimeout": 0}),
        (
            "ChangeMessageVisibilityBatch",
            {"Entries": [{"Id": "1", "ReceiptHandle": "h", "VisibilityTimeout": 0}]},
        ),
        ("DeleteMessage", {"ReceiptHandle": "h"}),
        ("DeleteMessageBatch", {"Entries": [{"Id": "1", "ReceiptHandle": "h"}]}),
        ("SendMessage", {"MessageBody": "text"}),
    ],
)
def test_every_operation_of_a_reader_can_fail(
    emulator: Emulator, sqs: Any, url: str, operation: str, members: dict[str, Any]
) -> None:
    emulator.fault(operation, "access-denied")
    call = getattr(sqs, _method(sqs, operation))
    assert refused(call, QueueUrl=url, **members)[0] == "AccessDenied"


def _method(client: Any, operation: str) -> str:
    return next(name for name, known in client.meta.method_to_api_mapping.items() if known == operation)


def test_a_fault_of_every_operation_leaves_queues_alone(emulator: Emulator, sqs: Any, url: str) -> None:
    emulator.fault("*", "access-denied")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_fault_may_say_something_else(emulator: Emulator, sqs: Any, url: str) -> None:
    for kind in ("not-found", "throttle"):
        emulator.fault("ReceiveMessage", kind, times=1, message="Closed for today.")
        assert refused(sqs.receive_message, QueueUrl=url)[2] == "Closed for today."


@pytest.mark.parametrize("kind", ["hang", "conflict", "quota", "timeout", "list-lags"])
def test_a_fault_that_sqs_has_not_is_refused_in_one_sentence(emulator: Emulator, kind: str) -> None:
    with pytest.raises(ValueError, match=f"fault '{kind}' cannot strike ReceiveMessage; throttle, "):
        emulator.fault("ReceiveMessage", kind)


def test_over_http(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    sqs = connect("sqs")
    url = sqs.create_queue(QueueName="ended")["QueueUrl"]
    control = EmulatorClient(server.endpoint_url)
    control.fault("ReceiveMessage", "not-found", times=1)
    assert refused(sqs.receive_message, QueueUrl=url)[0] == "AWS.SimpleQueueService.NonExistentQueue"
    control.fault("ReceiveMessage", "access-denied")
    assert refused(sqs.receive_message, QueueUrl=url)[0] == "AccessDenied"
    control.clear_faults()
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
