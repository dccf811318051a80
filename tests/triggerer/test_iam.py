"""Deferred waits run with the IAM actions of the table, and with no others."""

from __future__ import annotations

import pytest

from airflow_omics._watching import task_sweeps
from airflow_omics.emulator import Emulator
from tests.support.iam import OPTIONAL, REQUIRED, Asked, allow_only
from tests.support.triggers import ends, run_loop, seen, seen_more, start_waits, stop

NAME = "OmicsRunTrigger"


def wait_for_twenty(omics: Emulator, operation: str) -> dict[str, str]:
    """Wait for 20 runs, which end once ``operation`` was called again for the waits that go on."""
    run_ids = omics.start_runs(20, life="running-forever")

    async def body() -> dict[str, str]:
        waits = start_waits(run_ids)
        await seen_more(omics, "GetRun", 20)
        await seen_more(omics, operation, 2)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    return run_loop(body)


def test_every_action_of_the_table_is_asked_for_and_no_other(
    omics: Emulator, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_sweeps, "FIRST_AFTER", 0.1)
    monkeypatch.setattr(task_sweeps, "_LONGEST_PAUSE", 0.1)
    allow_only(omics, {*REQUIRED[NAME], *OPTIONAL[NAME]})
    [running] = omics.start_runs(1, life="running-forever")
    omics.move(running, "RUNNING")

    async def body() -> None:
        waits = start_waits([running])
        await seen(omics, "ListRunTasks")
        await stop(waits.values())

    assert set(wait_for_twenty(omics, "ListRuns").values()) == {"COMPLETED"}
    run_loop(body)
    assert asked.actions == {"omics:GetRun", "omics:ListRuns", "omics:ListRunTasks"}


def test_the_required_action_is_enough_and_the_log_names_the_other(
    omics: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    allow_only(omics, REQUIRED[NAME])
    assert set(wait_for_twenty(omics, "GetRun").values()) == {"COMPLETED"}
    assert "Allow omics:ListRuns to the caller" in caplog.text


def test_without_get_run_it_fails_and_names_it(omics: Emulator) -> None:
    allow_only(omics, OPTIONAL[NAME])
    [run_id] = omics.start_runs(1)

    async def body() -> dict[str, str]:
        return await start_waits([run_id])[run_id]

    event = run_loop(body)
    assert (event["outcome"], event["error"]) == ("error", "OmicsAccessError")
    assert "Allow omics:GetRun to the caller" in event["message"]
