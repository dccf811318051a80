"""The provenance manifest of a run, kept beside its outputs."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_omics._identity import Target
from airflow_omics.exceptions import OmicsAccessError, OmicsRequestError
from airflow_omics.hooks.responses import UnusableAnswerError
from airflow_omics.hooks.retrying import Retries
from airflow_omics.provenance import compare, to_json

if TYPE_CHECKING:
    from airflow_omics.hooks.objects import OmicsObjectsHook

T = TypeVar("T")

NAME: Final = "provenance"
_LARGEST: Final = 64 * 1024 * 1024  # bytes; a run with 100,000 inputs has 30 MB

log = logging.getLogger("airflow.task")


def write(objects_hook: OmicsObjectsHook, record: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """Keep a run's manifest in ``<runOutputUri>/logs``, and return where it is.

    Nothing is ever overwritten. The first manifest is ``provenance.json``. If one is there that says the same
    of what made the outputs, and no less, it stays the only one. If it says anything else, this one is kept
    beside it under a name with its own digest, and a warning names what differs.

    :param objects_hook: writes to S3; needs ``s3:PutObject``, and ``s3:GetObject`` if one is there.
    :param record: the run's record, with ``runOutputUri``.
    :param provenance: its manifest.
    :raises OmicsRequestError: the record does not say where the outputs are.
    :raises OmicsAccessError: S3 denied it.
    :raises OmicsError: transient errors lasted too long.
    """
    folder = record.get("runOutputUri")
    if not isinstance(folder, str) or not folder.startswith("s3://"):
        raise OmicsRequestError(
            f"the record of run {record.get('id')} has no runOutputUri, so its manifest has no place; give "
            "the record as GetRun returns it."
        )
    folder = f"{folder.rstrip('/')}/logs/{NAME}"
    content = to_json(provenance).encode()
    run = Target(str(record.get("id")))
    retries = Retries(lambda: objects_hook, log, target=run)

    def called(call: Callable[[], T], uri: str) -> T:
        try:
            return retries.call(call)
        except (OmicsAccessError, OmicsRequestError) as error:
            said = f"{str(error).removesuffix('.')}. This was {uri}."
            raise type(error)(said, run_id=run.id, kind=error.kind) from error

    first = f"{folder}.json"
    if called(lambda: objects_hook.put_new(first, io.BytesIO(content)), first) is not None:
        return first
    there = called(lambda: _content(objects_hook, first), first)
    if there == content:
        return first
    if (why := _more(there, provenance)) is None:
        log.info("%s is there already, and says the same of what made the outputs; it stays", first)
        return first
    beside = f"{folder}-{hashlib.sha256(content).hexdigest()[:16]}.json"
    called(lambda: objects_hook.put_if_absent(beside, io.BytesIO(content)), beside)
    log.warning(
        "%s is there already and stays as it is. It %s; the manifest of now is kept beside it, in %s",
        first,
        why,
        beside,
    )
    return beside


def _content(objects_hook: OmicsObjectsHook, uri: str) -> bytes:
    """Return what is kept there; nothing of what is too large for a manifest."""
    found = objects_hook.head(uri)
    if found is None:
        raise UnusableAnswerError(f"S3 answered that {uri} is there, and then that it is not")
    if not 0 < found.size <= _LARGEST:
        return b""
    return b"".join(objects_hook.read(uri, etag=found.etag))


def _more(there: bytes, provenance: Mapping[str, Any]) -> str | None:
    """Return what the manifest of now says that the one that is there does not, or None."""
    try:
        kept = json.loads(there)
        difference = compare(kept, provenance)
    except (ValueError, RecursionError):
        return "is no manifest of this form"
    uuids = [(manifest.get("run") or {}).get("uuid") for manifest in (kept, provenance)]
    if None not in uuids and uuids[0] != uuids[1]:
        return "is of another run, which had the same id"
    if difference.differences:
        # Without the names of inputs: these are values of parameters.
        kinds = dict.fromkeys(name.partition(" ")[0] for name in difference.differences)
        return f"differs in {', '.join(kinds)}"
    if known := sorted(set(kept["incomplete"]) - set(provenance["incomplete"])):
        return f"lacks {', '.join(known)}"
    return None
