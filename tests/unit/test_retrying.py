"""A call in a worker: which errors are retried, for how long, what the log says, which error comes of it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from airflow_omics._faults import Fault, backoff, fault_error
from airflow_omics._identity import Target
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)
from airflow_omics.hooks.retrying import Retries, with_retries
from tests.support.clocks import turn

log = logging.getLogger("tests.retrying")


class Clock:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Hook:
    """What the retries need of a hook."""

    place = "in us-east-1, through the connection 'aws_default'"

    def __init__(self) -> None:
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    turn(monkeypatch, turned)
    return turned


def answered(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "GetRun")


THROTTLED = answered("ThrottlingException", 429)
INTERNAL = answered("InternalServerException", 500)
NETWORK = EndpointConnectionError(endpoint_url="https://omics.us-east-1.amazonaws.com")
EXPIRED = answered("ExpiredTokenException", 403)
DENIED = answered("AccessDeniedException", 403)
REFUSED = answered("ValidationException")
NOT_FOUND = answered("ResourceNotFoundException", 404)


def raising(*errors: Exception) -> Callable[[], str]:
    """Return a call that raises each error once, and then returns."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return call


def always(error: Exception) -> Callable[[], str]:
    def call() -> str:
        raise error

    return call


def retries(hook: Hook | None = None, **arguments: Any) -> Retries:
    it: Any = Hook() if hook is None else hook
    return Retries(lambda: it, log, **arguments)


# -- for how long --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [THROTTLED, INTERNAL, NETWORK, EXPIRED])
def test_an_error_that_passes_is_retried(clock: Clock, error: Exception) -> None:
    assert retries().call(raising(error, error, error)) == "answer"
    assert len(clock.pauses) == 3


@pytest.mark.parametrize(
    ("error", "arguments", "seconds"),
    [
        (INTERNAL, {}, 300),
        (NETWORK, {}, 300),
        (THROTTLED, {}, 300),
        (THROTTLED, {"throttled": 7200.0}, 7200),
        (INTERNAL, {"throttled": 7200.0}, 300),
        (EXPIRED, {}, 300),
        (EXPIRED, {"transient": 0.0}, 300),
    ],
)
def test_each_kind_of_error_is_tolerated_for_its_time(
    clock: Clock, error: Exception, arguments: dict[str, Any], seconds: float
) -> None:
    with pytest.raises(OmicsError) as caught:
        retries(**arguments).call(always(error))
    assert caught.value.__cause__ is error
    assert seconds <= clock.now <= seconds + 60


@pytest.mark.parametrize("error", [THROTTLED, INTERNAL, NETWORK, DENIED, REFUSED, NOT_FOUND])
def test_no_time_means_no_retry(clock: Clock, error: Exception) -> None:
    with pytest.raises(OmicsError):
        retries(transient=0.0).call(always(error))
    assert clock.pauses == []


def test_credentials_count_from_when_they_were_lost(clock: Clock) -> None:
    calls = retries(throttled=7200.0)
    with pytest.raises(OmicsAccessError):
        calls.call(lambda: (always(THROTTLED) if clock.now < 1000 else always(EXPIRED))())
    assert 1300 <= clock.now <= 1420


@pytest.mark.parametrize("error", [INTERNAL, NETWORK])
@pytest.mark.parametrize("before", [THROTTLED, EXPIRED])
def test_transient_errors_count_from_the_first_of_them(
    clock: Clock, before: Exception, error: Exception
) -> None:
    calls = retries(throttled=7200.0)
    with pytest.raises(OmicsError) as caught:
        calls.call(lambda: (always(before) if clock.now < 280 else always(error))())
    assert caught.value.__cause__ is error
    assert 580 <= clock.now <= 700


def test_one_error_after_much_throttling_is_retried(clock: Clock) -> None:
    assert retries(throttled=7200.0).call(raising(*[THROTTLED] * 15, INTERNAL)) == "answer"
    assert clock.now > 300


def test_throttling_restarts_the_time_of_other_errors_but_not_its_own(clock: Clock) -> None:
    calls, errors = retries(throttled=7200.0), itertools.cycle((THROTTLED, INTERNAL))
    with pytest.raises(OmicsError) as caught:
        calls.call(lambda: always(next(errors))())
    assert caught.value.__cause__ is THROTTLED
    assert 7200 <= clock.now <= 7320


def test_lost_credentials_do_not_restart_the_time_of_transient_errors(clock: Clock) -> None:
    calls, errors = retries(throttled=7200.0), itertools.cycle((EXPIRED, INTERNAL))
    with pytest.raises(OmicsError) as caught:
        calls.call(lambda: always(next(errors))())
    assert caught.value.__cause__ is INTERNAL
    assert 300 <= clock.now <= 420


