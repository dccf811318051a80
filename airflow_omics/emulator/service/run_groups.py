"""Run groups: CreateRunGroup, GetRunGroup, ListRunGroups, UpdateRunGroup and DeleteRunGroup.

https://docs.aws.amazon.com/omics/latest/api/API_CreateRunGroup.html and its neighbours. What the limits of a
group do to its runs is in ``runs_queue``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.service.runs_queue import LIMITS
from airflow_omics.emulator.service.runs_state import runs_of
from airflow_omics.emulator.wire.exceptions import conflict
from airflow_omics.emulator.world.shared import WORLD

_KIND = "runGroup"
_MOST = 100_000


class _Groups(Table[dict[str, Any]]):
    def __init__(self, backend: OmicsBackend) -> None:
        super().__init__(backend, _KIND, "Run group")
        self.repeats: Repeats[dict[str, Any]] = Repeats("run group")

    def add(self, group_id: str, members: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Keep a group, in place of what had its id before.

        :param members: its name and limits; those that are None are left out.
        """
        group = {
            "arn": self.arn(group_id),
            "id": group_id,
            **{name: value for name, value in members.items() if value is not None},
            "creationTime": WORLD.clock.now(),
            "tags": dict(tags),
        }
        self.put(group_id, group)
        return group


def _limit(backend: OmicsBackend, group: Mapping[str, Any]) -> None:
    runs_of(backend).limit_group(group["id"], {name: group[name] for name in LIMITS if name in group})


def describe(
    backend: OmicsBackend, run_group_id: str, members: Mapping[str, Any], *, limits: bool = True
) -> None:
    """Make a run group with an id of the caller's own, or another one under an id that there is.

    :param members: its name and limits; those that are None are left out.
    :param limits: whether it limits its runs, or GetRunGroup answers it and no more.
    :raises ValueError: the id is not made of digits, or a limit is none.
    """
    run_group_id = str(run_group_id)
    if not (run_group_id.isascii() and run_group_id.isdigit()):
        raise ValueError(f"run_group_id is {run_group_id!r}; ids of run groups are digits, such as '7'")
    for name in LIMITS:
        value = members.get(name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and 1 <= value <= _MOST):
            argument = name.replace("max", "max_").lower()
            raise ValueError(f"{argument} is {value!r}; give a whole number from 1 to {_MOST}, or None")
    group = backend.state(_Groups).add(run_group_id, members, {})
    _limit(backend, group if limits else {"id": run_group_id})


def check(backend: OmicsBackend, members: Mapping[str, Any]) -> None:
    """Check the run group that a StartRun names, if the emulator is strict.

    :param members: the members of the request.
    :raises OmicsServiceError: nobody has made it; it is a ResourceNotFoundException.
    """
    if WORLD.strict and "runGroupId" in members:
        backend.state(_Groups).get(members["runGroupId"])


def _create_run_group(call: Call) -> dict[str, Any]:
    groups = call.backend.state(_Groups)
    group = groups.repeats.earlier(call.members)
    if group is None:
        known = {name: call.members[name] for name in ("name", *LIMITS) if name in call.members}
        group = groups.add(groups.new_id(), known, call.members.get("tags", {}))
        groups.repeats.keep(call.members, group)
        _limit(call.backend, group)
    return {name: group[name] for name in ("arn", "id", "tags")}


def _get_run_group(call: Call) -> dict[str, Any]:
    return call.backend.state(_Groups).get(call.members["id"])


def _list_run_groups(call: Call) -> dict[str, Any]:
    wanted = call.members.get("name")

    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for position, group in call.backend.state(_Groups).after(number):
            if wanted in (None, group.get("name")):
                yield position, {name: value for name, value in group.items() if name != "tags"}

    return page(call.members, after)


def _update_run_group(call: Call) -> dict[str, Any]:
    group = call.backend.state(_Groups).get(call.members["id"])
    group.update({name: call.members[name] for name in ("name", *LIMITS) if name in call.members})
    _limit(call.backend, group)
    return {}


def _delete_run_group(call: Call) -> dict[str, Any]:
    groups, runs, group_id = call.backend.state(_Groups), runs_of(call.backend), call.members["id"]
    groups.get(group_id)
    active = sum(not run.terminal for run in runs.of_group(group_id))
    if active:
        raise conflict(f"Run group {group_id} has {active} active runs; delete it when they have ended")
    groups.remove(group_id)
    runs.forget_group(group_id)
    return {}


def _tags(backend: OmicsBackend, group_id: str) -> dict[str, str]:
    tags: dict[str, str] = backend.state(_Groups).get(group_id)["tags"]
    return tags


RESOURCE = Resource(
    _KIND,
    {
        "CreateRunGroup": _create_run_group,
        "GetRunGroup": _get_run_group,
        "ListRunGroups": _list_run_groups,
        "UpdateRunGroup": _update_run_group,
        "DeleteRunGroup": _delete_run_group,
    },
    tags_of=_tags,
)
