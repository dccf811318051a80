"""What cancelling and deleting make of an answer that is about another account's run of the same id."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_omics._identity import RunTarget
from airflow_omics._steering.cancel import Cancellation
from airflow_omics._steering.delete import Deletion
from airflow_omics.exceptions import OmicsAccessError

pytestmark = pytest.mark.any_airflow


def record(account: str, status: str, uuid: str) -> Any:
    return {
        "id": "1234567",
        "arn": f"arn:aws:omics:us-east-1:{account}:run/1234567",
        "uuid": uuid,
        "status": status,
        "creationTime": "2026-01-15T12:00:00Z",
    }


@pytest.mark.parametrize(("change", "status"), [(Cancellation, "RUNNING"), (Deletion, "COMPLETED")])
def test_it_is_no_deletion_and_fresh_credentials_are_tried(change: Any, status: str) -> None:
    ours = record("111111111111", status, "11111111-1111-1111-1111-111111111111")
    theirs = record("222222222222", status, "22222222-2222-2222-2222-222222222222")
    tried = change(RunTarget("1234567"), started_at=0.0)
    tried.answered(ours, 0.0)
    tried.accepted(1.0)
    tried.answered(theirs, 10.0)
    assert (tried.result, tried.error, tried.wants_fresh_client) == (None, None, True)
    tried.answered(ours, 20.0)
    assert (tried.result, tried.error, tried.wants_fresh_client) == (None, None, False)
    tried.answered(theirs, 30.0)
    tried.answered(theirs, 329.0)
    assert tried.error is None
    tried.answered(theirs, 330.0)
    assert isinstance(tried.error, OmicsAccessError)
    assert "GetRun answered for account 222222222222 in us-east-1" in str(tried.error)
