"""A mistake in how AWS is reached is reported, and not retried as if it would pass."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_omics import operators
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.triggers import OmicsRunTrigger
from tests.support.fixtures import Connect
from tests.support.sensors import Gate, TaskInstance, context_of
from tests.support.start_operators import StartTask

OPERATORS = [
    "OmicsCancelRunOperator",
    "OmicsDeleteRunOperator",
    "OmicsDiagnoseRunOperator",
    "OmicsEstimateRunCostOperator",
    "OmicsGetRunOperator",
    "OmicsListRunTasksOperator",
]
every_operator = pytest.mark.parametrize("name", OPERATORS)

NO_FILE = (
    "verify is '/nope.pem', and there is no such file here; it takes True, False, or the path of a CA bundle "
    "on every worker and triggerer."
)
NO_FILE_IN_EXTRA = NO_FILE.replace("'/nope.pem', and", "'/nope.pem' in connection 'aws_default', and")
NO_OPTION = (
    "botocore_config holds 'read_timout', which is not an option of botocore.config.Config (botocore "
    f"{botocore.__version__}); did you mean 'read_timeout'?"
)
NO_OPTION_AT_ALL = (
    "botocore_config holds 'qqqq', which is not an option of botocore.config.Config (botocore "
    f"{botocore.__version__}); they are listed in "
    "https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html"
)
ARGUMENTS: list[Any] = [
    pytest.param({"verify": "/nope.pem"}, NO_FILE, id="verify"),
    pytest.param({"botocore_config": {"read_timout": 5}}, NO_OPTION, id="a near option"),
    pytest.param({"botocore_config": {"qqqq": 5}}, NO_OPTION_AT_ALL, id="no near option"),
]
EXTRAS: list[Any] = [
    pytest.param({"verify": "/nope.pem"}, NO_FILE_IN_EXTRA, id="verify"),
    pytest.param(
        {"config_kwargs": {"read_timout": 5}},
        NO_OPTION.replace("botocore_config", "config_kwargs of connection 'aws_default'"),
        id="config_kwargs",
    ),
]


def event_of(timeout: float = 60.0, **arguments: Any) -> Any:
    """Return what the trigger fires if no worker looked first."""

    async def first() -> Any:
        return [event async for event in OmicsRunTrigger("1234567", timeout=timeout, **arguments).run()]

    [event] = asyncio.run(first())
    return event.payload


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
@pytest.mark.parametrize("flag", [{}, {"soft_fail": True}, {"deferrable": True}], ids=str)
def test_a_sensor_does_not_wait(
    gate: Gate, run_id: str, arguments: Any, message: str, flag: dict[str, bool]
) -> None:
    end = gate(run_id=run_id, **flag, **arguments)
    assert isinstance(end.error, OmicsRequestError)
    assert str(end.error).endswith(message)
    assert (end.looks, end.after) == (0, 0.0)


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_never_fail_skips(poke_gate: Gate, run_id: str, arguments: Any, message: str) -> None:
    end = poke_gate(run_id=run_id, never_fail=True, **arguments)
    assert end.kind == "AirflowSkipException"
    assert message in str(end.error)


@pytest.mark.parametrize(("extra", "message"), EXTRAS)
def test_a_connection_s_mistake_is_reported(
    gate: Gate, run_id: str, connect: Connect, extra: Any, message: str
) -> None:
    connect(region_name="us-east-1", **extra)
    end = gate(run_id=run_id, botocore_config=None)
    assert isinstance(end.error, OmicsRequestError)
    assert str(end.error).endswith(message)
    assert (end.looks, end.after) == (0, 0.0)


def test_a_hook_that_is_used_again_still_refuses(omics: Any) -> None:
    hook = OmicsHook(aws_conn_id="aws_default", verify="/nope.pem")
    for _ in range(2):
        with pytest.raises(OmicsRequestError, match="there is no such file here"):
            hook.get_run("1234567")
    assert omics.counts() == {}


def test_a_bundle_without_a_certificate_is_a_mistake(gate: Gate, run_id: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.der"
    bundle.write_bytes(b"no text")
    end = gate(run_id=run_id, verify=str(bundle))
    assert isinstance(end.error, OmicsRequestError)
    assert str(end.error).endswith(
        f"verify is {str(bundle)!r}, and that file holds no certificate in PEM form; it takes True, False, "
        "or the path of a CA bundle on every worker and triggerer."
    )
    assert (end.looks, end.after) == (0, 0.0)


def test_the_environment_s_bundle_has_to_be_there(
    gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nope.pem")
    end = gate(run_id=run_id)
    assert isinstance(end.error, OmicsRequestError)
    assert str(end.error).endswith(
        "AWS_CA_BUNDLE is '/nope.pem' in the environment, and there is no such file here; it takes the path "
        "of a CA bundle on every worker and triggerer."
    )
    assert (end.looks, end.after) == (0, 0.0)


def test_a_bundle_that_is_given_outweighs_the_environment_s(
    poke_gate: Gate, run_id: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nope.pem")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("-----BEGIN CERTIFICATE-----")
    poke_gate.omics.move(run_id, "COMPLETED")
    assert poke_gate(run_id=run_id, verify=str(bundle)).kind == "success"


@every_operator
@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_an_operator_does_not_wait(clock: Any, run_id: str, name: str, arguments: Any, message: str) -> None:
    operator = getattr(operators, name)(task_id="t", run_id=run_id, **arguments)
    with pytest.raises(OmicsRequestError) as caught:
        operator.execute(context_of(TaskInstance()))
    assert str(caught.value).endswith(message)
    assert clock.pauses == []


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_a_start_does_not_wait(
    start_task: StartTask, clock: Any, omics: Any, arguments: Any, message: str
) -> None:
    done = start_task(**arguments)()
    assert done.kind == "OmicsRequestError"
    assert str(done.error).endswith(message)
    assert clock.pauses == []
    assert omics.counts() == {}


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_a_trigger_does_not_wait(omics: Any, arguments: Any, message: str) -> None:
    event = event_of(**arguments)
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert event["message"].endswith(message)


@pytest.mark.parametrize(("extra", "message"), EXTRAS)
def test_a_trigger_does_not_wait_for_a_connection_s_mistake(
    omics: Any, connect: Connect, extra: Any, message: str
) -> None:
    connect(region_name="us-east-1", **extra)
    event = event_of()
    assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
    assert event["message"].endswith(message)


@pytest.mark.parametrize("value", [True, False, None, "bundle"], ids=str)
def test_what_verify_takes_is_taken(poke_gate: Gate, run_id: str, tmp_path: Path, value: Any) -> None:
    if value == "bundle":
        value = str(tmp_path / "ca.pem")
        Path(value).write_text("-----BEGIN CERTIFICATE-----")
    poke_gate.omics.move(run_id, "COMPLETED")
    assert poke_gate(run_id=run_id, verify=value).kind == "success"


# -- a Region that botocore does not know -------------------------------------------------------------------

UNKNOWN = (
    f"The Region is 'us-esat-1', and botocore {botocore.__version__} knows no such Region (did you mean "
)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the tasks' own loggers warned of."""
    import logging

    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno == logging.WARNING:
                said.append(record.getMessage())

    handler = Listener()
    logger = logging.getLogger("airflow_omics")
    logger.addHandler(handler)
    monkeypatch.setattr(logger, "propagate", True)
    yield said  # type: ignore[misc]
    logger.removeHandler(handler)


