"""Run caches: CreateRunCache, GetRunCache, ListRunCaches, UpdateRunCache, DeleteRunCache, and their hits.

https://docs.aws.amazon.com/omics/latest/api/API_CreateRunCache.html and its neighbours. What is cached:
https://docs.aws.amazon.com/omics/latest/dev/how-run-cache.html
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import Life, Stage, Task
from airflow_omics.emulator.lives.tasks import tasks_of
from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.service.runs_state import Runs, runs_of
from airflow_omics.emulator.wire.exceptions import conflict
from airflow_omics.emulator.world.shared import WORLD

_KIND = "runCache"
_CHANGEABLE = ("name", "description", "cacheBehavior")
_LISTED = ("arn", "cacheBehavior", "cacheS3Uri", "creationTime", "id", "name", "status")
# A run that ends so exports nothing, and so it caches nothing.
_NOT_EXPORTED = frozenset({"RUN_TIMED_OUT", "FILE_SYSTEM_OUT_OF_SPACE", "EXPORT_FAILED"})
# What makes two runs have the same tasks with the same inputs.
_SAME = ("workflowId", "workflowOwnerId", "workflowVersionName", "parameters", "parametersUri")


class _Cache:
    """A run cache: what GetRunCache answers, and the outputs of tasks that it has.

    :param record: the members of GetRunCache's answer.
    :param uuid: what its place in S3 is named after.
    """

    def __init__(self, record: dict[str, Any], uuid: str) -> None:
        self.record = record
        self._location = f"{str(record['cacheS3Uri']).rstrip('/')}/{uuid}"
        # By what the tasks of a run are the same in: the runs that have yet to end, and the outputs.
        self._runs: dict[str, list[Run]] = {}
        self._outputs: dict[str, dict[tuple[Any, ...], list[str]]] = {}

    def watch(self, run: Run) -> None:
        """Take the outputs of a run's tasks when it has ended."""
        self._runs.setdefault(_same(run.members), []).append(run)

    def in_use(self, runs: Runs) -> bool:
        """Return whether a run that uses the cache has not ended."""
        for waiting in self._runs.values():
            for run in waiting:
                runs.bring_up_to_date(run)
                if not run.gone and not run.terminal:
                    return True
        return False

    def outputs(self, runs: Runs, members: Mapping[str, Any]) -> Mapping[tuple[Any, ...], list[str]]:
        """Return where the outputs lie that a run may use which starts now: those of each kind of task."""
        same = _same(members)
        found = self._outputs.setdefault(same, {})
        for run in list(self._runs.get(same, ())):
            runs.bring_up_to_date(run)
            if run.ended is not None or run.gone:
                self._runs[same].remove(run)
                self._take(run, found)
        return found

    def _take(self, run: Run, found: dict[tuple[Any, ...], list[str]]) -> None:
        ended, always = run.ended, run.members.get("cacheBehavior") == "CACHE_ALWAYS"
        if ended is None or run.reason in _NOT_EXPORTED:
            return
        if not (ended.status == "FAILED" or (ended.status == "COMPLETED" and always)):
            return
        fresh: dict[tuple[Any, ...], list[str]] = {}
        for task in tasks_of(run, ended.service, WORLD.clock.reported):
            if task.status == "COMPLETED":
                # https://docs.aws.amazon.com/omics/latest/dev/workflow-cache-contents.html
                uri = task.script.cache_s3_uri or f"{self._location}/{run.id}/{task.id}/{task.uuid}/"
                fresh.setdefault(_kind(task.script), []).append(uri)
        for kind, uris in fresh.items():
            before = found.get(kind, [])
            found[kind] = [*before, *uris[len(before) :]]


class _Caches(Table[_Cache]):
    def __init__(self, backend: OmicsBackend) -> None:
        super().__init__(backend, _KIND, "Run cache")
        self.repeats: Repeats[_Cache] = Repeats("run cache")


def _same(members: Mapping[str, Any]) -> str:
    return json.dumps([members.get(name) for name in _SAME], sort_keys=True, default=str)


def _kind(task: Task) -> tuple[Any, ...]:
    return task.name, task.cpus, task.memory, task.gpus, task.image


# -- runs ----------------------------------------------------------------------------------------------------


def check(backend: OmicsBackend, members: Mapping[str, Any]) -> None:
    """Check the run cache that a StartRun names, if the emulator is strict.

    :param members: the members of the request.
    :raises OmicsServiceError: nobody has made it; it is a ResourceNotFoundException.
    """
    if WORLD.strict and "cacheId" in members:
        backend.state(_Caches).get(members["cacheId"])


