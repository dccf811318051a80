"""Makes a queue for each trigger of event_dags/ from the documented template, before Airflow starts.

``Stack(prepare=...)`` runs it in Airflow's environment.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import boto3

TEMPLATE = Path(__file__).parents[2] / "docs" / "use" / "events.yaml"
BATCHES = {"DetailType": "RunBatch Status Change", "Statuses": "PROCESSED"}
STACKS: dict[str, dict[str, str]] = {
    "burst": {"WorkflowIds": "1111111"},
    "chain": {"WorkflowIds": "2222222", "Encryption": "kms"},
    "batches": BATCHES,
}


def main() -> None:
    """Deploy the template for each, and leave the URLs where the DAG files find them."""
    connection = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    cloudformation = boto3.client(
        "cloudformation",
        aws_access_key_id=connection["login"],
        aws_secret_access_key=connection["password"],
        **connection["extra"],
    )
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
    (Path(os.environ["AIRFLOW_HOME"]) / "queues.json").write_text(json.dumps(urls))


if __name__ == "__main__":
    main()
