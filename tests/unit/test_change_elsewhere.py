"""What cancelling and deleting make of the answers of another account."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_omics._identity import Target
from airflow_omics._steering.cancel import Cancellation
from airflow_omics._steering.change import apply_change
from airflow_omics._steering.delete import Deletion
from airflow_omics.exceptions import OmicsAccessError
from tests.support.clocks import turn

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
    tried = change(Target("1234567"), started_at=0.0)
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


class Hook:
    """Answers from a list: a record, or the code of an error."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.homes: set[str] = set()
        self.own_home: str | None = None
        self.replaces = self.stands_in = self.asked_sts = self.looked_around = False
        self.place = "in us-east-1, through the connection 'lab'"

    def ask_sts(self) -> None:
        self.asked_sts = True  # STS is out of reach

    def look_around(self) -> None:
        self.looked_around = True  # ListRuns is not allowed

    def get_run(self, run_id: str) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer, "Message": "no"}}, "GetRun")
        self.homes.add("account 111111111111 in us-east-1")
        return answer

    def cancel_run(self, run_id: str) -> None:
        pass

    delete_run = cancel_run


@pytest.mark.parametrize(("change", "status"), [(Cancellation, "RUNNING"), (Deletion, "COMPLETED")])
def test_not_found_of_a_client_made_after_a_fault_is_no_deletion(
    change: Any, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What made a new client necessary may have changed the identity: the run would go on, and cost."""
    clock = Turned()
    turn(monkeypatch, clock)
    ours = record("111111111111", status, "11111111-1111-1111-1111-111111111111")
    hooks = [Hook(ours, "ExpiredTokenException"), Hook("ResourceNotFoundException")]
    tried = change(Target("1234567"), started_at=clock.time())
    with pytest.raises(OmicsAccessError, match="its client was replaced after a fault"):
        apply_change(tried, lambda: hooks.pop(0) if len(hooks) > 1 else hooks[0], log=logging.getLogger())
    assert 300 <= clock.now <= 400


class Turned:
    """A clock that sleeping turns."""

    now = 0.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds
