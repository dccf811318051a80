"""A small HealthOmics of one task: runs, tokens, and the methods of the hook that reach them.

It answers as the emulator does, in a hundredth of the time: ``test_start_histories.py`` plays some histories
over both.
"""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from botocore.exceptions import ClientError

ACCOUNT = "arn:aws:omics:us-east-1:123456789012:run/"
LASTS = 50.0
"""Seconds from when a run is started, or a try begins that finds it, to when it ends."""


@dataclass
class Run:
    """One run, and what a judge has to know of it.

    :param wish: for which wish of a person it was started, see ``broken``.
    :param due: when it ends.
    :param is_gone: whether it was deleted.
    :param is_noted: whether the task state store has had it.
    :param is_cancelled: whether a CancelRun was accepted for it.
    :param is_named: whether a log line or an error says that it goes on.
    :param marks: what has happened to its task while it went on, which no later try can find out.
    :param given_id: its id, if another service than this one made it.
    :param is_returned: whether a task that does not wait has returned it, so that others watch it.
    """

    number: int
    members: Mapping[str, Any]
    fingerprint: str
    created: float
    wish: int
    due: float | None
    status: str = "RUNNING"
    is_gone: bool = False
    is_noted: bool = False
    is_cancelled: bool = False
    is_named: bool = False
    is_returned: bool = False
    marks: frozenset[str] = frozenset()
    given_id: str = ""

    def __copy__(self) -> Run:
        made = object.__new__(Run)
        made.__dict__.update(self.__dict__)
        return made

    @property
    def id(self) -> str:
        return self.given_id or str(1_000_000 + self.number)

    @property
    def is_active(self) -> bool:
        return not self.is_gone and self.status in ("RUNNING", "STOPPING")

    def record(self) -> dict[str, Any]:
        made = datetime.datetime.fromtimestamp(self.created, datetime.UTC)
        record = {
            "id": self.id,
            "arn": f"{ACCOUNT}{self.id}",
            "uuid": f"{self.number:08d}-0000-4000-8000-000000000000",
            "name": self.members["name"],
            "status": self.status,
            "tags": dict(self.members["tags"]),
            "creationTime": made.isoformat(),
        }
        return {**record, "failureReason": "SERVICE_ERROR"} if self.status == "FAILED" else record


@dataclass
class Service:
    """What HealthOmics holds: it lives as long as a history."""

    runs: list[Run] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    """The last run that each token has started, by its number."""

    def copy(self) -> Service:
        return Service([copy.copy(run) for run in self.runs], dict(self.tokens))

    def find(self, run_id: str) -> Run | None:
        return next((run for run in self.runs if run.id == run_id and not run.is_gone), None)


