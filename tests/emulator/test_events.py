"""Events: what rules of EventBridge and their queues get of runs and tasks, in process and over HTTP."""

from __future__ import annotations

import calendar
import contextlib
import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics.emulator import Emulator, EmulatorServer, Life, Stage, Task, mock_omics

from .support import aws, start

pytestmark = pytest.mark.any_airflow

HERE = {"region_name": "us-west-2"}
PATTERN = {"source": ["aws.omics"]}
RUNS = {**PATTERN, "detail-type": ["Run Status Change"]}
TASKS = {**PATTERN, "detail-type": ["Task Status Change"]}
# The members of the documented samples: https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html
RUN_SAMPLE = {
    "omicsVersion",
    "arn",
    "status",
    "uuid",
    "runId",
    "runName",
    "runOutputUri",
    "workflowId",
    "workflowName",
}
TASK_SAMPLE = {
    "omicsVersion",
    "arn",
    "status",
    "runArn",
    "runUuid",
    "runId",
    "runName",
    "workflowId",
    "workflowName",
}
SHORT = Life(
    "short",
    (
        Stage("PENDING", 10),
        Stage("STARTING", 10),
        Stage("RUNNING", 100),
        Stage("STOPPING", 10),
        Stage("COMPLETED"),
    ),
    tasks=(
        Task(
            "Align",
            at=5,
            stages=(Stage("PENDING", 5), Stage("STARTING", 5), Stage("RUNNING", 20), Stage("COMPLETED")),
        ),
    ),
)


class Queue:
    """A queue with a rule in front of it."""

    def __init__(self, make: Callable[..., Any], name: str = "events", pattern: Any = PATTERN, **target: Any):
        self.sqs, self.events = make("sqs"), make("events")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]
        self.rule = name
        self.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self.arn, **target}])

    def bodies(self, **options: Any) -> list[str]:
        """Receive and delete all that is there."""
        found: list[str] = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, **options)
            messages = answer.get("Messages", [])
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            if not messages or options:
                return found

    def received(self, **options: Any) -> list[dict[str, Any]]:
        """Receive and delete all that is there, as events."""
        return [json.loads(body) for body in self.bodies(**options)]

    def statuses(self) -> list[str]:
        return [event["detail"]["status"] for event in self.received()]


@pytest.fixture
def began(emulator: Emulator) -> float:
    """Freeze the clock; return the reported time of that."""
    emulator.freeze()
    emulator.add_life(SHORT)
    return emulator.now()


@pytest.fixture
def queue(emulator: Emulator, began: float) -> Callable[..., Queue]:
    return lambda *args, **kwargs: Queue(aws, *args, **kwargs)


def seconds(event: dict[str, Any], began: float) -> int:
    """Return how long after the beginning an event says that it happened."""
    moment = time.strptime(event["time"], "%Y-%m-%dT%H:%M:%SZ")
    return calendar.timegm(moment) - int(began)


# -- runs and tasks ------------------------------------------------------------------------------------------


def test_a_run_s_events_are_as_documented(
    client: Any, queue: Callable[..., Queue], emulator: Emulator, began: float
) -> None:
    rule = queue(pattern=RUNS)
    run = start(client, "short", name="run name")
    # Nobody looks in between.
    emulator.advance(1000)
    events = rule.received()
    assert [event["detail"]["status"] for event in events] == [
        "PENDING",
        "STARTING",
        "RUNNING",
        "STOPPING",
        "COMPLETED",
    ]
    for event, moment in zip(events, (0, 10, 20, 120, 130), strict=True):
        assert seconds(event, began) in (moment, moment + 1)
        assert event.pop("id")
        assert event.pop("time")
        detail = event.pop("detail")
        assert event == {
            "version": "0",
            "detail-type": "Run Status Change",
            "source": "aws.omics",
            "account": "123456789012",
            "region": "us-west-2",
            "resources": [run["arn"]],
        }
        assert set(detail) == RUN_SAMPLE
        del detail["status"], detail["workflowName"]
        assert detail == {
            "omicsVersion": "1.0.0",
            "arn": run["arn"],
            "uuid": run["uuid"],
            "runId": run["id"],
            "runName": "run name",
            "runOutputUri": run["runOutputUri"],
            "workflowId": "1234567",
        }
    assert rule.received() == []


