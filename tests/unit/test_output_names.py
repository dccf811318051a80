"""The workflow's own names of its outputs, from what HealthOmics writes for WDL and CWL."""

from __future__ import annotations

import json
import time
from typing import Any, cast

import pytest

from airflow_omics._outputs import reader
from airflow_omics._outputs.names import OutputNames
from airflow_omics._outputs.patterns import Patterns
from airflow_omics._outputs.reader import Output as Listed
from airflow_omics._outputs.reader import OutputsReader
from airflow_omics.exceptions import OmicsRunError
from airflow_omics.hooks.objects import ListedObject
from tests.support.fixtures import Output
from tests.support.outputs import BUCKET, ROOT, completed_run, leave, list_outputs, names, paths, s3

pytestmark = [pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

WDL = {
    "W.merged_bam": "{root}/out/merged_bam/a.bam",
    "W.bams": ["{root}/out/bams/0/1.bam", "{root}/out/bams/1/2.bam"],
    "W.by_lane": [["{root}/out/l/0.txt"], [], ["{root}/out/l/1.txt", None]],
    "W.result": {"bam": "{root}/out/s/a.bam", "more": {"bai": "{root}/out/s/a.bai"}, "depth": 30},
    "W.by_sample": {"NA12878": "{root}/out/m/a.vcf", "NA12891": ["{root}/out/m/b.vcf"]},
    "W.pair": {"left": "{root}/out/p/l.txt", "right": 7},
    "W.count": 3,
    "W.ok": False,
    "W.ratio": 0.5,
    "W.text": "s3 is a service",
    "W.nothing": None,
}
NAMED_BY_WDL = {
    "out/merged_bam/a.bam": "W.merged_bam",
    "out/bams/0/1.bam": "W.bams",
    "out/bams/1/2.bam": "W.bams",
    "out/l/0.txt": "W.by_lane",
    "out/l/1.txt": "W.by_lane",
    "out/s/a.bam": "W.result.bam",
    "out/s/a.bai": "W.result.more.bai",
    "out/m/a.vcf": "W.by_sample.NA12878",
    "out/m/b.vcf": "W.by_sample.NA12891",
    "out/p/l.txt": "W.pair.left",
}
CWL = {
    "bam": {
        "location": "{root}/out/a.bam",
        "basename": "a.bam",
        "class": "File",
        "size": 1,
        "secondaryFiles": [
            {"location": "{root}/out/a.bam.bai", "class": "File"},
            {"location": "{root}/out/extra", "class": "Directory"},
        ],
    },
    "reports": [{"location": "{root}/out/r/1.html", "class": "File"}, None],
    "folder": {
        "location": "{root}/out/dir/",
        "class": "Directory",
        "listing": [{"location": "{root}/elsewhere/c.txt", "class": "File"}],
    },
    "record": {"vcf": {"location": "{root}/out/rec/a.vcf", "class": "File"}, "n": 2},
    "spaced": {"location": "{root}/out/a%20b.txt", "class": "File"},
    "literal": {"contents": "no location", "class": "File"},
    "none": None,
}
NAMED_BY_CWL = {
    "out/a.bam": "bam",
    "out/a.bam.bai": "bam",
    "out/extra/x/y.txt": "bam",
    "out/r/1.html": "reports",
    "out/dir/a.txt": "folder",
    "out/dir/deep/b.txt": "folder",
    "elsewhere/c.txt": "folder",
    "out/rec/a.vcf": "record.vcf",
    "out/a b.txt": "spaced",
}


@pytest.mark.parametrize(("summary", "named"), [(WDL, NAMED_BY_WDL), (CWL, NAMED_BY_CWL)], ids=["WDL", "CWL"])
def test_each_output_has_the_workflows_own_name(
    omics: Any, summary: dict[str, Any], named: dict[str, str]
) -> None:
    run_id = completed_run(omics, {**dict.fromkeys(named, 1), "out/unnamed.txt": 1}, summary)
    outputs = list_outputs(run_id=run_id)
    assert names(outputs) == named
    assert set(paths(outputs)) == {*named, "out/unnamed.txt"}
    # A list of one folder alone has the same names.
    narrow = list_outputs(run_id=run_id, pattern="out/**")
    assert names(narrow) == {path: name for path, name in named.items() if path.startswith("out/")}


def test_a_directory_that_is_not_there_is_missing(omics: Any) -> None:
    summary = {"d": {"location": "{root}/out/d", "class": "Directory"}}
    run_id = completed_run(omics, {"out/other.txt": 1, "out/dd/a.txt": 1}, summary)
    with pytest.raises(OmicsRunError, match="d is not there: its file is"):
        list_outputs(run_id=run_id)


def test_the_other_name_of_the_summary_is_read_as_well(omics: Any) -> None:
    """AWS's page says output.json of WDL, and outputs.json of CWL."""
    run_id = completed_run(omics, {"out/a.vcf": 1})
    summary = json.dumps({"W.vcf": f"s3://{BUCKET}/cohort/{run_id}/out/a.vcf"})
    leave(run_id, {"logs/output.json": summary.encode()})
    for pattern in (None, "out/*.vcf"):
        assert names(list_outputs(run_id=run_id, pattern=pattern)) == {"out/a.vcf": "W.vcf"}


@pytest.mark.parametrize("text", ["s3://results", f"{ROOT}/", "{root}", "{root}/"])
def test_a_text_that_is_a_folder_above_the_outputs_names_none_of_them(omics: Any, text: str) -> None:
    """Otherwise each file would have its name, and an empty one would fail the task."""
    run_id = completed_run(omics, {"out/a.vcf": 1, "out/b.log": 0}, {"W.where": text})
    assert names(list_outputs(run_id=run_id)) == {}


def test_a_name_takes_no_longer_the_more_files_there_are() -> None:
    root, stored = "s3://b/r/1/", ListedObject("", 1, "e", "2026-03-01T00:00:00+00:00")
    files = {f"out/a {number}.txt": stored for number in range(20_000)}
    told = [{"class": "File", "location": f"{root}{path}".replace(" ", "%20")} for path in files]
    names_of = OutputNames(json.dumps({"W.all": told}).encode())
    outputs = [Listed(path, root + path, 1, "e", "", "1") for path in files]
    began = time.process_time()
    assert (
        list(OutputsReader(cast("Any", None), Patterns(None), None)._missing(outputs, names_of, root, files))
        == []
    )
    assert time.process_time() - began < 5


def test_of_two_names_the_first_counts(omics: Any) -> None:
    summary = {"W.b": "{root}/out/a.vcf", "W.a": ["{root}/out/a.vcf"]}
    run_id = completed_run(omics, {"out/a.vcf": 1}, summary)
    assert names(list_outputs(run_id=run_id)) == {"out/a.vcf": "W.b"}


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is no JSON object"),
        ('"s3://x/y"', "it is no JSON object"),
    ],
)
def test_a_summary_that_is_none_is_a_warning(omics: Any, output: Output, summary: str, says: str) -> None:
    run_id = completed_run(omics, {"out/a.vcf": 1})
    leave(run_id, {"logs/outputs.json": summary.encode()})
    found = list_outputs(run_id=run_id)
    assert (paths(found), names(found)) == (["out/a.vcf"], {})
    assert f"HealthOmics run {run_id}: its outputs have no names: {says}" in output()


