"""OmicsRunEventTrigger at parse time: what it takes, what it says of itself, what it needs of Airflow."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_omics.triggers import OmicsRunEventTrigger
from airflow_omics.triggers.run_events import OmicsEndedEvent
from tests.support.event_queues import HAS_EVENT_TRIGGERS

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/ended-runs"

needs_event_triggers = pytest.mark.skipif(not HAS_EVENT_TRIGGERS, reason="Airflow 2.11 has no AssetWatcher")


@pytest.mark.skipif(HAS_EVENT_TRIGGERS, reason="this Airflow has AssetWatcher")
def test_an_airflow_without_asset_watchers_is_named() -> None:
    with pytest.raises(ValueError, match=r"needs Airflow 3\.0 or newer"):
        OmicsRunEventTrigger(URL)


@needs_event_triggers
def test_what_it_is_stored_as_is_plain_json_and_says_everything() -> None:
    path, kwargs = OmicsRunEventTrigger(
        URL,
        statuses=("FAILED", "COMPLETED", "FAILED"),
        workflow_id=(7654321, "8"),
        spacing=30,
        aws_conn_id="lab",
        verify=False,
        botocore_config={"read_timeout": 40, "client_context_params": {"a": (1, 2)}},
    ).serialize()
    assert path == "airflow_omics.triggers.OmicsRunEventTrigger"
    assert kwargs == {
        "queue_url": URL,
        "statuses": ["FAILED", "COMPLETED"],
        "workflow_id": ["7654321", "8"],
        "kind": "run",
        "spacing": 30.0,
        "aws_conn_id": "lab",
        "region_name": None,
        "verify": False,
        "botocore_config": {"read_timeout": 40, "client_context_params": {"a": [1, 2]}},
    }
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert OmicsRunEventTrigger(**kwargs).serialize() == (path, kwargs)


@needs_event_triggers
def test_airflow_takes_it_for_the_same_trigger_whenever_its_dag_is_parsed() -> None:
    """Airflow compares hashes: of what the DAG file says, and of what came back from its database."""
    trigger = OmicsRunEventTrigger(URL, statuses=("FAILED",), workflow_id=[7])
    path, kwargs = trigger.serialize()
    from airflow.serialization.serialized_objects import BaseSerialization

    stored = BaseSerialization.deserialize(json.loads(json.dumps(BaseSerialization.serialize(kwargs))))
    assert stored == kwargs
    assert trigger.hash(path, stored) == trigger.hash(path, kwargs)


@needs_event_triggers
def test_credentials_in_the_url_are_refused_and_shown_nowhere() -> None:
    with pytest.raises(ValueError, match="credentials belong in the connection") as refused:
        OmicsRunEventTrigger("https://user:secret@sqs.us-east-1.amazonaws.com/123456789012/ended")
    assert "secret" not in str(refused.value)


@needs_event_triggers
def test_sets_are_the_same_trigger_in_each_process_that_parses_the_dag() -> None:
    """The order of a set of texts is another in each process."""
    statuses = ["FAILED", "COMPLETED", "CANCELLED", "DELETED"]
    ids = [str(number) for number in range(1000, 1010)]
    trigger = OmicsRunEventTrigger(URL, statuses=set(statuses), workflow_id=frozenset(ids))
    assert trigger.statuses == ["CANCELLED", "COMPLETED", "DELETED", "FAILED"]
    assert trigger.workflow_id == ids


@needs_event_triggers
def test_an_asset_watcher_takes_it() -> None:
    from airflow.sdk import Asset, AssetWatcher

    watcher = AssetWatcher(name="omics", trigger=OmicsRunEventTrigger(URL))
    assert Asset("ended_runs", watchers=[watcher]).watchers == [watcher]


@needs_event_triggers
def test_the_default_status_of_batches_is_that_of_one_whose_runs_have_ended() -> None:
    assert OmicsRunEventTrigger(URL, kind="batch").statuses == ["PROCESSED"]
    again = OmicsRunEventTrigger(**OmicsRunEventTrigger(URL, kind="batch").serialize()[1])
    assert again.statuses == ["PROCESSED"]


@needs_event_triggers
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"queue_url": None}, "queue_url is None; it takes the URL of a queue, such as"),
        ({"queue_url": ""}, "queue_url is ''"),
        ({"queue_url": "ended-runs"}, "queue_url is 'ended-runs'"),
        ({"queue_url": "https://sqs.eu-west-1.amazonaws.com/"}, "it takes the URL"),
        ({"queue_url": f"{URL} "}, "it takes the URL"),
        ({"queue_url": f"{URL}?a=b"}, "it takes the URL"),
        ({"queue_url": "arn:aws:sqs:eu-west-1:123456789012:ended"}, "This is an ARN: the URL is"),
        ({"queue_url": "{{ var.value.queue }}"}, "are not templated"),
        ({"statuses": "COMPLETED"}, "statuses is 'COMPLETED'; it takes a collection"),
        ({"statuses": None}, "statuses is None"),
        ({"statuses": []}, "the trigger would never fire: name one, such as 'COMPLETED'."),
        ({"statuses": ["RUNNING"]}, "a status that a run leaves again"),
        ({"statuses": ["completed"]}, "upper-case"),
        ({"statuses": ["COMPLETE"]}, "did you mean 'COMPLETED'"),
        ({"statuses": ["PROCESSED"]}, "did you mean 'COMPLETED'"),
        ({"statuses": ["INPROGRESS"], "kind": "batch"}, "a status that a batch leaves again"),
        ({"statuses": ["COMPLETED", "FAILED"], "kind": "batch"}, "did you mean 'PROCESSED'"),
        ({"kind": "task"}, "kind is 'task'; it takes 'run' or 'batch'"),
        ({"kind": ["run"]}, "kind is"),
        ({"workflow_id": ""}, "workflow_id is ''; it takes the id of a workflow"),
        ({"workflow_id": "align"}, "workflow_id is 'align'"),
        ({"workflow_id": []}, "workflow_id is []"),
        ({"workflow_id": ["7", None]}, "workflow_id is ['7', None]"),
        ({"workflow_id": True}, "workflow_id is True"),
        ({"workflow_id": {"7": 1}}, "workflow_id is {'7': 1}"),
        ({"workflow_id": -7}, "workflow_id is -7"),
        ({"spacing": -1}, "spacing is -1; it takes seconds as a number, from 0 to 3600"),
        ({"spacing": "10"}, "spacing is '10'"),
        ({"spacing": None}, "spacing is None"),
        ({"spacing": True}, "spacing is True"),
        ({"spacing": float("nan")}, "spacing is nan"),
        ({"spacing": 3601}, "spacing is 3601"),
        ({"region_name": "us-east-1"}, "but queue_url names a queue in 'eu-west-1'"),
        ({"botocore_config": 7}, "botocore_config is a int"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_sentence(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        OmicsRunEventTrigger(**{"queue_url": URL, **arguments})
    assert "\n" not in str(caught.value)


@needs_event_triggers
@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.us-east-2.api.aws", "us-east-2"),
        ("vpce-0123456789abcdef0-abcdefgh.sqs.us-west-2.vpce.amazonaws.com", "us-west-2"),
        ("ap-southeast-1.queue.amazonaws.com", "ap-southeast-1"),
        ("sqs.eu-central-1.localhost.localstack.cloud:4566", "eu-central-1"),
        ("queue.amazonaws.com", None),
        ("localhost:4566", None),
        ("my-lab-host-1.example.org", None),
    ],
)
def test_its_region_is_that_of_the_url(host: str, region: str | None) -> None:
    trigger = OmicsRunEventTrigger(f"https://{host}/123456789012/ended.fifo")
    assert trigger.aws_arguments().region_name == region
    given = OmicsRunEventTrigger(f"https://{host}/1/q", region_name=region or "eu-north-1")
    assert given.aws_arguments().region_name == (region or "eu-north-1")


def test_an_event_prints_ids_and_statuses_alone() -> None:
    members = [
        {"id": str(number), "status": "COMPLETED", "name": "patient-7", "runOutputUri": "s3://patient-7/"}
        for number in range(1, 301)
    ]
    event = OmicsEndedEvent(payload={"runs": members})
    assert str(event) == repr(event)
    assert repr(event).startswith("OmicsEndedEvent(runs: 1 COMPLETED, 2 COMPLETED, ")
    assert repr(event).endswith(", 20 COMPLETED, and 280 more)")
    assert "patient" not in f"{event} {event!r}"


@needs_event_triggers
def test_the_stream_that_triggers_share_is_that_of_the_queue_alone() -> None:
    one = OmicsRunEventTrigger(URL, spacing=1, aws_conn_id="a", statuses=["FAILED"])
    other = OmicsRunEventTrigger(URL, kind="batch", workflow_id=7)
    elsewhere = OmicsRunEventTrigger(f"{URL}-2")
    assert one.shared_stream_key() == other.shared_stream_key()
    assert one.shared_stream_key() != elsewhere.shared_stream_key()