def test_a_run_without_a_name_has_none_in_its_events(client: Any, queue: Callable[..., Queue]) -> None:
    rule = queue(pattern=RUNS)
    start(client, "short")
    [event] = rule.received()
    assert set(event["detail"]) == RUN_SAMPLE - {"runName"}


def test_a_task_s_events_are_as_documented(
    client: Any, queue: Callable[..., Queue], emulator: Emulator, began: float
) -> None:
    rule = queue(pattern=TASKS)
    run = start(client, "short", name="run name")
    emulator.advance(1000)
    [task] = client.list_run_tasks(id=run["id"])["items"]
    events = rule.received()
    assert [event["detail"]["status"] for event in events] == ["PENDING", "STARTING", "RUNNING", "COMPLETED"]
    for event, moment in zip(events, (25, 30, 35, 55), strict=True):
        assert seconds(event, began) in (moment, moment + 1)
        assert set(event["detail"]) == TASK_SAMPLE
        arn = f"arn:aws:omics:us-west-2:123456789012:task/{task['taskId']}"
        assert (event["detail-type"], event["resources"]) == ("Task Status Change", [arn])
        detail = event["detail"]
        assert (detail["arn"], detail["runArn"], detail["runUuid"]) == (arn, run["arn"], run["uuid"])
        assert (detail["runId"], detail["runName"]) == (run["id"], "run name")


