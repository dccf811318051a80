"""HealthOmics for a simulation: the emulator's own backend, called in process, with faults by the plan.

What a client of botocore would return or raise is returned and raised here, so that the hook and the async
client run as they are.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from airflow_omics.emulator.lives.run import Run
from airflow_omics.emulator.lives.script import Life, Stage
from airflow_omics.emulator.service import operations
from airflow_omics.emulator.service.common.backend import backend_for
from airflow_omics.emulator.service.common.resource import Call
from airflow_omics.emulator.service.runs_start import start_many
from airflow_omics.emulator.service.runs_state import Runs, runs_of
from airflow_omics.emulator.wire.exceptions import OmicsServiceError
from airflow_omics.emulator.world.shared import WORLD
from tests.simulation.seeded.virtual_time import EPOCH, Agenda

REGION = "us-east-1"
ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
_TIMES = ("creationTime", "startTime", "stopTime")
_URL = "https://workflows-omics.us-east-1.amazonaws.com/"


@dataclass(frozen=True)
class Span:
    """A fault that is in force for a while.

    :param kind: ``throttle``, ``internal-error``, ``unreachable``, ``lost-answer``, ``access-denied`` ...
    :param operation: which operation it strikes; ``*`` for all.
    :param chance: the share of the calls that it strikes.
    """

    kind: str
    begins: float
    ends: float
    operation: str = "*"
    chance: float = 1.0


@dataclass
class Sent:
    """One request, as the laws look at it.

    :ivar at: when its effect happened, in seconds of the simulation.
    :ivar uuid: the run that it was about, or that StartRun answered with.
    :ivar is_new: whether StartRun made that run.
    """

    at: float
    process: str
    operation: str
    account: str
    run_id: str | None = None
    uuid: str | None = None
    error: str | None = None
    is_new: bool = False


@dataclass
class Client:
    """What a process holds of one connection: whose requests it sends, and with which credentials.

    :param generation: of the credentials; those of an earlier one do not work any more.
    """

    account: str
    generation: int
    process: str
    meta: Any = field(default_factory=lambda: _Meta())


class _Meta:
    region_name = REGION


_ERRORS = {
    "throttle": ("ThrottlingException", 429),
    "internal-error": ("InternalServerException", 500),
    "access-denied": ("AccessDeniedException", 403),
    "expired-token": ("ExpiredTokenException", 403),
}


class Service:
    """The service's side of a simulation.

    :param agenda: the true time.
    :param rng: decides what chance decides.
    :param faults: what goes wrong, and when.
    :param repeat_policy: what StartRun answers to a token that it has seen.
    """

    def __init__(
        self, agenda: Agenda, rng: random.Random, faults: list[Span], repeat_policy: str = "earlier"
    ) -> None:
        self._agenda, self._rng, self._faults = agenda, rng, faults
        WORLD.reset()
        WORLD.seed = rng.randrange(2**31)
        WORLD.random = random.Random(WORLD.seed)
        WORLD.repeat_policy = repeat_policy
        WORLD.clock.freeze()
        WORLD.clock._segments[-1] = type(WORLD.clock._segments[-1])(0.0, EPOCH, 1.0)
        WORLD.clock._held = 0.0
        self._at = 0.0
        self.generation = 0
        self.heard: Callable[[Sent], None] = lambda sent: None
        """Is called with each request, once it has had its effect."""
        self.recent: dict[tuple[str, str, str], deque[float]] = {}
        self.runs: dict[str, Run] = {}
        """Every run that ever was, by ``uuid``."""
        self._lives = 0
        for account in (ACCOUNT, OTHER_ACCOUNT):
            backend_for(account, REGION)._states.clear()

    # -- what happens to runs ------------------------------------------------------------------------------

    def runs_in(self, account: str = ACCOUNT) -> Runs:
        """Return the runs of an account, as they are now."""
        self._turn()
        return runs_of(backend_for(account, REGION))

    def life(self, stages: list[tuple[str, float | None]]) -> Life:
        """Return a life of these statuses and seconds."""
        self._lives += 1
        life = Life(
            f"life-{self._lives}",
            tuple(Stage(status, seconds) for status, seconds in stages),
            failure_reason="RUN_TASK_FAILED",
        )
        WORLD.lives[life.name] = life
        return life

    def start(self, life: Life, account: str = ACCOUNT) -> Run:
        """Start a run that no task of ours starts."""
        runs = self.runs_in(account)
        [run_id] = start_many(runs, 1, life, {})
        return self._noted(runs.get(run_id))

    def _noted(self, run: Run) -> Run:
        return self.runs.setdefault(run.uuid, run)

    def settled(self, run: Run) -> Run:
        """Return a run, brought up to the present."""
        if not run.gone:
            runs = self.runs_in(run.arn.split(":")[4])
            runs.bring_up_to_date(run)
        return run

    def _turn(self) -> None:
        if self._agenda.now > self._at:
            WORLD.clock.advance(self._agenda.now - self._at)
            self._at = self._agenda.now

    # -- requests ------------------------------------------------------------------------------------------

    def strikes(self, operation: str, *kinds: str) -> str | None:
        """Return the kind of fault that strikes a call now, or None."""
        now = self._agenda.now
        for span in self._faults:
            is_meant = span.kind in kinds and span.operation in (operation, "*")
            if is_meant and span.begins <= now < span.ends and self._rng.random() < span.chance:
                return span.kind
        return None

    def send(self, client: Client, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request, and return its answer as botocore would; or raise what botocore would."""
        if kind := self.strikes(operation, "unreachable"):
            raise EndpointConnectionError(endpoint_url=_URL)
        sent = Sent(self._agenda.now, client.process, operation, client.account, members.get("id"))
        lane = self.recent.setdefault((client.process, operation, client.account), deque(maxlen=64))
        lane.append(self._agenda.now)
        kind = self.strikes(operation, "throttle", "internal-error", "access-denied", "expired-token")
        if kind is None and client.generation < self.generation:
            kind = "expired-token"
        if kind is not None:
            sent.error = _ERRORS[kind][0]
            self.heard(sent)
            raise _client_error(operation, *_ERRORS[kind], kind)
        self._turn()
        backend = backend_for(client.account, REGION)
        runs = runs_of(backend)
        before, target = runs._seq, runs._table.find(members.get("id", ""))
        sent.uuid = None if target is None else target.uuid
        try:
            answer = operations.perform(operation, Call(backend, members))
        except OmicsServiceError as error:
            sent.error = error.code
            self.heard(sent)
            raise _client_error(operation, error.code, error.status, error.message) from None
        if operation == "StartRun":
            sent.run_id, sent.uuid = answer["id"], answer["uuid"]
            sent.is_new = runs._seq > before
            self._noted(runs._table.get(answer["id"]))
        self.heard(sent)
        if self.strikes(operation, "lost-answer"):
            raise ReadTimeoutError(endpoint_url=_URL)
        return self._parsed(answer)

    def _parsed(self, answer: dict[str, Any]) -> dict[str, Any]:
        for item in answer.get("items", (answer,)):
            for name in _TIMES:
                if name in item:
                    item[name] = datetime.fromtimestamp(item[name], UTC)
        date = formatdate(EPOCH + self._agenda.now, usegmt=True)
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}}
        return answer


def _client_error(operation: str, code: str, status: int, message: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "simulated"},
        },
        operation,
    )