def test_an_answer_ends_what_was_before_it(clock: Clock) -> None:
    calls = retries()
    fault = Fault(FaultKind.TRANSIENT, "GetRun: InternalServerException: no")
    for until in (200, 400, 600):
        while clock.now < until:
            calls.wait(fault, INTERNAL)
        calls.answered()
    with pytest.raises(OmicsError):
        calls.call(always(INTERNAL))
    assert 900 <= clock.now <= 1020


def test_an_error_that_is_not_of_aws_is_raised_as_it_came(clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        retries().call(always(ZeroDivisionError()))
    assert clock.pauses == []


# -- between two tries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "times"), [(EXPIRED, 2), (INTERNAL, 0), (THROTTLED, 0)])
def test_only_lost_credentials_have_the_connection_read_again(
    clock: Clock, error: Exception, times: int
) -> None:
    hook = Hook()
    assert retries(hook).call(raising(error, error)) == "answer"
    assert hook.forgotten == times


def test_the_pause_grows_with_jitter() -> None:
    assert [backoff(n, lambda: 0.0) for n in (1, 2, 3, 6, 7, 8, 100)] == [0.5, 1, 2, 16, 30, 30, 30]
    assert [backoff(n, lambda: 1.0) for n in (1, 2, 3, 6, 7, 8, 100)] == [1, 2, 4, 32, 60, 60, 60]
    assert [backoff(n, lambda: 1.0, first=0.5, longest=5.0) for n in (1, 2, 5)] == [0.5, 1, 5]


def test_the_log_has_a_line_at_the_1st_2nd_4th_and_8th_error(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, log.name):
        retries(target=Target("1234567")).call(raising(*[INTERNAL] * 9))
    line = "HealthOmics run 1234567: trying again: GetRun: InternalServerException: no"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", line)] * 4


def test_a_line_about_no_run_names_the_operation(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, log.name):
        retries().call(raising(THROTTLED))
    assert caplog.messages == ["trying again: GetRun: ThrottlingException: no"]


# -- which error ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "run_id", "error_class", "kind"),
    [
        (EXPIRED, "1234567", OmicsAccessError, FaultKind.CREDENTIALS),
        (DENIED, "1234567", OmicsAccessError, FaultKind.DENIED),
        (REFUSED, "1234567", OmicsRequestError, FaultKind.REFUSED),
        (NOT_FOUND, "1234567", OmicsRunNotFoundError, FaultKind.NOT_FOUND),
        (INTERNAL, "1234567", OmicsError, FaultKind.TRANSIENT),
        (DENIED, None, OmicsAccessError, FaultKind.DENIED),
        (NOT_FOUND, None, OmicsRequestError, FaultKind.REFUSED),
        (INTERNAL, None, OmicsError, FaultKind.TRANSIENT),
    ],
)
def test_the_last_error_says_what_kind_it_is_and_about_which_run(
    clock: Clock, error: Exception, run_id: str | None, error_class: type[OmicsError], kind: FaultKind
) -> None:
    with pytest.raises(OmicsError) as caught:
        retries(target=Target(run_id) if run_id else None, transient=0.0).call(always(error))
    assert type(caught.value) is error_class
    assert (caught.value.kind, caught.value.run_id) == (kind, run_id)
    assert str(caught.value).startswith("HealthOmics run 1234567: GetRun: " if run_id else "GetRun: ")


def test_not_found_is_said_with_where_it_was_looked_for(clock: Clock) -> None:
    with pytest.raises(OmicsRequestError, match="no, in us-east-1, through the connection 'aws_default'"):
        retries().call(always(NOT_FOUND))


def test_an_operator_leaves_the_last_transient_error_to_airflow_as_it_came(clock: Clock) -> None:
    hook: Any = Hook()
    with pytest.raises(ClientError) as caught:
        with_retries(always(INTERNAL), hook=hook, target=Target("1234567"), transient=0.0, log=log)
    assert caught.value is INTERNAL
    with pytest.raises(OmicsAccessError):
        with_retries(always(DENIED), hook=hook, target=Target("1234567"), transient=0.0, log=log)


def test_an_error_carries_the_last_record_that_is_known() -> None:
    record: Any = {"id": "1234567", "status": "RUNNING"}
    error = fault_error(Fault(FaultKind.DENIED, "GetRun: no"), Target("1234567"), record)
    assert (str(error), error.record) == ("HealthOmics run 1234567: GetRun: no", record)
