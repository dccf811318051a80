"""What is wrong for certain is said in one sentence, before any call."""

# ruff: noqa: E501 - each message stands whole, in one line

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_omics.exceptions import OmicsRequestError
from tests.support.sensors import Clock
from tests.support.start_operators import StartTask, TaskInstance, make, read, started

ROLE_ERROR = (
    "role_arn is {}; it takes the ARN of an IAM role, such as 'arn:aws:iam::123456789012:role/omics-run'."
)
OUTPUT_ERROR = "output_uri is {}; it takes an S3 location, such as 's3://bucket/folder'."
TEMPLATE_ERROR = (
    "{} holds a template that was not rendered; Airflow does not render a template inside a rendered value, "
    "such as a Variable's. Render it before it is put there."
)
RERUN_TAKES = (
    "it takes a dict of this operator's arguments for StartRun by failureReason, such as "
    "{'FILE_SYSTEM_OUT_OF_SPACE': {'storage_type': 'DYNAMIC'}}."
)
CLASSES = (
    "it takes a dict of True or False by class of failure: 'change', 'look inside', 'retry', 'settings'."
)

PARSING: list[tuple[dict[str, Any], str]] = [
    ({"workflow_id": None}, "workflow_id is missing; it takes the id of a workflow, such as '1234567' (or give rerun_of, the run to run again)."),
    ({"workflow_id": "wf"}, "workflow_id is 'wf'; it takes a workflow's id, 1 to 18 digits."),
    ({"workflow_id": True}, "workflow_id is True; it takes a workflow's id, 1 to 18 digits."),
    ({"role_arn": None}, "role_arn is missing; it takes the ARN of the IAM role that the run assumes, such as 'arn:aws:iam::123456789012:role/omics-run'."),
    ({"role_arn": "omics-run"}, ROLE_ERROR.format("'omics-run'")),
    ({"role_arn": 7}, ROLE_ERROR.format("7")),
    ({"output_uri": ""}, "output_uri is missing; it takes the S3 location for the outputs, such as 's3://bucket/folder'."),
    ({"output_uri": "/data/out"}, OUTPUT_ERROR.format("'/data/out'")),
    ({"output_uri": "https://bucket.s3.amazonaws.com/x"}, OUTPUT_ERROR.format("'https://bucket.s3.amazonaws.com/x'")),
    ({"output_uri": "s3://"}, OUTPUT_ERROR.format("'s3://'")),
    ({"parameters": ["secret"]}, "parameters is a list; it takes an object: a dict, or the path of a .json or .yaml file that holds one."),
    ({"parameters": 7}, "parameters is a int; it takes an object: a dict, or the path of a .json or .yaml file that holds one."),
    ({"tags": {"n": 1}}, "tags takes a dict of text to text, such as {'project': 'cohort-7'}."),
    ({"tags": "project"}, "tags takes a dict of text to text, such as {'project': 'cohort-7'}."),
    ({"name": " "}, "name is ' '; it takes text of 1 to 128 characters."),
    ({"name": 7}, "name is 7; it takes text of 1 to 128 characters."),
    ({"priority": -1}, "priority is -1; it takes a whole number from 0 to 100000."),
    ({"priority": "high"}, "priority is 'high'; it takes a whole number from 0 to 100000."),
    ({"storage_capacity": 1.5}, "storage_capacity is 1.5; it takes a whole number from 0 to 100000 (GiB)."),
    ({"workflow_owner_id": 123456789012}, "workflow_owner_id is 123456789012; it takes an AWS account id, text of 12 digits."),
    ({"log_level": 1}, "log_level is 1; it takes text, as StartRun documents it."),
    ({"on_timeout": "stop"}, "on_timeout is 'stop'; it takes 'fail' or 'cancel'."),
    ({"on_clear": None}, "on_clear is None; it takes 'new' or 'reattach'."),
    ({"poke_interval": None}, "poke_interval is None; it takes seconds, zero or more, as a number or a timedelta."),
    ({"poke_interval": "60"}, "poke_interval is '60'; it takes seconds, zero or more, as a number or a timedelta."),
    ({"wait_timeout": -1}, "wait_timeout is -1; it takes seconds, zero or more, as a number or a timedelta."),
    ({"wait_timeout": float("inf")}, "wait_timeout is inf; it takes seconds, zero or more, as a finite number or a timedelta."),
    ({"poke_interval": float("nan")}, "poke_interval is nan; it takes seconds, zero or more, as a finite number or a timedelta."),
    ({"success_statuses": ["COMPLETE"]}, "success_statuses holds 'COMPLETE'; did you mean 'COMPLETED'?"),
    ({"record_fields": ["run_output_uri"]}, "record_fields holds 'run_output_uri', and no member's name has an underscore; did you mean 'runOutputUri'?"),
    ({"diagnose": "no"}, "diagnose is 'no'; it takes True, False or 'without logs'."),
    ({"success_statuses": "COMPLETED"}, "success_statuses is 'COMPLETED'; it takes a collection of terminal run statuses, such as ('COMPLETED',)."),
    ({"success_statuses": ()}, "success_statuses is empty, so the task could never succeed; name one status."),
    ({"record_fields": "id"}, "record_fields is 'id'; it takes a collection of names, such as ['runOutputUri']."),
    ({"cancel_on_kill": "False"}, "cancel_on_kill is 'False'; it takes True or False."),
    ({"name_suffix": None}, "name_suffix is None; it takes True or False."),
    ({"wait_for_completion": 0}, "wait_for_completion is 0; it takes True or False."),
    ({"deferrable": "no"}, "deferrable is 'no'; it takes True or False."),
    ({"rerun_with": "DYNAMIC"}, f"rerun_with is a str; {RERUN_TAKES}"),
    ({"rerun_with": {"X": "DYNAMIC"}}, f"rerun_with holds 'X': a str; {RERUN_TAKES}"),
    ({"rerun_with": {"X": {}}}, f"rerun_with holds 'X': a dict; {RERUN_TAKES}"),
    ({"rerun_with": {"X": {"storageType": "DYNAMIC"}}}, f"rerun_with['X'] holds storageType; {RERUN_TAKES}"),
    ({"rerun_with": {"{{ params.x }}": {"storage_type": "DYNAMIC"}}}, f"rerun_with holds '{{{{ params.x }}}}': a failureReason is no template; {RERUN_TAKES}"),
    ({"record_fields": ["{{ params.x }}"]}, "record_fields holds '{{ params.x }}', a template; record_fields is not templated."),
    ({"botocore_config": {"user_agent_extra": "{{ dag.dag_id }}"}}, "botocore_config['user_agent_extra'] is a template; botocore_config is not templated."),
    ({"max_reruns": -1}, "max_reruns is -1; it takes a whole number, 0 or more."),
    ({"max_reruns": "2"}, "max_reruns is '2'; it takes a whole number, 0 or more."),
    ({"retry_by_class": ["change"]}, f"retry_by_class is ['change']; {CLASSES}"),
    ({"retry_by_class": {"changes": True}}, f"retry_by_class is {{'changes': True}}; {CLASSES}"),
    ({"retry_by_class": {"change": "no"}}, f"retry_by_class is {{'change': 'no'}}; {CLASSES}"),
    ({"botocore_config": "x"}, "botocore_config is a str; it takes a dict of botocore.config.Config's keyword arguments, such as {'read_timeout': 20}, since only plain values can be carried into a trigger."),
]  # fmt: skip

