"""How two runs differ in what made their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from airflow_omics.provenance.text import SCHEMA, at

_COMPARED: Final = (
    "accelerators",
    "engine.main",
    "engine.name",
    "engine.settingsDigest",
    "engine.version",
    "networkingMode",
    "parametersDigest",
)
_DEFINITIONS: Final = ("definition.digest", "definition.workflowDigest")


_UNKNOWN: Final = object()


class Comparison(NamedTuple):
    """How two runs differ in what made their outputs.

    :param same: whether nothing differs, and everything is known that would have to be the same.
    :param differences: by what differs, such as ``"parametersDigest"`` or ``"inputs s3://bucket/key"``, the
        value of each of the two; None if one has none.
    :param incomplete: what can't be compared, since it is not known of one of the two or of both.
    """

    same: bool
    differences: Mapping[str, tuple[Any, Any]]
    incomplete: tuple[str, ...] = ()


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Return how two manifests differ in what made the outputs: in their member ``madeBy``, and nothing else.

    :param one: a manifest of :func:`provenance_of`, also one that was read from its file.
    :param other: another.
    :raises ValueError: one of them is no such manifest.
    """
    pair = (_checked(one, "one"), _checked(other, "other"))
    differences: dict[str, tuple[Any, Any]] = {}
    incomplete: set[str] = set()
    for path in _COMPARED:
        first, second = (_compared(manifest, path) for manifest in pair)
        if _UNKNOWN in (first, second):
            incomplete.add(path)
        elif first != second:
            differences[path] = (first, second)
    digests = {path: tuple(at(manifest["madeBy"], path) for manifest in pair) for path in _DEFINITIONS}
    known = {path: (a, b) for path, (a, b) in digests.items() if a is not None and b is not None}
    differences.update({path: (a, b) for path, (a, b) in known.items() if a != b})
    if not known:
        incomplete.add("definition")
    for kind in ("inputs", "images"):
        differences.update(_differing(pair, kind))
        if any(kind in manifest["incomplete"] for manifest in pair):
            incomplete.add(kind)
    incomplete -= _inferred(pair, incomplete)
    ordered = {name: differences[name] for name in sorted(differences)}
    return Comparison(not ordered and not incomplete, ordered, tuple(sorted(incomplete)))


def _checked(manifest: Any, which: str) -> Mapping[str, Any]:
    if isinstance(manifest, Mapping) and manifest.get("schema") == SCHEMA:
        made_by, incomplete = manifest.get("madeBy"), manifest.get("incomplete")
        objects = [manifest.get(part, {}) for part in ("run", "workflow")]
        if isinstance(made_by, Mapping):
            objects += [made_by.get(part, {}) for part in ("definition", "engine", "inputs", "images")]
            is_whole = all(isinstance(part, Mapping) for part in objects)
            if (
                is_whole
                and isinstance(incomplete, list)
                and all(isinstance(name, str) for name in incomplete)
            ):
                return manifest
    raise ValueError(
        f"{which} is no manifest of the schema {SCHEMA}; give what provenance_of has returned, or "
        "json.load of its file."
    )


def _compared(manifest: Mapping[str, Any], path: str) -> Any:
    """Return a value of ``madeBy``; None if there is none, and _UNKNOWN if that is not known."""
    value = at(manifest["madeBy"], path)
    if value is None and path in manifest["incomplete"]:
        return _UNKNOWN
    # The service's own default: a run without it is one with it.
    return "RESTRICTED" if value is None and path == "networkingMode" else value


def _differing(pair: tuple[Mapping[str, Any], ...], kind: str) -> dict[str, tuple[Any, Any]]:
    """Return the inputs or images that differ; one that an incomplete list lacks does not."""
    first, second = (manifest["madeBy"].get(kind) or {} for manifest in pair)
    whole = [kind not in manifest["incomplete"] for manifest in pair]
    found = {}
    for name in {*first, *second}:
        values = (first.get(name), second.get(name))
        if values[0] != values[1] and all(
            value is not None or is_whole for value, is_whole in zip(values, whole, strict=True)
        ):
            found[f"{kind} {name}"] = values
    return found


def _inferred(pair: tuple[Mapping[str, Any], ...], incomplete: set[str]) -> set[str]:
    """Return what need not be known, since it can't differ."""
    one, other = pair
    if at(one, "run.uuid") is not None and at(one, "run.uuid") == at(other, "run.uuid"):
        return incomplete  # two manifests of one run
    same = all(at(one, path) == at(other, path) for path in ("workflow.uuid", "workflow.versionName"))
    known = not any("workflow.versionName" in manifest["incomplete"] for manifest in pair)
    if same and known and at(one, "workflow.uuid") is not None:
        return {"engine.name", "engine.main"}  # nobody can change these of a workflow, or of its version
    return set()
