"""Every way that one cancel, or one delete, of a run can go: two tries, and up to two troubles."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from airflow_omics.operators import OmicsCancelRunOperator, OmicsDeleteRunOperator
from tests.simulation.exhaustive.log import Log
from tests.simulation.exhaustive.service import ACCOUNT, LASTS
from tests.simulation.exhaustive.tries import Try, installed
from tests.simulation.exhaustive.ways import Ways, all_ways
from tests.support.start_operators import WorkerDied

RUN_ID = "1000001"
TROUBLES, CALLS = 2, 4
"""How much may go wrong in one history, and in which of its first calls."""

GOES = (
    "arrives",
    "is lost",
    "arrives, its answer is lost",
    "is denied",
    "finds the run ended",
    "finds the id with another run",
    "is never sent: the worker dies",
    "arrives, and the worker dies",
)

REASONS = {
    "id reused after the read": (
        "Another run gets the id between GetRun and the request that follows it",
        "That run is cancelled or deleted: the request names a run by its id alone",
    ),
    "id alone": (
        "The run is given by its id alone, and another run has got the id before the first look of the task "
        "or of a retry",
        "That run is taken for the one that is meant",
    ),
}
"""What cannot be promised: what happens, and what comes of it."""


@dataclass
class Run:
    """The run under our id.

    :param owner: ``ours``, or ``another``'s.
    :param accepted: how often a request to change it was accepted.
    """

    owner: str
    status: str
    accepted: int = 0
    due: float | None = None


@dataclass
class Change:
    """One history; the package reaches it as it reaches ``tries.Try``."""

    ways: Ways
    now: float = 0.0
    calls: int = 0
    troubles: int = 0
    lines: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    ended: str = ""
    read: str = ""

    def __post_init__(self) -> None:
        self.operation = self.ways("the task", ("cancels", "deletes"))
        self.given = self.ways("the run is given", ("as a record", "by its id"))
        before = self.ways("the run is", ("RUNNING", "STOPPING", "COMPLETED", "FAILED", "gone", "another's"))
        self.ours = Run("ours", before if before.isupper() else "gone")
        if before == "STOPPING":
            self.ours.due = LASTS
        self.runs = [Run("another", "COMPLETED" if self.operation == "deletes" else "RUNNING")]
        if before != "another's":
            self.runs = [] if before == "gone" else [self.ours]

    # -- what the package asks -------------------------------------------------------------------------------

    clock_skew, place, stands_in, replaces = 0.0, "in us-east-1", False, False
    own_home, asked_sts, looked_around = None, True, True

    @property
    def homes(self) -> set[str]:
        return {"account 123456789012 in us-east-1"}

    def hook(self, *_: Any) -> Any:
        return self

    def region_warning(self) -> None:
        return None

    def time(self) -> float:
        return 1_800_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + 0.001

    def say(self, level: int, text: str) -> None:
        self.lines.append(text)

    def get_run(self, run_id: str) -> dict[str, Any]:
        return self._call("GetRun", self._record)

    def cancel_run(self, run_id: str) -> None:
        self._call("CancelRun", self._cancel)

    def delete_run(self, run_id: str) -> None:
        self._call("DeleteRun", self._delete)

    # -- the service -----------------------------------------------------------------------------------------

    def _call(self, operation: str, do: Any) -> Any:
        self.calls += 1
        goes = "arrives"
        if self.troubles < TROUBLES and self.calls <= CALLS:
            goes = self.ways(f"call {self.calls}, {operation},", GOES)
            self.troubles += goes != "arrives"
        if goes == "finds the run ended" and self._run and self._run.status in ("RUNNING", "STOPPING"):
            self._run.status, self._run.due = "COMPLETED", None
        if goes == "finds the id with another run":
            self.runs = [Run("another", "COMPLETED" if self.operation == "deletes" else "RUNNING")]
        if goes == "is never sent: the worker dies":
            raise WorkerDied
        if goes == "is lost":
            raise ConnectionResetError("lost")
        if goes == "is denied":
            _refuse(operation, "AccessDeniedException", 403)
        answer = do()
        if goes == "arrives, and the worker dies":
            raise WorkerDied
        if goes == "arrives, its answer is lost":
            raise ConnectionResetError("lost")
        return answer

    @property
    def _run(self) -> Run | None:
        run = self.runs[0] if self.runs else None
        if run is not None and run.due is not None and self.now >= run.due:
            run.status, run.due = "CANCELLED", None
        return run

    def _known(self, operation: str) -> Run:
        if self._run is None:
            _refuse(operation, "ResourceNotFoundException", 404)
        return self._run

    def _record(self) -> dict[str, Any]:
        run = self._known("GetRun")
        self.read = run.owner
        uuid = ("1" if run.owner == "ours" else "2") * 8 + "-0000-4000-8000-000000000000"
        return {"id": RUN_ID, "arn": f"{ACCOUNT}{RUN_ID}", "uuid": uuid, "status": run.status}

    def _cancel(self) -> None:
        run = self._known("CancelRun")
        if run.status != "RUNNING":
            self._refused("CancelRun")
        run.status, run.due = "STOPPING", self.now + LASTS
        self._accepted(run)

    def _delete(self) -> None:
        run = self._known("DeleteRun")
        if run.status in ("RUNNING", "STOPPING"):
            self._refused("DeleteRun")
        self._accepted(run)
        self.runs = []
        run.status = "gone"

    def _accepted(self, run: Run) -> None:
        run.accepted += 1
        if run.accepted > 1:
            self.broken.add("twice")
        if run.owner == "another":
            by_id = self.given == "by its id" and self.read == "another"
            self.broken.add(
                "id alone" if by_id else "id reused after the read" if self.read == "ours" else "another run"
            )

    def _refused(self, operation: str) -> NoReturn:
        code = self.ways("a run that has ended is refused with", ("ConflictException", "ValidationException"))
        _refuse(operation, code, 409 if code.startswith("Conflict") else 400)

    # -- the task --------------------------------------------------------------------------------------------

    def __call__(self) -> Change:
        Try.now_playing = self  # type: ignore[assignment]
        random.seed(0)
        for _ in range(2):
            try:
                record = self._execute()
            except WorkerDied:
                self.ended = "died"
            except Exception as error:
                self.ended = type(error).__name__
            else:
                self.ended = "succeeded"
                self._judge(record)
                break
        return self

    def _execute(self) -> Any:
        waits = self.operation == "deletes" or self.ways("the task waits", ("yes", "no")) == "yes"
        return _operator(self.operation, self.given, waits).execute({"ti": None})

    def _judge(self, record: Any) -> None:
        if self.ours.status == "RUNNING" and self.ours in self.runs and self._means_ours(record):
            self.broken.add("goes on")
        if self.operation == "deletes" and self.ours in self.runs and self._means_ours(record):
            self.broken.add("still there")

    @staticmethod
    def _means_ours(record: Any) -> bool:
        return not str(record.get("uuid", "")).startswith("2")


class _Cancel(OmicsCancelRunOperator):
    log: Any = Log(lambda *_: None)


class _Delete(OmicsDeleteRunOperator):
    log: Any = Log(lambda *_: None)


@functools.cache
def _operator(operation: str, given: str, waits: bool) -> Any:
    uuid = "11111111-0000-4000-8000-000000000000"
    run_id: Any = {"id": RUN_ID, "arn": f"{ACCOUNT}{RUN_ID}", "uuid": uuid}
    if given == "by its id":
        run_id = RUN_ID
    if operation == "deletes":
        return _Delete(task_id="change", run_id=run_id)
    return _Cancel(task_id="change", run_id=run_id, wait_for_completion=waits)


def _refuse(operation: str, code: str, status: int) -> NoReturn:
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    raise ClientError(answer, operation)


def all_changes() -> list[Change]:
    """Play every history."""
    with installed():
        return [done for _, done in all_ways(lambda ways: Change(ways)())]