def test_tasks_that_a_cancel_ends_are_cancelled(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue()
    run = start(client, "short")
    emulator.advance(40)
    client.cancel_run(id=run["id"])
    emulator.advance(1000)
    told = [(event["detail-type"][:3], event["detail"]["status"]) for event in rule.received()]
    assert told[-4:] == [
        ("Tas", "RUNNING"),
        ("Run", "STOPPING"),
        ("Tas", "CANCELLED"),
        ("Run", "CANCELLED"),
    ]


@pytest.mark.parametrize("steps", [[2000], [1] * 150, [7] * 40, [130, 1], [20, 5, 100, 5, 300]])
def test_each_event_arrives_once_and_in_order_whoever_looks(
    steps: list[int], client: Any, queue: Callable[..., Queue], emulator: Emulator, began: float
) -> None:
    rule = queue()
    run = start(client, "short")
    told = []
    for step in steps:
        emulator.advance(step)
        client.get_run(id=run["id"])
        told += rule.received()
    emulator.advance(2000)
    told += rule.received()
    names = [f"{event['detail-type'].split()[0]} {event['detail']['status']}" for event in told]
    assert names == [
        "Run PENDING",
        "Run STARTING",
        "Run RUNNING",
        "Task PENDING",
        "Task STARTING",
        "Task RUNNING",
        "Task COMPLETED",
        "Run STOPPING",
        "Run COMPLETED",
    ]
    assert len({event["id"] for event in told}) == 9


def test_a_control_that_moves_a_run_has_an_event(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    run = start(client, "short")
    emulator.move(run["id"], "PAUSED")
    emulator.move(run["id"], "FAILED")
    assert rule.statuses() == ["PENDING", "PAUSED", "FAILED"]


def test_a_deleted_run_has_an_event_and_one_that_vanishes_has_none(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    runs = [start(client, "short") for _ in range(2)]
    emulator.advance(500)
    assert rule.statuses().count("COMPLETED") == 2
    client.delete_run(id=runs[0]["id"])
    emulator.vanish(runs[1]["id"])
    [event] = rule.received()
    assert (event["detail"]["status"], event["detail"]["runId"]) == ("DELETED", runs[0]["id"])


def test_nobody_says_that_the_tasks_of_a_run_that_is_gone_were_cancelled(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue()
    run = start(client, "short")
    emulator.advance(40)
    emulator.vanish(run["id"])
    emulator.advance(1000)
    assert rule.statuses() == ["PENDING", "STARTING", "RUNNING", "PENDING", "STARTING", "RUNNING"]


def test_the_run_that_takes_over_an_id_has_events_of_its_own(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    run = start(client, "id-reused-after-completion")
    emulator.advance(10_000)
    told = [(event["detail"]["uuid"] == run["uuid"], event["detail"]["status"]) for event in rule.received()]
    statuses = ["PENDING", "STARTING", "RUNNING", "STOPPING"]
    assert told == [(True, each) for each in [*statuses, "COMPLETED"]] + [
        (False, each) for each in [*statuses, "FAILED"]
    ]


def test_a_run_that_its_group_held_back_says_when_it_was_let_go(
    client: Any, queue: Callable[..., Queue], emulator: Emulator, began: float
) -> None:
    rule = queue(pattern={**RUNS, "detail": {"status": ["STARTING"]}})
    group_id = client.create_run_group(maxRuns=1)["id"]
    runs = [start(client, "short", runGroupId=group_id) for _ in range(2)]
    emulator.advance(15)
    # The second run is looked at while it is held.
    events = rule.received()
    emulator.advance(1000)
    events += rule.received()
    assert [event["detail"]["runId"] for event in events] == [run["id"] for run in runs]
    assert seconds(events[1], began) in (130, 131)


def test_runs_started_in_bulk_have_events_if_asked(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    emulator.start_runs(2, "short", **HERE)
    emulator.start_runs(2, "short", logs=True, **HERE)
    assert rule.received() == []
    emulator.start_runs(2, "short", events=True, **HERE)
    assert rule.statuses() == ["PENDING", "PENDING"]


# -- rules and targets ---------------------------------------------------------------------------------------


def test_a_rule_gets_only_what_happens_after_it_was_made(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    run = start(client, "short")
    emulator.advance(15)
    rule = queue(pattern=RUNS)
    emulator.advance(10)
    late = queue("late", RUNS)
    # At the very moment at which the rule was made.
    client.cancel_run(id=run["id"])
    emulator.advance(500)
    assert rule.statuses() == ["RUNNING", "STOPPING", "CANCELLED"]
    assert late.statuses() == ["STOPPING", "CANCELLED"]


def test_a_rule_made_before_anything_else_gets_everything(client: Any, queue: Callable[..., Queue]) -> None:
    rule = queue(pattern=RUNS)
    start(client, "short")
    assert rule.statuses() == ["PENDING"]


def test_a_rule_that_is_disabled_or_deleted_gets_nothing(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    start(client, "short")
    emulator.advance(15)
    rule.events.disable_rule(Name=rule.rule)
    emulator.advance(10)
    rule.events.enable_rule(Name=rule.rule)
    emulator.advance(100)
    rule.events.remove_targets(Rule=rule.rule, Ids=["queue"])
    rule.events.delete_rule(Name=rule.rule)
    emulator.advance(500)
    assert rule.statuses() == ["PENDING", "STARTING", "STOPPING"]


def test_a_rule_sees_account_and_region_of_its_own(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    start(aws(region_name="us-east-1"), "short")
    assert rule.received() == []
    other = Queue(lambda service: aws(service, "us-east-1"), pattern=RUNS)
    start(aws(region_name="us-east-1"), "short")
    [event] = other.received()
    assert event["region"] == "us-east-1"
    assert rule.received() == []


def test_a_pattern_is_applied(client: Any, queue: Callable[..., Queue], emulator: Emulator) -> None:
    ended = {"status": ["COMPLETED", "FAILED"], "workflowId": ["1234567"]}
    rule = queue(pattern={**RUNS, "detail": ended})
    other = queue("other", {"source": ["aws.s3"]})
    start(client, "short")
    start(client, "short", workflowId="7654321")
    emulator.advance(1000)
    assert rule.statuses() == ["COMPLETED"]
    assert other.received() == []


def test_a_target_can_want_something_else_than_the_event(client: Any, queue: Callable[..., Queue]) -> None:
    text = queue("text", RUNS, Input='{"a": 1}')
    path = queue("path", RUNS, InputPath="$.detail.status")
    start(client, "short")
    assert text.bodies() == ['{"a": 1}']
    assert path.bodies() == ['"PENDING"']


def test_a_transformed_event_and_a_log_group_are_moto_s(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    shaped = {"InputPathsMap": {"s": "$.detail.status"}, "InputTemplate": '{"was": "<s>"}'}
    rule = queue(pattern=RUNS, InputTransformer=shaped)
    logs = aws("logs")
    logs.create_log_group(logGroupName="/events")
    arn = "arn:aws:logs:us-west-2:123456789012:log-group:/events"
    rule.events.put_targets(Rule=rule.rule, Targets=[{"Id": "logs", "Arn": arn}])
    start(client, "short")
    assert [json.loads(body)["was"] for body in rule.bodies()] == ["PENDING"]
    [event] = logs.filter_log_events(logGroupName="/events")["events"]
    assert json.loads(event["message"])["detail"]["status"] == "PENDING"


def test_reading_a_log_group_delivers_as_well(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    logs = aws("logs")
    logs.create_log_group(logGroupName="/events")
    arn = "arn:aws:logs:us-west-2:123456789012:log-group:/events"
    rule.events.put_targets(Rule=rule.rule, Targets=[{"Id": "logs", "Arn": arn}])
    start(client, "short")
    assert len(logs.filter_log_events(logGroupName="/events")["events"]) == 1


def test_a_target_that_fails_is_a_line_of_the_log(
    client: Any, queue: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    rule = queue(pattern=RUNS)
    gone = "arn:aws:sqs:us-west-2:123456789012:gone"
    lambda_ = "arn:aws:lambda:us-west-2:123456789012:function:f"
    targets = [{"Id": "0", "Arn": gone}, {"Id": "1", "Arn": lambda_}, {"Id": "2", "Arn": rule.arn}]
    rule.events.remove_targets(Rule=rule.rule, Ids=["queue"])
    rule.events.put_targets(Rule=rule.rule, Targets=targets)
    start(client, "short")
    with caplog.at_level(logging.WARNING):
        assert rule.statuses() == ["PENDING"]
    lines = [
        record.getMessage() for record in caplog.records if "did not get an event" in record.getMessage()
    ]
    assert [gone in lines[0], lambda_ in lines[1], len(lines)] == [True, True, 2]


def test_an_error_inside_breaks_no_answer(
    client: Any,
    queue: Callable[..., Queue],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow_omics.emulator.other_services import events

    rule = queue(pattern=RUNS)
    start(client, "short")

    def broken(*_: Any) -> Any:
        raise RuntimeError("no news")

    monkeypatch.setattr(events, "SOURCES", [broken])
    assert rule.received() == []
    assert "events of 123456789012 in us-west-2 could not be delivered" in caplog.text


def test_settle_delivers_what_is_due(client: Any, queue: Callable[..., Queue], emulator: Emulator) -> None:
    rule = queue(pattern=RUNS)
    start(client, "short")
    emulator.settle()
    emulator.advance(15)
    # Put off until the rule wants no more of them: the first one had arrived.
    rule.events.remove_targets(Rule=rule.rule, Ids=["queue"])
    emulator.advance(500)
    assert rule.statuses() == ["PENDING", "STARTING"]


# -- best effort ---------------------------------------------------------------------------------------------


def told(seed: int, **policy: float) -> list[tuple[str, str]]:
    """Return id and status of what a rule gets of ten runs."""
    with mock_omics(seed=seed) as emulator:
        emulator.freeze()
        emulator.add_life(SHORT)
        rule = Queue(aws, pattern=RUNS)
        emulator.events(**policy)
        for number in range(10):
            start(aws(), "short", requestId=str(number))
            emulator.advance(1)
        found = []
        for _ in range(3):
            emulator.advance(100)
            found += [(event["id"], event["detail"]["status"]) for event in rule.received()]
        return found


def test_without_a_policy_every_event_arrives_once() -> None:
    found = told(1)
    assert len(found) == len(set(found)) == 50


def test_all_are_lost_or_doubled() -> None:
    assert told(1, lost=1) == []
    found = told(1, doubled=1.0)
    assert len(found) == 100
    assert found[::2] == found[1::2]


@pytest.mark.parametrize(("policy", "least", "most"), [({"lost": 0.5}, 12, 38), ({"doubled": 0.5}, 62, 88)])
def test_a_rate_is_a_share_of_them(policy: dict[str, float], least: int, most: int) -> None:
    assert least < len(told(2, **policy)) < most
    assert told(2, **policy) == told(2, **policy)
    assert told(2, **policy) != told(3, **policy)


def test_late_events_arrive_later_and_say_when_they_happened(
    client: Any, queue: Callable[..., Queue], emulator: Emulator, began: float
) -> None:
    rule = queue(pattern=RUNS)
    emulator.events(late=1, late_seconds=25)
    start(client, "short")
    emulator.advance(24)
    assert rule.received() == []
    emulator.advance(1)
    [event] = rule.received()
    assert (event["detail"]["status"], seconds(event, began)) == ("PENDING", 0)
    emulator.advance(10)
    assert rule.statuses() == ["STARTING"]
    emulator.advance(1000)
    assert rule.statuses() == ["RUNNING", "STOPPING", "COMPLETED"]


def test_a_late_event_arrives_before_what_happens_later(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    emulator.events(late=1, late_seconds=15)
    start(client, "short")
    emulator.events()
    emulator.advance(1000)
    assert rule.statuses() == ["STARTING", "PENDING", "RUNNING", "STOPPING", "COMPLETED"]


def test_an_event_out_of_order_comes_after_the_next_one(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    emulator.events(out_of_order=1, late_seconds=300)
    start(client, "short")
    emulator.advance(15)
    assert rule.received() == []
    emulator.events()
    emulator.advance(10)
    assert rule.statuses() == ["RUNNING", "PENDING", "STARTING"]


def test_an_event_out_of_order_with_none_after_it_arrives_all_the_same(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern={**RUNS, "detail": {"status": ["PENDING"]}})
    emulator.events(out_of_order=1, late_seconds=5)
    start(client, "pending-forever")
    assert rule.received() == []
    emulator.advance(5)
    assert rule.statuses() == ["PENDING"]


def test_some_are_out_of_order_and_none_is_lost() -> None:
    found = told(4, out_of_order=0.3)
    assert len(set(found)) == 50
    assert found != told(4)
    assert sorted(found) == sorted(told(4))


def test_a_bare_event_says_what_one_said_in_2023(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    emulator.events(bare=1)
    run = start(client, "short", name="a")
    [event] = rule.received()
    assert event["detail"] == {"omicsVersion": "1.0.0", "arn": run["arn"], "status": "PENDING"}


def test_what_happened_before_a_policy_is_delivered_as_it_was(
    client: Any, queue: Callable[..., Queue], emulator: Emulator
) -> None:
    rule = queue(pattern=RUNS)
    start(client, "short")
    emulator.events(lost=1)
    emulator.advance(500)
    assert rule.statuses() == ["PENDING"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"lost": 1.5}, "lost is 1.5; give a share of the events from 0 to 1"),
        ({"doubled": -0.1}, "doubled is -0.1; give a share of the events from 0 to 1"),
        ({"late": "half"}, "late is 'half'; give a share of the events from 0 to 1"),
        ({"out_of_order": True}, "out_of_order is True; give a share of the events from 0 to 1"),
        ({"bare": float("nan")}, "bare is nan; give a share of the events from 0 to 1"),
        (
            {"late_seconds": -1},
            "late_seconds is -1; give a number of service seconds from 0 to 1000000000",
        ),
    ],
)
def test_a_wrong_rate_is_one_sentence(arguments: dict[str, Any], sentence: str, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        emulator.events(**arguments)


def test_a_reset_forgets_the_policy_and_what_is_under_way(began: float, emulator: Emulator) -> None:
    queue = Queue(aws, pattern=RUNS)
    emulator.events(late=1)
    start(aws(), "short")
    assert queue.received() == []
    emulator.reset()
    emulator.freeze()
    fresh = Queue(aws, pattern=RUNS)
    emulator.advance(500)
    assert fresh.received() == []
    start(aws())
    assert fresh.statuses() == ["PENDING"]


# -- over HTTP -----------------------------------------------------------------------------------------------


def test_over_http_a_queue_gets_the_same(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    server.control.freeze()
    rule = Queue(connect, pattern=RUNS)
    run = start(connect())
    server.control.advance(3000)
    events = rule.received()
    assert [event["detail"]["status"] for event in events] == [
        "PENDING",
        "STARTING",
        "RUNNING",
        "STOPPING",
        "COMPLETED",
    ]
    assert {event["detail"]["uuid"] for event in events} == {run["uuid"]}


def test_a_receive_that_waits_gets_an_event_that_falls_due_meanwhile(
    server: EmulatorServer, connect: Callable[..., Any]
) -> None:
    server.control.set_pace(60)
    server.control.add_life(Life("soon", (Stage("PENDING", 60), Stage("STARTING", 6000), Stage("RUNNING"))))
    rule = Queue(connect, pattern={**RUNS, "detail": {"status": ["STARTING"]}})
    start(connect(), "soon")
    before = time.monotonic()
    [event] = rule.received(WaitTimeSeconds=8)
    assert event["detail"]["status"] == "STARTING"
    # It is due after one second.
    assert 0.5 < time.monotonic() - before < 5


def test_a_receive_that_waits_holds_up_nobody(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    server.control.freeze()
    rule = Queue(connect, pattern=RUNS)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.extend(rule.received(WaitTimeSeconds=9)))
    waiting.start()
    run = start(connect())
    assert connect().get_run(id=run["id"])["status"] == "PENDING"
    waiting.join(8)
    assert [event["detail"]["status"] for event in found] == ["PENDING"]


def test_a_queue_without_a_rule_waits_as_ever(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    sqs = connect("sqs")
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    before = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.monotonic() - before > 0.9


# -- whoever looks, whenever ---------------------------------------------------------------------------------


def story(seed: int, looks: bool) -> list[tuple[str, str, str, str]]:
    """Play a random story of runs in a group that is too small, and return what a rule was told of it.

    :param looks: whether somebody asks for events all the time, or only at the end.
    """
    dice = random.Random(seed)
    lives = (
        "short",
        "completed-quickly",
        "id-reused-while-running",
        "deleted-then-gone",
        "failed-service-error",
    )
    with mock_omics(seed=seed) as emulator:
        client = aws()
        emulator.freeze()
        emulator.add_life(SHORT)
        began = emulator.now()
        rule = Queue(aws)
        group_id = client.create_run_group(maxRuns=2, maxDuration=20)["id"]
        runs: list[str] = []
        found: list[dict[str, Any]] = []
        for number in range(8):
            members = {"requestId": str(number), "runGroupId": group_id}
            runs.append(start(client, dice.choice(lives), **members)["id"])
            if dice.random() < 0.3:
                with contextlib.suppress(ClientError):
                    client.cancel_run(id=dice.choice(runs))
            left = dice.choice([0, 10, 100, 700])
            for step in [left // 3, left - left // 3] if looks else [left]:
                emulator.advance(step)
                if looks:
                    found += rule.received()
        emulator.advance(20_000)
        found += rule.received()
        return [
            (
                str(seconds(event, began)),
                event["detail-type"],
                event["detail"].get("runId", ""),
                event["detail"]["status"],
            )
            for event in found
        ]


@pytest.mark.parametrize("seed", range(2))
def test_it_does_not_matter_who_asks_when(seed: int) -> None:
    quiet, watched = story(seed, looks=False), story(seed, looks=True)
    assert sorted(quiet) == sorted(watched)
    assert [int(moment) for moment, *_ in watched] == sorted(int(moment) for moment, *_ in watched)


# -- what it costs -------------------------------------------------------------------------------------------


def cost(count: int = 20) -> float:
    """Return the processor seconds of one delivery."""
    from airflow_omics.emulator.other_services.events import deliver_due

    before = time.process_time()
    for _ in range(count):
        deliver_due()
    return (time.process_time() - before) / count


def test_it_costs_nothing_without_a_rule_and_little_with_one(
    emulator: Emulator, began: float, queue: Callable[..., Queue]
) -> None:
    emulator.start_runs(5_000, "running-forever", events=True, **HERE)
    emulator.advance(5000)
    assert cost() < 0.0005
    queue(pattern={"source": ["aws.s3"]})
    assert cost() < 0.0005
    emulator.start_runs(1_000, "running-forever", events=True, **HERE)
    queue("other", {**PATTERN, "detail-type": ["Workflow Status Change"]})
    emulator.advance(5000)
    emulator.settle()
    assert cost() < 0.05


# -- workflows -----------------------------------------------------------------------------------------------

WORKFLOWS = {**PATTERN, "detail-type": ["Workflow Status Change"]}


def create_workflow(client: Any, content: bytes = b"no zip") -> Any:
    return client.create_workflow(
        name="cohort", engine="WDL", main="main.wdl", definitionZip=content, requestId="one"
    )


def test_a_workflow_has_an_event_for_each_status(
    client: Any, emulator: Emulator, queue: Callable[..., Queue], began: float
) -> None:
    waiting = queue(pattern=WORKFLOWS)
    emulator.creation("workflow", 40)
    failing = create_workflow(client)
    emulator.workflow("7", **HERE)
    emulator.advance(60)
    client.delete_workflow(id="7")
    events = waiting.received()
    details = [(seconds(event, began), event["detail"]) for event in events]
    assert [(second, detail["workflowId"], detail["status"]) for second, detail in details] == [
        (0, failing["id"], "CREATING"),
        (0, "7", "ACTIVE"),
        (40, failing["id"], "FAILED"),
        (60, "7", "DELETED"),
    ]
    assert events[0]["resources"] == [failing["arn"]]
    assert events[0]["detail"] == {
        "omicsVersion": "1.0.0",
        "arn": failing["arn"],
        "status": "CREATING",
        "uuid": failing["uuid"],
        "workflowId": failing["id"],
        "workflowName": "cohort",
    }
    assert waiting.received() == []


def test_a_workflow_s_earlier_events_are_not_sent_again_when_it_is_deleted(
    client: Any, emulator: Emulator, queue: Callable[..., Queue]
) -> None:
    waiting = queue(pattern=WORKFLOWS)
    emulator.workflow("7", **HERE)
    assert waiting.statuses() == ["ACTIVE"]
    client.delete_workflow(id="7")
    assert waiting.statuses() == ["DELETED"]


def test_a_workflow_that_is_deleted_while_it_is_made_never_becomes_active(
    client: Any, emulator: Emulator, queue: Callable[..., Queue]
) -> None:
    waiting = queue(pattern=WORKFLOWS)
    emulator.creation("workflow", 40)
    client.delete_workflow(id=create_workflow(client)["id"])
    emulator.advance(60)
    assert waiting.statuses() == ["CREATING", "DELETED"]


def test_a_version_has_no_event(client: Any, emulator: Emulator, queue: Callable[..., Queue]) -> None:
    waiting = queue(pattern=WORKFLOWS)
    emulator.workflow("7", versions=["1.0.0"], **HERE)
    emulator.advance(60)
    assert waiting.statuses() == ["ACTIVE"]


# -- rules that trouble others -------------------------------------------------------------------------------


def test_a_rule_whose_pattern_cannot_be_matched_costs_the_others_nothing(
    client: Any, emulator: Emulator, queue: Callable[..., Queue], caplog: pytest.LogCaptureFixture
) -> None:
    queue("a-rule-before", pattern={"detail": {"status": [{"prefix": 5}]}})
    good = queue("rule", pattern=RUNS)
    start(client, "short")
    emulator.advance(200)
    assert good.statuses() == ["PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED"]
    assert "the pattern of rule a-rule-before cannot be matched" in caplog.text


def test_a_rule_for_tasks_gets_no_events_of_before_it_was_made(
    client: Any, emulator: Emulator, queue: Callable[..., Queue]
) -> None:
    ended = queue("runs", pattern=RUNS)
    start(client, "short")
    # The run is RUNNING from second 20 on; its task is created at 25, and RUNNING from 35 to 55.
    emulator.advance(40)
    assert ended.statuses() == ["PENDING", "STARTING", "RUNNING"]
    tasks = queue("tasks", pattern=TASKS)
    emulator.advance(100)
    assert tasks.statuses() == ["COMPLETED"]
    assert ended.statuses() == ["STOPPING", "COMPLETED"]
