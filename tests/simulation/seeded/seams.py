"""Where a simulation takes the place of the world: clock, AWS clients, connections, threads, task states.

Everything else of the package runs as it is. What a module keeps for its process is put in place whenever
another process goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import airflow_omics._watching.limited_client as limited_client
import airflow_omics.hooks.named as named_module
import airflow_omics.links as links_module
from airflow_omics import _clock
from airflow_omics._compat import AirflowNotFoundException
from airflow_omics._connection import AwsArguments
from airflow_omics._identity import home_in
from airflow_omics._starting import worker_kill
from airflow_omics._task import ended_tasks
from airflow_omics._waiting import task_lister
from airflow_omics._watching.rate_limit import RateTable
from airflow_omics.hooks import OmicsHook
from airflow_omics.hooks.async_client import OmicsAsyncClient
from airflow_omics.hooks.named import NamedConnectionHook
from airflow_omics.operators import OmicsStartRunOperator
from airflow_omics.sensors import OmicsRunSensor
from tests.simulation.seeded.service import REGION, Client, Service
from tests.simulation.seeded.virtual_time import Agenda, Process, Worker

_RETRIED = ("throttle", "internal-error")


class Connections:
    """Airflow's connections, as they are at each moment.

    :ivar account: the account that the connection leads to.
    :ivar is_readable: whether Airflow can read it.
    :ivar exists: whether Airflow knows it at all.
    :ivar own_account: the account of the credentials that boto3 finds by itself.
    """

    def __init__(self, account: str, own_account: str) -> None:
        self.account, self.own_account = account, own_account
        self.is_readable = self.exists = True


class World:
    """What the seams need of a simulation.

    :param say: takes a line for the history.
    :param log: takes a log line of the package: level, text, and the task that it is about.
    """

    def __init__(
        self, agenda: Agenda, service: Service, connections: Connections, rng: random.Random
    ) -> None:
        self.agenda, self.service, self.connections, self.rng = agenda, service, connections, rng
        self.open_clients: dict[str, int] = {}
        self.log: Callable[[int, str], None] = lambda level, text: None
        self.task_states: Callable[..., dict[str, dict[str, Any]]] = lambda **asked: {}

    def latency(self) -> float:
        """Return the seconds that a request is under way in one direction."""
        return self.rng.uniform(0.02, 0.3)


def _connection_of(world: World, conn_id: str) -> Any:
    if not world.connections.exists:
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")
    if not world.connections.is_readable:
        raise RuntimeError("the secrets backend did not answer")
    return SimpleNamespace(account=world.connections.account)


def _client(world: World, connection: Any) -> Client:
    process = world.agenda.current
    assert process is not None
    account = connection.account if connection else world.connections.own_account
    return Client(account, world.service.generation, process.name)


class SimulatedHook(OmicsHook):
    """The hook of a worker, on clients that answer from the simulation."""

    world: World

    def __init__(self, aws_conn_id: str | None) -> None:
        self.aws_conn_id = aws_conn_id
        self.replaces = False
        self.clock_skew = 0.0
        self._forget_homes()

    @cached_property
    def conn_config(self) -> Any:
        try:
            return NamedConnectionHook.get_connection(str(self.aws_conn_id))
        except AirflowNotFoundException:
            return None

    @cached_property
    def conn(self) -> Any:
        return _client(self.world, self.conn_config)

    @property
    def conn_region_name(self) -> str:
        return REGION

    def region_warning(self) -> str | None:
        return None

    def ask_sts(self) -> None:
        process = self.world.agenda.current
        assert isinstance(process, Worker)
        process.sleep(self.world.latency())
        self.asked_sts, self.own_home = True, _home_by_sts(self.world, self.conn)

    def _omics_client(self, *, retried: bool = True) -> Any:
        return _Blocking(self.world, self.conn, 3 if retried else 1)


class _Blocking:
    """botocore's client: it blocks, and sends a request up to three times."""

    def __init__(self, world: World, client: Client, tries: int) -> None:
        self._world, self._client, self._tries = world, client, tries

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = _operation(name)

        def call(**members: Any) -> Any:
            process = self._world.agenda.current
            assert isinstance(process, Worker), f"{operation} blocks the loop of {process}"
            for attempt in range(self._tries):
                process.sleep(self._world.latency())
                try:
                    answer = self._world.service.send(self._client, operation, members)
                except Exception as error:
                    process.sleep(self._world.latency())
                    if attempt + 1 == self._tries or not _is_retried(error):
                        raise
                    process.sleep(self._world.rng.random() * 2**attempt)
                else:
                    process.sleep(self._world.latency())
                    return answer
            raise AssertionError

        return call


