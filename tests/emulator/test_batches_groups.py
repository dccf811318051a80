"""Batches in a run group that has limits: what becomes of their members, whoever looks and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import LIFE_TAG, Emulator

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
