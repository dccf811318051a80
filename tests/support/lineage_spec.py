"""Validates what our tasks send to OpenLineage against the specification's own schemas.

They are in OpenLineage's repository, which is not part of this one::

    python -m tests.support.lineage_spec --spec <a checkout of OpenLineage>/spec

It executes every mode of ``tests.support.lineage_modes`` on this environment's Airflow and prints how many
events there were and how many are invalid, and whether our own schema refuses what the specification does.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import tests.support.environment  # noqa: F401  before anything imports Airflow
from tests.support.lineage import Collected, Event
from tests.support.lineage_schema import FORMATS, OWN_FACET, faults_of, sentences

ROLES = {
    "run": "RunFacet.json",
    "job": "JobFacet.json",
    "dataset": "DatasetFacet.json",
    "input": "InputDatasetFacet.json",
    "output": "OutputDatasetFacet.json",
}
"""How the file of a facet's schema ends, by what the facet is of."""


class Specification:
    """The schemas of a checkout.

    :param folder: its folder ``spec``.
    """

    def __init__(self, folder: Path) -> None:
        core = json.loads((folder / "OpenLineage.json").read_text())
        self.version = core["$id"]
        facets = {
            path.name: json.loads(path.read_text()) for path in sorted((folder / "facets").glob("*.json"))
        }
        facets[f"own{ROLES['run']}"] = json.loads(OWN_FACET.read_text())
        registry: Registry[Any] = Registry().with_resources(
            (schema["$id"], Resource.from_contents(schema)) for schema in (core, *facets.values())
        )
        self._core = Draft202012Validator(core, registry=registry, format_checker=FORMATS)
        self._facets: dict[tuple[str, str], Any] = {}
        for file, schema in facets.items():
            validator = Draft202012Validator(schema, registry=registry, format_checker=FORMATS)
            for name in schema.get("properties", {}):
                self._facets[_role_of(file), name] = validator
        self.facets: Counter[str] = Counter()

    def faults_of(self, event: Any) -> list[str]:
        """Return what is wrong with an event, a sentence each."""
        found = sentences(self._core, event)
        if found:
            return found
        for role, where, facets in _facets_of(event):
            for name, facet in facets.items():
                validator = self._facets.get((role, name))
                self.facets[f"{role} {name}{'' if validator else ' (no schema in the specification)'}"] += 1
                if validator:
                    found += [f"{where}{fault}" for fault in sentences(validator, {name: facet})]
        return found


def _role_of(file: str) -> str:
    """Return whose facet a schema is about; ``InputDatasetFacet`` ends as ``DatasetFacet`` does."""
    fits = [(len(end), role) for role, end in ROLES.items() if file.endswith(end)]
    return max(fits)[1] if fits else "any"


def _facets_of(event: Event) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for role in ("run", "job"):
        yield role, f"{role}.facets", (event.get(role) or {}).get("facets") or {}
    for member, own in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        for number, dataset in enumerate(event.get(member) or []):
            yield "dataset", f"{member}[{number}].facets", dataset.get("facets") or {}
            yield member.removesuffix("s"), f"{member}[{number}].{own}", dataset.get(own) or {}


def _set(*path: Any, to: Any = None) -> Callable[[Event], None]:
    """Return what breaks an event: it sets the member at a path, or takes it away."""

    def break_it(event: Any) -> None:
        for name in path[:-1]:
            event = event[name]
        if to is None:
            del event[path[-1]]
        else:
            event[path[-1]] = to

    return break_it


BREAKS: dict[str, Callable[[Event], None]] = {
    "no run": _set("run"),
    "no run id": _set("run", "runId"),
    "a run id that is no UUID": _set("run", "runId", to="manual__2026"),
    "no job": _set("job"),
    "a job without a namespace": _set("job", "namespace"),
    "an unknown kind of event": _set("eventType", to="COMPLETED"),
    "no time": _set("eventTime"),
    "a time that is none": _set("eventTime", to="today"),
    "no producer": _set("producer"),
    "a producer that is no URI": _set("producer", to="airflow omics"),
    "inputs that are no list": _set("inputs", to={}),
    "an input without a name": _set("inputs", 0, "name"),
    "an output without a namespace": _set("outputs", 0, "namespace"),
    "a version without its value": _set("inputs", 0, "facets", "version", "datasetVersion"),
    "a version that is a number": _set("inputs", 0, "facets", "version", "datasetVersion", to=7),
    "a facet without a producer": _set("run", "facets", "omics_run", "_producer"),
    "a facet without a schema": _set("run", "facets", "omics_run", "_schemaURL"),
    "a facet whose schema has no URI": _set("run", "facets", "omics_run", "_schemaURL", to="omics run"),
    "a query without an id": _set("run", "facets", "externalQuery", "externalQueryId"),
    "a query without a source": _set("run", "facets", "externalQuery", "source"),
    "a parent without a run": _set("run", "facets", "parent", "run"),
    "a parent's job without a name": _set("run", "facets", "parent", "job", "name"),
    "a type of job without its integration": _set("job", "facets", "jobType", "integration"),
}
"""Ways to break the event of a task that has waited for a run with an input."""


def is_whole(event: Event) -> bool:
    """Return whether an event has what :data:`BREAKS` breaks."""
    facets = event["run"]["facets"]
    inputs = event["inputs"]
    return bool(
        "omics_run" in facets
        and "externalQuery" in facets
        and "parent" in facets
        and event["outputs"]
        and inputs
        and "version" in inputs[0]["facets"]
    )


def broken(event: Event) -> Iterator[tuple[str, Event]]:
    """Return copies of an event, each broken in one way, and which it is."""
    for name, break_it in BREAKS.items():
        copied = copy.deepcopy(event)
        break_it(copied)
        yield name, copied


def main(arguments: list[str]) -> int:
    """Collect, validate, print; 1 if an event is invalid or our schema is weaker than the specification."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spec", type=Path, required=True, help="the folder spec of an OpenLineage checkout")
    parser.add_argument("--events", type=Path, help="a folder of events that were collected before")
    options = parser.parse_args(arguments)
    specification = Specification(options.spec)
    from tests.support.lineage_modes import collect_all

    with tempfile.TemporaryDirectory() as folder:
        events = Collected(options.events).events() if options.events else collect_all(Path(folder))
    faults = [(event, found) for event in events if (found := specification.faults_of(event))]
    facets = dict(sorted(specification.facets.items()))
    ours = [(event, found) for event in events if (found := faults_of(event))]
    for event, found in (*faults, *ours):
        print(event["eventType"], event["job"]["name"], *found, sep="\n  ")
    whole = next((event for event in events if is_whole(event)), None)
    weaker = ["no event had inputs, an output, a query and our facet"]
    if whole is not None:
        # Without a run it is a valid event about a job, which none of ours is.
        weaker = [f"our own schema accepts {name}" for name, one in broken(whole) if not faults_of(one)]
        refused = sum(bool(specification.faults_of(one)) for _, one in broken(whole))
        print(f"broken events that the specification refuses: {refused} of {len(BREAKS)}")
    print(*weaker, sep="\n")
    print(json.dumps(facets, indent=1))
    print(f"specification: {specification.version}")
    print(f"events: {len(events)} {dict(Counter(event['eventType'] for event in events))}")
    print(f"invalid by the specification: {len(faults)}; by our own schema: {len(ours)}")
    return int(bool(faults or ours or weaker))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
