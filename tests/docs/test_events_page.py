"""The template of docs/use/events.md is one that AWS takes, and its queue gets the events that it says."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from cfnlint import api
from cfnlint.decode import cfn_yaml

from airflow_omics._compat import has_event_triggers
from airflow_omics._iam import USES
from airflow_omics.emulator import Emulator, mock_omics
from tests.support.batches import KNOWS_BATCHES

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "use" / "events.md"
TEMPLATE = PAGE.with_suffix(".yaml")
HERE = {"region_name": "us-east-1", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
INDENTED = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OVER = 10_000
"""Seconds after which runs and batches have ended."""


def found(text: str) -> list[str]:
    return [str(match) for match in api.lint(text, regions=["us-east-1", "us-west-2"])]


def test_cloudformations_own_schemas_find_nothing_wrong_with_the_template() -> None:
    text = TEMPLATE.read_text()
    assert found(text) == []
    assert found(text.replace("MessageRetentionPeriod", "MessageRetention", 1)) != []


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    read: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
    return read


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with mock_omics() as control:
        yield control


def deploy(**values: str) -> dict[str, str]:
    """Deploy the template and return its outputs."""
    cloudformation = boto3.client("cloudformation", **HERE)
    cloudformation.create_stack(
        StackName="healthomics",
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    [stack] = cloudformation.describe_stacks(StackName="healthomics")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def received(queue_url: str) -> list[dict[str, Any]]:
    answer = boto3.client("sqs", **HERE).receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, {"COMPLETED 1", "COMPLETED 2"}),
        ({"Statuses": "FAILED,CANCELLED"}, {"FAILED 1"}),
        ({"Statuses": "COMPLETED,FAILED", "WorkflowIds": "1,3"}, {"COMPLETED 1", "FAILED 1"}),
        ({"Encryption": "kms", "WorkflowIds": "2"}, {"COMPLETED 2"}),
    ],
)
def test_the_queue_gets_the_events_that_the_parameters_ask_for(
    emulator: Emulator, values: dict[str, str], wanted: set[str]
) -> None:
    queue_url = deploy(**values)["QueueUrl"]
    for life, workflow in (("completed", "1"), ("completed", "2"), ("failed-run-task-failed", "1")):
        emulator.start_runs(1, life, events=True, workflowId=workflow)
    emulator.advance(OVER)
    events = received(queue_url)
    assert {event["detail-type"] for event in events} == {"Run Status Change"}
    assert {f"{event['detail']['status']} {event['detail']['workflowId']}" for event in events} == wanted
    assert len(events) == len(wanted)


@pytest.mark.skipif(not KNOWS_BATCHES, reason="this botocore has no batches")
def test_the_queue_gets_the_events_of_batches(emulator: Emulator) -> None:
    queue_url = deploy(DetailType="RunBatch Status Change", Statuses="PROCESSED")["QueueUrl"]
    batch = boto3.client("omics", **HERE).start_run_batch(
        defaultRunSetting={
            "workflowId": "1",
            "roleArn": "arn:aws:iam::123456789012:role/omics-run",
            "outputUri": "s3://results/batch",
        },
        batchRunSettings={"inlineSettings": [{"runSettingId": "a"}]},
        requestId="one",
    )
    emulator.advance(OVER)
    [event] = received(queue_url)
    assert (event["detail"]["batchId"], event["detail"]["status"]) == (batch["id"], "PROCESSED")


@pytest.mark.parametrize("encryption", ["sqs", "kms"])
def test_what_cannot_be_read_goes_to_a_queue_that_is_kept_as_well(
    emulator: Emulator, encryption: str
) -> None:
    outputs = deploy(Encryption=encryption)
    sqs = boto3.client("sqs", **HERE)
    queue, dead = (
        sqs.get_queue_attributes(QueueUrl=outputs[name], AttributeNames=["All"])["Attributes"]
        for name in ("QueueUrl", "DeadLettersUrl")
    )
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": dead["QueueArn"],
        "maxReceiveCount": 20,
    }
    assert queue["MessageRetentionPeriod"] == dead["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    keys = [attributes.get("KmsMasterKeyId", "") for attributes in (queue, dead)]
    assert [bool(key) for key in keys] == [encryption == "kms"] * 2
    events = boto3.client("events", **HERE)
    [rule] = events.list_rules()["Rules"]
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert (target["Arn"], target["DeadLetterConfig"]["Arn"]) == (queue["QueueArn"], dead["QueueArn"])


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["Statement"]
    return found


@pytest.mark.parametrize("encryption", ["sqs", "kms"])
def test_the_role_of_the_triggerers_may_read_and_decrypt(emulator: Emulator, encryption: str) -> None:
    iam = boto3.client("iam", **HERE)
    iam.create_role(RoleName="airflow-triggerer", AssumeRolePolicyDocument="{}")
    outputs = deploy(Encryption=encryption, AirflowRole="airflow-triggerer")
    attached = iam.list_attached_role_policies(RoleName="airflow-triggerer")["AttachedPolicies"]
    documents = [
        iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
        for policy in attached
    ]
    allowed = [(statement["Action"], statement["Resource"]) for [statement] in map(_statements, documents)]
    [queue] = [resource for actions, resource in allowed if "sqs:ReceiveMessage" in actions]
    assert queue.split(":")[-1] == outputs["QueueUrl"].split("/")[-1]
    attributes = boto3.client("sqs", **HERE).get_queue_attributes(
        QueueUrl=outputs["QueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    decrypting = [("kms:Decrypt", attributes["KmsMasterKeyId"])] if encryption == "kms" else []
    assert [one for one in allowed if one[1] != queue] == decrypting


def test_without_a_word_sqs_holds_the_key_and_no_role_is_touched(emulator: Emulator) -> None:
    queue_url = deploy()["QueueUrl"]
    answer = boto3.client("sqs", **HERE).get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    assert answer["Attributes"]["SqsManagedSseEnabled"] == "true"
    assert "KmsMasterKeyId" not in answer["Attributes"]


def test_eventbridge_may_write_into_both_queues_and_use_their_key(template: dict[str, Any]) -> None:
    """What no emulator checks, and what EventBridge tells nobody of."""
    resources = template["Resources"]
    policy = resources["QueuePolicy"]["Properties"]
    assert policy["Queues"] == [{"Ref": "Queue"}, {"Ref": "DeadLetters"}]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == [{"Fn::GetAtt": [name, "Arn"]} for name in ("Queue", "DeadLetters")]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}}
    [ours] = [
        statement
        for statement in resources["Key"]["Properties"]["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    assert ours["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert ours["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_page_names_each_parameter_and_its_default(template: dict[str, Any]) -> None:
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    assert list(rows) == list(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        assert parameter["Default"] in rows[name]
        assert all(value in rows[name] for value in parameter.get("AllowedValues", []))


@pytest.mark.parametrize(("name", "refused"), [("Statuses", "COMPLETED, FAILED"), ("WorkflowIds", "1, 2")])
def test_a_space_that_would_match_nothing_is_refused(
    template: dict[str, Any], name: str, refused: str
) -> None:
    pattern = template["Parameters"][name]["AllowedPattern"]
    assert re.fullmatch(pattern, refused) is None
    assert re.fullmatch(pattern, refused.replace(" ", ""))
    assert re.fullmatch(pattern, template["Parameters"][name]["Default"]) is not None


def test_the_policy_is_what_the_trigger_does(template: dict[str, Any]) -> None:
    [use] = [use for use in USES if use.name == "OmicsRunEventTrigger"]
    [statement] = template["Resources"]["Reading"]["Properties"]["PolicyDocument"]["Statement"]
    assert sorted(statement["Action"]) == sorted([*use.required, *use.optional])
    assert statement["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}


@pytest.mark.skipif(not has_event_triggers(), reason="Airflow 2.11 has no AssetWatcher")
def test_every_sample_runs() -> None:
    names: dict[str, Any] = {}
    for sample in INDENTED.findall(FENCED.sub("", PAGE.read_text())):
        exec(textwrap.dedent(sample), names)
    assert (names["ended"].statuses, names["ended"].kind) == (["COMPLETED"], "run")
    assert (names["batches"].statuses, names["batches"].kind) == (["PROCESSED", "FAILED"], "batch")
    told = [{"uuid": "a", "arn": "x"}, {"arn": "y"}, {"uuid": "a", "arn": "x"}]
    events = [SimpleNamespace(extra={"payload": {"runs": [run]}}) for run in told]
    listed = names["list_runs"].function({"asset": events[:2], "other": events[2:]})
    assert listed == [{"uuid": "a", "arn": "x"}, {"arn": "y"}]
