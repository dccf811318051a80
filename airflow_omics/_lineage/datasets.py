"""What a run has read and written, as datasets of OpenLineage.

https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from airflow.providers.openlineage.extractors import ExtractorManager, OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import dataset_version_dataset

from airflow_omics._lineage.facets import PRODUCER, text
from airflow_omics._resource import BATCH, Resource

log = logging.getLogger(__name__)

MOST_INPUTS: Final = 1_000
"""Backends refuse events that are too large; a joint call may read ten thousand files."""

_S3: Final = "s3://"
_ETAG: Final = "etag:"


class Resources(NamedTuple):
    """What ``resourceDigests`` says that a run has read.

    :param inputs: the ETag of each object of S3, by its URI.
    :param images: the digest of each container image.
    """

    inputs: dict[str, str]
    images: dict[str, str]

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Resources:
        """Return what a record says; what is neither an object of S3 nor an image is left out."""
        digests = record.get("resourceDigests")
        inputs: dict[str, str] = {}
        images: dict[str, str] = {}
        for name, digest in digests.items() if isinstance(digests, Mapping) else ():
            if not isinstance(name, str) or not name:
                continue
            if name.startswith(_S3):
                inputs[name] = digest.removeprefix(_ETAG).strip('"') if isinstance(digest, str) else ""
            elif "://" not in name and isinstance(digest, str):
                images[name] = digest
        return cls(inputs, images)

    def datasets(self) -> list[InputDataset]:
        """Return the inputs, with their ETags as versions; the first of them by name, if there are many."""
        found = []
        for uri in sorted(self.inputs):
            namespace, name = split(uri)
            if namespace and name:
                found.append(InputDataset(namespace, name, facets=_version(self.inputs[uri])))
            if len(found) == MOST_INPUTS:
                break
        return found


def output_of(record: Mapping[str, Any], resource: Resource) -> list[OutputDataset]:
    """Return what a run or batch writes to: the prefix that was asked for, the same for each run.

    :param record: of one that has ended well.
    """
    uri = _output_uri(record, resource)
    namespace, name = split(uri) if uri else (None, "")
    if namespace is None:
        return []
    # As Airflow names an asset: without the slash at its end, and "/" for a whole bucket.
    return [OutputDataset(namespace, name.strip("/") or "/", facets=_version(text(record.get("uuid"))))]


def _output_uri(record: Mapping[str, Any], resource: Resource) -> str | None:
    if resource == BATCH:
        setting = record.get("defaultRunSetting")
        return text(setting.get("outputUri")) if isinstance(setting, Mapping) else None
    if given := text(record.get("outputUri")):
        return given
    own, suffix = text(record.get("runOutputUri")), f"/{record.get('id')}"
    return own.rstrip("/").removesuffix(suffix) if own and own.rstrip("/").endswith(suffix) else None


def split(uri: str) -> tuple[str | None, str]:
    """Return the namespace and the name of an object or prefix of S3; no namespace if it is none."""
    if not uri.startswith(_S3):
        return None, ""
    bucket, _, key = uri.removeprefix(_S3).partition("/")
    return (f"{_S3}{bucket}", key) if bucket else (None, "")


def _version(version: str | None) -> dict[str, Any]:
    if not version:
        return {}
    facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version, producer=PRODUCER)
    return {"version": facet}


def with_declared(
    lineage: OperatorLineage[Any, Any], task: Any, task_instance: Any
) -> OperatorLineage[Any, Any]:
    """Return a task's lineage with its own ``inlets`` and ``outlets``.

    Airflow's provider adds them to a lineage without datasets, and drops them if there is one.
    """
    if not lineage.inputs and not lineage.outputs:
        return lineage
    try:
        declared = _declared(task, task_instance)
    except Exception as error:
        log.debug("OpenLineage gets no inlets and outlets of the task", exc_info=error)
        return lineage
    lineage.inputs.extend(_others(declared.inputs, lineage.inputs))
    lineage.outputs.extend(_others(declared.outputs, lineage.outputs))
    return lineage


def _declared(task: Any, task_instance: Any) -> OperatorLineage[Any, Any]:
    declared: OperatorLineage[Any, Any] = OperatorLineage()
    manager: Any = ExtractorManager
    extract = manager().extract_inlets_and_outlets
    takes_instance = len(inspect.signature(extract).parameters) > 2
    extract(declared, task, *([task_instance] if takes_instance else []))
    return declared


def _others(declared: list[Any], known: list[Any]) -> list[Any]:
    """Return those of the declared datasets that are not known, with or without a slash at their end."""
    names = {(dataset.namespace, dataset.name) for dataset in known}
    return [item for item in declared if (item.namespace, item.name.strip("/") or "/") not in names]
