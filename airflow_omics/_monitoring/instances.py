"""The instance types of HealthOmics without GPUs, and which of them is large enough.

https://docs.aws.amazon.com/omics/latest/dev/memory-and-compute-tasks.html
"""

from __future__ import annotations

from typing import Final, NamedTuple

_VCPUS: Final = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "12xlarge": 48,
    "16xlarge": 64,
    "24xlarge": 96,
    "32xlarge": 128,
    "48xlarge": 192,
}
_GIB_PER_VCPU: Final = {"c": 2, "m": 4, "r": 8}


class Instance(NamedTuple):
    """An instance type.

    :param name: such as ``omics.m.xlarge``.
    :param cpus: its vCPUs.
    :param memory: in GiB.
    """

    name: str
    cpus: int
    memory: int


INSTANCES: Final = tuple(
    Instance(f"omics.{family}.{size}", cpus, cpus * gib)
    for size, cpus in _VCPUS.items()
    for family, gib in _GIB_PER_VCPU.items()
)
"""The smallest first. ``32xlarge`` and ``48xlarge`` are in us-east-1 and us-west-2 alone."""


def smallest(cpus: float, memory: float) -> Instance | None:
    """Return the smallest instance type that has so many vCPUs and GiB; None if none has.

    At AWS's list prices of 2026 the smallest is also the cheapest of those that are large enough.
    """
    return next((each for each in INSTANCES if each.cpus >= cpus and each.memory >= memory), None)
