"""``logs/outputs.json``: which output each file is, as WDL and CWL have it; Nextflow has none.

https://docs.aws.amazon.com/omics/latest/dev/workflows-run-outputs.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.service import runs_definition, runs_record

_FOLDER = "out/"


def summary(run: Run) -> str | None:
    """Return the summary of a completed run's outputs; None if its engine writes none, or it has none."""
    engine, _ = runs_definition.source(run)
    if engine == "NEXTFLOW" or not run.life.outputs:
        return None
    root = runs_record.output_uri(run)
    found: dict[str, Any] = {}
    for key, text in run.life.outputs.items():
        name, in_array = _output_of(key)
        value: Any = f"{root}/{key}"
        if engine == "CWL":
            value = _cwl_file(value, text)
        if name not in found:
            found[name] = [value] if in_array else value
        else:
            # Two files of one output are an array, whatever their folders say.
            before = found[name]
            found[name] = [*(before if isinstance(before, list) else [before]), value]
    workflow = runs_definition.workflow_name(run)
    if workflow is not None:
        found = {f"{workflow}.{name}": value for name, value in found.items()}
    return json.dumps(found, indent=2) + "\n"


def _output_of(key: str) -> tuple[str, bool]:
    """Return which output of the workflow a file is, and whether that is an array."""
    folder, _, file = key.removeprefix(_FOLDER).rpartition("/")
    name, _, rest = folder.partition("/")
    return name or file.partition(".")[0], rest.partition("/")[0].isdigit()


def _cwl_file(uri: str, text: str | None) -> Mapping[str, Any]:
    content = (text or "").encode()
    return {
        "class": "File",
        "location": uri,
        "basename": uri.rpartition("/")[2],
        "size": len(content),
        "checksum": f"sha1${hashlib.sha1(content, usedforsecurity=False).hexdigest()}",
    }