RUNNING: list[tuple[dict[str, Any], str]] = [
    ({"output_uri": "s3://bucket/{{ ds }}"}, TEMPLATE_ERROR.format("output_uri")),
    ({"name": "{% if x %}"}, TEMPLATE_ERROR.format("name")),
    ({"parameters": "{{ ti.xcom_pull('x') }}"}, TEMPLATE_ERROR.format("parameters")),
    ({"parameters": "{'sample': 'NA12878'}"}, "parameters is text, but not the path of a .json or .yaml file; it takes a dict (an upstream task's output itself, not a template of it), or such a path relative to the DAG file."),
    ({"parameters": {"a": [{"b": float("nan")}]}}, "parameters['a'][0]['b'] is nan, which JSON does not have; it takes text, finite numbers, booleans, None, lists and dicts."),
    ({"parameters": {"day": datetime.date(2026, 1, 1)}}, "parameters['day'] is a date, which JSON does not have; it takes text, finite numbers, booleans, None, lists and dicts."),
    ({"parameters": {"at": {datetime.datetime.min: 1}}}, "parameters['at'] has a key of type datetime; JSON's keys are text."),
    ({"parameters": {"who": "half \ud83d"}}, "parameters['who'] holds half of a character, which UTF-8 does not have."),
    ({"parameters": {"raw": b"secret"}}, "parameters['raw'] is a bytes, which JSON does not have; it takes text, finite numbers, booleans, None, lists and dicts."),
    ({"parameters": {"long": "x" * 262_144}}, "parameters takes 262,156 bytes as JSON; StartRun takes at most 262,144. Put long lists into a file in S3 and pass its URI."),
    ({"storage_capacity": 1200}, "storage_capacity is 1200 and storage_type is None; a capacity is only for storage_type='STATIC'. Give that, or leave storage_capacity out."),
    ({"storage_capacity": "1200", "storage_type": "DYNAMIC"}, "storage_capacity is 1200 and storage_type is 'DYNAMIC'; a capacity is only for storage_type='STATIC'. Give that, or leave storage_capacity out."),
    ({"name": "n" * 116}, "name has 116 characters; it takes at most 115 (the last 13 are for the digits of the task; name_suffix=False leaves them out)."),
    ({"name": "n" * 129, "name_suffix": False}, "name has 129 characters; it takes at most 128."),
    ({"tags": {"airflow-omics:token": "x"}}, "tags holds airflow-omics:token, which the operator sets itself; leave it out."),
    ({"tags": {"airflow:dag_id": "x", "airflow:run_id": "y"}}, "tags holds airflow:dag_id, airflow:run_id, which the operator sets itself; leave it out."),
    ({"tags": {f"t{n}": "x" for n in range(45)}}, "tags holds 45 tags; with the operator's own 7 a run takes 50."),
    ({"start_run_kwargs": "x"}, "start_run_kwargs is a str; it takes a dict of StartRun's members, such as {'networkingMode': 'VPC', 'configurationName': 'lab'}."),
    ({"start_run_kwargs": {"requestId": "mine"}}, "start_run_kwargs holds 'requestId', the token by which a retry finds its run again; the operator makes it. Leave it out."),
    ({"start_run_kwargs": {"workflowId": "7"}}, "'workflowId' is given twice, as workflow_id and in start_run_kwargs."),
    ({"start_run_kwargs": {"logLevel": "ALL"}}, "start_run_kwargs holds 'logLevel'; give it as the operator's own argument log_level."),
    ({"start_run_kwargs": {"log_level": "ALL"}}, "start_run_kwargs holds 'log_level', which is the operator's own argument."),
    ({"rerun_with": {"X": {"storage_capacity": 9600}}}, "rerun_with['X']: storage_capacity is 9600 and storage_type is None; a capacity is only for storage_type='STATIC'. Give that, or leave storage_capacity out."),
    ({"rerun_with": {"X": {"storage_type": "{{ params.big }}"}}}, "rerun_with['X']: " + TEMPLATE_ERROR.format("storage_type")),
    ({"rerun_with": {"X": "{{ params.big }}"}}, f"rerun_with holds 'X': a str; {RERUN_TAKES}"),
    ({"rerun_with": {"X": {"name": "n" * 116}}}, "rerun_with['X']: name has 116 characters; it takes at most 115 (the last 13 are for the digits of the task; name_suffix=False leaves them out)."),
    ({"rerun_with": {"X": {"tags": {"airflow:dag_id": "x"}}}}, "rerun_with['X']: tags holds airflow:dag_id, which the operator sets itself; leave it out."),
    ({"workflow_id": None, "rerun_of": "{'id': 'x'}"}, "rerun_of is \"{'id': 'x'}\""),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), PARSING)
