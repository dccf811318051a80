"""The log of every request, to read and to wait for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from airflow_omics.emulator import Emulator

from .support import refused, start


class TestRequestLog:
    """What tests read afterwards."""

    def test_every_request_is_there(self, client: Any, emulator: Emulator) -> None:
        run = start(client, name="NA12878", requestId="once")
        emulator.fault("GetRun", "throttle", times=1)
        refused(client.get_run, id=run["id"])
        client.list_runs(status="RUNNING")
        first, second, third = emulator.requests()
        assert (first["operation"], first["status"], first["error"]) == ("StartRun", 201, None)
        assert (first["run_id"], first["name"], first["request_id"]) == (run["id"], "NA12878", "once")
        assert (second["operation"], second["status"], second["error"]) == (
            "GetRun",
            429,
            "ThrottlingException",
        )
        assert (second["run_id"], second["fault"]) == (run["id"], "throttle")
        assert (third["operation"], third["query"]) == ("ListRuns", {"status": "RUNNING"})
        assert third["user_agent"].startswith("Boto3/")
        assert emulator.counts() == {"StartRun": 1, "GetRun": 1, "ListRuns": 1}
        assert [request["operation"] for request in emulator.requests("GetRun")] == ["GetRun"]

    def test_parameters_and_tags_are_not_kept(self, client: Any, emulator: Emulator) -> None:
        start(client, parameters={"patient": "marker-1"}, tags={"patient": "marker-2"})
        assert "marker" not in str(emulator.requests())

    def test_wait_for_returns_when_the_request_comes(self, client: Any, emulator: Emulator) -> None:
        caller = threading.Timer(0.05, client.list_runs)
        caller.start()
        assert emulator.wait_for("ListRuns", timeout=10) == 1
        caller.join()

    def test_wait_for_says_what_did_not_come(self, emulator: Emulator) -> None:
        with pytest.raises(TimeoutError, match=r"0 of 3 GetRun seen in 0\.01 s"):
            emulator.wait_for("GetRun", count=3, timeout=0.01)
