"""OmicsListRunOutputsOperator lists what a run left in S3, and fails if an output is missing or empty."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from typing import Any

import pytest

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

from airflow_omics._compat import AirflowFailException
from airflow_omics._outputs import reader
from airflow_omics.exceptions import (
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunCancelledError,
    OmicsRunDeletedError,
    OmicsRunError,
    OmicsRunFailedError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks import OmicsHook
from tests.support.fixtures import Output
from tests.support.outputs import BUCKET, ROOT, completed_run, leave, list_outputs, make, names, paths, s3
from tests.support.sensors import TaskInstance, context_of

pytestmark = [pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

FILES = {"out/a.vcf.gz": 30, "out/a.vcf.gz.tbi": 4, "out/qc/deep/a.html": 7, "a.bam": 90}
DEFAULT_LIST = ["a.bam", *(path for path in FILES if path != "a.bam")]


# -- what is listed ------------------------------------------------------------------------------------------


def test_an_output_has_all_that_s3_and_the_workflow_say(omics: Any) -> None:
    run_id = completed_run(omics, {"out/a.vcf.gz": b"variants"}, {"Call.vcf": "{root}/out/a.vcf.gz"})
    [output] = list_outputs(run_id=run_id)
    key = f"cohort/{run_id}/out/a.vcf.gz"
    written = s3().head_object(Bucket=BUCKET, Key=key)["LastModified"]
    assert output == {
        "uri": f"s3://{BUCKET}/{key}",
        "bytes": 8,
        "etag": hashlib.md5(b"variants").hexdigest(),
        "lastModified": written.isoformat(),
        "run_id": run_id,
        "name": "Call.vcf",
    }
    assert output["lastModified"].endswith("+00:00")


def test_what_the_emulators_runs_write_is_listed(omics: Any) -> None:
    [run_id] = omics.start_runs(1, "completed", outputUri=ROOT, logs=True)
    omics.advance(20_000)
    assert paths(list_outputs(run_id=run_id)) == ["out/variants/sample.vcf"]


def test_all_outputs_are_listed_and_nothing_of_another_run(omics: Any) -> None:
    run_id = completed_run(omics, {**FILES, "logs/engine.log": 5})
    leave(f"{run_id}0", {"out/other.vcf.gz": 3})  # another run's id begins with this one's
    assert paths(list_outputs(run_id=run_id)) == DEFAULT_LIST


def test_a_record_stands_for_its_run_and_only_its_identity_is_kept(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    record = dict(OmicsHook().get_run(run_id))
    task = make(run_id={**record, "parameters": {"sample": "PATIENT-4711"}})
    assert task.run_id == {key: record[key] for key in ("id", "uuid", "arn")}
    assert len(task.execute(context_of(TaskInstance()))) == 4


@pytest.mark.parametrize("output_uri", [ROOT, f"{ROOT}/", f"s3://{BUCKET}"])
def test_the_folder_is_the_one_that_the_record_names(omics: Any, output_uri: str) -> None:
    [run_id] = omics.start_runs(1, "completed", outputUri=output_uri, logs=True)
    omics.advance(20_000)
    folder = OmicsHook().get_run(run_id)["runOutputUri"]
    assert [output["uri"] for output in list_outputs(run_id=run_id)] == [f"{folder}/out/variants/sample.vcf"]


@pytest.mark.parametrize(
    "path",
    [
        "out/a b.txt",
        "out/a+b.txt",
        "out/ä/Größe.txt",
        "out/100%.txt",
        "out/a%20b.txt",
        "out/[1].txt",
        "o/#?&=.x",
    ],
)
def test_a_name_is_given_as_it_is_in_s3(omics: Any, path: str) -> None:
    run_id = completed_run(omics, {path: 3}, {"W.file": "{root}/" + path})
    outputs = list_outputs(run_id=run_id)
    assert names(outputs) == {path: "W.file"}
    bucket, _, key = outputs[0]["uri"].removeprefix("s3://").partition("/")
    assert s3().head_object(Bucket=bucket, Key=key)["ContentLength"] == 3


def test_a_folder_that_somebody_made_is_no_output(omics: Any) -> None:
    run_id = completed_run(omics, {"": 0, "out/": 0, "out/a.txt": 1, "logs/": 0})
    assert paths(list_outputs(run_id=run_id)) == ["out/a.txt"]
    assert paths(list_outputs(run_id=run_id, pattern="out/**")) == ["out/a.txt"]


def test_pages_are_followed(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = completed_run(omics, {f"out/{number:04}.txt": 1 for number in range(1205)})
    found = list_outputs(run_id=run_id, max_outputs=2000)
    assert paths(found) == [f"out/{number:04}.txt" for number in range(1205)]
    monkeypatch.setattr(reader, "MOST_PAGES", 1)
    with pytest.raises(OmicsRequestError) as caught:
        list_outputs(run_id=run_id, max_outputs=2000)
    assert str(caught.value) == (
        f"HealthOmics run {run_id}: there are more than 1,000 objects under {ROOT}/{run_id}/; give patterns "
        "that begin with the folder that is meant, such as 'out/vcf/*.vcf.gz': only that folder is listed "
        "then."
    )
    # As it says: a narrower pattern lists less.
    assert len(list_outputs(run_id=run_id, pattern=["out/00*.txt", "out/01*.txt"], max_outputs=2000)) == 200


def test_a_folder_of_exactly_as_many_pages_as_are_listed_is_whole(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = completed_run(omics, {f"out/{number:04}.txt": 1 for number in range(1000)})
    monkeypatch.setattr(reader, "MOST_PAGES", 1)
    assert len(list_outputs(run_id=run_id)) == 1000


def test_chunks_are_lists_for_mapped_tasks(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    chunks = list_outputs(run_id=run_id, chunk_size=3)
    assert [paths(chunk) for chunk in chunks] == [DEFAULT_LIST[:3], DEFAULT_LIST[3:]]
    assert list_outputs(run_id=run_id, pattern="*.nothing", require=0, chunk_size=3) == []


def test_more_outputs_than_may_be_in_xcom_are_an_error_that_says_what_to_do(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    assert len(list_outputs(run_id=run_id, max_outputs=4)) == 4
    with pytest.raises(OmicsRequestError, match="4 outputs match, and max_outputs is 3; give") as caught:
        list_outputs(run_id=run_id, max_outputs=3)
    for remedy in ("narrower pattern", "higher max_outputs", "chunk_size", "max_map_length", "XCom"):
        assert remedy in str(caught.value)
    assert caught.value.run_id == run_id


def test_requests_are_one_look_at_the_run_one_list_and_the_summary(omics: Any, calls: list[str]) -> None:
    run_id = completed_run(omics, FILES, {"W.bam": "{root}/a.bam"})
    calls.clear()
    list_outputs(run_id=run_id)
    assert calls == ["GetRun", "ListObjectsV2", "HeadObject", "GetObject"]
    leave(run_id, {})
    s3().delete_object(Bucket=BUCKET, Key=f"cohort/{run_id}/logs/outputs.json")
    calls.clear()
    list_outputs(run_id=run_id)
    assert calls == ["GetRun", "ListObjectsV2"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that are called."""
    import botocore.client

    made, called = botocore.client.BaseClient._make_api_call, []

    def make_call(self: Any, operation: str, parameters: Any) -> Any:
        called.append(operation)
        return made(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", make_call)
    return called


# -- what is missing -----------------------------------------------------------------------------------------


def failure(**arguments: Any) -> OmicsRunError:
    with pytest.raises(OmicsRunError) as caught:
        list_outputs(**arguments)
    error = caught.value
    assert isinstance(error, AirflowFailException), "a run that has ended stays as it is: no retry helps"
    assert error.status == "COMPLETED"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    return error


def test_a_pattern_that_nothing_matches_is_named(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    error = failure(run_id=run_id, pattern=["*.bam", "out/*.bcf"])
    assert str(error) == (
        f"HealthOmics run {run_id}: its outputs are not as required: no output matches 'out/*.bcf' in "
        f"{ROOT}/{run_id}/."
    )
    assert error.run_id == run_id
    assert error.record is not None
    assert error.record["id"] == run_id


def test_too_few_outputs_are_counted(omics: Any) -> None:
    run_id = completed_run(omics, {"out/1.vcf": 1, "out/2.vcf": 1, "a.bam": 1})
    assert len(list_outputs(run_id=run_id, pattern="*.vcf", require=2)) == 2
    assert "only 2 of 3 outputs match '*.vcf'" in str(failure(run_id=run_id, pattern="*.vcf", require=3))
    # Each pattern has to be met.
    assert "'*.bam'" in str(failure(run_id=run_id, pattern=["*.vcf", "*.bam"], require=2))


@pytest.mark.parametrize("files", [{}, {"logs/engine.log": 4}, {"out/": 0}])
def test_a_run_that_left_nothing_fails_unless_none_is_required(omics: Any, files: dict[str, int]) -> None:
    run_id = completed_run(omics, files)
    assert f"no output is there in {ROOT}/{run_id}/" in str(failure(run_id=run_id))
    assert list_outputs(run_id=run_id, require=0) == []
    assert list_outputs(run_id=run_id, require=0, pattern="*.vcf") == []


def test_an_output_that_a_pattern_asks_for_and_is_empty_is_named(omics: Any) -> None:
    run_id = completed_run(omics, {"out/a.vcf": 5, "out/b.vcf": 0, "out/c.txt": 0})
    error = failure(run_id=run_id, pattern="*.vcf")
    assert str(error).endswith(f"not as required: {ROOT}/{run_id}/out/b.vcf is empty.")
    assert paths(list_outputs(run_id=run_id, pattern="*.vcf", min_bytes=0)) == ["out/a.vcf", "out/b.vcf"]


def test_an_output_that_is_too_small_is_named_with_its_size(omics: Any) -> None:
    run_id = completed_run(omics, {"out/a.bam": 27, "out/b.bam": 28})
    error = failure(run_id=run_id, pattern="*.bam", min_bytes=28)
    assert f"{ROOT}/{run_id}/out/a.bam has 27 bytes" in str(error)
    assert "b.bam" not in str(error)
    assert "only 1 of 2 outputs of at least 28 bytes match '*.bam'" in str(
        failure(run_id=run_id, pattern="*.bam", min_bytes=28, require=2)
    )


def test_without_patterns_only_an_output_that_the_workflow_names_must_not_be_empty(omics: Any) -> None:
    files = {"out/a.vcf": 5, "out/b.log": 0}
    run_id = completed_run(omics, files, {"W.vcf": "{root}/out/a.vcf"})
    assert paths(list_outputs(run_id=run_id)) == ["out/a.vcf", "out/b.log"]
    leave(run_id, {}, {"W.vcf": "{root}/out/a.vcf", "W.log": "{root}/out/b.log"})
    assert f"W.log, {ROOT}/{run_id}/out/b.log is empty" in str(failure(run_id=run_id))
    only_empty = completed_run(omics, {"out/b.log": 0})
    assert f"not as required: no output that is not empty is there in {ROOT}/{only_empty}/." in str(
        failure(run_id=only_empty)
    )


def test_outputs_that_are_there_and_empty_are_not_said_to_be_missing(omics: Any) -> None:
    run_id = completed_run(omics, {"out/a.vcf": 0, "out/b.bam": 1, "out/c.bam": 0})
    root = f"{ROOT}/{run_id}/"
    assert f": no output that is not empty matches '*.vcf' in {root}; {root}out/a.vcf is empty." in str(
        failure(run_id=run_id, pattern="*.vcf")
    )
    assert f": only 1 of 2 outputs that are not empty match '*.bam' in {root}; {root}out/c.bam is" in str(
        failure(run_id=run_id, pattern="*.bam", require=2)
    )
    assert f"only 1 of 2 outputs that are not empty are there in {root}." in str(
        failure(run_id=run_id, require=2)
    )


def test_an_output_that_the_workflow_names_and_is_not_there_is_named(omics: Any) -> None:
    summary = {"W.vcf": "{root}/out/a.vcf", "W.bams": ["{root}/out/1.bam", "{root}/out/2.bam"]}
    run_id = completed_run(omics, {"out/a.vcf": 5, "out/1.bam": 2}, summary)
    error = failure(run_id=run_id)
    assert f"W.bams is not there: its file is {ROOT}/{run_id}/out/2.bam, by logs/outputs.json" in str(error)
    assert "1.bam" not in str(error)
    # It is none of what these patterns ask for, whether they list all or less.
    assert paths(list_outputs(run_id=run_id, pattern="*.vcf")) == ["out/a.vcf"]
    assert paths(list_outputs(run_id=run_id, pattern="out/*.vcf")) == ["out/a.vcf"]
    assert "out/2.bam" in str(failure(run_id=run_id, pattern="out/*.bam"))
    assert paths(list_outputs(run_id=run_id, require=0)) == ["out/1.bam", "out/a.vcf"]


def test_a_file_elsewhere_that_the_workflow_names_is_not_looked_for(omics: Any) -> None:
    summary = {"W.ref": "s3://references/hg38.fa", "W.other": f"{ROOT}/1/out/x", "W.vcf": "{root}/out/a.vcf"}
    run_id = completed_run(omics, {"out/a.vcf": 5}, summary)
    assert names(list_outputs(run_id=run_id)) == {"out/a.vcf": "W.vcf"}


def test_of_many_faults_the_first_are_named_and_the_others_counted(omics: Any) -> None:
    run_id = completed_run(omics, {f"{number}.vcf": 0 for number in range(8)} | {"a.vcf": 1})
    error = str(failure(run_id=run_id, pattern="*.vcf"))
    assert re.findall(r"(\d)\.vcf is empty", error) == ["0", "1", "2", "3", "4"]
    assert error.endswith("; and 3 more.")


# -- runs that have not completed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "error", "says"),
    [
        ("failed-run-task-failed", OmicsRunFailedError, "is FAILED: RUN_TASK_FAILED"),
        ("cancelled", OmicsRunCancelledError, "is CANCELLED"),
    ],
)
def test_a_run_that_ended_badly_says_so(omics: Any, life: str, error: type[OmicsRunError], says: str) -> None:
    [run_id] = omics.start_runs(1, life, outputUri=ROOT)
    omics.advance(20_000)
    leave(run_id, FILES)
    with pytest.raises(error) as caught:
        list_outputs(run_id=run_id)
    assert says in str(caught.value)
    assert str(caught.value).endswith("Only a run that is COMPLETED has outputs to list.")
    assert isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("life", ["pending-forever", "running-forever"])
def test_a_run_that_goes_on_says_to_wait_for_it_and_may_be_retried(omics: Any, life: str) -> None:
    [run_id] = omics.start_runs(1, life, outputUri=ROOT)
    omics.advance(20_000)
    with pytest.raises(OmicsError, match="wait for it with OmicsRunSensor") as caught:
        list_outputs(run_id=run_id)
    assert life.partition("-")[0].upper() in str(caught.value)
    assert not isinstance(caught.value, AirflowFailException)
    assert (caught.value.kind, caught.value.run_id) == (None, run_id)


def test_a_run_that_was_deleted_is_not_found(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    omics.vanish(run_id)
    with pytest.raises(OmicsRunNotFoundError):
        list_outputs(run_id=run_id)


def test_the_outputs_of_another_run_under_the_id_are_not_listed(omics: Any) -> None:
    run_id = completed_run(omics, FILES)
    record = OmicsHook().get_run(run_id)
    omics.reuse_id(run_id)
    omics.advance(20_000)
    with pytest.raises(OmicsRunDeletedError):
        list_outputs(run_id=record)


@pytest.mark.parametrize("value", [None, "", "s3://", "file:///out"])
def test_a_record_that_does_not_say_where_is_refused_and_nothing_is_guessed(
    omics: Any, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    run_id = completed_run(omics, FILES)
    read = OmicsHook.get_run

    def without(self: OmicsHook, *arguments: Any) -> Any:
        record = {key: item for key, item in read(self, *arguments).items() if key != "runOutputUri"}
        return record if value is None else {**record, "runOutputUri": value}

    monkeypatch.setattr(OmicsHook, "get_run", without)
    with pytest.raises(OmicsRequestError, match=f"has no runOutputUri.* its outputUri is {ROOT}"):
        list_outputs(run_id=run_id)


# -- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"run_id": None}, "it takes run_id or batch_id, and neither is given."),
        ({"batch_id": "7"}, "it takes run_id or batch_id, and both are given."),
        ({"pattern": ""}, "pattern is ''; it is empty"),
        ({"pattern": []}, "pattern is empty, so nothing could match"),
        ({"pattern": 7}, "pattern is 7; it takes a glob"),
        ({"pattern": ["*.bam", None]}, "pattern holds None; it takes a glob"),
        ({"pattern": "s3://results/cohort/1/out/*.vcf"}, "and no URI"),
        ({"require": -1}, "require is -1; it takes a whole number"),
        ({"require": True}, "require is True"),
        ({"min_bytes": 1.5}, "min_bytes is 1.5"),
        ({"chunk_size": 0}, "chunk_size is 0; it takes a number of outputs, 1 or more."),
        ({"max_outputs": None}, "max_outputs is None"),
        ({"provenance": "yes"}, "provenance is 'yes'; it takes True or False."),
        ({"run_id": "manual__2026"}, "run_id is 'manual__2026'"),
    ],
)
def test_an_argument_that_can_not_be_right_is_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        make(**{"run_id": "1234567", **arguments})


def test_a_template_is_checked_once_it_is_rendered(omics: Any) -> None:
    task = make(run_id="{{ params.run }}", pattern=["out/{{ params.sample }}*.vcf.gz", "*.bam"])
    run_id = completed_run(omics, FILES)
    context: Any = {**context_of(TaskInstance()), "params": {"run": run_id, "sample": "a"}}
    task.render_template_fields(context)
    assert paths(task.execute(context)) == ["a.bam", "out/a.vcf.gz"]
    task = make(run_id=run_id, pattern="{{ params.sample }}")
    context["params"] = {"sample": ""}
    task.render_template_fields(context)
    with pytest.raises(OmicsRequestError, match="pattern is ''; it is empty"):
        task.execute(context)


def test_a_pattern_stays_a_text_where_templates_become_python_objects() -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = make(run_id="1", pattern=["{{ params.sample }}"])
    context: Any = {**context_of(TaskInstance()), "params": {"sample": "2026"}}
    task.render_template_fields(context)
    assert task.pattern == ["2026"]


def test_an_upstream_task_that_pushed_nothing_is_named(omics: Any) -> None:
    task = make(run_id="1")
    task.run_id = None
    with pytest.raises(OmicsRequestError, match="None comes from an upstream task that pushed nothing"):
        task.execute(context_of(TaskInstance()))


# -- S3 ------------------------------------------------------------------------------------------------------


def test_a_bucket_that_is_not_there_is_named(omics: Any) -> None:
    [run_id] = omics.start_runs(1, "completed", outputUri="s3://gone/cohort")
    omics.advance(20_000)
    with pytest.raises(OmicsRequestError, match=rf"NoSuchBucket.*s3://gone/cohort/{run_id}/"):
        list_outputs(run_id=run_id)


def test_names_that_may_not_be_read_are_a_warning(
    omics: Any, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.iam import allow_only_in_s3

    run_id = completed_run(omics, FILES, {"W.bam": "{root}/a.bam"})
    allow_only_in_s3(monkeypatch, {"s3:ListBucket"})
    found = list_outputs(run_id=run_id)
    assert (paths(found), names(found)) == (DEFAULT_LIST, {})
    said = output()
    assert "its outputs have no names" in said
    assert "Allow s3:GetObject to the caller" in said


def test_a_bucket_of_another_account_says_who_has_to_allow_it(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.iam import allow_only_in_s3

    run_id = completed_run(omics, FILES)
    allow_only_in_s3(monkeypatch, ())
    with pytest.raises(OmicsAccessError, match="Allow s3:ListBucket to the caller") as caught:
        list_outputs(run_id=run_id)
    assert f"{ROOT}/{run_id}/; the worker calls S3 with the identity of its" in str(caught.value)
    assert "of another account, its policy must allow it as well" in str(caught.value)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("argument", ["run_id", "batch_id"])
def test_a_template_that_renders_to_nothing_is_named(omics: Any, argument: str, value: Any) -> None:
    task = make(**{argument: "{{ params.which }}"})
    setattr(task, argument, value)  # as Airflow does once it has rendered it
    with pytest.raises(OmicsRequestError, match=f"^{argument} is {value!r}"):
        task.execute(context_of(TaskInstance()))


def test_the_links_of_the_task_lead_to_its_run(omics: Any) -> None:
    run_id, ti = completed_run(omics, FILES), TaskInstance()
    make(run_id=run_id).execute(context_of(ti))
    assert run_id in str(ti.links)


# -- what made them ------------------------------------------------------------------------------------------


def test_what_made_the_outputs_is_kept_beside_them_once_they_are_as_required(
    omics: Any, output: Output
) -> None:
    run_id = completed_run(omics, FILES)
    key = f"cohort/{run_id}/logs/provenance.json"
    failure(run_id=run_id, pattern="*.none", provenance=True)
    list_outputs(run_id=run_id)
    assert key not in {item["Key"] for item in s3().list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert paths(list_outputs(run_id=run_id, provenance=True)) == DEFAULT_LIST
    kept = json.loads(s3().get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert (kept["run"]["id"], kept["run"]["runOutputUri"]) == (run_id, f"{ROOT}/{run_id}")
    assert kept["recordedBy"] == {
        "dag_id": "dag",
        "run_id": "manual__1",
        "task_id": "gate",
        "map_index": -1,
    }
    assert f"HealthOmics run {run_id}: what made its outputs is in s3://{BUCKET}/{key}" in output()


# -- privacy -------------------------------------------------------------------------------------------------


def test_no_log_line_and_no_error_holds_what_the_run_was_given(omics: Any, output: Output) -> None:
    marker = "PATIENT-4711"
    run_id = completed_run(omics, FILES, parameters={"sample": marker}, tags={"patient": marker})
    assert marker not in str(list_outputs(run_id=run_id))
    assert marker not in str(failure(run_id=run_id, pattern="*.none"))
    assert marker not in output()
