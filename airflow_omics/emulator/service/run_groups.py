"""Run groups: GetRunGroup, which answers what a test has said of the group.

https://docs.aws.amazon.com/omics/latest/api/API_GetRunGroup.html
"""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.world.shared import WORLD

_KIND = "runGroup"


def _groups(backend: OmicsBackend) -> Table[dict[str, Any]]:
    return Table(backend, _KIND, "Run group")


def describe(backend: OmicsBackend, run_group_id: str, members: dict[str, Any]) -> None:
    """Say what GetRunGroup answers.

    :param members: members of the answer; those that are None are left out.
    :raises ValueError: the id is not made of digits.
    """
    run_group_id = str(run_group_id)
    if not (run_group_id.isascii() and run_group_id.isdigit()):
        raise ValueError(f"run_group_id is {run_group_id!r}; ids of run groups are digits, such as '7'")
    groups = backend.state(_groups)
    group = {
        "arn": groups.arn(run_group_id),
        "id": run_group_id,
        "creationTime": WORLD.clock.now(),
        "tags": {},
        **members,
    }
    groups.put(run_group_id, {name: value for name, value in group.items() if value is not None})


def _get_run_group(call: Call) -> dict[str, Any]:
    return call.backend.state(_groups).get(call.members["id"])


RESOURCE = Resource(_KIND, {"GetRunGroup": _get_run_group})
