"""The request of a start, checked before any call: what is wrong for certain is reported in one sentence.

What only AWS can judge is left to AWS.
https://docs.aws.amazon.com/omics/latest/api/API_StartRun.html
https://docs.aws.amazon.com/omics/latest/api/API_DefaultRunSetting.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from airflow_omics._identity import Target, shown
from airflow_omics._task.values import (
    LONGEST_NAME,
    check_size_of_parameters,
    is_s3_location,
    is_text_to_text,
    plain_json,
    to_priority,
    wrong_tag,
)

MEMBER_OF_ARGUMENT: Final[Mapping[str, str]] = {
    "workflow_id": "workflowId",
    "role_arn": "roleArn",
    "output_uri": "outputUri",
    "parameters": "parameters",
    "name": "name",
    "workflow_type": "workflowType",
    "workflow_version_name": "workflowVersionName",
    "workflow_owner_id": "workflowOwnerId",
    "run_group_id": "runGroupId",
    "priority": "priority",
    "storage_type": "storageType",
    "storage_capacity": "storageCapacity",
    "log_level": "logLevel",
    "cache_id": "cacheId",
    "cache_behavior": "cacheBehavior",
    "retention_mode": "retentionMode",
    "rerun_of": "runId",
    "tags": "tags",
}
"""The operator's arguments, and StartRun's member for each."""

SETTING_OF_ARGUMENT: Final[Mapping[str, str]] = {
    **{
        name: member
        for name, member in MEMBER_OF_ARGUMENT.items()
        if name not in ("name", "rerun_of", "tags")
    },
    "run_tags": "runTags",
}
"""The arguments of the operator that starts a batch, and the member of its ``defaultRunSetting`` for each."""

_NUMBERED: Final = {
    "workflow_id": "a workflow's id",
    "run_group_id": "a run group's id",
    "cache_id": "a run cache's id",
}


_TYPES: Final = {"string": str, "boolean": bool, "integer": int, "long": int, "list": list, "map": dict}


def build_request(
    arguments: Mapping[str, Any],
    extra: Mapping[str, Any],
    members: Mapping[str, str] = MEMBER_OF_ARGUMENT,
) -> dict[str, Any]:
    """Return a run's settings for the operator's arguments; those that are None are left out.

    :param arguments: by the names of ``members``.
    :param extra: ``start_run_kwargs``, by AWS's own names.
    :param members: :data:`MEMBER_OF_ARGUMENT`, or :data:`SETTING_OF_ARGUMENT` for a batch.
    :raises ValueError: a value can't be right; it names the argument and what it takes.
    """
    request: dict[str, Any] = {}
    for argument, member in members.items():
        value = arguments.get(argument)
        if value is not None:
            check = _CHECKS.get(argument)
            request[member] = check(argument, value) if check else value
    check_what_is_missing(arguments)
    if "storageCapacity" in request and request.get("storageType") != "STATIC":
        raise ValueError(
            f"storage_capacity is {request['storageCapacity']} and storage_type is "
            f"{request.get('storageType')!r}; a capacity is only for storage_type='STATIC'. Give that, "
            "or leave storage_capacity out."
        )
    return {**request, **{member: value for member, value in extra.items() if value is not None}}


def check_extra(
    extra: Any,
    known: Mapping[str, str],
    arguments: Mapping[str, Any],
    members: Mapping[str, str] = MEMBER_OF_ARGUMENT,
    operation: str = "StartRun",
) -> None:
    """Refuse ``start_run_kwargs`` that AWS does not take, or that an argument gives already.

    :param known: the members that the installed botocore knows, and the type of each.
    :param arguments: the operator's arguments; those that are None do not count.
    :param members: as for :func:`build_request`.
    :param operation: what takes them, for errors.
    :raises ValueError: naming the member, and the nearest one if it is unknown.
    """
    if not isinstance(extra, Mapping):
        raise ValueError(
            f"start_run_kwargs is a {type(extra).__name__}; it takes a dict of {operation}'s members, "
            "such as {'networkingMode': 'VPC', 'configurationName': 'lab'}."
        )
    argument_of = {member: argument for argument, member in members.items()}
    for member in extra:
        if member == "requestId":
            raise ValueError(
                "start_run_kwargs holds 'requestId', the token by which a retry finds its run again; the "
                "operator makes it. Leave it out."
            )
        if member in argument_of and arguments.get(argument_of[member]) is not None:
            raise ValueError(f"{member!r} is given twice, as {argument_of[member]} and in start_run_kwargs.")
        if member in argument_of:
            raise ValueError(
                f"start_run_kwargs holds {member!r}; give it as the operator's own argument "
                f"{argument_of[member]}."
            )
        if member in members:
            raise ValueError(f"start_run_kwargs holds {member!r}, which is the operator's own argument.")
        if member not in known:
            import difflib  # every DAG file that starts a run pays for this module

            near = difflib.get_close_matches(str(member), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(sorted(known))}."
            raise ValueError(
                f"start_run_kwargs holds {member!r}, which {operation} of the installed botocore does not "
                f"know; {hint}"
            )
        _check_type(member, extra[member], known[member], operation)


def _check_type(member: str, value: Any, type_name: str, operation: str) -> None:
    # botocore checks it as well, but its error quotes the value, which may be a session policy.
    path = f"start_run_kwargs[{member!r}]"
    accepted = _TYPES.get(type_name)
    if type_name == "document":
        plain_json(value, path)
    elif accepted and value is not None and type(value) is not accepted:
        raise ValueError(f"{path} is a {type(value).__name__}; {operation} takes a {accepted.__name__}.")


def check_rerun_with(
    rerun_with: Any,
    is_known: Callable[[Any], bool] = lambda value: True,
    members: Mapping[str, str] = MEMBER_OF_ARGUMENT,
) -> None:
    """Refuse changed settings that are no arguments of the operator.

    :param rerun_with: as given, or None.
    :param is_known: returns whether a value is final; False for a template that is not rendered yet.
    :param members: as for :func:`build_request`.
    :raises ValueError: naming what was given and what it takes.
    """
    takes = (
        "it takes a dict of this operator's arguments for StartRun by failureReason, such as "
        "{'FILE_SYSTEM_OUT_OF_SPACE': {'storage_type': 'DYNAMIC'}}."
    )
    if rerun_with is None or not (isinstance(rerun_with, Mapping) or is_known(rerun_with)):
        return
    if not isinstance(rerun_with, Mapping):
        raise ValueError(f"rerun_with is a {type(rerun_with).__name__}; {takes}")
    for reason, changes in rerun_with.items():
        if not is_known(reason):
            raise ValueError(f"rerun_with holds {reason!r}: a failureReason is no template; {takes}")
        if not (isinstance(changes, Mapping) or is_known(changes)):
            continue
        if not isinstance(reason, str) or not isinstance(changes, Mapping) or not changes:
            raise ValueError(f"rerun_with holds {reason!r}: a {type(changes).__name__}; {takes}")
        if unknown := [str(name) for name in changes if name not in members]:
            raise ValueError(f"rerun_with[{reason!r}] holds {', '.join(unknown)}; {takes}")


def check_argument(name: str, value: Any) -> None:
    """Refuse the value of one argument that can't be right.

    :raises ValueError: naming the argument, what was given and what it takes.
    """
    if value is not None and (check := _CHECKS.get(name)):
        check(name, value)


def check_what_is_missing(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments without workflow, role or output.

    :raises ValueError: naming the argument and what it takes.
    """
    if not arguments.get("workflow_id") and not arguments.get("rerun_of"):
        instead = " (or give rerun_of, the run to run again)" if "rerun_of" in arguments else ""
        raise ValueError(
            f"workflow_id is missing; it takes the id of a workflow, such as '1234567'{instead}."
        )
    if not arguments.get("role_arn"):
        raise ValueError(
            "role_arn is missing; it takes the ARN of the IAM role that the run assumes, such as "
            "'arn:aws:iam::123456789012:role/omics-run'."
        )
    if not arguments.get("output_uri"):
        raise ValueError(
            "output_uri is missing; it takes the S3 location for the outputs, such as 's3://bucket/folder'."
        )