class Hook:
    """What stands in for ``OmicsHook``.

    :param service: what it talks to.
    :param ask: answers a question about how this history goes, see ``ways.Ways``.
    :param now: returns the time.
    :param at: is called before and after each call, with its name; it may raise.
    :param wish: returns for which wish a run is started now.
    :param started: is called with each new run, and ``cancelled`` with each that CancelRun was accepted for.
    """

    clock_skew = 0.0
    place = "in us-east-1, through the connection 'aws_default'"
    stands_in = replaces = False

    def __init__(
        self,
        service: Service,
        ask: Callable[[str, tuple[str, ...]], str],
        now: Callable[[], float],
        at: Callable[[str, str], None],
        wish: Callable[[], int],
        started: Callable[[Run], None],
        cancelled: Callable[[Run], None],
    ) -> None:
        self._service, self._ask, self._now, self._at = service, ask, now, at
        self._wish, self._started, self._cancelled = wish, started, cancelled
        self.homes: set[str] = set()
        self.own_home: str | None = None
        self.asked_sts = self.looked_around = False

    def region_warning(self) -> None:
        return None

    def forget(self) -> None:
        pass

    def ask_sts(self) -> None:
        self.asked_sts = True  # it is out of reach: what counts is what was read

    def look_around(self) -> None:
        self.looked_around = True

    # -- the operations --------------------------------------------------------------------------------------

    def start_run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._at("before", "StartRun")
        run = self._start(request)
        self._at("after", "StartRun")
        return {key: value for key, value in run.record().items() if key not in ("name", "creationTime")}

    def get_run(self, run_id: str, export: Any = None) -> dict[str, Any]:
        self._at("before", "GetRun")
        run = self._known(run_id, "GetRun")
        self._at("after", "GetRun")
        self.homes.add("account 123456789012 in us-east-1")
        return run.record()

    def list_runs(self, *, name: str | None = None) -> Iterator[dict[str, Any]]:
        self._at("before", "ListRuns")
        if self._ask("omics:ListRuns is", ("allowed", "denied")) == "denied":
            refuse("ListRuns", "AccessDeniedException", 403, "not authorized")
        for run in self._service.runs:
            self._settle(run)
        found = [
            run.record() for run in self._service.runs if not run.is_gone and run.members["name"] == name
        ]
        self._at("after", "ListRuns")
        yield from found

    def cancel_run(self, run_id: str) -> None:
        self._at("before", "CancelRun")
        run = self._known(run_id, "CancelRun")
        if self._ask("omics:CancelRun is", ("allowed", "denied")) == "denied":
            refuse("CancelRun", "AccessDeniedException", 403, "not authorized")
        if run.status != "RUNNING":
            refuse("CancelRun", "ConflictException", 409, f"the run is {run.status}")
        run.status, run.is_cancelled, run.due = "STOPPING", True, self._now() + LASTS
        self._cancelled(run)
        self._at("after", "CancelRun")

    # -- the rest --------------------------------------------------------------------------------------------

    def _start(self, request: Mapping[str, Any]) -> Run:
        members = {key: value for key, value in request.items() if key != "requestId"}
        fingerprint = json.dumps(members, sort_keys=True)

        def make(number: int, now: float) -> Run:
            return Run(number, members, fingerprint, now, self._wish(), now + LASTS)

        return self.start_once("StartRun", request["requestId"], fingerprint, make)

    def start_once(
        self, operation: str, token: str, fingerprint: str, make: Callable[[int, float], Run]
    ) -> Run:
        """Return what a start makes, or what was made with the same token.

        :param make: makes it, by its number and the time.
        """
        if token in self._service.tokens:
            answer = self._ask(
                "a repeated token is answered with", ("earlier", "conflict", "validation", "forgotten")
            )
            earlier = self._service.runs[self._service.tokens[token] - 1]
            if answer == "conflict":
                refuse(operation, "ConflictException", 409, f"a run with requestId {token} exists")
            if answer == "validation" and earlier.fingerprint != fingerprint:
                refuse(operation, "ValidationException", 400, f"requestId {token} was used before")
            if answer != "forgotten":
                self._settle(earlier)
                return earlier
        number = len(self._service.runs) + 1
        run = make(number, self._now())
        self._service.runs.append(run)
        self._service.tokens[token] = number
        self._started(run)
        return run

    def _known(self, run_id: str, operation: str) -> Run:
        run = self._service.find(run_id)
        if run is None:
            refuse(operation, "ResourceNotFoundException", 404, f"Run {run_id} does not exist")
        self._settle(run)
        return run

    def _settle(self, run: Run) -> None:
        if run.is_gone or run.due is None or self._now() < run.due:
            return
        run.due = None
        if run.status == "STOPPING":
            run.status = "CANCELLED"
        elif run.status == "RUNNING":
            end = self._ask(f"run {run.number} then", ("COMPLETED", "FAILED", "goes on"))
            run.status = "RUNNING" if end == "goes on" else end


def refuse(operation: str, code: str, status: int, message: str) -> NoReturn:
    """Answer a call with an error."""
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    raise ClientError(answer, operation)
