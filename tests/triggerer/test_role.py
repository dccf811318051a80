"""A connection that assumes a role: its credentials are made and refreshed off the event loop."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks import base_aws

from airflow_omics.emulator import Emulator
from tests.support.triggers import ends, run_loop, seen, start_waits


def test_a_role_s_credentials_are_refreshed_off_the_event_loop(
    omics: Emulator, server: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call to STS that hangs there would hold up every trigger of the triggerer."""
    connect(
        role_arn="arn:aws:iam::123456789012:role/Cohort",
        service_config={"sts": {"endpoint_url": server.endpoint_url}},
    )
    factory = base_aws.BaseSessionFactory
    refresh = factory._refresh_credentials
    refreshed_in: list[threading.Thread] = []

    def soon_over(self: Any) -> dict[str, Any]:
        refreshed_in.append(threading.current_thread())
        in_a_minute = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        return {**refresh(self), "expiry_time": in_a_minute.isoformat()}

    monkeypatch.setattr(factory, "_refresh_credentials", soon_over)
    run_ids = omics.start_runs(2, life="pending-forever")

    async def body() -> dict[Any, str]:
        waits = start_waits(run_ids)
        await seen(omics, "GetRun", 4)
        for run_id in run_ids:
            omics.move(run_id, "COMPLETED")
        return await ends(waits)

    assert run_loop(body) == dict.fromkeys(run_ids, "COMPLETED")
    assert len(refreshed_in) >= 2
    assert threading.main_thread() not in refreshed_in
