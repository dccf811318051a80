"""What the events of outlets say, what is refused while parsing, and that no outlet changes an ending."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

from airflow_omics import operators, sensors
from airflow_omics._compat import asset_classes, has_partitions
from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import Clock, TaskInstance

try:
    from airflow.sdk.execution_time.context import OutletEventAccessors
except ImportError:  # Airflow 2.11
    from airflow.utils.context import OutletEventAccessors

ASSET, _, ALIAS = asset_classes()
MARKER = "PATIENT-4711"
START: dict[str, Any] = {"role_arn": "arn:aws:iam::123456789012:role/lab", "workflow_id": "1234567"}
OF_RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sensor": (OmicsRunSensor, {"run_id": "1234567"}),
    "start": (OmicsStartRunOperator, {**START, "output_uri": "s3://bucket/out"}),
}
OF_BATCHES: dict[str, tuple[Any, dict[str, Any]]] = {
    "batch sensor": (sensors.OmicsRunBatchSensor, {"batch_id": "1234567"}),
    "batch start": (
        operators.OmicsStartRunBatchOperator,
        {**START, "output_uri": "s3://bucket/out", "run_settings": {"s1": {}}},
    ),
}
ALL = {**OF_RUNS, **OF_BATCHES}


def make(kind: str, **arguments: Any) -> Any:
    task_class, least = ALL[kind]
    return task_class(task_id="gate", **least, **arguments)


# -- what is refused -----------------------------------------------------------------------------------------

REFUSED = {
    "text": ("runOutputUri", "asset_fields is 'runOutputUri'; it takes a collection of names"),
    "a dict": ({"uuid": "uuid"}, "it takes a collection of names"),
    "a number": ([1], "it takes a collection of names"),
    "True": (True, "it takes a collection of names"),
    "parameters": (["parameters"], "holds 'parameters', which may hold patient data or secrets"),
    "tags": (["uuid", "tags"], "holds 'tags', which may hold patient data or secrets"),
    "a policy": (["sessionPolicy"], "holds 'sessionPolicy', which may hold patient data or secrets"),
    "settings": (["defaultRunSetting"], "holds 'defaultRunSetting', which may hold patient data or secrets"),
    "digests": (["resourceDigests"], "holds 'resourceDigests', which is no single value"),
    "the outcome": (["outcome"], "holds 'outcome', which is no single value; name single values, such as"),
    "the id": (["id"], "holds 'id'; an event has it as 'omics_id'"),
    "snake case": (["run_output_uri"], "did you mean 'runOutputUri'?"),
    "no name": (["run-output"], "holds 'run-output', which can be no member's name"),
    "nothing": ([""], "holds '', which can be no member's name"),
    "a template": (["{{ params.field }}"], "a template; asset_fields is not templated"),
}
BY = {
    "a number": (1, "partition_outlets_by is 1; it takes the name of one member of the record"),
    "a list": (["uuid"], "partition_outlets_by is ['uuid']; it takes the name of one member"),
    "True": (True, "partition_outlets_by is True; it takes the name of one member of the record"),
    "tags": (
        "tags",
        "partition_outlets_by is 'tags', which may hold patient data or secrets; whoever may see an asset "
        "can read its events; leave it out.",
    ),
    "the id": ("id", "partition_outlets_by is 'id'; an event has it as 'omics_id'"),
    "digests": ("resourceDigests", "partition_outlets_by is 'resourceDigests', which is no single value"),
    "snake case": ("run_group_id", "did you mean 'runGroupId'?"),
    "a template": ("{{ params.by }}", "a template"),
    "nothing": ("", "partition_outlets_by is '', which can be no member's name"),
}


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_fields_that_no_event_may_have_are_refused(kind: str, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match="asset_fields") as raised:
        make(kind, asset_fields=given)
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("given", "said"), BY.values(), ids=BY)
def test_partitions_by_nothing_that_has_one_value_are_refused(kind: str, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match="partition_outlets_by") as raised:
        make(kind, partition_outlets_by=given)
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", ALL)
def test_what_record_fields_leave_out_no_event_has(kind: str) -> None:
    with pytest.raises(ValueError, match="asset_fields holds 'uuid', which record_fields leaves out"):
        make(kind, record_fields=["name"], asset_fields=["name", "uuid"])
    with pytest.raises(ValueError, match="partition_outlets_by is 'uuid', which record_fields leaves out"):
        make(kind, record_fields=["name"], partition_outlets_by="uuid")
    # The id and the status are in every record.
    make(kind, record_fields=["name"], asset_fields=["omics_id", "status"])


@pytest.mark.parametrize("kind", OF_BATCHES)
def test_counts_of_a_batch_are_of_its_outcome(kind: str) -> None:
    make(kind, record_fields=["outcome"], asset_fields=["completed", "notStarted"])
    with pytest.raises(ValueError, match="'failed', which record_fields leaves out; name 'outcome' there"):
        make(kind, record_fields=["uuid"], asset_fields=["failed"])


# -- partitions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
def test_partitions_on_an_airflow_without_them_are_one_warning(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._task.outlet_arguments.has_partitions", lambda: False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make(kind, partition_outlets_by="uuid")
        make(kind)
    [warning] = [one for one in caught if "partition" in str(one.message)]
    assert str(warning.message) == (
        "The outlets of task 'gate' get events without partitions: partition_outlets_by needs Airflow 3.3 or "
        "newer."
    )
    assert warning.category is UserWarning


@pytest.mark.skipif(not has_partitions(), reason="this Airflow has no partitions")
@pytest.mark.parametrize("kind", ALL)
def test_partitions_on_an_airflow_with_them_are_no_warning(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(kind, partition_outlets_by="uuid")


# -- what events say -----------------------------------------------------------------------------------------


class Ended:
    """A task that has succeeded.

    :ivar record: what it returned.
    :ivar events: of its outlets.
    """

    def __init__(self, record: Any, events: Any) -> None:
        self.record, self.events = record, events

    def extra(self, outlet: Any) -> dict[str, Any]:
        extra: dict[str, Any] = self.events[outlet].extra
        return extra


class Gate:
    """Ends a sensor of a run that completed: ``gate(outlets=[...], record={...})``."""

    def __init__(self, omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._omics, self._patch = omics, monkeypatch

    def run(self, folder: str = "s3://bucket/cohort") -> str:
        [run_id] = self._omics.start_runs(
            1,
            "completed",
            outputUri=folder,
            name="trio",
            parameters={"patient": MARKER},
            tags={"patient": MARKER},
        )
        self._omics.advance(10_000)
        return str(run_id)

    def __call__(
        self, *outlets: Any, run_id: str | None = None, events: Any = None, more: Any = None, **arguments: Any
    ) -> Ended:
        if more is not None:
            from airflow_omics.hooks import OmicsHook

            get_run: Any = OmicsHook.get_run
            self._patch.setattr(OmicsHook, "get_run", lambda hook, *given: {**get_run(hook, *given), **more})
        run_id = run_id or self.run()
        sensor = OmicsRunSensor(task_id="gate", run_id=run_id, outlets=list(outlets), **arguments)
        events = OutletEventAccessors() if events is None else events
        ti = TaskInstance()
        context: Any = {"ti": ti, "task_instance": ti, "outlet_events": events}
        return Ended(sensor.execute(context), events)


@pytest.fixture
def gate(omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(omics, monkeypatch)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    """Return the warnings that were logged of outlets."""
    caplog.set_level(logging.DEBUG)

    def warned() -> list[str]:
        of_outlets = ("airflow_omics._task.outlets", "airflow_omics._task.publishing")
        rows = [row for row in caplog.records if row.name in of_outlets and row.levelno >= logging.WARNING]
        return [row.getMessage() for row in rows]

    return warned


def test_what_is_in_an_event_already_stays(gate: Gate, said: Any) -> None:
    outlet, events = ASSET(uri="s3://bucket/cohort"), OutletEventAccessors()
    events[outlet].extra.update(status="mine", panel="exome")
    extra = gate(outlet, events=events).extra(outlet)
    assert (extra["status"], extra["panel"], extra["name"]) == ("mine", "exome", "trio")
    assert said() == []


def test_event_has_single_values_only(gate: Gate, said: Any) -> None:
    outlet = ASSET(uri="s3://bucket/cohort")
    more = {"newMember": {"patient": MARKER}, "otherMember": 7, "lastMember": None}
    fields = ["newMember", "otherMember", "lastMember", "memberOfTomorrow"]
    assert gate(outlet, more=more, asset_fields=fields).extra(outlet) == {"otherMember": 7}
    assert said() == ["Events of outlets are flat, and have no newMember"]


def test_no_fields_are_an_empty_event(gate: Gate) -> None:
    outlet = ASSET(uri="s3://bucket/cohort")
    assert gate(outlet, asset_fields=[]).extra(outlet) == {}


def test_nothing_of_a_patient_is_in_an_event_or_a_log(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    outlet = ASSET(uri="s3://bucket/elsewhere")
    caplog.set_level(logging.DEBUG, logger="airflow_omics._task")
    ended = gate(outlet, ALIAS("later"))
    assert MARKER in str(ended.record)
    assert MARKER not in str(ended.events)
    assert MARKER not in caplog.text


PLACES = {
    "the folder": ("s3://bucket/cohort", True),
    "the folder, with a slash": ("s3://bucket/cohort/", True),
    "a folder above": ("s3://bucket", True),
    "a folder that begins alike": ("s3://bucket/coh", False),
    "a folder that is longer": ("s3://bucket/cohort-2", False),
    "a file beside the run's folder": ("s3://bucket/cohort/all.vcf", False),
    "another bucket": ("s3://backup/cohort", False),
    "no place in S3": ("x-lab://cohort", True),
    "no URI": ("cohort", True),
}


@pytest.mark.parametrize(("uri", "fits"), PLACES.values(), ids=PLACES)
def test_outlet_that_is_not_where_the_run_writes_is_one_warning(
    gate: Gate, said: Any, uri: str, fits: bool
) -> None:
    run_id = gate.run()
    gate(ASSET(uri=uri), run_id=run_id)
    place = f"s3://bucket/cohort/{run_id}"
    assert said() == (
        []
        if fits
        else [
            f"HealthOmics run {run_id} writes to {place}, and not to the outlet {uri}: who waits for that "
            "asset finds nothing new there"
        ]
    )


def test_outlet_of_a_file_of_the_run_fits(gate: Gate, said: Any) -> None:
    run_id = gate.run()
    gate(ASSET(uri=f"s3://bucket/cohort/{run_id}/out/all.vcf"), run_id=run_id)
    assert said() == []


def test_two_outlets_elsewhere_are_one_warning(gate: Gate, said: Any) -> None:
    gate(ASSET(uri="s3://one/a"), ASSET(uri="s3://bucket/cohort"), ASSET(uri="s3://two/b"))
    [warning] = said()
    assert "not to the outlet s3://one/a, s3://two/b:" in warning


def test_nothing_is_said_of_a_place_that_record_fields_leave_out(gate: Gate, said: Any) -> None:
    gate(ASSET(uri="s3://elsewhere/cohort"), record_fields=["name"])
    assert said() == []


# -- aliases -------------------------------------------------------------------------------------------------


def alias_events(ended: Ended, alias: Any) -> list[Any]:
    event = ended.events[alias]
    found: list[Any] = getattr(event, "asset_alias_events", None) or getattr(
        event, "dataset_alias_events", []
    )
    return found


def test_runs_of_one_folder_are_one_asset_of_an_alias(gate: Gate) -> None:
    alias = ALIAS("cohort")
    first, second = (alias_events(gate(alias), alias) for _ in range(2))
    assert len(first) == len(second) == 1
    for [event] in (first, second):
        assert "'s3://bucket/cohort'" in str(event)
    assert first != second  # each has the ids of its run


def test_alias_that_was_given_an_event_gets_no_other(gate: Gate) -> None:
    alias, events = ALIAS("cohort"), OutletEventAccessors()
    events[alias].add(ASSET(uri="s3://bucket/mine"))
    [event] = alias_events(gate(alias, events=events), alias)
    assert "s3://bucket/mine" in str(event)


def test_alias_of_a_status_that_the_dag_wants_gets_an_event(omics: Any, clock: Clock) -> None:
    [run_id] = omics.start_runs(1, "cancelled", outputUri="s3://bucket/cohort")
    omics.advance(10_000)
    alias, events, ti = ALIAS("cohort"), OutletEventAccessors(), TaskInstance()
    sensor = OmicsRunSensor(
        task_id="gate", run_id=run_id, outlets=[alias], success_statuses=["CANCELLED", "COMPLETED"]
    )
    context: Any = {"ti": ti, "outlet_events": events}
    sensor.execute(context)
    assert len(alias_events(Ended(None, events), alias)) == 1


# -- what goes wrong -----------------------------------------------------------------------------------------


class BrokenEvents(dict[Any, Any]):
    """Airflow's accessors, one of which fails."""

    def __init__(self, broken: Any) -> None:
        super().__init__()
        self._broken, self._real = broken, OutletEventAccessors()

    def __getitem__(self, outlet: Any) -> Any:
        if outlet == self._broken:
            raise RuntimeError("Airflow's API server is down")
        return self._real[outlet]


