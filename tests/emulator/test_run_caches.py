"""Run caches: their five operations, and which tasks of later runs are hits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, EmulatorServer, Life, Stage, Task

from .support import aws, refused, said, start

pytestmark = pytest.mark.any_airflow

LOCATION = "s3://omics-cache/cached"
INPUTS = {"reads": "s3://reads/a.fastq", "n": 1}


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def new_cache(client: Any, **members: Any) -> str:
    return str(client.create_run_cache(**{"cacheS3Location": LOCATION, **members})["id"])


def ended(client: Any, life: str = "completed", **members: Any) -> dict[str, Any]:
    """Start a run and let it end."""
    run = start(client, life, **{"parameters": INPUTS, **members})
    Emulator().advance(86_400)
    return run


def hits(client: Any, run: dict[str, Any]) -> dict[str, Any]:
    """Return whether each task of a run was a hit, by its name; None if the member is absent."""
    return {task["name"]: task.get("cacheHit") for task in client.list_run_tasks(id=run["id"])["items"]}


# -- the operations ------------------------------------------------------------------------------------------


def test_a_cache_has_what_it_was_made_with(client: Any, emulator: Emulator) -> None:
    given = {
        "name": "nightly",
        "description": "for tests",
        "cacheBehavior": "CACHE_ALWAYS",
        "cacheBucketOwnerId": "210987654321",
    }
    made = client.create_run_cache(cacheS3Location=LOCATION, tags={"team": "a"}, **given)
    assert made["arn"] == f"arn:aws:omics:us-west-2:123456789012:runCache/{made['id']}"
    assert (made["status"], made["tags"]) == ("ACTIVE", {"team": "a"})
    cache = client.get_run_cache(id=made["id"])
    assert {name: cache[name] for name in given} == given
    assert (cache["cacheS3Uri"], cache["status"], cache["tags"]) == (LOCATION, "ACTIVE", {"team": "a"})
    assert cache["creationTime"].timestamp() == pytest.approx(emulator.now(), abs=0.01)


def test_what_is_not_given_has_the_documented_default(client: Any) -> None:
    cache = client.get_run_cache(id=new_cache(client))
    assert (cache["cacheBehavior"], cache["cacheBucketOwnerId"]) == ("CACHE_ON_FAILURE", "123456789012")
    assert not {"name", "description"} & set(cache)


def test_a_request_id_seen_again_makes_no_other_cache(client: Any, emulator: Emulator) -> None:
    first = new_cache(client, requestId="one")
    assert new_cache(client, requestId="one") == first
    emulator.repeat_request_id("conflict")
    code = refused(client.create_run_cache, requestId="one", cacheS3Location=LOCATION)[0]
    assert code == "ConflictException"


def test_caches_are_listed_in_order_of_creation_and_in_pages(client: Any) -> None:
    made = [new_cache(client, name=name, description="x", tags={"a": "b"}) for name in "abcde"]
    paginator = client.get_paginator("list_run_caches")
    for size in (1, 2, 100):
        pages = paginator.paginate(PaginationConfig={"PageSize": size})
        items = [item for page in pages for item in page["items"]]
        assert [item["id"] for item in items] == made
    assert set(items[0]) == {"arn", "cacheBehavior", "cacheS3Uri", "creationTime", "id", "name", "status"}


def test_an_update_changes_what_it_names(client: Any) -> None:
    cache_id = new_cache(client, name="a", description="b")
    client.update_run_cache(id=cache_id, name="c", cacheBehavior="CACHE_ALWAYS")
    cache = client.get_run_cache(id=cache_id)
    shown = (cache["name"], cache["description"], cache["cacheBehavior"])
    assert shown == ("c", "b", "CACHE_ALWAYS")


def test_a_deleted_cache_is_not_found(client: Any) -> None:
    cache_id = new_cache(client)
    client.delete_run_cache(id=cache_id)
    assert client.list_run_caches()["items"] == []
    for call in (client.get_run_cache, client.update_run_cache, client.delete_run_cache):
        answer = refused(call, id=cache_id)
        assert answer == ("ResourceNotFoundException", 404, f"Run cache {cache_id} not found")


def test_a_cache_that_active_runs_use_is_not_deleted(client: Any, emulator: Emulator) -> None:
    cache_id = new_cache(client)
    run = start(client, cacheId=cache_id)
    code, status, message = refused(client.delete_run_cache, id=cache_id)
    assert (code, status) == ("ConflictException", 409)
    assert message == f"Run cache {cache_id} is used by active runs; delete it when they have ended"
    client.cancel_run(id=run["id"])
    emulator.advance(60)
    client.delete_run_cache(id=cache_id)


def test_a_location_that_is_no_s3_uri_is_refused(server: EmulatorServer, connect: Callable[..., Any]) -> None:
    unchecked = connect(parameter_validation=False)
    for members in ({}, {"cacheS3Location": "/tmp/cache"}, {"cacheBehavior": "NEVER"}):
        members = {"cacheS3Location": LOCATION, **members} if members else members
        code, status, _ = refused(unchecked.create_run_cache, requestId="1", **members)
        assert (code, status) == ("ValidationException", 400)


def test_a_strict_start_run_wants_a_cache_that_someone_made(client: Any, emulator: Emulator) -> None:
    start(client, cacheId="1112223")
    cache_id = new_cache(client)
    emulator.strict()
    members = {"workflowId": "1", "roleArn": "arn:aws:iam::123456789012:role/R", "outputUri": "s3://out-put"}
    answer = refused(client.start_run, cacheId="1112223", **members)
    assert answer == ("ResourceNotFoundException", 404, "Run cache 1112223 not found")
    # It may still lack something else that nobody made.
    assert "Run cache" not in said(client.start_run, cacheId=cache_id, **members)


# -- hits ----------------------------------------------------------------------------------------------------


def test_a_second_run_of_the_same_inputs_has_the_outputs_of_the_first(client: Any) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    first = ended(client, cacheId=cache_id)
    assert hits(client, first) == {"AlignReads": False, "CallVariants": False}
    second = ended(client, cacheId=cache_id)
    assert hits(client, second) == {"AlignReads": True, "CallVariants": True}
    tasks = client.list_run_tasks(id=second["id"])["items"]
    computed = client.list_run_tasks(id=first["id"])["items"]
    for task, before in zip(tasks, computed, strict=True):
        assert task["status"] == "COMPLETED"
        assert not {"creationTime", "startTime", "stopTime", "instanceType"} & set(task)
        place = re.fullmatch(
            rf"{LOCATION}/([0-9a-f-]{{36}})/(\d+)/(\d+)/([0-9a-f-]{{36}})/", task["cacheS3Uri"]
        )
        assert place is not None
        assert place.group(2, 3) == (first["id"], before["taskId"])
        whole = client.get_run_task(id=second["id"], taskId=task["taskId"])
        assert (whole["cacheHit"], whole["cacheS3Uri"]) == (True, task["cacheS3Uri"])
        assert "cacheS3Uri" not in before
    assert client.get_run(id=second["id"])["status"] == "COMPLETED"


def test_a_hit_is_completed_as_soon_as_it_is_there(client: Any, emulator: Emulator) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, cacheId=cache_id)
    second = start(client, parameters=INPUTS, cacheId=cache_id)
    emulator.advance(562 + 25)
    [task] = client.list_run_tasks(id=second["id"])["items"]
    assert (task["name"], task["status"]) == ("AlignReads", "COMPLETED")


def test_a_hit_stays_one_and_names_the_first_output(client: Any) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, cacheId=cache_id)
    second, third = ended(client, cacheId=cache_id), ended(client, cacheId=cache_id)
    uris = [
        [task["cacheS3Uri"] for task in client.list_run_tasks(id=run["id"])["items"]]
        for run in (second, third)
    ]
    assert uris[0] == uris[1]


@pytest.mark.parametrize(
    ("life", "behavior", "expected"),
    [
        ("completed", "CACHE_ALWAYS", {"AlignReads": True, "CallVariants": True}),
        ("completed", "CACHE_ON_FAILURE", {"AlignReads": False, "CallVariants": False}),
        # The second task failed, and so it is computed again.
        ("failed-out-of-memory-error", "CACHE_ON_FAILURE", {"AlignReads": True, "CallVariants": False}),
        ("failed-out-of-memory-error", "CACHE_ALWAYS", {"AlignReads": True, "CallVariants": False}),
        # These export nothing.
        ("cancelled", "CACHE_ALWAYS", {"AlignReads": False, "CallVariants": False}),
        ("failed-export-failed", "CACHE_ALWAYS", {"AlignReads": False, "CallVariants": False}),
        ("failed-file-system-out-of-space", "CACHE_ALWAYS", {"AlignReads": False, "CallVariants": False}),
        ("failed-run-timed-out", "CACHE_ALWAYS", {"AlignReads": False, "CallVariants": False}),
        ("failed-before-first-task", "CACHE_ALWAYS", {"AlignReads": False, "CallVariants": False}),
        ("completed-with-retried-task", "CACHE_ALWAYS", {"AlignReads": True, "CallVariants": True}),
    ],
)
def test_what_is_cached_depends_on_the_end_and_on_the_behavior(
    life: str, behavior: str, expected: dict[str, bool], client: Any
) -> None:
    cache_id = new_cache(client)
    ended(client, life, cacheId=cache_id, cacheBehavior=behavior)
    assert hits(client, ended(client, cacheId=cache_id)) == expected


def test_a_run_that_names_no_behavior_has_that_of_its_cache(client: Any) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    run = ended(client, cacheId=cache_id)
    assert client.get_run(id=run["id"])["cacheBehavior"] == "CACHE_ALWAYS"
    other = ended(client, cacheId=cache_id, cacheBehavior="CACHE_ON_FAILURE", parameters={"reads": "b"})
    assert client.get_run(id=other["id"])["cacheBehavior"] == "CACHE_ON_FAILURE"
    client.update_run_cache(id=cache_id, cacheBehavior="CACHE_ON_FAILURE")
    assert client.get_run(id=run["id"])["cacheBehavior"] == "CACHE_ALWAYS"
    assert hits(client, ended(client, cacheId=cache_id)) == {"AlignReads": True, "CallVariants": True}


@pytest.mark.parametrize(
    "other",
    [
        {"parameters": {"reads": "s3://reads/b.fastq"}},
        {"workflowId": "7654321"},
        {"workflowType": "READY2RUN"},
        {"cacheId": "another"},
        {"cacheId": None},
        {"life": "completed-on-gpu"},
    ],
)
def test_another_run_has_no_hit(other: dict[str, Any], client: Any) -> None:
    members = {"cacheId": new_cache(client, cacheBehavior="CACHE_ALWAYS")}
    ended(client, **members)
    members |= other
    if members["cacheId"] == "another":
        members["cacheId"] = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    found = hits(client, ended(client, **{key: value for key, value in members.items() if value is not None}))
    # On another instance a task is another task.
    assert not found["AlignReads"]
    assert bool(found["CallVariants"]) is ("life" in other)


def test_a_run_that_has_not_ended_has_cached_nothing(client: Any, emulator: Emulator) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    start(client, parameters=INPUTS, cacheId=cache_id)
    emulator.advance(562 + 470)
    early = start(client, parameters=INPUTS, cacheId=cache_id)
    emulator.advance(86_400)
    assert hits(client, early) == {"AlignReads": False, "CallVariants": False}


def test_a_run_without_inputs_or_cache_says_nothing_of_hits(client: Any) -> None:
    assert hits(client, ended(client)) == {"AlignReads": None, "CallVariants": None}
    assert hits(client, ended(client, cacheId="1112223")) == {"AlignReads": None, "CallVariants": None}


def test_what_a_deleted_run_has_cached_stays(client: Any) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    client.delete_run(id=ended(client, cacheId=cache_id)["id"])
    assert hits(client, ended(client, cacheId=cache_id)) == {"AlignReads": True, "CallVariants": True}
    gone = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, "vanishes-after-completion", cacheId=gone)
    assert hits(client, ended(client, cacheId=gone)) == {"AlignReads": True, "CallVariants": True}


def test_a_failing_task_fails_again_and_one_tried_again_is_not_tried(client: Any, emulator: Emulator) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, cacheId=cache_id)
    failed = ended(client, "failed-service-error", cacheId=cache_id)
    assert hits(client, failed) == {"AlignReads": True, "CallVariants": False}
    assert client.get_run(id=failed["id"])["status"] == "FAILED"
    retried = ended(client, "completed-with-retried-task", cacheId=cache_id)
    tasks = client.list_run_tasks(id=retried["id"])["items"]
    assert [(task["name"], task["cacheHit"]) for task in tasks] == [
        ("AlignReads", True),
        ("CallVariants", True),
    ]


def test_scattered_tasks_are_counted(client: Any, emulator: Emulator) -> None:
    stages = (Stage("PENDING", 1), Stage("RUNNING", 300), Stage("COMPLETED"))
    two, three = ((Task("Scatter"),) * count for count in (2, 3))
    emulator.add_life(Life("two", stages, tasks=two))
    emulator.add_life(Life("three", stages, tasks=three))
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, "two", cacheId=cache_id)
    run = ended(client, "three", cacheId=cache_id)
    found = [task["cacheHit"] for task in client.list_run_tasks(id=run["id"])["items"]]
    assert found == [True, True, False]
    run = ended(client, "three", cacheId=cache_id)
    found = [task["cacheHit"] for task in client.list_run_tasks(id=run["id"])["items"]]
    assert found == [True, True, True]


def test_cached_tasks_count_with_nothing_in_a_run_group(client: Any, emulator: Emulator) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    group_id = client.create_run_group(maxCpus=6)["id"]
    ended(client, cacheId=cache_id)
    computed = start(client, runGroupId=group_id)
    cached = start(client, runGroupId=group_id, cacheId=cache_id, parameters=INPUTS)
    emulator.advance(100)
    assert client.get_run(id=computed["id"])["status"] == "STARTING"
    assert client.get_run(id=cached["id"])["status"] == "STARTING"


def test_the_manifest_names_cache_and_behavior_and_says_little_of_hits(client: Any) -> None:
    cache_id = new_cache(client, cacheBehavior="CACHE_ALWAYS")
    ended(client, cacheId=cache_id)
    run = ended(client, cacheId=cache_id)
    events = aws("logs").get_log_events(
        logGroupName="/aws/omics/WorkflowLog",
        logStreamName=f"manifest/run/{run['id']}/{run['uuid']}",
        startFromHead=True,
    )["events"]
    first, *tasks = (json.loads(event["message"]) for event in events)
    assert first["runCache"] == f"arn:aws:omics:us-west-2:123456789012:runCache/{cache_id}"
    assert first["runCacheBehavior"] == "CACHE_ALWAYS"
    assert len(tasks) == 2
    for task in tasks:
        assert task["cacheHit"] is True
        assert not {"creationTime", "startTime", "stopTime", "metrics", "instanceType"} & set(task)
