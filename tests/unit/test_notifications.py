"""The notifier that hands the diagnosis to another notifier."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

from airflow_omics._compat import BaseNotifier
from airflow_omics.exceptions import OmicsRunFailedError
from airflow_omics.get_provider_info import get_provider_info
from airflow_omics.notifications import OmicsRunNotifier

FOUND = {
    "headline": "HealthOmics run 1234567 is FAILED: OUT_OF_MEMORY_ERROR.",
    "text": "HealthOmics run 1234567 is FAILED: OUT_OF_MEMORY_ERROR.\n\nWhat it means: ...",
    "owner": "pipeline author",
    "class": "settings",
    "advice": "Give the task more memory.",
    "run": {"id": "1234567", "name": "sample-1"},
}


class Channel(BaseNotifier):
    """A notifier with a template, as Slack's and mail's are."""

    template_fields = ("text",)

    def __init__(self, text: str, sent: list[str]) -> None:
        super().__init__()
        self.text = text
        self.sent = sent

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


class TaskInstance:
    task_id, map_index = "gate", 3

    def __init__(self, found: Any = None) -> None:
        self.found = found

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, key, map_indexes) == ("gate", "diagnosis", 3)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def failure(diagnosis: Any = None) -> Exception:
    error = OmicsRunFailedError("HealthOmics run 1234567 is FAILED.\n\nmore")
    if diagnosis is not None:
        error.diagnosis = diagnosis  # type: ignore[attr-defined]
    return error


def context(**members: Any) -> Any:
    return {"dag": None, "ti": TaskInstance(), "exception": failure(), **members}


def test_the_diagnosis_in_xcom_is_rendered_by_the_channels_own_template() -> None:
    sent: list[str] = []
    notifier = OmicsRunNotifier(Channel("{{ omics.run.name }}: {{ omics.advice }} ({{ omics.class }})", sent))
    notifier(context(ti=TaskInstance(FOUND)))
    assert sent == ["sample-1: Give the task more memory. (settings)"]


def test_the_diagnosis_of_the_error_is_enough() -> None:
    sent: list[str] = []
    error = failure(FOUND)
    OmicsRunNotifier(Channel("{{ omics.headline }}", sent))(context(exception=error))
    assert sent == ["HealthOmics run 1234567 is FAILED: OUT_OF_MEMORY_ERROR."]


def test_a_second_failure_is_sent_with_its_own_text() -> None:
    sent: list[str] = []
    notifier = OmicsRunNotifier(Channel("{{ omics.run.name }}", sent))
    notifier(context(ti=TaskInstance(FOUND)))
    notifier(context(ti=TaskInstance({**FOUND, "run": {"name": "sample-2"}})))
    assert sent == ["sample-1", "sample-2"]


@pytest.mark.parametrize("found", [None, RuntimeError("no XCom here"), "text"])
def test_a_failure_without_a_diagnosis_is_sent_with_its_error(found: Any) -> None:
    sent: list[str] = []
    OmicsRunNotifier(Channel("{{ omics.headline }}|{{ omics.owner }}|{{ omics.run.name }}", sent))(
        context(ti=TaskInstance(found))
    )
    assert sent == ["HealthOmics run 1234567 is FAILED.|None|"]


def test_a_failure_without_an_error_is_sent_as_well() -> None:
    sent: list[str] = []
    OmicsRunNotifier(Channel("{{ omics.text }}", sent))({"dag": None})
    assert sent == ["The task failed without an error that says why."]


@pytest.mark.parametrize(
    ("owners", "is_sent"),
    [(None, True), (["data"], False), (["data", "pipeline author"], True)],
)
def test_only_failures_of_the_named_owners_are_sent(owners: list[str] | None, is_sent: bool) -> None:
    sent: list[str] = []
    OmicsRunNotifier(Channel("x", sent), owners=owners)(context(ti=TaskInstance(FOUND)))
    assert bool(sent) is is_sent


def test_a_failure_whose_owner_is_not_known_is_always_sent() -> None:
    sent: list[str] = []
    OmicsRunNotifier(Channel("x", sent), owners=["data"])(context())
    assert sent == ["x"]


def test_a_function_may_be_the_channel() -> None:
    sent: list[str] = []
    OmicsRunNotifier(lambda context: sent.append(context["omics"]["text"]))(context(ti=TaskInstance(FOUND)))
    assert sent == [FOUND["text"]]


def test_it_goes_out_by_sns(omics: Any) -> None:
    sqs, sns = (boto3.client(name, region_name="us-east-1") for name in ("sqs", "sns"))
    queue = sqs.create_queue(QueueName="runs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="runs")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    channel = SnsNotifier(target_arn=topic, subject="{{ omics.owner }}", message="{{ omics.text }}")
    OmicsRunNotifier(channel)(context(ti=TaskInstance(FOUND)))
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == FOUND["text"]


@pytest.mark.parametrize("channel", ["#runs", Channel, None])
def test_a_channel_that_is_none_is_refused_while_parsing(channel: Any) -> None:
    with pytest.raises(ValueError, match="it takes a notifier that is ready to be used"):
        OmicsRunNotifier(channel)


def test_owners_as_one_text_is_refused() -> None:
    with pytest.raises(ValueError, match=r"owners is 'data'; it takes a collection of owners"):
        OmicsRunNotifier(print, owners="data")


def test_airflow_knows_the_notifier() -> None:
    assert get_provider_info()["notifications"] == ["airflow_omics.notifications.OmicsRunNotifier"]
