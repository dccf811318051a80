"""Which IAM actions each operator, sensor and trigger uses.

The documentation prints this table, and tests check it: each use runs with exactly its required actions,
fails with an error that names the action if one of them is denied, and uses no action that is not listed. The
table imports neither Airflow nor botocore.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_RECOGNISES_ACCOUNTS: Final = (
    'recognising that "not found" is the answer of the run\'s own account, if STS cannot be asked'
)
_FILLS_A_GROUP: Final = "which runs fill its run group, when a run is not started by `start_timeout`"
_PROGRESS: Final = "how far the run is, every ten minutes, for the log and the pages in Airflow's UI"
_DIAGNOSIS: Final[Mapping[str, str]] = {
    "omics:ListRunTasks": "which tasks of a run failed",
    "omics:GetRunTask": "why each of them failed",
    "omics:GetRunGroup": "which limit of its run group a run met, or waits for",
    "logs:GetLogEvents": 'the last lines of logs; not used with `diagnose="without logs"`',
}
_OF_A_WAIT: Final[Mapping[str, str]] = {
    **_DIAGNOSIS,
    "omics:ListRunTasks": "which tasks of a run failed; how far it is, every ten minutes; and all of "
    "them at its end, for the pages in Airflow's UI",
}


_MEMBERS: Final = "which member has which run, and how it ended: for `members`, and for a rerun"
_NAMES: Final = "the workflow's own names of its outputs, from `logs/outputs.json`"


@dataclass(frozen=True)
class Use:
    """One way to use this package.

    :param name: the class, and the arguments that make the difference.
    :param required: the actions without which it fails.
    :param optional: the actions without which it does less, and what each is for.
    """

    name: str
    required: tuple[str, ...]
    optional: Mapping[str, str] = field(default_factory=dict)


USES: Final = (
    Use(
        "OmicsRunSensor",
        ("omics:GetRun",),
        {"omics:ListRuns": f"{_RECOGNISES_ACCOUNTS}; and {_FILLS_A_GROUP}", **_OF_A_WAIT},
    ),
    Use(
        "OmicsRunTrigger",
        ("omics:GetRun",),
        {
            "omics:ListRuns": "one request for a hundred waits; without it, one request for each",
            "omics:ListRunTasks": _PROGRESS,
        },
    ),
    Use(
        "OmicsRunBatchSensor",
        ("omics:GetBatch",),
        {
            "omics:ListRuns": "which runs of a batch failed; and how they ended, if GetBatch's counts do not "
            "add up",
            "omics:ListRunsInBatch": "which members were not started, and why",
            "omics:GetRun": "why runs failed",
        },
    ),
    Use(
        "OmicsRunBatchTrigger",
        ("omics:GetBatch",),
        {"omics:ListRuns": _RECOGNISES_ACCOUNTS.replace("the run's", "the batch's")},
    ),
    Use(
        "OmicsStartRunOperator",
        ("omics:StartRun", "omics:TagResource", "iam:PassRole", "omics:GetRun"),
        {
            "omics:ListRuns": "finding the run of an earlier try after AWS has forgotten the token; and "
            f"{_FILLS_A_GROUP}",
            "omics:CancelRun": "cancelling the run at a kill, at a timeout, and when the task is cleared",
            **_OF_A_WAIT,
        },
    ),
    Use(
        "OmicsStartRunOperator(wait_for_completion=False)",
        ("omics:StartRun", "omics:TagResource", "iam:PassRole", "omics:GetRun"),
        {"omics:ListRuns": "finding the run of an earlier try after AWS has forgotten the token"},
    ),
    Use(
        "OmicsStartedRunTrigger",
        ("omics:GetRun",),
        {
            "omics:ListRuns": "one request for a hundred waits; without it, one request for each",
            "omics:ListRunTasks": _PROGRESS,
            "omics:CancelRun": "cancelling the run when a person ends the task",
        },
    ),
    Use(
        "OmicsStartRunBatchOperator",
        (
            "omics:StartRunBatch",
            "omics:StartRun",
            "omics:TagResource",
            "iam:PassRole",
            "omics:GetBatch",
        ),
        {
            "omics:ListBatch": "finding the batch of an earlier try after AWS has forgotten the token",
            "omics:ListRuns": _MEMBERS,
            "omics:ListRunsInBatch": _MEMBERS,
            "omics:GetRun": "why runs failed, and which of them may pass when they are run again",
            "omics:CancelRunBatch": "cancelling the batch at a kill, at a timeout, when the task is cleared, "
            'and with `on_too_many_failures="cancel"`',
            "omics:CancelRun": "cancelling the runs that the batch could not",
            "s3:PutObject": "the settings of more than 100 runs, and `membersUri`, under `settings_uri`",
            "s3:GetObject": "`run_settings` that are a file in S3",
        },
    ),
    Use(
        "OmicsStartedRunBatchTrigger",
        ("omics:GetBatch",),
        {"omics:CancelRunBatch": "cancelling the batch when a person ends the task"},
    ),
    Use(
        "OmicsRunEventTrigger",
        ("sqs:ReceiveMessage", "sqs:DeleteMessage"),
        {
            "sqs:ChangeMessageVisibility": "handing back at once what was not handled at the triggerer's end",
            "sqs:GetQueueAttributes": "whether messages that are no events may go to a dead-letter queue; "
            "without it they stay until the queue's retention period ends",
        },
    ),
    Use("OmicsGetRunOperator", ("omics:GetRun",)),
    Use(
        "OmicsCancelRunOperator",
        ("omics:GetRun", "omics:CancelRun"),
        {"omics:ListRuns": _RECOGNISES_ACCOUNTS},
    ),
    Use(
        "OmicsDeleteRunOperator",
        ("omics:GetRun", "omics:DeleteRun"),
        {"omics:ListRuns": _RECOGNISES_ACCOUNTS},
    ),
    Use("OmicsListRunTasksOperator", ("omics:GetRun", "omics:ListRunTasks")),
    Use(
        "OmicsListRunTasksOperator(details=True)",
        ("omics:GetRun", "omics:ListRunTasks", "omics:GetRunTask"),
    ),
    Use("OmicsGetBatchOperator", ("omics:GetBatch",)),
    Use(
        "OmicsListRunsInBatchOperator",
        ("omics:GetBatch", "omics:ListRuns", "omics:ListRunsInBatch", "omics:GetRun"),
    ),
    Use(
        "OmicsCancelRunBatchOperator",
        (
            "omics:GetBatch",
            "omics:CancelRunBatch",
            "omics:ListRuns",
            "omics:ListRunsInBatch",
            "omics:GetRun",
            "omics:CancelRun",
        ),
    ),
    Use(
        "OmicsDeleteRunBatchOperator",
        ("omics:GetBatch", "omics:DeleteRunBatch", "omics:ListRuns", "omics:GetRun", "omics:DeleteRun"),
    ),
    Use("OmicsDeleteRunBatchOperator(runs=False, batch=True)", ("omics:GetBatch", "omics:DeleteBatch")),
    Use(
        "OmicsEstimateRunCostOperator",
        ("omics:GetRun", "omics:ListRunTasks", "pricing:GetProducts"),
        {
            "logs:GetLogEvents": "the run's manifest, which alone has the size of DYNAMIC and of scratch "
            "storage, and what tasks have used",
            "logs:DescribeLogStreams": "a run that HealthOmics has forgotten and whose uuid is not known",
        },
    ),
    Use(
        "OmicsListRunOutputsOperator",
        ("omics:GetRun", "s3:ListBucket"),
        {"s3:GetObject": _NAMES},
    ),
    Use(
        "OmicsListRunOutputsOperator(batch_id=...)",
        ("omics:GetBatch", "omics:ListRuns", "omics:ListRunsInBatch", "omics:GetRun", "s3:ListBucket"),
        {"s3:GetObject": _NAMES},
    ),
    Use(
        "OmicsListRunOutputsOperator(provenance=True)",
        ("omics:GetRun", "s3:ListBucket", "s3:GetObject", "s3:PutObject"),
        {
            "omics:GetWorkflow": "the engine, the main file and the workflow's own digest",
            "omics:GetWorkflowVersion": "the same, of a run of one version of its workflow",
        },
    ),
    Use(
        "OmicsDiagnoseRunOperator",
        ("omics:GetRun",),
        {
            **_DIAGNOSIS,
            "logs:GetLogEvents": "the last lines of logs; not used with `logs=False`",
            "logs:DescribeLogStreams": "a run that HealthOmics has forgotten and whose uuid is not known",
            "omics:ListRuns": "how many runs of its run group are active, while a run is PENDING",
        },
    ),
)
"""Every use. A connection with ``role_arn`` needs ``sts:AssumeRole`` on that role as well.

