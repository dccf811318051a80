"""What the watcher reports through Airflow's metrics, as docs/use/waiting.md says."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.hooks.async_client import OmicsAsyncClient
from tests.support.triggers import airflow_stats, ends, run_loop, seen, start_waits, stop


class Metrics:
    """Keeps what Airflow's ``Stats`` is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, Any]] = []
        for kind in ("incr", "gauge", "timing"):
            monkeypatch.setattr(airflow_stats(), kind, self._keep)

    def _keep(self, name: str, value: Any = None) -> None:
        self.sent.append((name, value))

    def of(self, name: str) -> list[Any]:
        return [value for sent, value in self.sent if sent == f"omics.watcher.{name}"]


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    return Metrics(monkeypatch)


def test_every_request_counts_and_so_does_each_that_was_throttled(omics: Emulator, metrics: Metrics) -> None:
    run_ids = omics.start_runs(40, life="pending-forever")
    omics.fault("GetRun", "throttle", times=3)
    omics.fault("ListRuns", "throttle", times=2)

    async def body() -> None:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 45)
        await seen(omics, "ListRuns", 4)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        await ends(waits)

    run_loop(body)
    assert len(metrics.of("throttled")) == 5
    # One of ListRuns may have been under way when the last wait ended.
    assert 0 <= sum(omics.counts().values()) - len(metrics.of("requests")) <= 1


def test_the_gauge_says_how_many_runs_are_waited_for(omics: Emulator, metrics: Metrics) -> None:
    first, second = omics.start_runs(2, life="pending-forever")

    async def body() -> list[list[Any]]:
        said = []
        waits = [*start_waits([first, second]).values(), *start_waits([first]).values()]
        await seen(omics, "GetRun", 4)
        said.append(metrics.of("waiting")[-1])
        await stop(waits[:1])
        await seen(omics, "GetRun", 8)
        said.append(metrics.of("waiting")[-1])
        await stop(waits[1:2])
        await seen(omics, "GetRun", 12)
        said.append(metrics.of("waiting")[-1])
        await stop(waits[2:])
        return said

    assert run_loop(body) == [2, 2, 1]


def test_the_delay_is_from_the_end_of_the_run_by_the_service_s_clock_in_milliseconds(
    omics: Emulator, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")
    get_run = OmicsAsyncClient.get_run

    async def by_another_clock(client: Any, id_: str, export: Any = None) -> Any:
        record, _ = await get_run(client, id_, export)
        return record, 90.0

    monkeypatch.setattr(OmicsAsyncClient, "get_run", by_another_clock)

    async def body() -> dict[Any, str]:
        waits = start_waits([run_id])
        await seen(omics, "GetRun", 2)
        omics.move(run_id, "COMPLETED")
        return await ends(waits)

    began = time.monotonic()
    run_loop(body)
    [delay] = metrics.of("detection_delay")
    assert 90_000.0 <= delay <= 90_000.0 + 1000.0 * (time.monotonic() - began)
