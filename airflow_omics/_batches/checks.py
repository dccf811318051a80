"""Checks of one entry of ``run_settings``. An error names a member and never shows what is in it.

What only AWS can judge is left to AWS.
https://docs.aws.amazon.com/omics/latest/api/API_InlineSetting.html
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from airflow_omics._batches.json_array import encoded
from airflow_omics._task.values import (
    LARGEST_PARAMETERS,
    MOST_TAGS,
    NOT_RENDERED,
    check_size_of_parameters,
    is_broken,
    is_s3_location,
    is_text_to_text,
    is_unrendered,
    path_of,
    plain_json,
    to_priority,
    wrong_tag,
)

LONGEST_ID: Final = 128
LONGEST_URI: Final = 750
OUR_TAGS: Final = ("airflow:", "airflow-omics:token")
"""How the operator's own tags begin, by which the runs of its batch are recognised."""

_ID_TAKES: Final = f"it takes text of 1 to {LONGEST_ID} characters, such as the sample's name"


class EntryCheck:
    """Checks the entries of one batch.

    :param defaults: StartRunBatch's ``defaultRunSetting``, by AWS's own names.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._parameters: Mapping[str, Any] = defaults.get("parameters") or {}
        self._tags: Mapping[str, str] = defaults.get("runTags") or {}
        self._room = LARGEST_PARAMETERS - len(json.dumps(self._parameters, ensure_ascii=False).encode())

    def __call__(self, entry: Mapping[str, Any]) -> bytes:
        """Return the JSON of an entry, with its run's name.

        :param entry: whose ``runSettingId`` is :func:`id_of` it.
        :raises ValueError: the entry can't be right; without the place of the entry.
        """
        final: dict[str, Any] = {}
        for member, value in entry.items():
            if (check := _CHECKS.get(member)) is None:
                raise ValueError(_unknown(member))
            if value is not None or member == "parameters":
                final[member] = check(member, value)
        if final.get("name", final["runSettingId"]) != final["runSettingId"]:
            raise ValueError(
                "name is not the runSettingId; the name of each run is its runSettingId, so that one list of "
                "runs shows which sample is how far. Leave name out."
            )
        final["name"] = final["runSettingId"]
        text = encoded(final)
        if b"{{" in text or b"{%" in text:  # JSON itself has no such thing
            raise ValueError(f"{_path_of_template(final)} {NOT_RENDERED}")
        # Almost every entry is so small that nothing has to be merged: a space doubles a comma or a colon.
        if 2 * len(text) > self._room and "parameters" in final:
            check_size_of_parameters(
                {**self._parameters, **final["parameters"]}, "parameters (with those of all runs)"
            )
        self._check_tags(final.get("runTags") or {})
        return text

    def _check_tags(self, tags: Mapping[str, str]) -> None:
        if ours := sorted(key for key in tags if key.startswith(OUR_TAGS)):
            raise ValueError(
                f"runTags holds {', '.join(ours)}, which the operator sets itself; leave it out."
            )
        count = len({**self._tags, **tags})
        if tags and count > MOST_TAGS:
            raise ValueError(
                f"runTags holds {len(tags)} tags, with those of all runs {count}; a run takes {MOST_TAGS}."
            )


def id_of(entry: Any) -> str:
    """Return the id of an entry.

    :raises ValueError: it is no entry, or has no id that can be one.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(
            f"it is a {type(entry).__name__}; it takes a dict of {', '.join(MEMBERS)}, as InlineSetting of "
            "StartRunBatch has them."
        )
    value = entry.get("runSettingId")
    if value is None or value == "":
        if unknown := next((member for member in entry if member not in MEMBERS), None):
            raise ValueError(_unknown(unknown))
        raise ValueError(f"runSettingId is missing; {_ID_TAKES}.")
    if not isinstance(value, str):
        quoted = "; put it in quotation marks" if isinstance(value, int) else ""
        raise ValueError(f"runSettingId is a {type(value).__name__}; {_ID_TAKES}{quoted}.")
    if len(value) > LONGEST_ID:
        raise ValueError(f"runSettingId has {len(value)} characters; {_ID_TAKES}.")
    if not value.isprintable() and any(unicodedata.category(letter)[0] == "C" for letter in value):
        raise ValueError("runSettingId holds a control character, such as a line's end; it takes none.")
    return value