def _is_retried(error: Exception) -> bool:
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status is None or status == 429 or status >= 500


class _Async:
    """aiobotocore's client."""

    def __init__(self, world: World, client: Client) -> None:
        self._world, self._client, self.meta = world, client, client.meta
        world.open_clients[client.process] = world.open_clients.get(client.process, 0) + 1

    async def __aexit__(self, *exc_info: Any) -> None:
        self._world.open_clients[self._client.process] -= 1

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = _operation(name)

        async def call(**members: Any) -> Any:
            await asyncio.sleep(self._world.latency())
            try:
                return self._world.service.send(self._client, operation, members)
            finally:
                await asyncio.sleep(self._world.latency())

        return call


def _home_by_sts(world: World, client: Client) -> str | None:
    """Return what STS says, which uses the credentials of the client; None if it does not answer."""
    if client.generation < world.service.generation or world.service.strikes("*", "unreachable"):
        return None
    return home_in(client.account, REGION)


def _operation(method: str) -> str:
    if method.startswith("_"):
        raise AttributeError(method)
    return method.title().replace("_", "")


class _Threads:
    """Python's ``threading`` for the code of a worker."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    def Thread(self, target: Callable[[], None], daemon: bool = True) -> Any:
        agenda = self._agenda

        class Thread:
            is_over = False

            def start(self) -> None:
                worker = agenda.current
                assert isinstance(worker, Worker)
                self._worker = worker
                worker.spawn(self._run)

            def _run(self) -> None:
                try:
                    target()
                finally:
                    self.is_over = True

            def join(self, timeout: float) -> None:
                until = agenda.now + timeout
                while not self.is_over and agenda.now < until:
                    self._worker.sleep(min(0.1, until - agenda.now))

            def is_alive(self) -> bool:
                return not self.is_over

        return Thread()


class _Lines(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__(logging.INFO)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.log(record.levelno, record.getMessage())


def _enter(process: Process) -> None:
    memory = process.memory
    limited_client.RATES = memory.setdefault("rates", None) or memory.setdefault("table", RateTable())
    named_module._READ = memory.setdefault("read", set())
    links_module._stored = memory.get("stored")


@contextlib.contextmanager
def in_place(world: World) -> Iterator[None]:
    """Let the package live in the simulated world."""

    def sleep(seconds: float) -> None:
        process = world.agenda.current
        assert isinstance(process, Worker), f"_clock.sleep in {process and process.name}"
        process.sleep(seconds)

    def open_client(arguments: AwsArguments) -> OmicsAsyncClient:
        hook = SimulatedHook(arguments.aws_conn_id)
        client = hook.conn
        sts = partial(_home_by_sts, world, client)
        return OmicsAsyncClient(_Async(world, client), arguments.aws_conn_id, None, hook.stands_in, sts)

    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    handler, logger = _Lines(world), logging.getLogger("airflow_omics")
    world.agenda.enter = _enter
    before = (limited_client.RATES, named_module._READ, links_module._stored, logger.level, logger.propagate)
    SimulatedHook.world = world
    state = random.getstate()
    random.seed(world.rng.random())
    with contextlib.ExitStack() as stack:
        for target, name, value in (
            (_clock, "time", world.agenda.wall),
            (_clock, "monotonic", world.agenda.monotonic),
            (_clock, "sleep", sleep),
            (OmicsHook, "of", staticmethod(lambda arguments: SimulatedHook(arguments.aws_conn_id))),
            (OmicsAsyncClient, "open", staticmethod(open_client)),
            (ExecutorSafeguard, "test_mode", True),
            (OmicsRunSensor, "log", logger),
            (OmicsStartRunOperator, "log", logger),
            (worker_kill, "threading", _Threads(world.agenda)),
            (task_lister, "result_within", lambda seconds, work, name: work()),
            (ended_tasks, "result_within", lambda seconds, work, name: work()),
            (
                RuntimeTaskInstance,
                "get_task_states",
                staticmethod(lambda **asked: world.task_states(**asked)),
            ),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(
            mock.patch.object(
                NamedConnectionHook.__mro__[1],
                "get_connection",
                classmethod(lambda cls, i: _connection_of(world, i)),
            )
        )
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            limited_client.RATES, named_module._READ, links_module._stored, level, propagate = before
            logger.setLevel(level)
            logger.propagate = propagate
            random.setstate(state)
