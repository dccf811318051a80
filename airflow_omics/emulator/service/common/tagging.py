"""Tags of resources: the limits that hold for all of them, and how the tags of a resource are found.

https://docs.aws.amazon.com/omics/latest/dev/tagging.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.wire.exceptions import validation

MOST_TAGS = 50
"""The most tags that a resource can have."""

TAGS_OF: dict[str, Callable[[OmicsBackend, str], dict[str, str]]] = {}
"""How ARNs spell a kind, to the ``tags_of`` of its resource; filled in by ``operations``."""


def check(tags: Mapping[str, str]) -> None:
    """Check all the tags that a resource is to have.

    :raises OmicsServiceError: a ValidationException: there are too many, or one has a reserved key.
    """
    if len(tags) > MOST_TAGS:
        raise validation(f"{len(tags)} tags were given; a resource can have at most {MOST_TAGS}")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise validation(f"tag key {key!r} begins with aws:, which is reserved for AWS")
