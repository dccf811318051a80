"""The retry policy for Airflow 3.3; an older Airflow gets an error that says what to use instead."""

from __future__ import annotations

import datetime
import importlib
import importlib.util
from typing import Any

import pytest

from airflow_omics._faults import run_error
from airflow_omics.exceptions import (
    FaultKind,
    OmicsAccessError,
    OmicsError,
    OmicsRequestError,
    OmicsRunNotFoundError,
)

HAS_POLICIES = importlib.util.find_spec("airflow.sdk") is not None and hasattr(
    importlib.import_module("airflow.sdk"), "RetryPolicy"
)


def failed(reason: str | None, status: str = "FAILED") -> Exception:
    record: dict[str, Any] = {"id": "1234567", "status": status}
    if reason:
        record["failureReason"] = reason
    return run_error(record)  # type: ignore[arg-type]


DECISIONS = [
    pytest.param(failed("SERVICE_ERROR"), {}, ("retry", 900.0), id="retry"),
    pytest.param(failed("INSTANCE_RESERVATION_FAILED"), {}, ("retry", 900.0), id="capacity"),
    pytest.param(failed("ASSUME_ROLE_FAILED"), {}, ("fail", None), id="change"),
    pytest.param(failed("ASSUME_ROLE_FAILED"), {"change": True}, ("retry", None), id="change-overridden"),
    pytest.param(failed("WORKFLOW_RUN_FAILED"), {}, ("default", None), id="look-inside"),
    pytest.param(
        failed("WORKFLOW_RUN_FAILED"), {"look inside": False}, ("fail", None), id="look-inside-overridden"
    ),
    pytest.param(failed("SERVICE_ERROR"), {"retry": False}, ("fail", None), id="retry-overridden"),
    pytest.param(failed(None, "CANCELLED"), {}, ("fail", None), id="cancelled"),
    pytest.param(failed("A_REASON_OF_TOMORROW"), {}, ("default", None), id="unknown-reason"),
    pytest.param(OmicsAccessError("denied"), {}, ("fail", None), id="denied"),
    pytest.param(OmicsRequestError("refused"), {}, ("fail", None), id="refused"),
    pytest.param(
        OmicsAccessError("expired", kind=FaultKind.CREDENTIALS), {}, ("default", None), id="credentials"
    ),
    pytest.param(
        OmicsRequestError("full", kind=FaultKind.TRANSIENT), {}, ("default", None), id="full-account"
    ),
    pytest.param(OmicsRunNotFoundError("gone"), {}, ("default", None), id="not-found"),
    pytest.param(OmicsError("throttled"), {}, ("default", None), id="transient"),
    pytest.param(ValueError("something else"), {}, ("default", None), id="not-ours"),
]

if HAS_POLICIES:
    from airflow_omics.retry_policies import OmicsRetryPolicy

    @pytest.mark.parametrize(("error", "by_class", "decision"), DECISIONS)
    def test_a_failure_is_retried_by_its_class(
        error: Exception, by_class: dict[str, bool], decision: tuple[str, float | None]
    ) -> None:
        made = OmicsRetryPolicy(retry_by_class=by_class).evaluate(error, 1, 3)
        delay = made.retry_delay.total_seconds() if made.retry_delay else None
        assert (made.action.value, delay) == decision

    def test_the_policy_is_serialised_whole() -> None:
        policy = OmicsRetryPolicy(datetime.timedelta(minutes=5), {"look inside": False})
        assert policy.serialize() == {"delay": 300.0, "retry_by_class": {"look inside": False}}
        again = OmicsRetryPolicy.deserialize(policy.serialize())
        assert (again.delay, again.retry_by_class) == (datetime.timedelta(minutes=5), {"look inside": False})

else:

    def test_an_airflow_without_policies_gets_an_error_that_says_what_to_use() -> None:
        with pytest.raises(ImportError, match=r"needs Airflow 3\.3 or newer; before that.*retry_by_class"):
            importlib.import_module("airflow_omics.retry_policies")
