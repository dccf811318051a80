"""Batches in a run group that has limits: what becomes of their members, whoever looks and when."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics.emulator import LIFE_TAG, Emulator, mock_omics

from .batches import COMPLETED, RUNNING, VALIDATED, begin, needs_batches, runs, settings, shown
from .support import ROLE, aws
from .test_batch_events import BATCHES
from .test_events import Queue

pytestmark = needs_batches
# How long a member counts in its group: from the end of PENDING to the end of STOPPING.
TAKEN = COMPLETED - 2


@pytest.fixture
def group(client: Any, emulator: Emulator) -> str:
    """A run group that has room for one run at a time; the clock is frozen."""
    emulator.freeze()
    return str(client.create_run_group(maxRuns=1)["id"])


@pytest.fixture
def waits(client: Any, emulator: Emulator) -> Callable[[Any], list[int]]:
    """Return what gives the seconds from creation to RUNNING, of each run of a batch in order of creation."""

    def of(batch: Any) -> list[int]:
        every = [client.get_run(id=run["id"]) for run in runs(client, batch)]
        return [round((run["startTime"] - run["creationTime"]).total_seconds()) for run in every]

    return of


# The number of seconds between two looks; the moments follow from the submission of one member a second.
LOOKS = pytest.mark.parametrize("looks", [[4036], [36, 4000], [37, 1, 3998], [1] * 60 + [3976]])


@LOOKS
def test_one_run_at_a_time_whoever_looks(
    looks: list[int], group: str, client: Any, emulator: Emulator, waits: Callable[[Any], list[int]]
) -> None:
    batch = begin(client, 3, default={"runGroupId": group})
    for seconds in looks:
        emulator.advance(seconds)
        client.list_runs()
    assert waits(batch) == [RUNNING, RUNNING + TAKEN - 1, RUNNING + 2 * TAKEN - 2]


def test_an_entry_has_the_counts_of_its_moment(group: str, client: Any, emulator: Emulator) -> None:
    queue = Queue(aws, pattern=BATCHES)
    begin(client, 3, default={"runGroupId": group})
    emulator.advance(VALIDATED + 1)
    client.list_runs()
    emulator.advance(4000)
    details = {event["detail"]["status"]: event["detail"] for event in queue.received()}
    # When the third is submitted the first has left PENDING, after 2 seconds in it.
    entered = {name: n for name, n in details["INPROGRESS"].items() if name.endswith("RunCount") and n != "0"}
    assert details["INPROGRESS"]["successfulStartSubmissionCount"] == "3"
    assert entered == {}
    assert details["PROCESSED"]["completedRunCount"] == "3"


def test_members_whose_ids_are_reused_meanwhile(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    queue = Queue(aws, pattern=BATCHES)
    batch = begin(client, settings(2, runTags={LIFE_TAG: "id-reused-while-running"}))
    emulator.advance(VALIDATED + 1)
    assert len(client.list_runs()["items"]) == 1
    emulator.advance(1300)
    assert {run["status"] for run in client.list_runs()["items"]} <= {"PENDING", "STARTING", "RUNNING"}
    assert shown(client, batch)["submissionSummary"]["successfulStartSubmissionCount"] == 2
    entered = [event["detail"]["status"] for event in queue.received()]
    assert entered[:4] == ["CREATING", "PENDING", "SUBMITTING", "INPROGRESS"]
    assert len(entered) == len(set(entered))


@pytest.mark.parametrize("look", [True, False])
def test_limits_that_change_take_effect_then(
    look: bool, group: str, client: Any, emulator: Emulator, waits: Callable[[Any], list[int]]
) -> None:
    batch = begin(client, 5, default={"runGroupId": group})
    emulator.advance(VALIDATED + 565)
    if look:
        client.list_runs()
    client.update_run_group(id=group, maxRuns=5)
    emulator.advance(RUNNING)
    # The first was created a second after VALIDATED, and so on; the others were let go at the update.
    assert waits(batch) == [RUNNING, *(565 + RUNNING - 2 - submitted for submitted in (2, 3, 4, 5))]


@LOOKS
def test_two_batches_in_one_group_take_turns(
    looks: list[int], group: str, client: Any, emulator: Emulator
) -> None:
    for name in ("a", "b"):
        begin(client, 3, default={"runGroupId": group, "name": name})
    for seconds in looks:
        emulator.advance(seconds)
        client.list_runs()
    emulator.advance(6 * TAKEN)
    listed = client.list_runs(runGroupId=group)["items"]
    assert "".join(run["name"] for run in sorted(listed, key=lambda run: run["startTime"])) == "ababab"


@LOOKS
def test_members_of_two_small_batches_are_listed_in_order_of_creation(
    looks: list[int], client: Any, emulator: Emulator
) -> None:
    emulator.freeze()
    begin(client, 3, default={"name": "a"})
    emulator.advance(0.5)
    begin(client, 3, default={"name": "b"})
    for seconds in looks:
        emulator.advance(seconds)
        client.list_runs()
    client.start_run(workflowId="1234567", roleArn=ROLE, outputUri="s3://omics-outputs/runs", name="c")
    emulator.advance(1)
    listed = client.list_runs()["items"]
    assert "".join(run["name"] for run in listed) == "abababc"
    created = [run["creationTime"] for run in listed]
    assert created == sorted(created)


# -- whoever looks, whenever ---------------------------------------------------------------------------------

LIVES = (
    "completed",
    "completed-quickly",
    "failed-assume-role-failed",
    "vanishes-while-running",
    "id-reused-while-running",
    "cancelled-while-pending",
    "deleted-then-gone",
)


def story(seed: int, looks: bool) -> tuple[list[Any], list[Any]]:
    """Play a random story of batches in run groups, and return what the runs and the batches came to.

    :param looks: whether somebody looks at them all the time, or only at the end.
    """
    dice, glance = random.Random(seed), random.Random(seed + 1)
    with mock_omics(seed=seed) as emulator:
        client = aws()
        emulator.freeze()
        began = emulator.now()
        groups = [client.create_run_group(requestId=name, maxRuns=2)["id"] for name in "gh"]
        batches: list[Any] = []
        for number in range(16):
            action = dice.choice(["batch", "batch", "update", "limit", "cancel", "run"])
            default = dice.choice([{"runGroupId": dice.choice(groups)}, {}])
            if action == "batch" or not batches:
                given = [
                    {
                        **each,
                        "name": f"{number}-{each['runSettingId']}",
                        "runTags": {LIFE_TAG: dice.choice(LIVES)},
                    }
                    for each in settings(dice.randrange(1, 8))
                ]
                batches.append(begin(client, given, default=default, requestId=str(number)))
            elif action == "update":
                client.update_run_group(id=dice.choice(groups), maxRuns=dice.randrange(1, 4))
            elif action == "limit":
                emulator.limit("StartRun", dice.choice([0.25, 0.5, None]))
            elif action == "cancel":
                with contextlib.suppress(ClientError):
                    client.cancel_run_batch(batchId=dice.choice(batches)["id"])
            else:
                emulator.start_runs(
                    1, dice.choice(LIVES), region_name="us-west-2", name=str(number), **default
                )
            left = dice.choice([0, 1, 20, 37, 300, 900])
            while left:
                step = min(left, glance.choice([1, 7, 50])) if looks else left
                emulator.advance(step)
                left -= step
                if looks:
                    glance.choice([client.list_runs, client.list_batch])()
                    shown(client, glance.choice(batches))
        emulator.advance(50_000)

        def times(record: Any, *names: str) -> list[float | None]:
            moments = [record.get(name) for name in names]
            return [None if moment is None else round(moment.timestamp() - began, 2) for moment in moments]

        # A run that takes over an id has no place of its own in the order before somebody looks.
        ended = sorted(
            (run["name"], run["status"], *times(run, "creationTime", "startTime", "stopTime"))
            for page in client.get_paginator("list_runs").paginate()
            for run in page["items"]
        )
        every = [shown(client, batch) for batch in batches]
        return ended, [
            (each["status"], each.get("runSummary"), *times(each, "submittedTime", "processedTime"))
            for each in every
        ]


@pytest.mark.parametrize("seed", range(4))
def test_it_does_not_matter_who_looks_when(seed: int) -> None:
    quiet, watched = story(seed, looks=False), story(seed, looks=True)
    assert len(quiet[0]) > 5
    assert quiet == watched
