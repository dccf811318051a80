"""Whatever StartRun takes and GetRun has, GetRun gives back: asked of the installed botocore's own model."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore
import botocore.session
import pytest
from botocore.config import Config

from .shapes import made_up
from .support import KEYS, ROLE, refused, start

MODEL = botocore.session.Session().get_service_model("omics")
GIVEN = MODEL.operation_model("StartRun").input_shape.members
SHOWN = MODEL.operation_model("GetRun").output_shape.members
# What a member cannot be without, or cannot be together with.
BESIDE: dict[str, dict[str, Any]] = {
    "storageCapacity": {"storageType": "STATIC"},
    "runId": {"workflowId": None},
    "networkingMode": {"networkingMode": "RESTRICTED"},
    "outputUri": {"outputUri": "s3://omics-outputs/made/up/"},
}


@pytest.mark.parametrize("name", sorted(set(GIVEN) & set(SHOWN)))
def test_a_member_of_start_run_comes_back_from_get_run(name: str, connect: Callable[..., Any]) -> None:
    client = connect()
    value = start(client)["id"] if name == "runId" else made_up(GIVEN[name], whole=True)
    call = {
        "workflowId": "1234567",
        "roleArn": ROLE,
        "outputUri": "s3://omics-outputs/runs",
        name: value,
        **BESIDE.get(name, {}),
    }
    call = {key: inner for key, inner in call.items() if inner is not None}
    record = client.get_run(id=client.start_run(**call)["id"])
    assert record[name] == call[name]


def test_they_come_back_when_all_are_given_at_once(connect: Callable[..., Any]) -> None:
    client = connect()
    call = {
        name: made_up(GIVEN[name], whole=True)
        for name in set(GIVEN) & set(SHOWN) - {"runId", "parametersUri"}
    }
    call |= {"storageType": "STATIC", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"}
    call |= {"networkingMode": "RESTRICTED"} if "networkingMode" in GIVEN else {}
    record = client.get_run(id=client.start_run(**call)["id"])
    assert {name: record.get(name) for name in call} == call


# Members that no botocore has, and some that only the newest have.
TO_COME: dict[str, tuple[dict[str, Any], Any]] = {
    "colour": ({"shape": "Flag"}, True),
    "flavour": ({"shape": "TagMap"}, {"sweet": "yes"}),
    "texture": ({"shape": "Texture"}, {"grain": 7, "layers": ["a", "b"]}),
    "requesterPaysEnabled": ({"shape": "Flag"}, True),
    "parametersUri": ({"shape": "Layer"}, "s3://omics-inputs/parameters.json"),
    "outputUriPrefixMode": ({"shape": "Layer"}, "NONE_WITH_OVERWRITE"),
}
SHAPES: dict[str, Any] = {
    "Flag": {"type": "boolean", "box": True},
    "Grain": {"type": "integer", "box": True},
    "Layer": {"type": "string"},
    "Layers": {"type": "list", "member": {"shape": "Layer"}},
    "Texture": {
        "type": "structure",
        "members": {"grain": {"shape": "Grain"}, "layers": {"shape": "Layers"}},
    },
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A model of HealthOmics that knows more than today's, where botocore looks for it."""
    loader = botocore.session.Session().get_component("data_loader")
    model = loader.load_service_model("omics", "service-2")
    shapes = {**model["shapes"], **SHAPES}
    for name in ("StartRunRequest", "GetRunResponse"):
        more = {member: shape for member, (shape, _) in TO_COME.items()}
        shapes[name] = {**shapes[name], "members": {**more, **shapes[name]["members"]}}
    root = tmp_path_factory.mktemp("models")
    folder = root / "omics" / loader.determine_latest_version("omics", "service-2")
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps({**model, "shapes": shapes}))
    return root


