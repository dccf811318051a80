"""Run groups: their five operations, and what their limits do to runs."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_omics.emulator import Emulator, EmulatorServer, Life, Stage, Task, mock_omics

from .support import aws, refused, said, start

pytestmark = pytest.mark.any_airflow

HERE = {"region_name": "us-west-2"}
# Ten seconds each: PENDING, STARTING, RUNNING, STOPPING.
SHORT = Life(
    "short",
    (
        Stage("PENDING", 10),
        Stage("STARTING", 10),
        Stage("RUNNING", 10),
        Stage("STOPPING", 10),
        Stage("COMPLETED"),
    ),
    tasks=(Task("Align", cpus=3), Task("Call", cpus=5, gpus=1)),
)


@pytest.fixture
def at(emulator: Emulator, client: Any) -> Callable[[Any], float | None]:
    """Freeze the clock, and return what says when a run became RUNNING, in seconds since then."""
    emulator.freeze()
    emulator.add_life(SHORT)
    began = emulator.now()

    def started(run: dict[str, Any], member: str = "startTime") -> float | None:
        moment = client.get_run(id=run["id"]).get(member)
        return None if moment is None else round(moment.timestamp() - began, 1)

    return started


def new_group(client: Any, **limits: Any) -> str:
    return str(client.create_run_group(**limits)["id"])


def statuses(client: Any, runs: list[dict[str, Any]]) -> list[str]:
    return [client.get_run(id=run["id"])["status"] for run in runs]


def test_a_run_group_has_what_the_test_said_of_it(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", name="cohort", max_runs=3, **HERE)
    group = client.get_run_group(id="77")
    del group["ResponseMetadata"]
    assert group.pop("creationTime").timestamp() == pytest.approx(emulator.now(), abs=5)
    assert group == {
        "arn": "arn:aws:omics:us-west-2:123456789012:runGroup/77",
        "id": "77",
        "name": "cohort",
        "maxRuns": 3,
        "tags": {},
    }


def test_a_run_group_of_another_region_is_not_found(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", region_name="us-east-1")
    assert refused(client.get_run_group, id="77") == (
        "ResourceNotFoundException",
        404,
        "Run group 77 not found",
    )


def test_a_denial_names_the_run_group(client: Any, emulator: Emulator) -> None:
    emulator.fault("GetRunGroup", "access-denied")
    code, _, message = refused(client.get_run_group, id="77")
    assert code == "AccessDeniedException"
    assert "omics:GetRunGroup on resource: arn:aws:omics:us-west-2:123456789012:runGroup/77 " in message


def test_the_id_of_a_run_group_is_not_taken_for_a_run_s(client: Any, emulator: Emulator) -> None:
    emulator.run_group("77", **HERE)
    emulator.fault("*", "throttle", run_id="77")
    assert client.get_run_group(id="77")["id"] == "77"
    refused(client.get_reference_store, id="7812345678")
    assert [(seen["operation"], seen["run_id"]) for seen in emulator.requests()] == [
        ("GetRunGroup", None),
        ("GetReferenceStore", None),
    ]


@pytest.mark.parametrize("run_group_id", ["cohort", "", "7a", "\u0667"])
def test_the_id_of_a_run_group_is_made_of_digits(run_group_id: str, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="ids of run groups are digits, such as '7'"):
        emulator.run_group(run_group_id)


def test_a_run_group_that_nobody_made_is_not_found() -> None:
    with mock_omics():
        client = aws(region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}))
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.get_run_group(id="78")


# -- the operations ------------------------------------------------------------------------------------------


def test_a_group_has_what_it_was_made_with(client: Any, emulator: Emulator) -> None:
    limits = {"maxRuns": 5, "maxCpus": 20, "maxGpus": 10, "maxDuration": 600}
    made = client.create_run_group(name="TestRunGroup", tags={"team": "a"}, **limits)
    assert made["arn"] == f"arn:aws:omics:us-west-2:123456789012:runGroup/{made['id']}"
    assert made["tags"] == {"team": "a"}
    group = client.get_run_group(id=made["id"])
    assert {name: group[name] for name in ("name", *limits)} == {"name": "TestRunGroup", **limits}
    assert group["creationTime"].timestamp() == pytest.approx(emulator.now(), abs=5)
    assert (group["arn"], group["id"], group["tags"]) == (made["arn"], made["id"], {"team": "a"})


def test_a_group_without_limits_has_none(client: Any) -> None:
    group = client.get_run_group(id=new_group(client))
    assert not {"name", "maxRuns", "maxCpus", "maxGpus", "maxDuration"} & set(group)


def test_a_request_id_seen_again_makes_no_other_group(client: Any, emulator: Emulator) -> None:
    first = client.create_run_group(requestId="one", maxRuns=1)
    again = client.create_run_group(requestId="one", maxRuns=1)
    assert again["id"] == first["id"]
    assert len(client.list_run_groups()["items"]) == 1
    emulator.repeat_request_id("conflict")
    assert refused(client.create_run_group, requestId="one")[0] == "ConflictException"


def test_groups_are_listed_in_order_of_creation_by_name_and_in_pages(client: Any) -> None:
    made = [new_group(client, name=name, tags={"a": "b"}) for name in ("x", "y", "x", "z", "x")]
    paginator = client.get_paginator("list_run_groups")
    for size in (1, 2, 100):
        pages = paginator.paginate(PaginationConfig={"PageSize": size})
        items = [item for page in pages for item in page["items"]]
        assert [item["id"] for item in items] == made
    assert set(items[0]) == {"arn", "id", "name", "creationTime"}
    assert [item["id"] for item in client.list_run_groups(name="x")["items"]] == made[::2]
    page = client.list_run_groups(name="x", maxResults=2)
    rest = client.list_run_groups(name="x", maxResults=2, startingToken=page["nextToken"])
    assert [item["id"] for item in rest["items"]] == [made[4]]
    assert "nextToken" not in rest
    assert refused(client.list_run_groups, startingToken="xyz")[0] == "ValidationException"


def test_an_update_changes_what_it_names(client: Any) -> None:
    group_id = new_group(client, name="a", maxRuns=1, maxCpus=2)
    client.update_run_group(id=group_id, name="b", maxCpus=3, maxGpus=4)
    group = client.get_run_group(id=group_id)
    assert [group[name] for name in ("name", "maxRuns", "maxCpus", "maxGpus")] == ["b", 1, 3, 4]


def test_a_deleted_group_is_not_found(client: Any) -> None:
    group_id = new_group(client, name="a")
    client.delete_run_group(id=group_id)
    assert client.list_run_groups()["items"] == []
    for call in (client.get_run_group, client.update_run_group, client.delete_run_group):
        code, status, message = refused(call, id=group_id)
        assert (code, status) == ("ResourceNotFoundException", 404)
        assert message == f"Run group {group_id} not found"


def test_a_group_with_active_runs_is_not_deleted(client: Any, at: Callable[..., Any]) -> None:
    group_id = new_group(client)
    run = start(client, "short", runGroupId=group_id)
    code, status, message = refused(client.delete_run_group, id=group_id)
    assert (code, status) == ("ConflictException", 409)
    assert message == f"Run group {group_id} has 1 active runs; delete it when they have ended"
    client.cancel_run(id=run["id"])
    assert refused(client.delete_run_group, id=group_id)[0] == "ConflictException"
    Emulator().advance(60)
    client.delete_run_group(id=group_id)


def test_a_group_over_its_bounds_is_refused(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    unchecked = connect(parameter_validation=False)
    assert refused(unchecked.create_run_group, requestId="1", maxRuns=100_001)[:2] == (
        "ValidationException",
        400,
    )
    assert refused(unchecked.create_run_group, requestId="1", maxCpus=0)[0] == "ValidationException"


def test_a_strict_start_run_wants_a_group_that_someone_made(client: Any, emulator: Emulator) -> None:
    start(client, runGroupId="4445556")
    emulator.strict()
    group_id = new_group(client)
    members = {"workflowId": "1", "roleArn": "arn:aws:iam::123456789012:role/R", "outputUri": "s3://out-put"}
    code, status, message = refused(client.start_run, runGroupId="4445556", **members)
    assert (code, status, message) == ("ResourceNotFoundException", 404, "Run group 4445556 not found")
    # It may still lack something else that nobody made.
    assert "Run group" not in said(client.start_run, runGroupId=group_id, **members)


def test_the_control_takes_limits_that_the_service_takes(emulator: Emulator) -> None:
    for wrong in (0, -1, 1.5, True, "3", 100_001):
        with pytest.raises(
            ValueError, match=r"max_runs is .*; give a whole number from 1 to 100000, or None"
        ):
            emulator.run_group("7", max_runs=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limits is 'no'; give True or False"):
        emulator.run_group("7", limits="no")  # type: ignore[arg-type]


# -- what the limits do --------------------------------------------------------------------------------------


def test_max_runs_lets_a_run_go_when_another_one_has_ended(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=2)
    runs = [start(client, "short", runGroupId=group_id) for _ in range(5)]
    emulator.advance(15)
    assert statuses(client, runs) == ["STARTING", "STARTING", "PENDING", "PENDING", "PENDING"]
    emulator.advance(500)
    # Out of PENDING at 10, 40 and 70: each run takes 30 seconds from there on.
    assert [at(run) for run in runs] == [20, 20, 50, 50, 80]
    assert statuses(client, runs) == ["COMPLETED"] * 5
    assert at(runs[4], "stopTime") == 100


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        # Each run counts with 8 vCPUs and 1 GPU.
        ({"maxCpus": 16}, [20, 20, 50]),
        ({"maxCpus": 15}, [20, 50, 80]),
        ({"maxGpus": 2}, [20, 20, 50]),
        ({"maxGpus": 1}, [20, 50, 80]),
        ({"maxRuns": 2, "maxCpus": 100, "maxGpus": 1}, [20, 50, 80]),
        # One that needs more than there is goes alone.
        ({"maxCpus": 2}, [20, 50, 80]),
        ({"maxDuration": 10}, [20, 20, 20]),
        ({}, [20, 20, 20]),
    ],
)
def test_each_limit_holds_runs_back(
    limits: dict[str, int], expected: list[int], client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, **limits)
    runs = [start(client, "short", runGroupId=group_id) for _ in range(3)]
    emulator.advance(500)
    assert [at(run) for run in runs] == expected


def test_the_higher_priority_goes_first_and_then_the_older(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1)
    start(client, "short", runGroupId=group_id)
    emulator.advance(10)
    low, high, high_too, none = (
        start(client, "short", runGroupId=group_id, **({} if given is None else {"priority": given}))
        for given in (1, 9, 9, None)
    )
    emulator.advance(500)
    assert [at(run) for run in (high, high_too, low, none)] == [50, 80, 110, 140]
    # Among those that are ready at one moment, the first one started is the first by nothing but its age.
    runs = [start(client, "short", runGroupId=group_id, priority=number) for number in (1, 2)]
    emulator.advance(500)
    assert [at(run) for run in runs] == [560, 530]


def test_no_run_overtakes_one_that_does_not_fit(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    small = Life("small", SHORT.stages, tasks=(Task("Align", cpus=1),))
    emulator.add_life(small)
    group_id = new_group(client, maxCpus=9)
    runs = [start(client, life, runGroupId=group_id) for life in ("short", "short", "small")]
    emulator.advance(500)
    assert [at(run) for run in runs] == [20, 50, 50]


def test_a_group_knows_nothing_of_another(client: Any, emulator: Emulator, at: Callable[..., Any]) -> None:
    one, two = new_group(client, maxRuns=1), new_group(client, maxRuns=1)
    runs = [start(client, "short", runGroupId=group_id) for group_id in (one, one, two)]
    alone = start(client, "short")
    emulator.advance(500)
    assert [at(run) for run in (*runs, alone)] == [20, 50, 20, 20]


def test_a_held_run_that_is_cancelled_takes_no_place(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1)
    runs = [start(client, "short", runGroupId=group_id) for _ in range(3)]
    emulator.advance(15)
    client.cancel_run(id=runs[1]["id"])
    emulator.advance(500)
    assert statuses(client, runs) == ["COMPLETED", "CANCELLED", "COMPLETED"]
    assert at(runs[1]) is None
    assert at(runs[2]) == 50


def test_a_run_that_is_cancelled_makes_place_when_it_has_ended(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1)
    runs = [
        start(client, "running-forever", runGroupId=group_id),
        start(client, "short", runGroupId=group_id),
    ]
    emulator.advance(1000)
    client.cancel_run(id=runs[0]["id"])
    emulator.advance(500)
    # A minute in STOPPING, and ten seconds in STARTING.
    assert at(runs[1]) == 1070


@pytest.mark.parametrize("how", ["vanish", "move", "pending"])
def test_a_run_that_a_control_takes_away_makes_place_at_once(
    how: str, client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1)
    first, second = (start(client, life, runGroupId=group_id) for life in ("running-forever", "short"))
    emulator.advance(1000)
    if how == "vanish":
        emulator.vanish(first["id"])
    else:
        emulator.move(first["id"], "FAILED" if how == "move" else "PENDING")
    emulator.advance(500)
    assert at(second) == 1010


def test_a_held_run_that_is_moved_on_counts(client: Any, emulator: Emulator, at: Callable[..., Any]) -> None:
    group_id = new_group(client, maxRuns=1)
    runs = [start(client, "short", runGroupId=group_id) for _ in range(3)]
    emulator.advance(15)
    emulator.move(runs[2]["id"], "RUNNING")
    emulator.advance(500)
    assert statuses(client, runs) == ["COMPLETED", "PENDING", "RUNNING"]
    emulator.move(runs[2]["id"], "COMPLETED")
    emulator.advance(500)
    assert at(runs[1]) == 525


def test_a_run_that_waits_for_ever_or_ends_in_pending_is_not_in_the_way(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1)
    lives = ("pending-forever", "cancelled-while-pending", "short")
    runs = [start(client, life, runGroupId=group_id) for life in lives]
    emulator.advance(100)
    assert statuses(client, runs) == ["PENDING", "CANCELLED", "COMPLETED"]
    assert at(runs[2]) == 20
    # Nor does such a run need a place.
    start(client, "running-forever", runGroupId=group_id)
    emulator.advance(10)
    last = start(client, "cancelled-while-pending", runGroupId=group_id)
    emulator.advance(70)
    assert client.get_run(id=last["id"])["status"] == "CANCELLED"


def test_the_run_that_takes_over_an_id_waits_as_any_other(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    emulator.add_life(Life("gone", (*SHORT.stages[:2], Stage("REUSED")), next_life="short"))
    group_id = new_group(client, maxRuns=1)
    first, second = (start(client, life, runGroupId=group_id) for life in ("gone", "short"))
    emulator.advance(500)
    # The second one is let go at 20, when the first one is gone; the heir is ready at 30, and waits until 50.
    assert at(second) == 30
    assert client.get_run(id=first["id"])["uuid"] != first["uuid"]
    assert at(first) == 60


def test_limits_take_effect_at_once(client: Any, emulator: Emulator, at: Callable[..., Any]) -> None:
    group_id = new_group(client, name="a")
    runs = [start(client, "short", runGroupId=group_id) for _ in range(2)]
    emulator.advance(5)
    client.update_run_group(id=group_id, maxRuns=1)
    emulator.advance(10)
    assert statuses(client, runs) == ["STARTING", "PENDING"]
    runs += [start(client, "short", runGroupId=group_id) for _ in range(2)]
    emulator.advance(10)
    client.update_run_group(id=group_id, maxRuns=3)
    emulator.advance(500)
    # 25, when there were three places, two of them free; 40, when the first run ended.
    assert [at(run) for run in runs] == [20, 35, 35, 50]


def test_a_group_of_the_control_limits_its_runs_unless_it_is_told_not_to(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    emulator.run_group("7", max_runs=1, **HERE)
    emulator.run_group("8", max_runs=1, limits=False, **HERE)
    runs = [start(client, "short", runGroupId=group_id) for group_id in ("7", "7", "8", "8")]
    emulator.advance(15)
    assert statuses(client, runs) == ["STARTING", "PENDING", "STARTING", "STARTING"]
    emulator.run_group("7", max_runs=1, limits=False, **HERE)
    emulator.advance(500)
    assert at(runs[1]) == 25


# -- maxDuration ---------------------------------------------------------------------------------------------


def test_a_run_over_max_duration_fails(client: Any, emulator: Emulator, at: Callable[..., Any]) -> None:
    group_id = new_group(client, maxDuration=5)
    long, endless, short = (
        start(client, life, runGroupId=group_id) for life in ("completed", "running-forever", "short")
    )
    emulator.advance(3600)
    for run in (long, endless):
        record = client.get_run(id=run["id"])
        assert (record["status"], record["failureReason"]) == ("FAILED", "RUN_TIMED_OUT")
        assert record["statusMessage"] == "Run timeout after 5 minutes."
        # PENDING 2 s, STARTING 560 s, RUNNING 5 minutes, STOPPING 160 s, or 60 s by default.
        assert at(run) == 562
    assert at(long, "stopTime") == 562 + 300 + 160
    assert at(endless, "stopTime") == 562 + 300 + 60
    assert client.get_run(id=short["id"])["status"] == "COMPLETED"
    tasks = client.list_run_tasks(id=long["id"])["items"]
    assert [task["status"] for task in tasks] == ["COMPLETED", "CANCELLED"]


def test_a_run_that_ends_at_max_duration_has_completed(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    emulator.add_life(Life("minute", (Stage("PENDING", 1), Stage("RUNNING", 60), Stage("COMPLETED"))))
    run = start(client, "minute", runGroupId=new_group(client, maxDuration=1))
    emulator.advance(300)
    assert client.get_run(id=run["id"])["status"] == "COMPLETED"


def test_the_place_of_a_run_over_max_duration_is_free_at_its_end(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client, maxRuns=1, maxDuration=5)
    _, second = (start(client, life, runGroupId=group_id) for life in ("running-forever", "short"))
    emulator.advance(86_400)
    assert at(second) == 562 + 300 + 60 + 10


def test_max_duration_can_change_while_a_run_is_running(
    client: Any, emulator: Emulator, at: Callable[..., Any]
) -> None:
    group_id = new_group(client)
    run = start(client, "running-forever", runGroupId=group_id)
    emulator.advance(562 + 600)
    client.update_run_group(id=group_id, maxDuration=20)
    emulator.advance(300)
    client.update_run_group(id=group_id, maxDuration=30)
    emulator.advance(600)
    assert client.get_run(id=run["id"])["status"] == "RUNNING"
    client.update_run_group(id=group_id, maxDuration=10)
    assert client.get_run(id=run["id"])["status"] == "STOPPING"
    emulator.advance(60)
    assert client.get_run(id=run["id"])["failureReason"] == "RUN_TIMED_OUT"
    # Its time was over when the limit changed, after 1500 seconds of RUNNING.
    assert at(run, "stopTime") == 562 + 1500 + 60


def test_the_run_log_says_how_long_a_run_may_take(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    group_id = new_group(client, maxDuration=7)
    run = start(client, runGroupId=group_id)
    emulator.advance(100)
    events = aws("logs").get_log_events(
        logGroupName="/aws/omics/WorkflowLog", logStreamName=f"run/{run['id']}", startFromHead=True
    )
    assert any("timed out after: 7 minutes" in event["message"] for event in events["events"])


# -- whoever looks, whenever ---------------------------------------------------------------------------------

GROUP_LIVES = (
    "short",
    "completed-quickly",
    "failed-assume-role-failed",
    "vanishes-while-running",
    "id-reused-while-running",
    "id-reused-after-completion",
    "cancelled-while-pending",
    "deleted-then-gone",
    "running-forever",
)


def story(seed: int, looks: bool) -> dict[Any, Any]:
    """Play a random story of a run group, and return when each run began and ended.

    :param looks: whether somebody looks at the runs all the time, or only at the end.
    """
    dice, glance = random.Random(seed), random.Random(seed + 1)
    with mock_omics(seed=seed) as emulator:
        client = aws()
        emulator.freeze()
        emulator.add_life(SHORT)
        began = emulator.now()
        group_id = client.create_run_group(requestId="g", maxRuns=3, maxCpus=20, maxDuration=30)["id"]
        runs: list[str] = []
        for number in range(40):
            action = dice.choice(["start", "start", "start", "cancel", "move", "update", "reuse"])
            if action == "start" or not runs:
                life, priority = dice.choice(GROUP_LIVES), dice.randrange(3)
                members = {"runGroupId": group_id, "priority": priority, "requestId": f"r{number}"}
                runs.append(start(client, life, **members)["id"])
            elif action == "update":
                client.update_run_group(id=group_id, maxRuns=dice.randrange(1, 5))
            else:
                run_id = dice.choice(runs)
                with contextlib.suppress(ClientError, ValueError):
                    if action == "cancel":
                        client.cancel_run(id=run_id)
                    elif action == "move":
                        emulator.move(run_id, "RUNNING", region_name="us-west-2")
                    else:
                        emulator.reuse_id(run_id, "short", region_name="us-west-2")
            left = dice.choice([0, 1, 20, 300, 900])
            while left:
                step = min(left, glance.choice([1, 7, 50])) if looks else left
                emulator.advance(step)
                left -= step
                if looks:
                    client.list_runs()
                    run_id = glance.choice(runs)
                    with contextlib.suppress(ClientError):
                        client.get_run(id=run_id)
        emulator.advance(50_000)
        answer: dict[Any, Any] = {}
        for item in client.list_runs(maxResults=100)["items"]:
            record = client.get_run(id=item["id"])
            times = [record.get(name) for name in ("creationTime", "startTime", "stopTime")]
            shown = [None if moment is None else round(moment.timestamp() - began, 2) for moment in times]
            answer[item["id"]] = (item["status"], *shown)
        return answer


@pytest.mark.parametrize("seed", range(4))
def test_it_does_not_matter_who_looks_when(seed: int) -> None:
    quiet, watched = story(seed, looks=False), story(seed, looks=True)
    assert len(quiet) > 5
    assert quiet == watched


def test_the_limit_is_never_exceeded(client: Any, emulator: Emulator, at: Callable[..., Any]) -> None:
    group_id = new_group(client, maxRuns=7)
    emulator.start_runs(100, "short", runGroupId=group_id, region_name="us-west-2")
    most = 0
    for _ in range(100):
        emulator.advance(5)
        items = client.list_runs(maxResults=100)["items"]
        most = max(most, sum(item["status"] in ("STARTING", "RUNNING", "STOPPING") for item in items))
    assert most == 7


def test_twenty_thousand_runs_of_a_limited_group_are_cheap(emulator: Emulator, client: Any) -> None:
    emulator.freeze()
    emulator.add_life(SHORT)
    emulator.run_group("7", max_runs=100, region_name="us-west-2")
    emulator.start_runs(20_000, "short", runGroupId="7", region_name="us-west-2")
    run_id = client.list_runs(maxResults=1)["items"][0]["id"]
    emulator.advance(10 + 30 * 200)
    before = time.process_time()
    client.get_run(id=run_id)
    whole = time.process_time() - before
    before = time.process_time()
    for _ in range(20):
        client.get_run(id=run_id)
    each = (time.process_time() - before) / 20
    # The first look replays all 200 rounds.
    assert whole < 10
    assert each < 0.1
    assert {item["status"] for item in client.list_runs(maxResults=100)["items"]} == {"COMPLETED"}
