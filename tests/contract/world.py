"""What a contract makes in an account: one role, one workflow, a few runs. All of it is taken away again."""

from __future__ import annotations

import io
import json
import secrets
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LOG_GROUP = "/aws/omics/WorkflowLog"
TAG = "airflow-omics:contract"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "DELETED")
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
    :param tags: tags of a run by its part of the contract, for the emulator's lives.
    """

    output: str
    role: str | None = None
    poll: float = 15.0
    within: float = 3600.0
    settles: float = 15.0
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class World:
    """An account in which a contract is tried.

    :param session: credentials and Region.
    :param config: more settings of the clients.
    :param say: prints a line of progress.
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
        self.workflow_id = ""
        self.runs: dict[str, str] = {}
        """Run id to the part of the contract that it is of."""
        self._undo: list[tuple[str, Callable[[], object]]] = []

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
        made = self.omics.create_workflow(
            name=self.name,
            engine="WDL",
            main="main.wdl",
            definitionZip=content.getvalue(),
            tags={TAG: self.token},
            requestId=self.name,
        )
        self.workflow_id = made["id"]
        self._undo.append((f"workflow {made['id']}", lambda: self.omics.delete_workflow(id=made["id"])))
        self.say(f"made workflow {made['id']}")
        found: dict[str, Any] = self.until(
            lambda: self.omics.get_workflow(id=made["id"]), lambda answer: answer["status"] != "CREATING"
        )
        if found["status"] != "ACTIVE":
            says = found.get("statusMessage", "without a statusMessage")
            raise ContractError(f"workflow {made['id']} is {found['status']}: {says}")

    def _make_role(self) -> None:
        partition = "aws-cn" if self.region.startswith("cn-") else "aws"
        arns = f"arn:{partition}:s3:::{self.bucket}"
        group = f"arn:{partition}:logs:{self.region}:{self.account}:log-group:{LOG_GROUP}"
        made = self.iam.create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=_policy(
                Principal={"Service": "omics.amazonaws.com"},
                Action="sts:AssumeRole",
                Condition={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
            Tags=[{"Key": TAG, "Value": self.token}],
        )
        self._undo.append((f"role {self.name}", lambda: self.iam.delete_role(RoleName=self.name)))
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
        self._undo.append(
            (
                f"policy of role {self.name}",
                lambda: self.iam.delete_role_policy(RoleName=self.name, PolicyName="runs"),
            )
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
        answer: dict[str, Any] = self.omics.start_run(**{**self.members(part), **members})
        if answer["id"] not in self.runs:
            self.runs[answer["id"]] = part
            self.say(f"started run {answer['id']}: {part}")
        return answer

    def adopt(self, run_id: str, part: str) -> None:
        """Take a run that the service has started for the contract for one of its own."""
        self.runs.setdefault(run_id, part)

    def also_undo(self, what: str, undo: Callable[[], object]) -> None:
        """Take away something else at the end, before what was made earlier."""
        self._undo.append((what, undo))

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

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait until a run has ended, and return its record; the last one if it does not end in time."""
        record: dict[str, Any] = self.until(
            lambda: self.omics.get_run(id=run_id), lambda answer: answer["status"] in ENDED
        )
        return record

    # -- after -----------------------------------------------------------------------------------------------

    def clean_up(self) -> list[str]:
        """Take away all that was made, and return a sentence for each thing that could not be."""
        left: list[str] = []
        for run_id in self.runs:
            self._take_away(f"run {run_id}", lambda run_id=run_id: self._remove_run(run_id), left)  # type: ignore[misc]
        for what, undo in reversed(self._undo):
            self._take_away(what, undo, left)
        self._take_away(f"objects below {self.prefix}/", self._remove_objects, left)
        return left

    def _take_away(self, what: str, undo: Callable[[], object], left: list[str]) -> None:
        try:
            undo()
        except (BotoCoreError, ClientError, ContractError) as error:
            left.append(f"{what} is left, remove it by hand: {error}")
        else:
            self.say(f"removed {what}")

    def _remove_run(self, run_id: str) -> None:
        try:
            if self.omics.get_run(id=run_id)["status"] not in (*ENDED, "STOPPING"):
                self.omics.cancel_run(id=run_id)
            status = self.ended(run_id)["status"]
            if status not in ENDED:
                raise ContractError(f"it is still {status}")
            self.omics.delete_run(id=run_id)
        except ClientError as error:
            # Deleting it may have been part of the contract.
            if code_of(error) != "ResourceNotFoundException":
                raise
        for prefix in (f"run/{run_id}", f"manifest/run/{run_id}"):
            self._remove_streams(prefix)

    def _remove_streams(self, prefix: str) -> None:
        try:
            found = self.logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=prefix)
        except self.logs.exceptions.ResourceNotFoundException:
            return
        for stream in found["logStreams"]:
            name = stream["logStreamName"]
            # The streams of run 12 begin as those of run 123 do.
            if f"{name}/".startswith(f"{prefix}/"):
                self.logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName=name)

    def _remove_objects(self) -> None:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.key}/")
        for page in pages:
            if keys := [{"Key": found["Key"]} for found in page.get("Contents", ())]:
                self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})


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