@pytest.fixture(scope="module")
def to_come(models: pathlib.Path) -> Iterator[Callable[[str], Any]]:
    """Make clients of an emulator that, as they do, has the model to come."""
    with subprocess.Popen(
        [sys.executable, "-m", "airflow_omics.emulator", "--port", "0", "--pace", "1000000000"],
        env={**os.environ, "AWS_DATA_PATH": str(models)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"ready at (\S+)", process.stdout.readline())
        assert found
        session = botocore.session.Session()
        session.set_config_variable("data_path", str(models))
        made = boto3.Session(**KEYS, botocore_session=session)
        yield lambda service: made.client(
            service,
            region_name="us-west-2",
            endpoint_url=found[1],
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
        )
        process.kill()


@pytest.mark.parametrize("name", sorted(TO_COME))
def test_a_member_to_come_comes_back(name: str, to_come: Callable[[str], Any]) -> None:
    client, value = to_come("omics"), TO_COME[name][1]
    assert client.get_run(id=start(client, **{name: value})["id"])[name] == value


def test_a_member_to_come_is_taken_over_by_a_rerun(to_come: Callable[[str], Any]) -> None:
    client = to_come("omics")
    first = start(client, colour=False, flavour={"sweet": "no"}, tags={"a": "b"})
    again = client.start_run(runId=first["id"], roleArn=ROLE, outputUri="s3://bucket/x", colour=True)
    record = client.get_run(id=again["id"])
    assert (record["colour"], record["flavour"], record["tags"]) == (True, {"sweet": "no"}, {})


def test_a_member_to_come_is_not_shown_when_it_was_not_given(to_come: Callable[[str], Any]) -> None:
    client = to_come("omics")
    assert not set(TO_COME) & set(client.get_run(id=start(client)["id"]))


@pytest.mark.parametrize(
    ("given", "shown", "prefix"),
    [
        ("s3://without-prefix-1/runs", "s3://without-prefix-1/runs", "runs/"),
        ("s3://without-prefix-2/runs/", "s3://without-prefix-2/runs", "runs/"),
        ("s3://without-prefix-3", "s3://without-prefix-3", ""),
        ("s3://without-prefix-4/", "s3://without-prefix-4", ""),
    ],
)
def test_without_a_prefix_outputs_lie_where_output_uri_says(
    given: str, shown: str, prefix: str, to_come: Callable[[str], Any]
) -> None:
    client, mode = to_come("omics"), "NONE_WITH_OVERWRITE"
    run = start(client, "completed", outputUri=given, outputUriPrefixMode=mode)
    record = client.get_run(id=run["id"])
    assert (record["status"], record["outputUri"]) == ("COMPLETED", given)
    assert run["runOutputUri"] == record["runOutputUri"] == shown
    bucket = given.split("/")[2]
    listed = to_come("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == [
        f"{prefix}{key}" for key in ("logs/engine.log", "logs/outputs.json", "out/variants/sample.vcf")
    ]
    text = to_come("s3").get_object(Bucket=bucket, Key=f"{prefix}logs/outputs.json")["Body"].read()
    assert json.loads(text) == {"emulated.variants": f"{shown}/out/variants/sample.vcf"}


def test_the_prefix_that_the_service_defines_is_the_run_s_id(to_come: Callable[[str], Any]) -> None:
    run = start(to_come("omics"), outputUri="s3://omics-outputs/x", outputUriPrefixMode="SERVICE_DEFINED")
    assert run["runOutputUri"] == f"s3://omics-outputs/x/{run['id']}"


def test_parameters_are_given_in_one_way_only(to_come: Callable[[str], Any]) -> None:
    client = to_come("omics")
    call = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"}
    both = {"parameters": {"a": 1}, "parametersUri": "s3://omics-inputs/parameters.json"}
    code, status, message = refused(client.start_run, **call, **both)
    assert (code, status) == ("ValidationException", 400)
    assert message == "give either parameters or parametersUri, not both"
    first = start(client, parametersUri="s3://omics-inputs/parameters.json")
    again = {"runId": first["id"], "roleArn": ROLE, "outputUri": "s3://omics-outputs/runs"}
    taken = client.get_run(id=client.start_run(**again)["id"])
    assert taken["parametersUri"] == "s3://omics-inputs/parameters.json"
    given = client.get_run(id=client.start_run(**again, parameters={"a": 1})["id"])
    assert (given["parameters"], given.get("parametersUri")) == ({"a": 1}, None)


def test_a_flag_is_a_boolean(to_come: Callable[[str], Any], models: pathlib.Path) -> None:
    client = to_come("omics")
    client.meta.events.register(
        "before-call.omics.StartRun",
        lambda params, **_: params.update(body=params["body"].replace(b"true", b'"yes"')),
    )
    code, status, message = refused(start, client=client, requesterPaysEnabled=True)
    assert (code, status) == ("ValidationException", 400)
    assert "'requesterPaysEnabled' failed to satisfy constraint: Member must be of type boolean" in message


def test_every_member_of_start_run_comes_back_from_get_run(client: Any) -> None:
    given = {
        "workflowId": "7654321",
        "workflowType": "PRIVATE",
        "name": "NA12878",
        "roleArn": ROLE,
        "cacheId": "1112223",
        "cacheBehavior": "CACHE_ON_FAILURE",
        "runGroupId": "4445556",
        "priority": 3,
        "parameters": {"reads": ["s3://reads/1.fastq"], "deep": {"empty": None, "on": True, "ratio": 0.5}},
        "storageType": "STATIC",
        "storageCapacity": 2400,
        "outputUri": "s3://omics-outputs/runs/",
        "logLevel": "ERROR",
        "tags": {"cohort": "7"},
        "retentionMode": "REMOVE",
        "workflowOwnerId": "210987654321",
        "workflowVersionName": "3.0.0",
    }
    known = client.meta.service_model.operation_model("StartRun").input_shape.members
    given = {name: value for name, value in given.items() if name in known}
    run = client.start_run(**given)
    record = client.get_run(id=run["id"])
    assert {name: record.get(name) for name in given} == given
    assert record["runOutputUri"] == run["runOutputUri"] == f"s3://omics-outputs/runs/{run['id']}"
    assert run["tags"] == {"cohort": "7"}


def test_what_was_not_given_is_not_shown(client: Any) -> None:
    record = client.get_run(id=start(client)["id"])
    assert not {"name", "runGroupId", "priority", "cacheId", "parameters", "batchId", "runId"} & set(record)
    assert not {"startTime", "stopTime", "resourceDigests", "accelerators", "definition"} & set(record)
