"""What ``run_id`` takes and what it refuses, with a hint for every known mistake, and never a call to AWS."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_omics._compat import BaseOperator
from airflow_omics._identity import Target, reduce_to_identity
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.operators import OmicsGetRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import TaskInstance, context_of

try:
    from airflow.sdk import DAG, task_group
except ImportError:  # Airflow 2.11
    from airflow.decorators import task_group
    from airflow.models.dag import DAG

ARN = "arn:aws:omics:us-east-1:123456789012:run/1234567"
UUID = "a1b2c3d4-1111-2222-3333-444455556666"
MARKER = "PATIENT-4711"
# As long and as private as a real one.
RECORD: dict[str, Any] = {
    "parameters": {"sample": MARKER, **{f"input_{number}": f"s3://bucket/{number}" for number in range(50)}},
    "id": "1234567",
    "uuid": UUID,
    "arn": ARN,
    "status": "RUNNING",
    "tags": {"patient": MARKER},
}

TASKS = [OmicsRunSensor, OmicsGetRunOperator]
both = pytest.mark.parametrize("task", TASKS, ids=["sensor", "operator"])

# -- accepted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("1234567", Target("1234567")),
        (1234567, Target("1234567")),
        ("1", Target("1")),
        ("123456789012345678", Target("123456789012345678")),
        (ARN, Target("1234567", None, "aws", "us-east-1", "123456789012")),
        (
            "arn:aws-us-gov:omics:us-gov-west-1:123456789012:run/9",
            Target("9", None, "aws-us-gov", "us-gov-west-1", "123456789012"),
        ),
        ("arn:aws-cn:omics:cn-north-1:123456789012:run/9",
         Target("9", None, "aws-cn", "cn-north-1", "123456789012")),
        ({"id": "1234567"}, Target("1234567")),
        ({"id": 1234567}, Target("1234567")),
        ({"id": "1234567", "uuid": None, "arn": None}, Target("1234567")),
        ({"id": "1234567", "uuid": UUID}, Target("1234567", UUID)),
        (RECORD, Target("1234567", UUID, "aws", "us-east-1", "123456789012")),
    ],
)  # fmt: skip
def test_an_id_an_arn_and_a_record_are_taken(value: Any, target: Target) -> None:
    assert Target.parse(value) == target


@given(st.from_regex(r"\A[0-9]{1,18}\Z"))
def test_every_id_of_1_to_18_digits_is_taken_as_it_is(run_id: str) -> None:
    assert Target.parse(run_id).id == run_id
    assert Target.parse({"id": run_id}).id == run_id


@given(
    st.integers(0, 10**18 - 1),
    st.from_regex(r"\A[0-9]{12}\Z"),
    st.sampled_from(["us-east-1", "eu-west-2", "us-gov-west-1", "il-central-1"]),
)
def test_an_arn_is_what_its_parts_say_and_comes_back_whole(run_id: int, account: str, region: str) -> None:
    arn = f"arn:aws:omics:{region}:{account}:run/{run_id}"
    target = Target.parse(arn)
    assert (target.id, target.account, target.region) == (str(run_id), account, region)
    assert target.arn == arn


def test_an_id_alone_has_no_arn() -> None:
    assert Target.parse("1234567").arn is None


# -- refused ---------------------------------------------------------------------------------------------

NONE = "None comes from an upstream task that pushed nothing."
AIRFLOW = "This is Airflow's own run_id, the id of a DAG run."
RENDERED = "This is a record rendered to text: pass the output itself, run_id=start.output."
EMPTY = "An empty text comes from a template or variable that is not set."
UNRENDERED = "This template was not rendered."
A_UUID = "This is a run's uuid; GetRun takes its id."
NOT_A_RUN = "This ARN is not a run's."
SEVERAL = "For several runs map the task: .expand(run_id=[...])."

REFUSED: list[tuple[Any, str, str]] = [
    (None, "None", NONE),
    ("None", "'None'", NONE),
    ("", "''", EMPTY),
    ("   ", "'   '", EMPTY),
    ("manual__2026-01-01T00:00:00+00:00", "'manual__2026-01-01T00:00:00+00:00'", AIRFLOW),
    ("scheduled__2026-01-01T00:00:00+00:00", "'scheduled__2026-01-01T00:00:00+00:00'", AIRFLOW),
    ("backfill__2026-01-01T00:00:00+00:00", "'backfill__2026-01-01T00:00:00+00:00'", AIRFLOW),
    ("dataset_triggered__2026-01-01", "'dataset_triggered__2026-01-01'", AIRFLOW),
    ("asset_triggered__2026-01-01", "'asset_triggered__2026-01-01'", AIRFLOW),
    ("operator_triggered__2026-01-01", "'operator_triggered__2026-01-01'", AIRFLOW),
    ("asset_materialization__2026-01-01", "'asset_materialization__2026-01-01'", AIRFLOW),
    ("{'id': '1234567'}", "\"{'id': '1234567'", RENDERED),
    ("[{'id': '1234567'}]", "\"[{'id': '123456", RENDERED),
    (str(RECORD), "\"{'parameters': {", RENDERED),
    (f"  {RECORD}", "\"  {'parameters':", RENDERED),
    (UUID, f"'{UUID}'", A_UUID),
    ("arn:aws:omics:us-east-1:123456789012:workflow/1234567",
     "'arn:aws:omics:us-east-1:123456789012:workflow/1234567'", NOT_A_RUN),
    ("arn:aws:s3:::bucket/run/1234567", "'arn:aws:s3:::bucket/run/1234567'", NOT_A_RUN),
    ("arn:aws:omics:us-east-1:12345:run/1234567", "'arn:aws:omics:us-east-1:12345:run/1234567'", NOT_A_RUN),
    (f"{ARN}/task/1", f"'{ARN}/task/1'", NOT_A_RUN),
    (["1234567"], "a list", SEVERAL),
    (("1234567", "7654321"), "a tuple", SEVERAL),
    (1.5, "1.5", ""),
    (True, "True", ""),
    (b"1234567", "a bytes", ""),
    ({"1234567"}, "a set", ""),
    (object(), "a object", ""),
    ("run-1234567", "'run-1234567'", ""),
    ("1234567\n", "'1234567\\n'", ""),
    (" 1234567", "' 1234567'", ""),
    ("-1", "'-1'", ""),
    ("1" * 19, f"'{'1' * 19}'", ""),
    ("\u0661\u0662\u0663", "'\u0661\u0662\u0663'", ""),
]  # fmt: skip

ACCEPTED = "it takes a HealthOmics run id ('1234567' or the int), a run ARN"


refused = pytest.mark.parametrize(
    ("value", "shown", "hint"),
    REFUSED,
    ids=[f"{shown[:20]}-{number}" for number, (_, shown, _) in enumerate(REFUSED)],
)


@refused
def test_anything_else_is_refused_with_the_value_what_is_taken_and_a_hint(
    value: Any, shown: str, hint: str
) -> None:
    with pytest.raises(ValueError, match="run_id is ") as caught:
        Target.parse(value)
    message = str(caught.value)
    assert message.startswith(f"run_id is {shown}")
    assert ACCEPTED in message
    assert message.endswith(hint or "(the output of the task that started the run).")
    assert "\n" not in message


@both
@refused
def test_a_wrong_value_is_refused_while_parsing(task: Any, value: Any, shown: str, hint: str) -> None:
    with pytest.raises(ValueError, match="run_id") as caught:
        task(task_id="t", run_id=value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({}, "a record without 'id' (it holds nothing)"),
        ({"arn": ARN}, "a record without 'id' (it holds arn)"),
        ({"runId": "1", "status": "RUNNING"}, "a record without 'id' (it holds runId, status)"),
        ({"id": None, "uuid": UUID}, "a record without 'id'"),
        ({"id": {"id": "1234567"}}, "a record whose 'id' is itself a record"),
        ({"id": "abc"}, "run_id is 'abc'"),
        ({"id": ""}, "run_id is ''"),
        (
            {"id": "1234567", "arn": "arn:aws:omics:us-east-1:123456789012:run/7654321"},
            "do not name the same",
        ),
        ({"id": "1234567", "arn": "1234567"}, "do not name the same"),
    ],
)
@both
def test_a_record_that_names_no_run_is_refused(task: Any, record: Any, says: str) -> None:
    with pytest.raises(ValueError, match="run_id") as caught:
        task(task_id="t", run_id=record)
    assert says in str(caught.value)
    assert ACCEPTED in str(caught.value)


@given(
    st.one_of(st.text(), st.binary(), st.floats(), st.lists(st.text()), st.dictionaries(st.text(), st.text()))
)
@example({"\n": ""})
def test_whatever_is_given_is_taken_or_refused_in_one_sentence(value: Any) -> None:
    try:
        said = f"run_id is {int(Target.parse(value).id)}"
    except ValueError as error:
        said = str(error)
    assert said.startswith("run_id is ")
    assert "\n" not in said


# -- how much of a wrong value is shown ------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        str(RECORD),
        f"\n {RECORD}",
        str([RECORD]),
        RECORD | {"id": None},
        [RECORD],
        {"id": RECORD},
        "x" * 5000 + MARKER,
        {f"key_{number}": MARKER for number in range(500)},
    ],
    ids=["text", "text after space", "list as text", "no id", "list", "nested", "long", "many keys"],
)
def test_a_wrong_value_is_shown_short_and_leaks_nothing(value: Any) -> None:
    with pytest.raises(ValueError, match="run_id") as caught:
        Target.parse(value)
    assert MARKER not in str(caught.value)
    assert "s3://" not in str(caught.value)
    assert len(str(caught.value)) < 800


# -- what Airflow renders --------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.text()), st.integers(0, 10**17))
def test_a_record_is_reduced_to_its_identity(members: dict[str, str], run_id: int) -> None:
    record = {**members, "id": str(run_id), "uuid": UUID, "arn": ARN}
    assert reduce_to_identity(record) == {"id": str(run_id), "uuid": UUID, "arn": ARN}


@both
def test_a_record_never_reaches_the_rendered_field(task: Any) -> None:
    assert task(task_id="t", run_id=RECORD).run_id == {"id": "1234567", "uuid": UUID, "arn": ARN}


@both
@pytest.mark.parametrize(
    "rendered",
    [RECORD, str(RECORD), [RECORD], {"id": RECORD}, RECORD | {"id": None}],
    ids=["record", "record as text", "list of records", "record in a record", "no id"],
)
def test_nothing_of_a_record_reaches_the_rendered_field(task: Any, rendered: Any) -> None:
    """Airflow stores rendered fields and shows them in its UI, also if the task then fails."""
    made = task(task_id="t", run_id="{{ ti.xcom_pull('start') }}")
    made.run_id = rendered
    assert MARKER not in str(made.run_id)


# -- parse time -------------------------------------------------------------------------------------------


class Upstream(BaseOperator):
    """A task whose output nobody knows yet."""

    def execute(self, context: Any) -> Any:
        return RECORD


@both
@pytest.mark.parametrize(
    "template",
    [
        "{{ ti.xcom_pull(task_ids='start')['id'] }}",
        "{{ params.run }}",
        "{% if true %}1{% endif %}",
        "{# nothing #}",
        {"id": "{{ params.run }}"},
        {"id": "1234567", "arn": "{{ params.arn }}"},
    ],
    ids=str,
)
def test_a_template_is_not_judged_while_parsing(task: Any, template: Any) -> None:
    assert task(task_id="t", run_id=template).run_id == template


@both
def test_an_upstream_s_output_is_not_judged_and_sets_the_dependency(task: Any) -> None:
    with DAG("dag", schedule=None):
        start = Upstream(task_id="start")
        made = task(task_id="t", run_id=start.output)
    assert made.upstream_task_ids == {"start"}


@both
def test_a_member_of_an_upstream_s_output_is_not_judged(task: Any) -> None:
    with DAG("dag", schedule=None):
        made = task(task_id="t", run_id=Upstream(task_id="start").output["run"])
    assert made.upstream_task_ids == {"start"}


@both
def test_mapped_values_are_not_judged(task: Any) -> None:
    with DAG("dag", schedule=None):
        mapped = task.partial(task_id="t").expand(run_id=["manual__1", None, ARN])
    assert mapped.task_id == "t"


@both
def test_an_argument_of_a_mapped_task_group_is_not_judged(task: Any) -> None:
    with DAG("dag", schedule=None) as dag:

        @task_group
        def each(run: Any) -> None:
            task(task_id="t", run_id=run)

        each.expand(run=["1", "2"])
    assert dag.task_ids == ["each.t"]


@both
@refused
def test_a_wrong_rendered_value_is_refused_without_a_call(
    task: Any, value: Any, shown: str, hint: str, omics: Any
) -> None:
    made = task(task_id="t", run_id="{{ params.run }}")
    made.run_id = value
    with pytest.raises(OmicsRequestError, match="run_id is ") as caught:
        made.execute(context_of(TaskInstance()))
    assert hint in str(caught.value)
    assert omics.counts() == {}


@both
def test_a_template_that_was_not_rendered_is_refused_without_a_call(task: Any, omics: Any) -> None:
    made = task(task_id="t", run_id="{{ params.run }}")
    with pytest.raises(OmicsRequestError, match=UNRENDERED):
        made.execute(context_of(TaskInstance()))
    assert omics.counts() == {}