def regions(said: list[str]) -> list[str]:
    return [line for line in said if "no such Region" in line]


@pytest.mark.parametrize("by", ["argument", "extra", "environment"])
def test_an_unknown_region_is_warned_of_once_and_goes_on(
    gate: Gate, run_id: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, warnings: list[str], by: str
) -> None:
    arguments = {"region_name": "us-esat-1"} if by == "argument" else {}
    connect(**{"region_name": "us-esat-1"} if by == "extra" else {})
    if by == "environment":
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-esat-1")
    looks: list[str] = []

    def lead_nowhere(hook: OmicsHook, run_id: str, *_: Any) -> Any:
        looks.append(run_id)
        raise EndpointConnectionError(
            endpoint_url=f"https://workflows-omics.us-esat-1.amazonaws.com/{run_id}"
        )

    monkeypatch.setattr(OmicsHook, "get_run", lead_nowhere)
    end = gate(run_id=run_id, poke_interval=30, timeout=90, **arguments)
    assert end.kind == "AirflowSensorTimeout"
    assert len(looks) > 1
    [line] = regions(warnings)
    assert line.startswith(UNKNOWN)
    assert "'us-east-1'" in line


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_a_known_region_is_nothing_to_speak_of(
    poke_gate: Gate, run_id: str, warnings: list[str], region: str
) -> None:
    poke_gate(run_id=run_id, region_name=region, timeout=1)
    assert regions(warnings) == []


