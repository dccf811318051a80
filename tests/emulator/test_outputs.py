"""What runs leave in S3, and how ``outputs.json`` names it; and the digests of what they read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from airflow_omics.emulator import LIVES, Emulator, Life, Stage

from .batches import needs_batches
from .support import ROLE, aws, start, zipped

WDL = "version 1.0\n# workflow in_a_comment\n\nworkflow BWAMapping {\n  call Align\n}\n"
STAGES = (Stage("PENDING", 1), Stage("RUNNING", 10), Stage("COMPLETED"))


@pytest.fixture(autouse=True)
def _frozen(emulator: Emulator) -> None:
    emulator.freeze()


def workflow(client: Any, emulator: Emulator, path: str, text: str, **members: Any) -> str:
    made = client.create_workflow(name="mapping", definitionZip=zipped({path: text}), **members)
    emulator.advance(10)
    return str(made["id"])


def objects(uri: str) -> dict[str, int]:
    """Return path and size of all that lies under a URI."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found: dict[str, int] = {}
    for page in aws("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        found.update({item["Key"][len(prefix) + 1 :]: item["Size"] for item in page.get("Contents", [])})
    return found


def named(uri: str) -> Any:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return json.loads(aws("s3").get_object(Bucket=bucket, Key=f"{prefix}/logs/outputs.json")["Body"].read())


def ended(client: Any, emulator: Emulator, life: str | None = None, **members: Any) -> str:
    run = start(client, life, **members)
    emulator.advance(3600)
    return str(run["runOutputUri"])


def test_a_wdl_workflow_names_its_outputs_and_their_arrays(client: Any, emulator: Emulator) -> None:
    workflow_id = workflow(client, emulator, "main.wdl", WDL)
    uri = ended(client, emulator, "completed-with-several-outputs", workflowId=workflow_id)
    assert named(uri) == {
        "BWAMapping.merged_bam": f"{uri}/out/merged_bam/sample.bam",
        "BWAMapping.merged_bam_index": f"{uri}/out/merged_bam_index/sample.bam.bai",
        "BWAMapping.shards": [f"{uri}/out/shards/{n}/shard-{n}.vcf" for n in range(3)],
        "BWAMapping.stats": f"{uri}/out/stats/mapping.txt",
    }
    assert set(objects(uri)) == {
        "logs/engine.log",
        "logs/outputs.json",
        "out/merged_bam/sample.bam",
        "out/merged_bam_index/sample.bam.bai",
        *(f"out/shards/{n}/shard-{n}.vcf" for n in range(3)),
        "out/stats/mapping.txt",
    }


def test_a_cwl_workflow_has_file_objects(client: Any, emulator: Emulator) -> None:
    text = "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\n"
    workflow_id = workflow(client, emulator, "main.cwl", text)
    uri = ended(client, emulator, "completed-with-several-outputs", workflowId=workflow_id)
    content = b"reads 100000\n"
    assert named(uri)["stats"] == {
        "class": "File",
        "location": f"{uri}/out/stats/mapping.txt",
        "basename": "mapping.txt",
        "size": len(content),
        "checksum": f"sha1${hashlib.sha1(content).hexdigest()}",
    }
    assert [file["basename"] for file in named(uri)["shards"]] == [f"shard-{n}.vcf" for n in range(3)]
    assert set(named(uri)) == {"merged_bam", "merged_bam_index", "shards", "stats"}


def test_a_nextflow_workflow_names_no_outputs(client: Any, emulator: Emulator) -> None:
    workflow_id = workflow(client, emulator, "main.nf", "workflow {\n}\n")
    uri = ended(client, emulator, workflowId=workflow_id)
    assert set(objects(uri)) == {"logs/engine.log", "out/variants/sample.vcf"}


def test_an_array_of_one_is_an_array(client: Any, emulator: Emulator) -> None:
    emulator.add_life(Life("one", STAGES, outputs={"out/shards/0/a.vcf": "a"}))
    uri = ended(client, emulator, "one")
    assert named(uri) == {"emulated.shards": [f"{uri}/out/shards/0/a.vcf"]}


def test_files_of_your_own_life_are_named_by_their_folder_or_else_by_themselves(
    client: Any, emulator: Emulator
) -> None:
    outputs = {"result.vcf.gz": "a", "qc/one.html": "b", "qc/two.html": "c"}
    emulator.add_life(Life("mine", STAGES, outputs=outputs))
    uri = ended(client, emulator, "mine")
    assert named(uri) == {
        "emulated.result": f"{uri}/result.vcf.gz",
        "emulated.qc": [f"{uri}/qc/one.html", f"{uri}/qc/two.html"],
    }


def test_many_outputs_are_more_than_a_page(client: Any, emulator: Emulator) -> None:
    uri = ended(client, emulator, "completed-with-many-outputs")
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    page = aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    assert (page["KeyCount"], page["IsTruncated"]) == (1000, True)
    assert len([path for path in objects(uri) if path.startswith("out/")]) == 1200
    assert len(set(named(uri)["emulated.shards"])) == 1200


def test_an_output_may_be_empty(client: Any, emulator: Emulator) -> None:
    uri = ended(client, emulator, "completed-with-empty-output")
    assert objects(uri)["out/variants/sample.vcf"] == 0
    assert named(uri) == {"emulated.variants": f"{uri}/out/variants/sample.vcf"}


def test_an_output_that_is_named_may_be_missing(client: Any, emulator: Emulator) -> None:
    uri = ended(client, emulator, "completed-with-missing-output")
    assert set(objects(uri)) == {"logs/engine.log", "logs/outputs.json"}
    assert named(uri) == {"emulated.variants": f"{uri}/out/variants/sample.vcf"}


def test_a_run_may_have_no_outputs_at_all(client: Any, emulator: Emulator) -> None:
    assert set(objects(ended(client, emulator, "completed-without-outputs"))) == {"logs/engine.log"}


def test_a_missing_output_survives_json() -> None:
    life = LIVES["completed-with-missing-output"]
    assert Life.from_dict(json.loads(json.dumps(life.to_dict()))).outputs == {"out/variants/sample.vcf": None}


def test_an_input_has_the_etag_that_it_had_when_the_run_started(client: Any, emulator: Emulator) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="reads", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    etag = s3.put_object(Bucket="reads", Key="a/NA12878 1.fastq", Body=b"ACGT")["ETag"].strip('"')
    here, missing = "s3://reads/a/NA12878 1.fastq", "s3://reads/nothing.fastq"
    parameters = {"pairs": [{"first": here}, missing], "folder": "s3://reads/a/", "sample": "NA12878"}
    run = start(client, parameters=parameters)
    assert "resourceDigests" not in client.get_run(id=run["id"])
    s3.put_object(Bucket="reads", Key="a/NA12878 1.fastq", Body=b"changed")
    again = start(client, parameters=parameters)
    emulator.advance(3600)
    digests, later = (client.get_run(id=one["id"])["resourceDigests"] for one in (run, again))
    assert etag == hashlib.md5(b"ACGT").hexdigest()
    assert digests[here] == f"etag:{etag}"
    assert later[here] == f"etag:{hashlib.md5(b'changed').hexdigest()}"
    assert digests[missing] == later[missing] != digests[here]
    assert {uri for uri in digests if uri.startswith("s3://")} == {here, missing}


@needs_batches
def test_members_of_a_batch_have_the_etags_of_their_own_inputs(client: Any, emulator: Emulator) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="reads", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    uris = [f"s3://reads/{name}.fastq" for name in ("one", "two")]
    etags = [s3.put_object(Bucket="reads", Key=uri[12:], Body=uri.encode())["ETag"] for uri in uris]
    client.start_run_batch(
        defaultRunSetting={"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"},
        batchRunSettings={
            "inlineSettings": [
                {"runSettingId": str(n), "parameters": {"reads": uri}} for n, uri in enumerate(uris)
            ]
        },
    )
    emulator.advance(3600)
    found = {}
    for run in client.list_runs()["items"]:
        digests = client.get_run(id=run["id"])["resourceDigests"]
        found.update({uri: digest for uri, digest in digests.items() if uri.startswith("s3://")})
    assert found == {uri: "etag:" + etag.strip('"') for uri, etag in zip(uris, etags, strict=True)}
