"""Makes a queue for each trigger of event_dags/ from the documented template, before Airflow starts.

``Stack(prepare=...)`` runs it in Airflow's environment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3

TEMPLATE = Path(__file__).parents[2] / "docs" / "use" / "events.yaml"
BATCHES = {"DetailType": "RunBatch Status Change", "Statuses": "PROCESSED"}
SOON = """
import sys
if "triggerer" in sys.argv:
    from airflow_omics._listening import queue_reader
    queue_reader._SLACK = 0.0
"""
"""Lets a message that a killed triggerer had received be seen again after 30 seconds, not 70."""
STACKS: dict[str, dict[str, str]] = {
    "burst": {"WorkflowIds": "1111111"},
    "chain": {"WorkflowIds": "2222222", "Encryption": "kms"},
    "batches": BATCHES,
}


def client(service: str) -> Any:
    """Return a client with the keys of Airflow's connection."""
    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    keys = {"aws_access_key_id": connection["login"], "aws_secret_access_key": connection["password"]}
    return boto3.client(service, **keys, **connection["extra"])


def make_the_queue_of_the_example() -> str:
    """Make a queue of the name that start_on_events.py has, which the template would not give it."""
    queue: str = client("sqs").create_queue(QueueName="healthomics-ended")["QueueUrl"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    pattern = {"source": ["aws.omics"], "detail": {"status": ["COMPLETED"], "workflowId": ["4444444"]}}
    client("events").put_rule(Name="example", EventPattern=json.dumps(pattern))
    target = {"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}
    client("events").put_targets(Rule="example", Targets=[target])
    return queue


def main() -> None:
    """Deploy the template for each, and leave the URLs where the DAG files find them."""
    cloudformation = client("cloudformation")
    urls = {}
    for name, values in STACKS.items():
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=TEMPLATE.read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        urls[name] = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["QueueUrl"]
    urls["example"] = make_the_queue_of_the_example()
    home = Path(os.environ["AIRFLOW_HOME"])
    (home / "queues.json").write_text(json.dumps(urls))
    with (home / "config" / "airflow_local_settings.py").open("a") as policy:
        policy.write(SOON)


if __name__ == "__main__":
    main()