def test_a_dag_that_can_not_work_does_not_parse(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        make(**arguments)
    assert str(raised.value) == message


@pytest.mark.parametrize(("arguments", "message"), RUNNING)
def test_a_request_that_can_not_be_right_is_not_made(
    start_task: StartTask, omics: Any, arguments: dict[str, Any], message: str
) -> None:
    rendered = {"name": "whole", **arguments} if "rerun_of" in arguments else arguments
    task = start_task()
    operator = task.make(**{k: v for k, v in rendered.items() if k in ("name_suffix", "rerun_with")})
    for name, value in rendered.items():
        setattr(operator, name, value)  # as Airflow's rendering does
    with pytest.raises(OmicsRequestError) as raised:
        operator.execute({"ti": TaskInstance(task)})
    assert str(raised.value).startswith(message)
    assert "rerun_of" in arguments or str(raised.value) == message
    assert omics.counts() == {}


@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        ("networkMode", "VPC", "did you mean 'networkingMode'?"),
        ("qqqq", 1, "it takes accelerators"),
    ],
)
def test_an_unknown_member_is_named_with_its_nearest(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, member: str, value: Any, said: str
) -> None:
    from airflow_omics.hooks import OmicsHook

    known = {"accelerators": "string", "networkingMode": "string"}
    monkeypatch.setattr(OmicsHook, "start_run_members", staticmethod(lambda: known))
    done = start_task(start_run_kwargs={member: value})()
    assert done.kind == "OmicsRequestError"
    assert (
        f"start_run_kwargs holds {member!r}, which StartRun of the installed botocore does not know"
        in str(done.error)
    )
    assert said in str(done.error)
    assert omics.counts() == {}


