"""What cannot be right is one sentence, and no batch is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_omics.exceptions import OmicsAccessError, OmicsRequestError
from airflow_omics.operators import SampleSheet
from tests.support.start_batches import BUCKET, StartBatch, batches, cohort, make
from tests.support.start_operators import OUTPUT

pytestmark = pytest.mark.any_airflow
BAD_AT_PARSE: list[tuple[dict[str, Any], str]] = [
    ({"run_settings": None}, "run_settings is None: it is not given"),
    ({"run_settings": 7}, "run_settings is a int; it takes a list of entries"),
    ({"run_settings": "cohort"}, "run_settings is text, but not the path of a file"),
    (
        {"run_settings": f"s3://{BUCKET}/cohort.csv"},
        f"run_settings is 's3://{BUCKET}/cohort.csv'; in S3 it takes a JSON",
    ),
    ({"run_settings": {"runSettingId": "s1"}}, "run_settings is one entry and no list of them"),
    ({"workflow_id": None}, "workflow_id is missing; it takes the id of a workflow, such as '1234567'."),
    ({"role_arn": "role"}, "role_arn is 'role'; it takes the ARN of an IAM role"),
    ({"output_uri": "bucket"}, "output_uri is 'bucket'; it takes an S3 location"),
    (
        {"workflow_type": "READY2RUN"},
        "workflow_type is 'READY2RUN', and a batch takes private workflows alone; map",
    ),
    ({"max_failures": -1}, "max_failures is -1"),
    ({"max_failure_ratio": 1.5}, "max_failure_ratio is 1.5; it takes a share"),
    ({"max_failure_ratio": True}, "max_failure_ratio is True"),
    ({"on_too_many_failures": "stop"}, "on_too_many_failures is 'stop'; it takes 'wait' or 'cancel'."),
    ({"on_clear": "again"}, "on_clear is 'again'; it takes 'failed' or 'new' or 'reattach'."),
    ({"rerun_failed": "2"}, "rerun_failed is '2'; it takes a whole number, 0 or more."),
    ({"rerun_with": {"OUT_OF_MEMORY_ERROR": {"name": "x"}}}, "rerun_with['OUT_OF_MEMORY_ERROR'] holds name;"),
    (
        {"retry_by_class": {"chagne": True}},
        "retry_by_class is {'chagne': True}; it takes a dict of True or False",
    ),
    ({"run_tags": {"a": 1}}, "run_tags takes a dict of text to text"),
    ({"tags": ["a"]}, "tags takes a dict of text to text"),
]  # fmt: skip
BAD_AT_RUN: list[tuple[dict[str, Any], str]] = [
    ({"run_settings": []}, "run_settings holds no entries; a batch takes at least one."),
    (
        {"run_settings": [*cohort(3), *cohort(2)]},
        "run_settings holds 's1' in entries 1 and 4, 's2' in entries 2 and 5; each runSettingId must be "
        "there once.",
    ),
    (
        {"run_settings": cohort(1, parametres={})},
        "run_settings, entry 1 ('s1'): it holds 'parametres', which an entry ",
    ),
    (
        {"run_settings": cohort(1, parameters=[1])},
        "run_settings, entry 1 ('s1'): parameters is a list; it takes an object",
    ),
    ({"run_settings": cohort(1, name="other")}, "run_settings, entry 1 ('s1'): name is not the runSettingId"),
    (
        {"run_settings": cohort(1, runTags={"airflow:dag_id": "x"})},
        "run_settings, entry 1 ('s1'): runTags holds airflow:dag_id",
    ),
    (
        {"run_settings": cohort(1, storageType="DYNAMIC")},
        "run_settings, entry 1 ('s1'): it holds 'storageType', which is the same",
    ),
    (
        {"run_settings": f"s3://{BUCKET}/missing.json"},
        f"run_settings is 's3://{BUCKET}/missing.json', and there is no such",
    ),
    ({"run_settings": "missing.json"}, "run_settings is 'missing.json', and missing.json can't be read"),
    ({"settings_uri": "folder"}, "settings_uri is 'folder'; it takes an S3 location"),
    (
        {"name": "x" * 60},
        "name has 60 characters; it takes at most 51 (the last 13 are for the digits of the task).",
    ),
    (
        {"run_tags": {"airflow:dag_id": "x"}},
        "run_tags holds airflow:dag_id, which the operator sets itself; leave it out.",
    ),
    ({"tags": {f"t{n}": "x" for n in range(42)}}, "tags holds 42 tags; with the operator's own"),
    (
        {"start_run_kwargs": {"networkMode": "VPC"}},
        "start_run_kwargs holds 'networkMode', which StartRunBatch of the",
    ),
    (
        {"start_run_kwargs": {"storageType": "STATIC"}},
        "start_run_kwargs holds 'storageType'; give it as the operator's",
    ),
    ({"storage_capacity": 100}, "storage_capacity is 100 and storage_type is None; a capacity is only for"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD_AT_PARSE)
def test_what_is_wrong_for_certain_is_refused_while_parsing(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as raised:
        make(**arguments)
    assert str(raised.value).count("\n") == 0


@pytest.mark.parametrize(("arguments", "message"), BAD_AT_RUN)
def test_what_is_wrong_with_what_was_rendered_asks_for_no_batch(
    start_batch: StartBatch, omics: Any, arguments: dict[str, Any], message: str
) -> None:
    done = start_batch(**arguments)()
    assert isinstance(done.error, OmicsRequestError)
    assert str(done.error).startswith(message)
    assert not omics.requests("StartRunBatch")
    assert not batches()


def test_a_column_that_the_sheet_lacks_is_named_with_the_nearest(
    start_batch: StartBatch, tmp_path: Path, omics: Any
) -> None:
    sheet = tmp_path / "cohort.csv"
    sheet.write_text("sampel,reads\ns1,s3://bucket/1\n")
    done = start_batch(run_settings=SampleSheet(str(sheet)))()
    assert isinstance(done.error, OmicsRequestError)
    assert "has no column 'sample'; did you mean 'sampel'?" in str(done.error)
    assert not omics.requests("StartRunBatch")


def test_what_is_denied_is_one_sentence_that_names_the_action(start_batch: StartBatch, omics: Any) -> None:
    omics.fault("StartRunBatch", "access-denied")
    done = start_batch()()
    assert isinstance(done.error, OmicsAccessError)
    assert "Allow omics:StartRunBatch to the caller" in str(done.error)


def test_the_output_that_no_bucket_has_is_said(start_batch: StartBatch) -> None:
    done = start_batch(output_uri=OUTPUT, run_settings=cohort(120))()
    assert isinstance(done.error, OmicsRequestError)
    assert "NoSuchBucket" in str(done.error)
