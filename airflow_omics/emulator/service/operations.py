"""Which operations there are: those that the files of this folder declare, each as its ``RESOURCE``.

A new resource is a new file here. Nothing else lists it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

from botocore.model import OperationModel

from airflow_omics.emulator import service
from airflow_omics.emulator.service.common import tagging
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.wire.exceptions import OmicsServiceError
from airflow_omics.emulator.wire.model import operation_model, routes_of, service_model


def _resources() -> list[Resource]:
    names = sorted(found.name for found in pkgutil.iter_modules(service.__path__) if not found.ispkg)
    modules = [importlib.import_module(f"{service.__name__}.{name}") for name in names]
    return [module.RESOURCE for module in modules if hasattr(module, "RESOURCE")]


_RESOURCES = _resources()
_KNOWN = frozenset(service_model().operation_names)
_RESOURCE_OF = {name: resource for resource in _RESOURCES for name in resource.operations if name in _KNOWN}
tagging.TAGS_OF.update(
    {resource.kind: resource.tags_of for resource in _RESOURCES if resource.tags_of is not None}
)

OPERATIONS = tuple(sorted(_RESOURCE_OF))
"""The operations that are emulated: those of the resources, without what the installed botocore lacks."""


def checked(operation: str) -> str:
    """Return ``operation`` if it is emulated or ``*``.

    :raises ValueError: it is neither; the error lists those that are emulated.
    """
    if operation != "*" and operation not in OPERATIONS:
        raise ValueError(
            f"operation {operation!r} is not emulated; give '*' or one of {', '.join(OPERATIONS)}"
        )
    return operation


def resource_of(operation: str) -> Resource | None:
    """Return the resource that an operation belongs to; None if it is not emulated."""
    return _RESOURCE_OF.get(operation)


def perform(operation: str, call: Call) -> dict[str, Any]:
    """Perform an emulated operation, and return the members of the answer.

    :raises OmicsServiceError: what the service answers instead.
    """
    # Whatever can have tags gets them by a member of this name.
    tagging.check(call.members.get("tags", {}))
    return _RESOURCE_OF[operation].operations[operation](call)


@cache
def _routes() -> dict[tuple[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return pattern and operation of each route, by method and the first part of the path."""
    routes: dict[tuple[str, str], list[tuple[re.Pattern[str], str]]] = {}
    for method, pattern, name in routes_of(service_model()):
        routes.setdefault((method, _first_part(pattern.pattern)), []).append((pattern, name))
    return routes


def _first_part(path: str) -> str:
    return path.removeprefix("/").partition("/")[0]


def _match(method: str, path: str) -> tuple[str, re.Match[str]] | None:
    for pattern, name in _routes().get((method, _first_part(path)), ()):
        if match := pattern.fullmatch(path):
            return name, match
    return None


def route(method: str, path: str) -> tuple[OperationModel, dict[str, str]]:
    """Return the operation that a request asks for, emulated or not, and the members in its path.

    :param path: as it was sent: a member of it may hold an encoded slash.
    :raises OmicsServiceError: there is no such operation.
    """
    found = _match(method, path)
    if found is None:
        says = f"{method} {path} is no operation of HealthOmics"
        raise OmicsServiceError("UnknownOperationException", 404, says)
    name, match = found
    return operation_model(name), {key: unquote(value) for key, value in match.groupdict().items()}


def is_emulated(method: str, path: str) -> bool:
    """Return whether a request asks for an operation that is emulated.

    :param path: as it was sent.
    """
    found = _match(method, path)
    return found is not None and found[0] in _RESOURCE_OF
