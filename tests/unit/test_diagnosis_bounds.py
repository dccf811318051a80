"""A diagnosis holds its task no longer than it may, whoever is silent."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_omics._connection import AwsArguments
from airflow_omics.diagnosis import diagnose, forgotten_run
from airflow_omics.diagnosis.model import Limits
from airflow_omics.exceptions import OmicsRunNotFoundError
from airflow_omics.hooks import OmicsHook, OmicsLogsHook
from airflow_omics.operators import OmicsDiagnoseRunOperator
from airflow_omics.records import RunRecord
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import ONE_ATTEMPT, TaskInstance, context_of

RECORD: RunRecord = {
    "id": "1234567",
    "arn": "arn:aws:omics:us-east-1:123456789012:run/1234567",
    "status": "FAILED",
    "failureReason": "RUN_TASK_FAILED",
    "creationTime": "2026-01-15T12:00:00Z",
    "startTime": "2026-01-15T12:10:00Z",
}
ENDED = "The search ended after 0.2 s, its limit; there may be more to find."
LONG = 20.0
"""Seconds after which something counts as hanging: a hundred times what it may take."""


@pytest.fixture
def silence() -> Iterator[str]:
    """The URL of an endpoint that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def blocked() -> Iterator[Callable[..., Any]]:
    """A function that does not return before the test's end."""
    end = threading.Event()
    yield lambda *_, **__: end.wait(300)
    end.set()


@pytest.fixture
def silent_sts(silence: str, connect: Any) -> None:
    connect(
        login="AKIAIOSFODNN7EXAMPLE",
        password="secret-access-key",
        region_name="us-east-1",
        role_arn="arn:aws:iam::123456789012:role/airflow",
        service_config={"sts": {"endpoint_url": silence}},
    )