def check_private(workflow_type: Any) -> None:
    """Raise ValueError for a workflow of a type that no batch takes."""
    if workflow_type == "READY2RUN":
        raise ValueError(
            "workflow_type is 'READY2RUN', and a batch takes private workflows alone; map "
            "OmicsStartRunOperator over the samples."
        )


def _check_id(name: str, value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{name} is {shown(value)}; it takes {_NUMBERED[name]}, 1 to 18 digits.")
    return text


def _check_role(name: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", value):
        raise ValueError(
            f"{name} is {shown(value)}; it takes the ARN of an IAM role, such as "
            "'arn:aws:iam::123456789012:role/omics-run'."
        )
    return value


def _check_output(name: str, value: Any) -> Any:
    if not is_s3_location(value):
        raise ValueError(f"{name} is {shown(value)}; it takes an S3 location, such as 's3://bucket/folder'.")
    return value


def _check_parameters(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        # The value is not named: it may hold patient data.
        raise ValueError(
            f"{name} is a {type(value).__name__}; it takes an object: a dict, or the path of a .json or "
            ".yaml file that holds one."
        )
    plain: dict[str, Any] = plain_json(value, name)
    check_size_of_parameters(plain, name)
    return plain


def _check_tags(name: str, value: Any) -> dict[str, str]:
    if not is_text_to_text(value):
        raise ValueError(f"{name} takes a dict of text to text, such as {{'project': 'cohort-7'}}.")
    if (wrong := wrong_tag(value)) is not None:
        raise ValueError(f"{name} {wrong}")
    return dict(value)


def _check_name(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {shown(value)}; it takes text of 1 to {LONGEST_NAME} characters.")
    return value


def _check_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {shown(value)}; it takes text, as StartRun documents it.")
    return value


def _check_number(name: str, value: Any) -> int:
    number = to_priority(value)
    if number is None:
        unit = " (GiB)" if name == "storage_capacity" else ""
        raise ValueError(f"{name} is {shown(value)}; it takes a whole number from 0 to 100000{unit}.")
    return number


def _check_owner(name: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{12}", value):
        raise ValueError(f"{name} is {shown(value)}; it takes an AWS account id, text of 12 digits.")
    return value


def _check_run(name: str, value: Any) -> str:
    try:
        return Target.parse(value).id
    except ValueError as error:
        raise ValueError(str(error).replace("run_id is", f"{name} is", 1)) from None


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "workflow_id": _check_id,
    "run_group_id": _check_id,
    "cache_id": _check_id,
    "role_arn": _check_role,
    "output_uri": _check_output,
    "parameters": _check_parameters,
    "tags": _check_tags,
    "run_tags": _check_tags,
    "name": _check_name,
    "workflow_type": _check_text,
    "workflow_version_name": _check_text,
    "storage_type": _check_text,
    "log_level": _check_text,
    "cache_behavior": _check_text,
    "retention_mode": _check_text,
    "priority": _check_number,
    "storage_capacity": _check_number,
    "workflow_owner_id": _check_owner,
    "rerun_of": _check_run,
}
