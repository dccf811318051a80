"""botocore's model of HealthOmics, and the paths of a REST service."""

from __future__ import annotations

import os
import re
from functools import cache

from botocore.loaders import Loader, create_loader
from botocore.model import OperationModel, ServiceModel


@cache
def loader() -> Loader:
    """Return what reads botocore's data files. A session would fail where AWS_PROFILE names no profile."""
    loader: Loader = create_loader(os.environ.get("AWS_DATA_PATH"))
    return loader


@cache
def service_model(service: str = "omics") -> ServiceModel:
    """Return the installed botocore's model of HealthOmics, or of another service.

    :raises botocore.exceptions.UnknownServiceError: botocore knows no such service.
    """
    return ServiceModel(loader().load_service_model(service, "service-2"), service)


@cache
def operation_model(name: str) -> OperationModel:
    """Return the model of one operation of HealthOmics."""
    return service_model().operation_model(name)


def routes_of(model: ServiceModel) -> list[tuple[str, re.Pattern[str], str]]:
    """Return HTTP method, path and name of each operation of a REST service."""
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\{(\w+)\+?\}", _segment, http["requestUri"].split("?")[0])
        routes.append((http["method"], re.compile(pattern + "/?"), name))
    return routes


def _segment(member: re.Match[str]) -> str:
    # Not every client encodes the slashes of an ARN. An ARN is always the last thing in its path.
    return f"(?P<{member[1]}>{'.+' if member[1].endswith('Arn') else '[^/]+'})"