def test_a_member_of_a_wrong_type_is_refused_without_its_value(
    start_task: StartTask, omics: Any, monkeypatch: pytest.MonkeyPatch, output: Any
) -> None:
    from airflow_omics.hooks import OmicsHook

    known = {"sessionPolicy": "string", "engineSettings": "document"}
    monkeypatch.setattr(OmicsHook, "start_run_members", staticmethod(lambda: known))
    done = start_task(start_run_kwargs={"sessionPolicy": {"Sid": "patient-7"}})()
    assert str(done.error) == "start_run_kwargs['sessionPolicy'] is a dict; StartRun takes a str."
    done = start_task(start_run_kwargs={"engineSettings": {"at": datetime.date(2026, 1, 1)}})()
    assert str(done.error).startswith(
        "start_run_kwargs['engineSettings']['at'] is a date, which JSON does not"
    )
    assert "patient-7" not in output()
    assert omics.counts() == {}


def test_checking_start_run_kwargs_needs_no_credentials(
    start_task: StartTask, omics: Any, connect: Any
) -> None:
    connect(region_name="us-east-1", role_arn="arn:aws:iam::123456789012:role/gone", assume_role_method="x")
    done = start_task(start_run_kwargs={"requestId": "mine"})()
    assert "start_run_kwargs holds 'requestId'" in str(done.error)


# -- parameters in a file ------------------------------------------------------------------------------------