``sts:GetCallerIdentity`` is not listed: it needs no permission, and cannot be denied.
"""

_RUN: Final = "arn:aws:omics:{region}:{account}:run/*"
_WORKFLOW: Final = "arn:aws:omics:{region}:{account}:workflow/*"
_BATCH: Final = "arn:aws:omics:{region}:{account}:runBatch/*"
_LOGS: Final = "arn:aws:logs:{region}:{account}:log-group:/aws/omics/WorkflowLog:*"
_QUEUE: Final = "arn:aws:sqs:{region}:{account}:{queue}"
RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "omics:StartRun": (
        _RUN,
        _WORKFLOW,
        "arn:aws:omics:{region}:{account}:runGroup/*",
    ),
    "omics:StartRunBatch": (_BATCH,),
    "omics:TagResource": (_RUN,),
    "omics:ListBatch": ("*",),
    "s3:PutObject": ("arn:aws:s3:::{bucket}/*",),
    "s3:GetObject": ("arn:aws:s3:::{bucket}/*",),
    "s3:ListBucket": ("arn:aws:s3:::{bucket}",),
    "omics:GetRun": (_RUN,),
    "omics:GetBatch": (_BATCH,),
    "omics:GetWorkflow": (_WORKFLOW,),
    "omics:GetWorkflowVersion": (_WORKFLOW,),
    "omics:CancelRun": (_RUN,),
    "omics:DeleteRun": (_RUN,),
    "omics:ListRunTasks": (_RUN,),
    "omics:GetRunTask": (_RUN, "arn:aws:omics:{region}:{account}:task/*"),
    "omics:GetRunGroup": ("arn:aws:omics:{region}:{account}:runGroup/*",),
    "omics:ListRuns": ("*",),
    "omics:CancelRunBatch": (_BATCH,),
    "omics:DeleteRunBatch": (_BATCH,),
    "omics:DeleteBatch": (_BATCH,),
    "omics:ListRunsInBatch": ("*",),
    "pricing:GetProducts": ("*",),
    "sqs:ReceiveMessage": (_QUEUE,),
    "sqs:DeleteMessage": (_QUEUE,),
    "sqs:ChangeMessageVisibility": (_QUEUE,),
    "sqs:GetQueueAttributes": (_QUEUE,),
    "logs:GetLogEvents": (_LOGS,),
    "logs:DescribeLogStreams": (_LOGS,),
    "iam:PassRole": ("arn:aws:iam::{account}:role/{run_role}",),
}
"""What each action is allowed on. A list has no resource, and no condition on a tag narrows it."""


def policy(
    actions: Iterable[str],
    *,
    region: str,
    account: str,
    run_role: str = "omics-run",
    bucket: str = "omics-outputs",
    queue: str = "ended-runs",
) -> dict[str, Any]:
    """Return an IAM policy that allows these actions, a statement for each kind of resource.

    :param actions: actions of the table, such as ``omics:GetRun``.
    :param region: the Region of the runs.
    :param account: the account of the runs, 12 digits.
    :param run_role: the name of the role that the runs assume.
    :param bucket: where runs write to, and where the settings of batches are kept.
    :param queue: the name of the queue that events go to.
    """
    by_resources: dict[tuple[str, ...], list[str]] = {}
    wanted = dict.fromkeys(actions)
    for action in wanted:
        resources = RESOURCES[action]
        if action == "omics:TagResource" and "omics:StartRunBatch" in wanted:
            resources = (*resources, _BATCH)
        by_resources.setdefault(resources, []).append(action)
    statements: list[dict[str, Any]] = []
    for resources, allowed in by_resources.items():
        names = {
            "region": region,
            "account": account,
            "run_role": run_role,
            "bucket": bucket,
            "queue": queue,
        }
        named = [part.format(**names) for part in resources]
        statement: dict[str, Any] = {
            "Effect": "Allow",
            "Action": allowed if len(allowed) > 1 else allowed[0],
            "Resource": named if len(named) > 1 else named[0],
        }
        if "iam:PassRole" in allowed:
            statement["Condition"] = {"StringEquals": {"iam:PassedToService": "omics.amazonaws.com"}}
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}
