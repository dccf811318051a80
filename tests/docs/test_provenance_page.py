"""docs/use/provenance.md: its manifest is one, and its code and its command say what the product says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_omics.emulator import mock_omics
from airflow_omics.hooks import OmicsHook
from airflow_omics.provenance import parameters_digest, provenance_of, to_json

pytestmark = pytest.mark.any_airflow

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "use" / "provenance.md").read_text()
SCHEMA = json.loads((DOCS / "reference" / "schemas" / "provenance-1.json").read_text())
[SHOWN] = re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)
[COMMAND] = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
MANIFEST = json.loads(SHOWN)
PARAMETERS: dict[str, Any] = {
    "reads": "s3://amzn-s3-demo-bucket/reads/s1.fastq.gz",
    "reference": "s3://amzn-s3-demo-bucket/reference/hg38.fasta",
    "depth": 30.0,
}


@pytest.fixture
def code() -> dict[str, Any]:
    """Every name that the page's Python gives to something."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL):
        exec(block, names)
    return names


def record() -> dict[str, Any]:
    """The record of the run whose manifest the page shows."""
    run, workflow, made = MANIFEST["run"], MANIFEST["workflow"], MANIFEST["madeBy"]
    own = {key: str(value) for key, value in MANIFEST["startedFor"].items()}
    return {
        **run,
        **MANIFEST["times"],
        **MANIFEST["who"],
        "workflowId": workflow["id"],
        "workflowUuid": workflow["uuid"],
        "workflowType": workflow["type"],
        "workflowVersionName": workflow["versionName"],
        "digest": made["definition"]["digest"],
        "parameters": PARAMETERS,
        "resourceDigests": {**made["inputs"], **made["images"]},
        "storageType": "DYNAMIC",
        "cacheId": "7654321",
        "cacheBehavior": "CACHE_ON_FAILURE",
        "tags": {"project": "p1", "airflow-omics:token": "t", **{f"airflow:{k}": v for k, v in own.items()}},
    }


def version() -> dict[str, Any]:
    return {
        "workflowId": MANIFEST["workflow"]["id"],
        "versionName": MANIFEST["workflow"]["versionName"],
        "engine": "WDL",
        "main": "main.wdl",
        "digest": MANIFEST["madeBy"]["definition"]["workflowDigest"],
        "definitionRepositoryDetails": {
            "fullRepositoryId": "lab/germline",
            "sourceReference": {"type": "COMMIT", "value": "3f1c2d4"},
        },
    }


def test_the_manifest_of_the_page_is_what_the_product_makes_byte_for_byte() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(MANIFEST)
    made = provenance_of(record(), workflow=version(), task=MANIFEST["recordedBy"])
    assert to_json(made) == SHOWN


def test_every_member_of_the_schema_is_on_the_page() -> None:
    for name, member in SCHEMA["properties"].items():
        assert f'"{name}"' in SHOWN, name
        if name == "madeBy":
            for inner, of_it in member["properties"].items():
                for path in [f"{inner}.{deep}" for deep in of_it.get("properties", ())] or [inner]:
                    assert f"`{path}`" in PAGE, path


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PARAMETERS),
        '{"b": [1.0, 1e2, 0.1, -0.0, 1e-7, 123456789012345678901234567890], "a": {"\u00e9\U0001f9ec": null}}',
        '{"a": 1, "a": {"nested": true}}',
        "{}",
    ],
)
def test_the_command_of_the_page_says_the_same_digest(text: str) -> None:
    command = shlex.split(COMMAND)
    assert command[0] == "python3"
    done = subprocess.run(
        [sys.executable, *command[1:]], input=text.encode(), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().strip() == parameters_digest(json.loads(text))


def test_the_comparison_of_the_page(code: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    first, second, third = (tmp_path / f"{n}.json" for n in range(3))
    first.write_text(SHOWN)
    second.write_text(to_json(provenance_of({**record(), "uuid": "other"}, workflow=version())))
    third.write_text(
        to_json(provenance_of({**record(), "uuid": "other", "digest": "sha256:b", "parameters": None}))
    )
    assert code["same_result_expected"](first, second) is True
    assert capsys.readouterr().out == ""
    assert code["same_result_expected"](first, third) is False
    digest = MANIFEST["madeBy"]["definition"]["digest"]
    assert (
        capsys.readouterr().out == f"definition.digest: {digest} -> sha256:b\nnot known: parametersDigest\n"
    )


def test_the_task_of_the_page(code: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"region_name": "us-east-1"}}'
    )
    with mock_omics() as control:
        control.freeze()
        [run_id] = control.start_runs(1, life="completed")
        control.advance(20_000)
        manifest = code["manifest_of"](run_id)
        assert manifest["run"]["uuid"] == OmicsHook().get_run(run_id)["uuid"]
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)