def test_outlet_that_cannot_be_filled_changes_nothing_else(gate: Gate, said: Any) -> None:
    good, broken = ASSET(uri="s3://bucket/cohort"), ASSET(uri="s3://bucket")
    ended = gate(broken, good, events=BrokenEvents(broken))
    assert ended.record["status"] == "COMPLETED"
    assert ended.extra(good)["status"] == "COMPLETED"
    [warning] = said()
    assert warning.startswith("The event of ")
    assert warning.endswith(" lacks what is known of its run")


def test_task_without_outlet_events_ends_as_ever(gate: Gate, said: Any) -> None:
    """A test of a user may execute a task with a context of its own."""
    sensor = OmicsRunSensor(task_id="gate", run_id=gate.run(), outlets=[ASSET(uri="s3://bucket/cohort")])
    context: Any = {"ti": TaskInstance()}
    assert sensor.execute(context)["status"] == "COMPLETED"
    [warning] = said()
    assert warning == "The events of the task's outlets lack what is known of its run"


@pytest.mark.skipif(not has_partitions(), reason="this Airflow has no partitions")
class TestPartitions:
    def test_partition_is_the_value_of_the_member(self, gate: Gate) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        ended = gate(outlet, partition_outlets_by="uuid")
        assert ended.events[outlet].partition_keys == {ended.record["uuid"]}

    def test_a_number_is_a_partition(self, gate: Gate) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        ended = gate(outlet, partition_outlets_by="priority", more={"priority": 7})
        assert ended.events[outlet].partition_keys == {"7"}

    def test_the_id_is_a_partition(self, gate: Gate) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        ended = gate(outlet, partition_outlets_by="omics_id")
        assert ended.events[outlet].partition_keys == {ended.record["id"]}

    def test_without_it_there_is_none(self, gate: Gate) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        assert gate(outlet).events[outlet].partition_keys == set()

    @pytest.mark.parametrize("value", [None, "", "  ", True, {"patient": MARKER}])
    def test_run_without_the_member_is_one_warning(self, gate: Gate, said: Any, value: Any) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        ended = gate(outlet, partition_outlets_by="runGroupId", more={"runGroupId": value})
        assert ended.events[outlet].partition_keys == set()
        assert ended.extra(outlet)["status"] == "COMPLETED"
        [warning] = said()
        assert "have no partition, since its run has no runGroupId" in warning

    def test_value_that_airflow_does_not_take_leaves_the_rest(self, gate: Gate, said: Any) -> None:
        outlet = ASSET(uri="s3://bucket/cohort")
        ended = gate(outlet, partition_outlets_by="name", more={"name": "n" * 251})
        assert ended.extra(outlet)["status"] == "COMPLETED"
        [warning] = said()
        assert "lacks what is known of its run" in warning

    def test_alias_has_its_event_without_a_partition(self, gate: Gate, said: Any) -> None:
        outlet, alias = ASSET(uri="s3://bucket/cohort"), ALIAS("later")
        ended = gate(alias, outlet, partition_outlets_by="uuid")
        assert len(alias_events(ended, alias)) == 1
        assert ended.events[outlet].partition_keys == {ended.record["uuid"]}
        assert said() == []
