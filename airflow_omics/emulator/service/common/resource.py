"""What a resource file declares: its kind, and a function for each operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_omics.emulator.service.common.backend import OmicsBackend


@dataclass(frozen=True)
class Call:
    """One call of an operation, checked against the service's model.

    :param backend: the account and Region that it is for.
    :param members: the members of the request.
    :param host: the host that was asked, for URLs in the answer.
    """

    backend: OmicsBackend
    members: dict[str, Any]
    host: str = ""


@dataclass(frozen=True)
class Resource:
    """One resource of the API.

    :param kind: how ARNs spell its kind, such as ``runGroup``.
    :param operations: the name of each operation, and what carries it out: it takes the call and returns the
        members of the answer, or raises an OmicsServiceError.
    :param tags_of: returns the tags of a thing as they are kept, to be read and changed. It takes the account
        and Region, and what follows the kind in the ARN, such as ``1234567``; it raises an OmicsServiceError
        if there is no such thing. None for what cannot have tags.
    """

    kind: str
    operations: Mapping[str, Callable[[Call], dict[str, Any]]]
    tags_of: Callable[[OmicsBackend, str], dict[str, str]] | None = None