def add_run(runs: Runs, members: dict[str, Any], life: Life) -> Run:
    """Add a run, with what its run cache has for it now; at its end the cache gets what it has computed.

    :param members: the members of StartRun, complete with what the service adds.
    :param life: what happens to the run, if no task of it is in the cache.
    """
    cache = runs.backend.state(_Caches).find(members.get("cacheId", ""))
    if cache is None or members["workflowType"] != "PRIVATE":
        return runs.add(members, life)
    members.setdefault("cacheBehavior", cache.record["cacheBehavior"])
    run = runs.add(members, _with_hits(life, cache.outputs(runs, members)))
    cache.watch(run)
    return run


def _with_hits(life: Life, outputs: Mapping[tuple[Any, ...], list[str]]) -> Life:
    """Return a life whose tasks are taken from a cache, as far as it has them.

    A task whose script does not end in COMPLETED stays as it is; but one that is tried again is not, if the
    cache has what the later attempt computes.
    """
    tasks: list[Task] = []
    seen: Counter[tuple[Any, ...]] = Counter()
    for task in life.tasks:
        kind, completes = _kind(task), _completes(task)
        number, seen[kind] = seen[kind], seen[kind] + completes
        uris = outputs.get(kind, []) if completes else []
        if number < len(uris):
            tasks = [each for each in tasks if each.name != task.name or _completes(each)]
            tasks.append(_hit(task, uris[number]))
        else:
            tasks.append(task if task.cache_hit else dataclasses.replace(task, cache_hit=False))
    return dataclasses.replace(life, tasks=tuple(tasks))


def _completes(task: Task) -> bool:
    return task.stages[-1].status == "COMPLETED"


def _hit(task: Task, uri: str) -> Task:
    return dataclasses.replace(
        task, stages=(Stage("COMPLETED"),), cache_hit=True, cache_s3_uri=uri, log_lines=()
    )


# -- the operations ------------------------------------------------------------------------------------------


def _create_run_cache(call: Call) -> dict[str, Any]:
    caches, members = call.backend.state(_Caches), call.members
    cache = caches.repeats.earlier(members)
    if cache is None:
        cache_id = caches.new_id()
        record = {
            "arn": caches.arn(cache_id),
            "id": cache_id,
            "cacheBehavior": "CACHE_ON_FAILURE",
            "cacheBucketOwnerId": call.backend.account_id,
            **{name: members[name] for name in (*_CHANGEABLE, "cacheBucketOwnerId") if name in members},
            "cacheS3Uri": members["cacheS3Location"],
            "creationTime": WORLD.clock.now(),
            "status": "ACTIVE",
            "tags": dict(members.get("tags", {})),
        }
        cache = _Cache(record, WORLD.uuid())
        caches.put(cache_id, cache)
        caches.repeats.keep(members, cache)
    return {name: cache.record[name] for name in ("arn", "id", "status", "tags")}


def _get_run_cache(call: Call) -> dict[str, Any]:
    return call.backend.state(_Caches).get(call.members["id"]).record


def _list_run_caches(call: Call) -> dict[str, Any]:
    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for position, cache in call.backend.state(_Caches).after(number):
            yield position, {name: cache.record[name] for name in _LISTED if name in cache.record}

    return page(call.members, after)


def _update_run_cache(call: Call) -> dict[str, Any]:
    record = call.backend.state(_Caches).get(call.members["id"]).record
    record.update({name: call.members[name] for name in _CHANGEABLE if name in call.members})
    return {}


def _delete_run_cache(call: Call) -> dict[str, Any]:
    caches, cache_id = call.backend.state(_Caches), call.members["id"]
    if caches.get(cache_id).in_use(runs_of(call.backend)):
        raise conflict(f"Run cache {cache_id} is used by active runs; delete it when they have ended")
    caches.remove(cache_id)
    return {}


def _tags(backend: OmicsBackend, cache_id: str) -> dict[str, str]:
    tags: dict[str, str] = backend.state(_Caches).get(cache_id).record["tags"]
    return tags


RESOURCE = Resource(
    _KIND,
    {
        "CreateRunCache": _create_run_cache,
        "GetRunCache": _get_run_cache,
        "ListRunCaches": _list_run_caches,
        "UpdateRunCache": _update_run_cache,
        "DeleteRunCache": _delete_run_cache,
    },
    tags_of=_tags,
)
