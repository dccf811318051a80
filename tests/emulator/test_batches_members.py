"""The members of a batch as runs like any other, whether they are made at once or when they are looked at."""

from __future__ import annotations

import time
from typing import Any

import pytest
from moto.moto_api import state_manager

from airflow_omics.emulator import LIFE_TAG, LIVES, Emulator, Life, Stage
from airflow_omics.emulator.service import batches_members

from .batches import (
    COMPLETED,
    CREATING,
    PENDING,
    VALIDATED,
    begin,
    counts,
    members,
    needs_batches,
    put,
    runs,
    settings,
    shown,
    status,
    statuses,
)
from .support import aws, refused, start

pytestmark = needs_batches


@pytest.fixture(autouse=True, params=["runs", "numbers"])
def frozen(request: pytest.FixtureRequest, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """Members are runs at once in a small batch, and numbers until they are looked at in a large one."""
    monkeypatch.setattr(batches_members, "MOST_MADE", 1000 if request.param == "runs" else 0)
    emulator.freeze()
    return str(request.param)


def of_lives(*lives: str) -> list[dict[str, Any]]:
    """Return the settings of a member of each life, by its name."""
    return [{"runSettingId": f"of-{life}", "runTags": {LIFE_TAG: life}} for life in lives]


class TestRuns:
    """What the operations on runs do with members."""

    def test_the_same_run_everywhere(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 600)
        for member, listed in zip(members(client, batch), runs(client, batch), strict=True):
            record = client.get_run(id=member["runId"])
            assert (record["id"], record["uuid"], record["arn"]) == (
                member["runId"],
                member["runInternalUuid"],
                member["runArn"],
            )
            assert record["batchId"] == listed["batchId"] == batch["id"]
            for name in ("id", "arn", "status", "creationTime", "startTime"):
                assert record[name] == listed[name], name
        assert [run["id"] for run in runs(client, batch)] == [run["runId"] for run in members(client, batch)]

    @pytest.mark.parametrize("look", ["early", "late"])
    def test_a_look_changes_nothing(self, look: str, client: Any, emulator: Emulator) -> None:
        batch = begin(client, of_lives("completed", "failed-out-of-memory-error", "deleted-then-gone"))
        emulator.advance(VALIDATED + 10)
        if look == "early":
            for member in members(client, batch):
                client.get_run(id=member["runId"])
        seen = []
        for seconds in (560, 480, 160, 50, 20, 100):
            emulator.advance(seconds)
            seen.append(counts(client, batch))
            del seen[-1]["successfulStart"]
        assert seen == [
            {"running": 3},
            {"stopping": 3},
            {"completed": 2, "failed": 1},
            {"completed": 2, "failed": 1},
            {"completed": 1, "failed": 1, "deleted": 1},
            {"completed": 1, "failed": 1, "deleted": 1},
        ]

    def test_one_is_cancelled(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        client.cancel_run(id=members(client, batch)[1]["runId"])
        emulator.advance(COMPLETED)
        assert counts(client, batch) == {"successfulStart": 3, "completed": 2, "cancelled": 1}
        assert statuses(client, batch)["sample-2"] == "SUCCESS"

    def test_one_is_deleted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 3 + COMPLETED)
        run_id = members(client, batch)[1]["runId"]
        client.delete_run(id=run_id)
        assert counts(client, batch) == {"successfulStart": 3, "completed": 2, "deleted": 1}
        assert (status(client, batch), len(runs(client, batch))) == ("PROCESSED", 2)
        assert members(client, batch)[1]["runId"] == run_id

    def test_one_is_moved_by_a_test(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        first, second, _ = members(client, batch)
        emulator.move(first["runId"], "FAILED", "OUT_OF_MEMORY_ERROR")
        emulator.vanish(second["runId"])
        emulator.advance(COMPLETED)
        assert counts(client, batch) == {"successfulStart": 3, "failed": 1, "deleted": 1, "completed": 1}
        assert status(client, batch) == "PROCESSED"

    def test_tasks(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 1)
        emulator.advance(VALIDATED + 1 + COMPLETED)
        (member,) = members(client, batch)
        tasks = client.list_run_tasks(id=member["runId"])["items"]
        assert [task["name"] for task in tasks] == ["AlignReads", "CallVariants"]

    def test_a_run_that_was_not_submitted_is_in_no_list(self, client: Any, emulator: Emulator) -> None:
        emulator.batches(fail={"sample-2": "ConflictException"})
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        assert len(runs(client, batch)) == len(client.list_runs()["items"]) == 2

    def test_runs_of_all_kinds_are_in_order_of_creation(self, client: Any, emulator: Emulator) -> None:
        before = start(client)["id"]
        batch = begin(client, 4)
        emulator.advance(VALIDATED + 2)
        between = start(client)["id"]
        emulator.advance(60)
        after = start(client)["id"]
        ids = [member["runId"] for member in members(client, batch)]
        assert [run["id"] for run in client.list_runs()["items"]] == [
            *(before, *ids[:2]),
            *(between, *ids[2:]),
            after,
        ]

    def test_pages_stay_while_others_start(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, 5)
        emulator.advance(VALIDATED + 3)
        first = client.list_runs(maxResults=2)
        start(client)
        emulator.advance(2)
        second = client.list_runs(maxResults=3, startingToken=first["nextToken"])
        ids = [member["runId"] for member in members(client, batch)]
        assert [run["id"] for run in first["items"]] == ids[:2]
        assert second["items"][0]["id"] == ids[2]
        assert second["items"][2]["id"] == ids[3]

    def test_filters_of_list_runs(self, client: Any, emulator: Emulator) -> None:
        given = [*of_lives("completed", "failed-assume-role-failed"), *settings(2, name="NA12878")]
        batch, other = begin(client, given, default={"name": "cohort"}), begin(client, 1)
        start(client, name="NA12878")
        emulator.advance(VALIDATED + 400)

        def found(**filters: Any) -> int:
            return len(client.list_runs(**filters)["items"])

        assert (found(), found(batchId=batch["id"]), found(batchId=other["id"])) == (6, 4, 1)
        assert (found(name="NA12878"), found(name="cohort"), found(name="none")) == (3, 2, 0)
        assert (found(batchId=batch["id"], status="FAILED"), found(status="STARTING")) == (1, 5)
        assert found(batchId=batch["id"], status="COMPLETED") == found(batchId="1") == 0
        assert found(runGroupId="42") == 0

    def test_a_status_finds_what_the_whole_list_shows(self, client: Any, emulator: Emulator) -> None:
        lives = ("completed", "failed-assume-role-failed", "cancelled-while-pending", "deleted-then-gone")
        given = [{**each, "runTags": {LIFE_TAG: lives[n * n % 4]}} for n, each in enumerate(settings(60))]
        emulator.batches(fail={"sample-5": "ConflictException"}, starts_per_second=0.5)
        batch = begin(client, given)
        emulator.advance(VALIDATED + 25)
        first, *_, last = members(client, batch)
        emulator.move(first["runId"], "FAILED")
        emulator.move(last["runId"], "PAUSED")
        for number, seconds in enumerate((1, 40, 40, 200, 300, 400, 150, 60, 100)):
            emulator.advance(seconds)
            if number == 4:
                client.cancel_run_batch(batchId=batch["id"])
            whole = runs(client, batch)
            assert len(whole) > 10
            for word in ("PENDING", "STARTING", "RUNNING", "STOPPING", "COMPLETED", "FAILED", "CANCELLED"):
                expected = [run["id"] for run in whole if run["status"] == word]
                assert [run["id"] for run in runs(client, batch, status=word)] == expected, (seconds, word)

    def test_a_service_that_takes_no_status_beside_the_batch(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.batches(list_runs="one filter")
        assert refused(client.list_runs, batchId=batch["id"], status="FAILED")[:2] == (
            "ValidationException",
            400,
        )
        assert client.list_runs(batchId=batch["id"])["items"] == []
        assert client.list_runs(status="FAILED")["items"] == []

    def test_a_list_that_lags_shows_what_was(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client)
        emulator.advance(VALIDATED + 3 + 500)
        emulator.fault("ListRuns", "list-lags", seconds=500)
        # One member had not been created then, one was a second old, one two.
        assert [run["status"] for run in runs(client, batch)] == ["STARTING", "PENDING", "PENDING"]
        assert [run["status"] for run in runs(client, batch, status="PENDING")] == ["PENDING", "PENDING"]


class TestGone:
    """Members whose runs are taken away, or whose ids become another run's."""

    def test_retention_takes_runs_of_a_processed_batch(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, of_lives("vanishes-after-completion", "completed"))
        emulator.advance(VALIDATED + 2 + COMPLETED)
        assert (status(client, batch), len(runs(client, batch))) == ("PROCESSED", 2)
        gone = members(client, batch)[0]
        emulator.advance(60)
        assert refused(client.get_run, id=gone["runId"])[0] == "ResourceNotFoundException"
        assert len(runs(client, batch)) == 1
        assert members(client, batch)[0] == gone
        assert counts(client, batch) == {"successfulStart": 2, "completed": 2}

    def test_one_that_vanishes_on_its_way_counts_as_deleted(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, of_lives("vanishes-while-running"))
        emulator.advance(VALIDATED + 3600)
        assert (status(client, batch), counts(client, batch)) == (
            "PROCESSED",
            {"successfulStart": 1, "deleted": 1},
        )
        assert runs(client, batch) == []

    def test_an_id_becomes_another_run_s(self, client: Any, emulator: Emulator) -> None:
        batch = begin(client, of_lives("id-reused-after-completion"))
        emulator.advance(VALIDATED + 1 + COMPLETED + 61)
        (member,) = members(client, batch)
        (listed,) = client.list_runs()["items"]
        record = client.get_run(id=member["runId"])
        assert listed["id"] == member["runId"]
        assert record["uuid"] != member["runInternalUuid"]
        assert counts(client, batch) == {"successfulStart": 1, "completed": 1}


@pytest.mark.parametrize("life", sorted(LIVES))
def test_a_member_of_every_life_is_as_a_run_of_it(life: str, client: Any, emulator: Emulator) -> None:
    batch = begin(client, of_lives(life))
    emulator.advance(VALIDATED + 1)
    run_id = start(client, life)["id"]
    for seconds in (0, 2, 30, 300, 230, 240, 240, 160, 60, 60, 86_400):
        emulator.advance(seconds)
        alike = {run["id"]: run for run in client.list_runs()["items"]}
        alone = alike.pop(run_id, None)
        (member,) = alike.values() if alike else (None,)
        for run in (alone, member):
            for name in ("id", "arn", "batchId"):
                (run or {}).pop(name, None)
        assert member == alone
        expected = {} if alone is None else {alone["status"]: 1}
        known = {
            name.upper(): count for name, count in counts(client, batch).items() if name != "successfulStart"
        }
        # What has no count of its own goes on; what is gone is counted as it ended.
        if set(expected) <= {"PAUSED", "ARCHIVED"} and alone is not None:
            expected = {"RUNNING": 1}
        if alone is not None and "reused" not in life:
            assert known == expected


def test_a_cancelled_batch_shows_the_same_of_every_member(client: Any, emulator: Emulator) -> None:
    emulator.batches(starts_per_second=1000, cancel_failures=["of-running-forever"])
    lives = ("completed", "running-forever", "stopping-forever", "completed-quickly", "pending-forever")
    batch = begin(client, of_lives(*lives))
    emulator.advance(VALIDATED + 1050)
    client.cancel_run_batch(batchId=batch["id"])
    emulator.advance(30)
    assert [run["status"] for run in runs(client, batch)] == [
        *("STOPPING", "RUNNING", "STOPPING", "COMPLETED", "STOPPING")
    ]
    emulator.advance(30)
    record = client.get_run(id=runs(client, batch)[4]["id"])
    assert (record["status"], "startTime" in record) == ("CANCELLED", False)
    emulator.advance(3600)
    assert [run["status"] for run in runs(client, batch)] == [
        *("COMPLETED", "RUNNING", "STOPPING", "COMPLETED", "CANCELLED")
    ]


def test_moto_s_state_manager_moves_members(client: Any, emulator: Emulator) -> None:
    state_manager.set_transition("omics::run", {"progression": "immediate"})
    try:
        batch = begin(client)
        emulator.advance(VALIDATED + 3)
        assert [run["status"] for run in runs(client, batch)] == ["COMPLETED"] * 3
        assert (status(client, batch), counts(client, batch)["completed"]) == ("PROCESSED", 3)
    finally:
        state_manager.unset_transition("omics::run")


def test_moto_s_state_manager_moves_members_that_have_started(client: Any, emulator: Emulator) -> None:
    batch = begin(client)
    emulator.advance(VALIDATED + 3)
    assert status(client, batch) == "INPROGRESS"
    state_manager.set_transition("omics::run", {"progression": "immediate"})
    try:
        assert [run["status"] for run in runs(client, batch)] == ["COMPLETED"] * 3
        assert (status(client, batch), counts(client, batch)["completed"]) == ("PROCESSED", 3)
    finally:
        state_manager.unset_transition("omics::run")


def test_a_member_is_submitted_at_its_very_moment(client: Any, emulator: Emulator) -> None:
    emulator.batches(starts_per_second=7)
    for number in range(1, 12):
        batch = begin(client, 12)
        # Added up as the batch does it, so that nothing is lost to rounding.
        for seconds in (CREATING, PENDING, number / 7):
            emulator.advance(seconds)
        assert counts(client, batch) == {
            "successfulStart": number,
            "pendingStart": 12 - number,
            "pending": number,
        }
        assert len(runs(client, batch)) == len(members(client, batch)) == number


@pytest.mark.parametrize("rate", [0.7, 3, 7, 10])
def test_rates_and_pauses_of_any_size_agree(rate: float, client: Any, emulator: Emulator) -> None:
    emulator.add_life(Life("odd", (Stage("PENDING", 0.1), Stage("RUNNING", 0.7), Stage("COMPLETED"))))
    emulator.batches(starts_per_second=rate)
    batch = begin(client, 20, default={"runTags": {LIFE_TAG: "odd"}})
    emulator.advance(VALIDATED)
    for _ in range(30):
        emulator.advance(1 / rate)
        shown_here = [run["status"] for run in runs(client, batch)]
        counted = counts(client, batch)
        assert counted.get("successfulStart", 0) == len(shown_here) == len(members(client, batch))
        for word in ("PENDING", "RUNNING", "COMPLETED"):
            assert counted.get(word.lower(), 0) == shown_here.count(word)


def streams(client: Any) -> set[str]:
    """Return the log streams there are, by the id of their run."""
    logs = aws("logs")
    try:
        pages = list(
            logs.get_paginator("describe_log_streams").paginate(logGroupName="/aws/omics/WorkflowLog")
        )
    except logs.exceptions.ResourceNotFoundException:
        return set()
    names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    return {name.split("/")[1] for name in names if not name.startswith("manifest")}


def test_what_members_write(client: Any, emulator: Emulator, frozen: str) -> None:
    batch = begin(client)
    emulator.advance(VALIDATED + 3 + COMPLETED)
    assert len(streams(client)) == (3 if frozen == "runs" else 0)
    first, second, third = (member["runId"] for member in members(client, batch))
    client.get_run(id=first)
    assert streams(client) == ({first, second, third} if frozen == "runs" else {first})
    objects = aws("s3", "us-east-1").list_objects_v2(Bucket="omics-outputs", Prefix=f"runs/{first}/")
    assert "runs/" + first + "/out/variants/sample.vcf" in [item["Key"] for item in objects["Contents"]]


def test_a_run_group_makes_members_at_once(client: Any, emulator: Emulator) -> None:
    batch = begin(client, default={"runGroupId": "42"})
    emulator.advance(VALIDATED + 3 + COMPLETED)
    assert len(streams(client)) == 3
    assert {run["id"] for run in client.list_runs(runGroupId="42")["items"]} == streams(client)
    assert counts(client, batch)["completed"] == 3


@pytest.mark.parametrize("looks", [1, 8])
def test_a_run_group_holds_members(looks: int, client: Any, emulator: Emulator) -> None:
    emulator.run_group("42", max_runs=2, region_name="us-west-2")
    emulator.batches(starts_per_second=10)
    batch = begin(client, 6, default={"runGroupId": "42"})
    emulator.advance(VALIDATED + 1)
    assert counts(client, batch) == {"successfulStart": 6, "pending": 6}
    for _ in range(looks):
        emulator.advance(4000 / looks)
        shown(client, batch)
    record = shown(client, batch)
    assert (record["status"], counts(client, batch)["completed"]) == ("PROCESSED", 6)
    # The second one waits 2 seconds from its submission on; three pairs then take 1200 seconds each.
    seconds = (record["processedTime"] - record["creationTime"]).total_seconds()
    assert seconds == pytest.approx(VALIDATED + 0.2 + 2 + 3 * 1200)


@pytest.mark.parametrize("frozen", ["numbers"], indirect=True)
def test_many_members_cost_little(client: Any, emulator: Emulator) -> None:
    emulator.batches(starts_per_second=10)
    batch = begin(client, put(settings(30_000)))
    emulator.advance(VALIDATED)
    assert status(client, batch) == "SUBMITTING"
    began = time.monotonic()
    for _ in range(20):
        emulator.advance(100)
        assert sum(count for name, count in counts(client, batch).items() if "Start" not in name) > 0
    assert counts(client, batch)["successfulStart"] == 20_000
    assert len(client.list_runs(batchId=batch["id"])["items"]) == 100
    assert len(client.list_runs_in_batch(batchId=batch["id"])["runs"]) == 100
    assert time.monotonic() - began < 3