def outcome(work: Callable[[], Any]) -> Any:
    """Return what the work returns or raises; it must not hang."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONG)
    assert found, f"no end after {LONG:g} s"
    return found[0]


def notes_on(record: RunRecord, seconds: float = 0.2) -> list[str]:
    limits = Limits(max_seconds=seconds)
    diagnosis = outcome(lambda: diagnose(OmicsHook.of(AwsArguments()), record, limits=limits))
    return list(diagnosis.findings.notes)


@pytest.mark.usefixtures("silent_sts")
@pytest.mark.parametrize(
    "record",
    [RECORD, {"id": "1234567", "status": "FAILED"}, {"id": "1234567", "status": "DELETED"}],
    ids=["whole", "no-arn", "deleted"],
)
def test_an_sts_that_is_silent_ends_with_the_time_of_the_diagnosis(record: RunRecord) -> None:
    assert notes_on(record) == [ENDED]


def test_a_secrets_backend_that_is_silent_ends_with_the_time_of_the_diagnosis(
    blocked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsHook, "get_connection", blocked)
    assert notes_on(RECORD) == [ENDED]


def test_a_search_that_finds_its_time_over_before_its_task_does_says_so(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(seconds: float, work: Callable[[], object], name: str) -> bool:
        work()
        return True

    # By the module itself: the package has a function of the same name.
    monkeypatch.setattr(importlib.import_module("airflow_omics.diagnosis.gather"), "ends_within", at_once)
    found = diagnose(OmicsHook.of(AwsArguments()), RECORD, limits=Limits(max_seconds=1e-9))
    assert list(found.findings.notes) == [ENDED.replace("0.2", "1e-09")]


def test_a_task_that_resumes_reads_its_connection_within_the_time_of_the_diagnosis(
    blocked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsHook, "get_connection", blocked)
    monkeypatch.setattr("airflow_omics.diagnosis.Limits", lambda: Limits(max_seconds=0.2))
    sensor = OmicsRunSensor(task_id="gate", run_id="1234567", deferrable=True)
    event = {"outcome": "terminal", "record": RECORD, "message": "It failed."}
    ti = TaskInstance()
    error = outcome(lambda: sensor.execute_complete(context_of(ti), event))
    assert str(error).startswith("It failed.\n\nWhat it means: A task of the run failed.")
    assert ti.diagnoses[0]["notes"] == [ENDED]


def test_a_connection_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(conn_id: str) -> None:
        raise RuntimeError("the vault is sealed")

    monkeypatch.setattr(OmicsHook, "get_connection", staticmethod(fails))
    [note] = notes_on(RECORD, seconds=LONG)
    assert note.startswith("AWS could not be asked: ")
    assert "the vault is sealed" in note


def test_the_manifest_of_a_forgotten_run_is_read_within_the_time_that_is_given(
    omics: Any, blocked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OmicsLogsHook, "streams", blocked)
    hook = OmicsHook.of(AwsArguments())
    error = outcome(lambda: forgotten_run(hook, "1234567", max_seconds=0.2))
    assert isinstance(error, TimeoutError)
    assert str(error) == "no end after 0.2 s"


def test_a_run_that_is_gone_and_whose_manifest_cannot_be_read_in_time_is_not_found(
    omics: Any, blocked: Any, monkeypatch: pytest.MonkeyPatch, output: Any
) -> None:
    monkeypatch.setattr(OmicsLogsHook, "streams", blocked)
    task = OmicsDiagnoseRunOperator(
        task_id="explain", run_id="1234567", max_seconds=0.2, botocore_config=ONE_ATTEMPT
    )
    # Airflow 2.11 wraps execute in a check that knows one thread alone.
    execute = inspect.unwrap(type(task).execute)
    assert isinstance(outcome(lambda: execute(task, context_of(TaskInstance()))), OmicsRunNotFoundError)
    assert (
        "The manifest of HealthOmics run 1234567 could not be read: TimeoutError: no end after 0.2 s"
        in output()
    )


@pytest.mark.parametrize(
    ("hook_class", "options", "times"),
    [
        (OmicsHook, None, (10, 30, 3)),
        (OmicsLogsHook, None, (5, 10, 2)),
        (OmicsHook, {"read_timeout": 60}, (10, 60, 3)),
    ],
)
def test_the_client_that_assumes_a_role_has_time_outs(
    hook_class: Any,
    options: Any,
    times: tuple[int, int, int],
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(region_name="us-east-1", role_arn="arn:aws:iam::123456789012:role/airflow")
    built: dict[str, Any] = {}

    class Session(boto3.session.Session):
        def client(self, service_name: str, **kwargs: Any) -> Any:
            built[service_name] = kwargs["config"]
            raise RuntimeError("far enough")

    monkeypatch.setattr("airflow.providers.amazon.aws.hooks.base_aws.boto3.session.Session", Session)
    with pytest.raises(RuntimeError, match="far enough"):
        hook_class(config=options).conn  # noqa: B018
    config = built["sts"]
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == times


def test_the_connection_is_read_once_for_both_clients(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    real = AwsBaseHook.get_connection

    def spy(conn_id: str) -> Any:
        read.append(conn_id)
        return real(conn_id)

    monkeypatch.setattr(AwsBaseHook, "get_connection", staticmethod(spy))
    diagnose(OmicsHook.of(AwsArguments(botocore_config=ONE_ATTEMPT)), RECORD)
    assert read == ["aws_default"]


if importlib.util.find_spec("airflow.sdk") is not None:
    import msgspec
    from airflow.sdk import Variable
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    ANSWERS = {
        "GetConnection": {
            "type": "ConnectionResult",
            "conn_id": "aws_default",
            "conn_type": "aws",
            "extra": '{"region_name": "us-east-1"}',
        },
        "GetVariable": {"type": "VariableResult", "key": "mine", "value": "ours"},
    }

    class Supervisor:
        """What answers a task's requests, one after the other, like the process that Airflow has for that.

        :param after: seconds after which it answers the first of them.
        """

        def __init__(self, after: float) -> None:
            self._after = after
            self._ours, self.theirs = socket.socketpair()
            self.asked: list[str] = []
            threading.Thread(target=self._answer, daemon=True).start()

        def close(self) -> None:
            self._ours.close()
            self.theirs.close()

        def _answer(self) -> None:
            try:
                while header := self._ours.recv(4):
                    frame = self._ours.recv(int.from_bytes(header, "big"))
                    number, request = msgspec.msgpack.decode(frame)[:2]
                    kind = request["type"]
                    if not self.asked:
                        threading.Event().wait(self._after)
                    self.asked.append(kind)
                    answer = msgspec.msgpack.encode((number, ANSWERS.get(kind), None))
                    self._ours.sendall(len(answer).to_bytes(4, "big") + answer)
            except OSError:
                pass  # the test is over

    def no_search_goes_on() -> None:
        """Wait for the threads that searches left behind: they would ask the supervisor of another test."""
        for thread in threading.enumerate():
            if thread.name.startswith("omics-diagnosis-"):
                thread.join(LONG)
                assert not thread.is_alive(), f"{thread.name} goes on"

    @pytest.fixture
    def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
        no_search_goes_on()
        made = Supervisor(after=1.0)
        comms: Any = CommsDecoder(socket=made.theirs)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        yield made
        made.close()
        no_search_goes_on()

    def test_an_answer_that_comes_after_the_diagnosis_is_not_taken_for_another(
        supervisor: Supervisor, silence: str
    ) -> None:
        arguments = AwsArguments(botocore_config={"connect_timeout": 1})
        assert (
            ENDED in diagnose(OmicsHook.of(arguments), RECORD, limits=Limits(max_seconds=0.2)).findings.notes
        )
        assert Variable.get("mine") == "ours"
        assert supervisor.asked.index("GetConnection") < supervisor.asked.index("GetVariable")

    def test_where_requests_are_not_kept_apart_the_task_itself_reads_its_connection(
        supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        askers = []
        inner: Any = task_runner.SUPERVISOR_COMMS

        class WithoutLock:  # as on Airflow 3.0 and 3.1
            def send(self, request: Any) -> Any:
                askers.append(threading.current_thread())
                return inner.send(request)

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", WithoutLock())
        diagnose(OmicsHook.of(AwsArguments()), RECORD, limits=Limits(max_seconds=0.2))
        assert set(askers) == {threading.current_thread()}
