"""Tags: TagResource, UntagResource and ListTagsForResource, for whatever here can have tags.

https://docs.aws.amazon.com/omics/latest/api/API_TagResource.html
"""

from __future__ import annotations

import re
from typing import Any

from airflow_omics.emulator.service.common import tagging
from airflow_omics.emulator.service.common.resource import Call, Resource
from airflow_omics.emulator.wire.exceptions import not_found, validation

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):omics:(?P<region>[a-z0-9-]+):(?P<account>\d{12})?:(?P<kind>\w+)/(?P<name>.+)"
)
# What can have tags in AWS and is not emulated: nothing of it exists here.
_NOT_HERE = frozenset({"annotationStore", "referenceStore", "sequenceStore", "variantStore"})


def _tags(call: Call) -> dict[str, str]:
    """Return the tags of the resource that a request names, as they are kept."""
    arn, backend = call.members["resourceArn"], call.backend
    found = _ARN.fullmatch(arn)
    if found is None:
        raise validation(
            f"resourceArn {arn!r} is not the ARN of a resource of HealthOmics, such as "
            f"arn:{backend.partition}:omics:{backend.region_name}:{backend.account_id}:run/1234567"
        )
    kind = found["kind"]
    if kind not in tagging.TAGS_OF and kind not in _NOT_HERE:
        raise validation(f"resourceArn {arn!r} is that of a {kind}, which cannot have tags")
    here = backend.partition, backend.region_name, backend.account_id
    if kind in _NOT_HERE or (found["partition"], found["region"], found["account"]) != here:
        raise not_found(f"Resource {arn}")
    return tagging.TAGS_OF[kind](backend, found["name"])


def _tag_resource(call: Call) -> dict[str, Any]:
    tags = _tags(call)
    tagging.check({**tags, **call.members["tags"]})
    tags.update(call.members["tags"])
    return {}


def _untag_resource(call: Call) -> dict[str, Any]:
    tags = _tags(call)
    for key in call.members["tagKeys"]:
        tags.pop(key, None)
    return {}


def _list_tags_for_resource(call: Call) -> dict[str, Any]:
    return {"tags": _tags(call)}


RESOURCE = Resource(
    "tags",
    {
        "TagResource": _tag_resource,
        "UntagResource": _untag_resource,
        "ListTagsForResource": _list_tags_for_resource,
    },
)
