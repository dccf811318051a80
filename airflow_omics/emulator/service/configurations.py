"""Configurations, which give runs a VPC: Create-, Get-, List- and DeleteConfiguration.

https://docs.aws.amazon.com/omics/latest/api/API_CreateConfiguration.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.service.common.paging import page
from airflow_omics.emulator.service.common.repeats import Repeats
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.service.common.table import Table
from airflow_omics.emulator.wire.exceptions import conflict, validation
from airflow_omics.emulator.world.shared import WORLD

_KIND = "configuration"
_ITEMS_ON_A_PAGE = 10
_DELETING_SECONDS = 5.0
# A VPC cannot be seen from the ids of its subnets, and the emulator asks no other service for it.
VPC_ID = "vpc-0123456789abcdef0"


@dataclass(eq=False)
class Configuration:
    """A configuration.

    :param members: what CreateConfiguration was asked for.
    :param created: service time and reported time of its creation.
    :param decided: the service time at which it is CREATING no more.
    :param failed: whether it is FAILED then, and not ACTIVE.
    :param gone: the service time at which it is deleted; infinite if nobody deletes it.
    """

    name: str
    arn: str
    uuid: str
    members: Mapping[str, Any]
    tags: dict[str, str]
    created: tuple[float, float]
    decided: float
    failed: bool = False
    gone: float = math.inf

    @property
    def status(self) -> str:
        """Its status at the present."""
        if self.gone < math.inf:
            return "DELETING"
        if WORLD.clock.service() < self.decided:
            return "CREATING"
        return "FAILED" if self.failed else "ACTIVE"

    def vpc_config(self, account_id: str) -> dict[str, Any]:
        """Return the VPC that it gives a run.

        :param account_id: the account that owns the subnets, if CreateConfiguration did not say.
        """
        given = self.members["runConfigurations"]["vpcConfig"]
        return {"vpcOwnerAccountId": account_id, **given, "vpcId": VPC_ID}


class Configurations:
    """The configurations of one account and Region, by name."""

    def __init__(self, backend: OmicsBackend) -> None:
        self._table: Table[Configuration] = Table(backend, _KIND, "Configuration")
        self.repeats: Repeats[Configuration] = Repeats(_KIND)

    @property
    def table(self) -> Table[Configuration]:
        """The configurations that there are at the present."""
        now = WORLD.clock.service()
        for _, configuration in self._table.after(0):
            if configuration.gone <= now:
                self._table.remove(configuration.name)
        return self._table


def configurations_of(backend: OmicsBackend) -> Configurations:
    """Return the configurations of an account and Region."""
    return backend.state(Configurations)


def _create_configuration(call: Call) -> dict[str, Any]:
    configurations, members = configurations_of(call.backend), call.members
    configuration = configurations.repeats.earlier(members)
    if configuration is None:
        configuration = _made(call.backend, members)
        configurations.repeats.keep(members, configuration)
    return _record(call.backend, configuration)


def _made(backend: OmicsBackend, members: Mapping[str, Any]) -> Configuration:
    table, name = configurations_of(backend).table, members["name"]
    if table.find(name) is not None:
        raise conflict(f"Configuration {name} exists already")
    vpc = members["runConfigurations"].get("vpcConfig", {})
    lacking = [key for key in ("securityGroupIds", "subnetIds") if not vpc.get(key)]
    if lacking:
        raise validation(f"runConfigurations.vpcConfig lacks {' and '.join(lacking)}")
    creation, created = WORLD.creations[_KIND], WORLD.clock.read()
    configuration = Configuration(
        name=name,
        arn=table.arn(name),
        uuid=WORLD.uuid(),
        members=members,
        tags=dict(members.get("tags", {})),
        created=created,
        decided=created[0] + creation.seconds,
        failed=creation.failure is not None,
    )
    table.put(name, configuration)
    return configuration


def _item(configuration: Configuration) -> dict[str, Any]:
    item = {
        "arn": configuration.arn,
        "name": configuration.name,
        "status": configuration.status,
        "creationTime": configuration.created[1],
    }
    if "description" in configuration.members:
        item["description"] = configuration.members["description"]
    return item


def _record(backend: OmicsBackend, configuration: Configuration) -> dict[str, Any]:
    return {
        **_item(configuration),
        "uuid": configuration.uuid,
        "runConfigurations": {"vpcConfig": configuration.vpc_config(backend.account_id)},
        "tags": configuration.tags,
    }


def _get_configuration(call: Call) -> dict[str, Any]:
    configuration = configurations_of(call.backend).table.get(call.members["name"])
    return _record(call.backend, configuration)


def _list_configurations(call: Call) -> dict[str, Any]:
    def after(number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for position, configuration in configurations_of(call.backend).table.after(number):
            yield position, _item(configuration)

    return page({"maxResults": _ITEMS_ON_A_PAGE, **call.members}, after)


def _delete_configuration(call: Call) -> dict[str, Any]:
    configuration = configurations_of(call.backend).table.get(call.members["name"])
    if configuration.status not in ("ACTIVE", "FAILED"):
        raise conflict(
            f"Configuration {configuration.name} is {configuration.status}; "
            "only one that is ACTIVE or FAILED can be deleted"
        )
    configuration.gone = WORLD.clock.service() + _DELETING_SECONDS
    return {}


def _tags_of(backend: OmicsBackend, name: str) -> dict[str, str]:
    return configurations_of(backend).table.get(name).tags


RESOURCE = Resource(
    _KIND,
    {
        "CreateConfiguration": _create_configuration,
        "GetConfiguration": _get_configuration,
        "ListConfigurations": _list_configurations,
        "DeleteConfiguration": _delete_configuration,
    },
    tags_of=_tags_of,
)