def test_a_summary_that_is_not_utf_8_is_a_warning(omics: Any, output: Output) -> None:
    run_id = completed_run(omics, {"out/a.vcf": 1, "logs/outputs.json": b'{"a": "\xff\xfe"}'})
    assert names(list_outputs(run_id=run_id)) == {}
    assert "its outputs have no names: it is not JSON" in output()


def test_a_summary_that_is_too_large_is_not_read(
    omics: Any, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = completed_run(omics, {"out/a.vcf": 1}, {"W.vcf": "{root}/out/a.vcf"})
    size = s3().head_object(Bucket=BUCKET, Key=f"cohort/{run_id}/logs/outputs.json")["ContentLength"]
    monkeypatch.setattr(reader, "LARGEST", size)
    assert names(list_outputs(run_id=run_id)) == {"out/a.vcf": "W.vcf"}
    monkeypatch.setattr(reader, "LARGEST", size - 1)
    assert names(list_outputs(run_id=run_id)) == {}
    assert f"logs/outputs.json is larger than {size - 1} bytes" in output()


def test_values_that_are_nested_without_end_are_passed_over() -> None:
    deep: Any = "s3://b/k"
    for _ in range(200):
        deep = [deep]
    assert OutputNames(json.dumps({"W.deep": deep, "W.a": "s3://b/a"}).encode()).told == [
        ("W.a", ("s3://b/a",))
    ]


def test_a_run_without_a_summary_has_no_names_and_no_warning(omics: Any, output: Output) -> None:
    """A Nextflow run has none."""
    run_id = completed_run(omics, {"pubdir/a.txt": 1})
    output()
    for pattern in (None, "pubdir/*"):
        assert names(list_outputs(run_id=run_id, pattern=pattern)) == {}
    assert "names" not in output()