def parameters_of(path: Path, name: str) -> Any:
    from airflow_omics._starting.arguments import StartArguments

    context = {"dag": SimpleNamespace(folder=str(path)), "ti": SimpleNamespace(try_number=1)}
    return StartArguments.of(make(parameters=name), context).arguments["parameters"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", '{"sample": "NA12878", "depth": 30}'),
        ("sub/p.yaml", "sample: NA12878\ndepth: 30\n"),
        ("p.yml", "{sample: NA12878, depth: 30}"),
        ("p.json", '\ufeff{"sample": "NA12878", "depth": 30}'),
    ],
)
def test_parameters_are_read_from_a_file_beside_the_dag(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name).write_text(text)
    assert parameters_of(tmp_path, name) == {"sample": "NA12878", "depth": 30}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.json", None, "can't be read: No such file or directory."),
        ("p.json", b'{"who":\n "patient-7",,}', "p.json is not valid JSON, at line 2."),
        ("p.yaml", b"a: 1\nwho: 'patient-7\n", "p.yaml is not valid YAML, at line 3."),
        ("p.yaml", b"who: !!python/object:x.y {patient-7: 1}", "p.yaml is not valid YAML, at line 1."),
        ("p.json", b"\xff\xfe", "p.json is not UTF-8 text."),
        ("p.yaml", b"", "p.yaml holds a NoneType; it takes an object."),
        ("p.json", b"null", "p.json holds a NoneType; it takes an object."),
        ("p.json", b'["patient-7"]', "p.json holds a list; it takes an object."),
    ],
)
def test_a_parameter_file_that_is_none_is_said_and_not_quoted(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(OmicsRequestError) as raised:
        parameters_of(tmp_path, name)
    assert str(raised.value).startswith(f"parameters is {name!r}, and {tmp_path}/")
    assert str(raised.value).endswith(message)
    assert "patient-7" not in str(raised.value)


RECORD = {
    "id": "7830534",
    "status": "COMPLETED",
    "parameters": {"sample": "patient-7"},
    "tags": {"p": "patient-7"},
}


@pytest.mark.parametrize(
    "name", ["rerun_of", "workflow_id", "cache_id", "run_group_id", "name", "role_arn", "priority"]
)
def test_of_a_record_no_more_is_shown_than_which_run_it_is(name: str) -> None:
    """Only ``rerun_of`` takes one. Anywhere else it is a mistake, which must not cost more than a try."""
    from airflow_omics._starting.arguments import StartArguments

    operator = make()
    setattr(operator, name, RECORD)  # as a mapped task is given its own
    operator.render_template_fields({})
    assert "patient-7" not in repr([getattr(operator, field) for field in operator.template_fields])
    context = {"ti": SimpleNamespace(try_number=1)}
    if name == "rerun_of":
        assert StartArguments.of(operator, context).arguments["rerun_of"] == {"id": "7830534"}
        return
    with pytest.raises(OmicsRequestError, match=f"^{name} is a dict; it takes ") as raised:
        StartArguments.of(operator, context)
    assert "patient-7" not in str(raised.value)


def test_a_task_that_nobody_runs_says_so() -> None:
    with pytest.raises(OmicsRequestError) as raised:
        make().execute({})
    assert str(raised.value) == (
        "Task 'start' was executed without a task instance, which a retry needs to find its run again; let Airflow run it: dag.test() does, in one process."
    )


def test_parameters_that_came_out_as_none_start_no_run(start_task: StartTask, omics: Any) -> None:
    from airflow_omics._task.hidden import Hidden

    operator = make()
    operator.parameters = Hidden(None)  # as it is once rendered
    with pytest.raises(OmicsRequestError) as raised:
        operator.execute({"ti": TaskInstance(start_task())})
    assert str(raised.value) == (
        "parameters came out as None, from a template or from an upstream task that pushed nothing; it takes a dict."
    )
    assert omics.counts() == {}


def test_what_a_mapped_upstream_task_pushed_is_a_list_of_parameters(
    start_task: StartTask, omics: Any, clock: Clock
) -> None:
    import collections

    omics.default_life = "completed"
    lazy = collections.UserList(["s3://a", "s3://b"])  # a Sequence that is no list, as Airflow's own
    shared = {"project": "cohort"}
    done = start_task(parameters={"reads": lazy, "meta": shared}, tags=shared)()
    assert done.kind == "success", done.error
    [run_id] = started(omics)
    assert read(run_id)["parameters"] == {"reads": ["s3://a", "s3://b"], "meta": {"project": "cohort"}}
