"""What a contract makes in an account: a role, a workflow, a few runs. ``clean_up`` takes all of it away."""

from __future__ import annotations

import io
import json
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LOG_GROUP = "/aws/omics/WorkflowLog"
TAG = "airflow-omics:contract"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "DELETED")
BATCH_ENDED = ("PROCESSED", "CANCELLED", "FAILED", "RUNS_DELETED", "RUNS_DELETE_FAILED")
NOT_FOUND = "ResourceNotFoundException"
_ROLE = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")
# There is no xs[0], and no task: the run fails before it would have needed an instance.
_DEFINITION = """version 1.0

workflow contract {
    input {
        Array[Int] xs = []
    }
    output {
        Int first = xs[0]
    }
}
"""
_PLAN = """This tries claims about AWS HealthOmics on account {account} in {region}, as {identity}. It makes:
- {role};
- one private workflow, which fails before its first task;
- {runs}, each of which ends after some minutes, and needs no instance;
- objects below {prefix}/ and log streams of these runs in {group}.
All of it has the name or the tag {name}, and is taken away at the end. Nothing else is changed.
It takes about half an hour, and costs the runs' storage for those minutes: less than 0.50 USD.
"""


class ContractError(Exception):
    """The contract cannot be tried; the message is one sentence."""


@dataclass(frozen=True)
class Settings:
    """How a contract is tried.

    :param output: an S3 URI that is the user's, such as ``s3://bucket/prefix``.
    :param role: the service role of the runs; one is made if it is None.
    :param poll: seconds between two looks.
    :param within: seconds in which a run must have ended.
    :param settles: seconds until a new role can be used.
    :param known_within: seconds in which the service must know what it has started.
    :param tags: tags of a run by its part of the contract, for the emulator's lives.
    """

    output: str
    role: str | None = None
    poll: float = 15.0
    within: float = 3600.0
    settles: float = 15.0
    known_within: float = 120.0
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class World:
    """An account in which a contract is tried.

    :param session: credentials and Region.
    :param config: more settings of the clients.
    :param say: prints a line of progress.
    :raises ContractError: a setting is none of that kind.
    """

    def __init__(
        self,
        session: boto3.Session,
        settings: Settings,
        say: Callable[[str], None],
        config: Config | None = None,
    ) -> None:
        retrying = Config(retries={"mode": "standard", "max_attempts": 8}).merge(config or Config())
        self.settings, self.say = settings, say
        self.token = secrets.token_hex(4)
        self.name = f"airflow-omics-contract-{self.token}"
        self.omics, self.s3, self.iam, self.sts, self.logs, self.quotas = (
            session.client(service, config=retrying)
            for service in ("omics", "s3", "iam", "sts", "logs", "service-quotas")
        )
        self.region = str(session.region_name)
        self.bucket, key = split(settings.output)
        self.key = f"{key}/{self.name}".lstrip("/")
        self.prefix = f"s3://{self.bucket}/{self.key}"
        self.role = settings.role
        if self.role is not None and not _ROLE.fullmatch(self.role):
            example = "arn:aws:iam::123456789012:role/runs"
            raise ContractError(f"ROLE is {self.role!r}; give the ARN of a service role, such as {example}")
        self.workflow_id = ""
        self.runs: dict[str, str] = {}
        """Run id to the part of the contract that it is of."""
        self.deleting: set[str] = set()
        """Ids of what the service was asked to delete."""
        self.deleted: set[str] = set()
        """Ids of runs whose deletion it has accepted."""
        self.batches: set[str] = set()
        self.asked: dict[tuple[str, str], bool] = {}
        """Kind and name of what the service was asked to make, and whether it has answered."""

    # -- before ----------------------------------------------------------------------------------------------

    def plan(self) -> str:
        """Return what will be made, and what it costs.

        :raises ContractError: the credentials or the bucket cannot be used.
        """
        try:
            identity = self.sts.get_caller_identity()
            self.s3.head_bucket(Bucket=self.bucket)
        except (BotoCoreError, ClientError) as error:
            raise ContractError(
                f"nothing was made: the credentials, or the bucket {self.bucket}, cannot be used: {error}"
            ) from None
        self.account = str(identity["Account"])
        return _PLAN.format(
            account=self.account,
            region=self.region,
            identity=identity["Arn"],
            role=f"no role: runs get {self.role}" if self.role else f"an IAM role for the runs, {self.name}",
            runs="about eight runs" if self.has_batches else "about five runs",
            prefix=self.prefix,
            group=LOG_GROUP,
            name=self.name,
        )

    @property
    def has_batches(self) -> bool:
        """Whether the installed botocore knows batches."""
        return hasattr(self.omics, "start_run_batch")

    def prepare(self) -> None:
        """Make the role and the workflow.

        :raises ContractError: the workflow does not become ACTIVE.
        """
        if self.role is None:
            self._make_role()
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("main.wdl", _DEFINITION)
        with self._asks("workflow", self.name):
            made = self.omics.create_workflow(
                name=self.name,
                engine="WDL",
                main="main.wdl",
                definitionZip=content.getvalue(),
                tags={TAG: self.token},
                requestId=self.name,
            )
            self.workflow_id = made["id"]
        self.say(f"made workflow {made['id']}")
        found = self.made_workflow(made["id"])
        if found["status"] != "ACTIVE":
            says = found.get("statusMessage", "without a statusMessage")
            raise ContractError(f"workflow {made['id']} is {found['status']}: {says}")

    def made_workflow(self, workflow_id: str) -> dict[str, Any]:
        """Wait until a workflow is made, or cannot be, and return its record."""
        record: dict[str, Any] = self.until(
            lambda: self.patient(lambda: self.omics.get_workflow(id=workflow_id)),
            lambda answer: answer["status"] != "CREATING",
        )
        return record

    def _make_role(self) -> None:
        partition = "aws-cn" if self.region.startswith("cn-") else "aws"
        arns = f"arn:{partition}:s3:::{self.bucket}"
        group = f"arn:{partition}:logs:{self.region}:{self.account}:log-group:{LOG_GROUP}"
        with self._asks("role", self.name):
            made = self.iam.create_role(
                RoleName=self.name,
                AssumeRolePolicyDocument=_policy(
                    Principal={"Service": "omics.amazonaws.com"},
                    Action="sts:AssumeRole",
                    Condition={"StringEquals": {"aws:SourceAccount": self.account}},
                ),
                Tags=[{"Key": TAG, "Value": self.token}],
            )
        self.iam.put_role_policy(
            RoleName=self.name,
            PolicyName="runs",
            PolicyDocument=_policy(
                {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{arns}/{self.key}/*"},
                {"Action": "s3:ListBucket", "Resource": arns},
                {
                    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams"],
                    "Resource": f"{group}:*",
                },
                {"Action": "logs:PutLogEvents", "Resource": f"{group}:log-stream:*"},
            ),
        )
        self.role = made["Role"]["Arn"]
        self.say(f"made role {self.role}")
        time.sleep(self.settings.settles)

    # -- meanwhile -------------------------------------------------------------------------------------------

    def members(self, part: str) -> dict[str, Any]:
        """Return the members of a StartRun for a part of the contract."""
        return {
            "workflowId": self.workflow_id,
            "roleArn": self.role,
            "name": f"{self.name}-{part}",
            "outputUri": self.prefix,
            "storageType": "DYNAMIC",
            "tags": {TAG: self.token, **self.settings.tags.get(part, {})},
            "requestId": f"{self.name}-{part}",
        }

    def start(self, part: str, **members: Any) -> dict[str, Any]:
        """Start a run for a part of the contract, and return the answer.

        :param members: what differs from :meth:`members`.
        """
        asked = {**self.members(part), **members}
        with self._asks("run", asked["name"]):
            answer: dict[str, Any] = self.omics.start_run(**asked)
            known = answer["id"] in self.runs
            self.adopt(answer["id"], part)
        if not known:
            self.say(f"started run {answer['id']}: {part}")
        return answer

    def start_batch(self, request: Mapping[str, Any]) -> str:
        """Start a batch, and return its id."""
        with (
            self._asks("batch", request["batchName"]),
            self._asks("run", request["defaultRunSetting"]["name"]),
        ):
            batch_id = str(self.omics.start_run_batch(**request)["id"])
            known = batch_id in self.batches
            self.batches.add(batch_id)
        if not known:
            self.say(f"started batch {batch_id}")
        return batch_id

    def adopt(self, run_id: str, part: str) -> None:
        """Take a run that the service has started for the contract for one of its own."""
        self.runs.setdefault(run_id, part)

    def adopt_members(self, batch_id: str) -> list[str]:
        """Adopt the runs that a batch has started by now, and return their ids."""
        pages = self.omics.get_paginator("list_runs_in_batch").paginate(batchId=batch_id)
        found = [member["runId"] for page in pages for member in page["runs"] if "runId" in member]
        for run_id in found:
            self.adopt(run_id, "batch")
        return found

    def delete_run(self, run_id: str) -> None:
        """Delete a run, and remember it: GetRun may not know it from then on."""
        self.deleting.add(run_id)
        self.omics.delete_run(id=run_id)
        self.deleted.add(run_id)

    @contextmanager
    def _asks(self, kind: str, name: str) -> Iterator[None]:
        """Note what the service is asked to make, before it is: the answer can be lost."""
        earlier = self.asked.get((kind, name))
        self.asked[kind, name] = False
        try:
            yield
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                del self.asked[kind, name]
                if earlier is not None:
                    self.asked[kind, name] = earlier
            raise
        self.asked[kind, name] = earlier is not False

    def patient(self, call: Callable[[], Any]) -> Any:
        """Return the answer of a call, and call again while the service does not know the thing yet.

        :raises ClientError: it is refused otherwise, or the thing is not known in time.
        """
        end = time.monotonic() + self.settings.known_within
        while True:
            try:
                return call()
            except ClientError as error:
                if code_of(error) != NOT_FOUND or time.monotonic() >= end:
                    raise
            time.sleep(min(0.5, self.settings.poll))

    def until(
        self, look: Callable[[], Any], is_it: Callable[[Any], bool], within: float | None = None
    ) -> Any:
        """Look until it is so, and return the last answer, in any case.

        :param within: seconds; as long as a run may take if it is None.
        """
        end = time.monotonic() + (self.settings.within if within is None else within)
        while True:
            answer = look()
            if is_it(answer) or time.monotonic() >= end:
                return answer
            time.sleep(self.settings.poll)

    def record(self, run_id: str) -> dict[str, Any]:
        """Return what GetRun says of a run that was started, if it does not know it yet a while later."""
        record: dict[str, Any] = self.patient(lambda: self.omics.get_run(id=run_id))
        return record

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended, and return its record; the last one if it does not end in time."""
        record: dict[str, Any] = self.until(
            lambda: self.record(run_id), lambda answer: answer["status"] in ENDED
        )
        return record


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI.

    :raises ContractError: it is none.
    """
    found = urlsplit(uri)
    if found.scheme != "s3" or not found.netloc:
        raise ContractError(f"OUTPUT is {uri!r}; give an S3 URI of yours, such as s3://bucket/prefix")
    return found.netloc, found.path.strip("/")


def code_of(error: ClientError) -> str:
    """Return the error code of a refusal."""
    return str(error.response["Error"]["Code"])


def refusal_of(call: Callable[[], object]) -> str | None:
    """Return the error code with which a call is refused, or None."""
    try:
        call()
    except ClientError as error:
        return code_of(error)
    return None


def _policy(*statements: Mapping[str, Any], **statement: Any) -> str:
    allowed = [{"Effect": "Allow", **each} for each in (statements or (statement,))]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})