def test_with_an_endpoint_of_its_own_any_region_will_do(
    poke_gate: Gate, run_id: str, connect: Connect, warnings: list[str]
) -> None:
    connect(region_name="us-esat-1", endpoint_url="http://127.0.0.1:1")
    poke_gate(run_id=run_id, timeout=1)
    assert regions(warnings) == []


def test_a_region_like_no_other_has_no_match(
    poke_gate: Gate, run_id: str, connect: Connect, warnings: list[str]
) -> None:
    connect(region_name="moon-base-1")
    poke_gate(run_id=run_id, timeout=1)
    [line] = regions(warnings)
    assert "did you mean" not in line


@pytest.mark.parametrize("region", ["us-east-1", "us-esat-1"])
def test_a_trigger_says_it_of_a_call_that_found_nobody(
    omics: Any, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    async def lead_nowhere(*_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url=f"https://workflows-omics.{region}.amazonaws.com/")

    monkeypatch.setattr(OmicsAsyncClient, "get_run", lead_nowhere)
    monkeypatch.setattr(OmicsAsyncClient, "list_runs", lead_nowhere)
    event = event_of(timeout=0.5, region_name=region)
    assert event["outcome"] == "timeout"
    assert "EndpointConnectionError" in event["message"]
    assert (UNKNOWN in event["message"]) == (region == "us-esat-1")


def test_an_operator_and_a_start_warn_too(
    start_task: StartTask, run_id: str, connect: Connect, warnings: list[str]
) -> None:
    connect(region_name="us-esat-1")
    operator = operators.OmicsGetRunOperator(task_id="t", run_id=run_id)
    with pytest.raises(Exception, match="HealthOmics"):
        operator.execute(context_of(TaskInstance()))
    assert len(regions(warnings)) == 1
    warnings.clear()
    start_task(wait_timeout=60)()
    assert len(regions(warnings)) == 1


# -- an interval that is too short --------------------------------------------------------------------------

SHORT = "poke_interval is 0.5 s: "


def test_a_short_interval_is_warned_of_once(poke_gate: Gate, run_id: str, warnings: list[str]) -> None:
    poke_gate(run_id=run_id, poke_interval=0.5, timeout=5)
    [line] = [line for line in warnings if "poke_interval" in line]
    assert line.startswith(SHORT)


def test_a_start_warns_of_a_short_interval(start_task: StartTask, omics: Any, warnings: list[str]) -> None:
    omics.default_life = "completed"
    assert start_task(poke_interval=0.5)().kind == "success"
    [line] = [line for line in warnings if "poke_interval" in line]
    assert line.startswith(SHORT)


@pytest.mark.parametrize("arguments", [{"poke_interval": 1}, {"poke_interval": 0.5, "mode": "reschedule"}])
def test_no_other_interval_is_warned_of(
    poke_gate: Gate, run_id: str, warnings: list[str], arguments: Any
) -> None:
    poke_gate.omics.move(run_id, "COMPLETED")
    assert poke_gate(run_id=run_id, **arguments).kind == "success"
    assert [line for line in warnings if "poke_interval" in line] == []