def _unknown(member: Any) -> str:
    if not isinstance(member, str):
        return f"it has a key of type {type(member).__name__}; it takes {', '.join(MEMBERS)}."
    if member in _OF_ALL:
        return (
            f"it holds {member!r}, which is the same for all runs of a batch; give it as the operator's own "
            "argument, or map OmicsStartRunOperator."
        )
    import difflib

    given = [known for known in MEMBERS if known != "name"]
    near = difflib.get_close_matches(member, given, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(MEMBERS)}."
    return f"it holds {member!r}, which an entry does not take; {hint}"


def _parameters(member: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{member} is a {type(value).__name__}; it takes an object: a dict.")
    plain: dict[str, Any] = plain_json(value, member)
    return plain


def _output(member: str, value: Any) -> Any:
    if not is_s3_location(value) or is_broken(value):
        raise ValueError(f"{member} is no S3 location; it takes one, such as 's3://bucket/folder'.")
    if len(value) > LONGEST_URI:
        raise ValueError(f"{member} has {len(value)} characters; it takes at most {LONGEST_URI}.")
    return value


def _priority(member: str, value: Any) -> int:
    number = to_priority(value)
    if number is None:
        raise ValueError(f"{member} is not in its range; it takes a whole number from 0 to 100000.")
    return number


def _owner(member: str, value: Any) -> str:
    if not isinstance(value, str) or not (len(value) == 12 and value.isascii() and value.isdigit()):
        raise ValueError(f"{member} is no AWS account; it takes the account's id, text of 12 digits.")
    return value


def _tags(member: str, value: Any) -> Any:
    if not is_text_to_text(value):
        raise ValueError(f"{member} takes a dict of text to text, such as {{'project': 'cohort-7'}}.")
    if (wrong := wrong_tag(value)) is not None:
        raise ValueError(f"{member} {wrong}")
    return plain_json(value, member)


def _as_given(member: str, value: Any) -> Any:
    return value


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "runSettingId": _as_given,
    "name": _as_given,
    "outputUri": _output,
    "priority": _priority,
    "parameters": _parameters,
    "outputBucketOwnerId": _owner,
    "runTags": _tags,
    "engineSettings": lambda member, value: plain_json(value, member),
}
MEMBERS: Final = tuple(_CHECKS)
"""The members of an entry, by AWS's names."""

_OF_ALL: Final = frozenset(
    {
        "cacheBehavior",
        "cacheId",
        "configurationName",
        "logLevel",
        "networkingMode",
        "requesterPaysEnabled",
        "retentionMode",
        "roleArn",
        "runGroupId",
        "scratchStorageMode",
        "sessionPolicy",
        "storageCapacity",
        "storageType",
        "workflowId",
        "workflowOwnerId",
        "workflowType",
        "workflowVersionName",
    }
)


def _path_of_template(entry: Mapping[str, Any]) -> str:
    for member, value in entry.items():
        for keys, text in _texts(value):
            if is_unrendered(text):
                return path_of(member, keys)
    return "it"


def _texts(value: Any) -> Iterator[tuple[list[Any], str]]:
    """Yield each text in a value, a key as well, and the keys that lead there, the innermost first."""
    if isinstance(value, str):
        yield [], value
        return
    parts: Any = ()
    if isinstance(value, dict):
        for key in value:
            # The key itself may be what is wrong, and cannot be shown then.
            yield [], key
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for key, part in parts:
        for keys, text in _texts(part):
            yield [*keys, key], text
