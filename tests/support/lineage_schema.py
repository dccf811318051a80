"""What an OpenLineage event must be like, in our own words: for tests on a machine without the specification.

It says again what these say of the members that events about our tasks have, and is stricter where an event
of ours has nothing else:

- the core, version 2-0-2, https://openlineage.io/spec/2-0-2/OpenLineage.json, as told by its pages
  https://openlineage.io/docs/spec/object-model, https://openlineage.io/docs/spec/run-cycle
- the facets below https://openlineage.io/docs/spec/facets/, at the versions of ``FACETS``.

``python -m tests.support.lineage_spec`` compares it with the real schemas.
"""

from __future__ import annotations

import datetime
import json
import re
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

OWN_FACET = Path(__file__).parents[2] / "docs" / "reference" / "schemas" / "omics-run-facet.json"
"""The schema of this package's own facet, as it is published."""

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """RFC 3339: a day, a time, and how far it is from UTC."""
    if not isinstance(value, str):
        return True
    return datetime.datetime.fromisoformat(value).tzinfo is not None and "T" in value


@FORMATS.checks("uri")
def _is_uri(value: object) -> bool:
    """RFC 3986: a scheme, and no character that a URI may not have."""
    if not isinstance(value, str):
        return True
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", value) is not None


@FORMATS.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(uuid.UUID(value)) == value.lower()


TEXT = {"type": "string", "minLength": 1}
TIME = {"type": "string", "format": "date-time"}
URI = {"type": "string", "format": "uri"}
UUID = {"type": "string", "format": "uuid"}


def _object(needed: dict[str, Any], other: dict[str, Any] | None = None, *, closed: bool = False) -> Any:
    return {
        "type": "object",
        "properties": {**needed, **(other or {})},
        "required": sorted(needed),
        **({"additionalProperties": False} if closed else {}),
    }


_BASE = {"_producer": URI, "_schemaURL": URI}


def _facet(needed: dict[str, Any], other: dict[str, Any] | None = None, *, closed: bool = False) -> Any:
    return _object({**_BASE, **needed}, other, closed=closed)


_NAMED = _object({"namespace": TEXT, "name": TEXT})
_RUN = _object({"runId": UUID})
_TAGS = {"type": "array", "items": _object({"key": TEXT, "value": {"type": "string"}}, {"source": TEXT})}

RUN_FACETS: dict[str, Any] = {
    "parent": _facet({"run": _RUN, "job": _NAMED}, {"root": _object({"run": _RUN, "job": _NAMED})}),
    "nominalTime": _facet({"nominalStartTime": TIME}, {"nominalEndTime": TIME}),
    "processing_engine": _facet({"version": TEXT}, {"name": TEXT, "openlineageAdapterVersion": TEXT}),
    "errorMessage": _facet(
        {"message": {"type": "string"}, "programmingLanguage": TEXT}, {"stackTrace": {"type": "string"}}
    ),
    "tags": _facet({}, {"tags": _TAGS}),
    "externalQuery": _facet({"externalQueryId": TEXT, "source": TEXT}, closed=True),
    "jobDependencies": _facet(
        {}, {"upstream": {"type": "array"}, "downstream": {"type": "array"}, "trigger_rule": TEXT}
    ),
}
JOB_FACETS: dict[str, Any] = {
    "jobType": _facet({"processingType": TEXT, "integration": TEXT}, {"jobType": TEXT}),
    "ownership": _facet({}, {"owners": {"type": "array", "items": _object({"name": TEXT}, {"type": TEXT})}}),
    "documentation": _facet({"description": {"type": "string"}}, {"contentType": TEXT}),
    "sourceCode": _facet({"language": TEXT, "sourceCode": {"type": "string"}}),
    "tags": _facet({}, {"tags": _TAGS}),
}
DATASET_FACETS: dict[str, Any] = {"version": _facet({"datasetVersion": TEXT}, closed=True)}
FACETS = {
    "parent": "1-1-0",
    "externalQuery": "1-0-2",
    "version": "1-0-1",
    "errorMessage": "1-0-1",
    "nominalTime": "1-0-1",
}
"""Which version of a facet is said again here, for those that say most about our tasks."""


def _facets(known: dict[str, Any]) -> Any:
    return {"type": "object", "properties": known, "additionalProperties": _facet({})}


def _dataset(own: str) -> Any:
    # A consumer joins two datasets by their names alone: a bucket, and a key or prefix
    # with no slash before it, or a slash alone.
    name = {"type": "string", "pattern": "^(/$|[^/])"}
    namespace = {"type": "string", "pattern": r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"}
    return _object(
        {"namespace": namespace, "name": name},
        {"facets": _facets(DATASET_FACETS), own: _facets({})},
        closed=True,
    )


def own_facets() -> dict[str, Any]:
    """Return the published schemas of this package's facets by name, closed: an event has no other member."""
    published = json.loads(OWN_FACET.read_text())
    return {
        name: {"$ref": f"{published['$id']}{where['$ref']}", "unevaluatedProperties": False}
        for name, where in published["properties"].items()
    }


def _schema() -> dict[str, Any]:
    run = _object({"runId": UUID}, {"facets": _facets({**RUN_FACETS, **own_facets()})}, closed=True)
    job = _object({"namespace": TEXT, "name": TEXT}, {"facets": _facets(JOB_FACETS)}, closed=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_object(
            {
                "eventTime": TIME,
                "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
                "producer": URI,
                "schemaURL": {"const": f"{CORE}#/$defs/RunEvent"},
                "run": run,
                "job": job,
                "inputs": {"type": "array", "items": _dataset("inputFacets"), "maxItems": 1000},
                "outputs": {"type": "array", "items": _dataset("outputFacets")},
            },
            closed=True,
        ),
    }


@cache
def _validator() -> Draft202012Validator:
    published = json.loads(OWN_FACET.read_text())
    # What the published schema says of a facet in general, it takes from the specification.
    core = {"$schema": published["$schema"], "$id": CORE, "$defs": {"RunFacet": _facet({})}}
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in (published, core)
    )
    schema = _schema()
    for one in (schema, published):
        Draft202012Validator.check_schema(one)
    return Draft202012Validator(schema, registry=registry, format_checker=FORMATS)


def faults_of(event: Any) -> list[str]:
    """Return what is wrong with an event, a sentence each; none if nothing is."""
    return sentences(_validator(), event)


def sentences(validator: Any, value: Any) -> list[str]:
    """Return what a validator has against a value."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]
