"""The rate limit of each operation, in real seconds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from airflow_omics.emulator import Emulator

from .support import refused, start


class TestLimit:
    """The real rate limit."""

    def test_the_call_too_many_is_throttled(self, client: Any, emulator: Emulator) -> None:
        (run_id,) = emulator.start_runs(1, region_name="us-west-2")
        emulator.limit("GetRun", 1 / 3600)
        assert client.get_run(id=run_id)
        assert refused(client.get_run, id=run_id) == ("ThrottlingException", 429, "Rate exceeded")

    def test_it_is_one_limit_for_each_operation(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("*", 1 / 3600)
        run = start(client)
        assert client.get_run(id=run["id"])
        assert client.list_runs()
        assert refused(client.list_runs)[0] == "ThrottlingException"

    def test_ten_a_second_lets_ten_through_at_once(self, client: Any, emulator: Emulator) -> None:
        (run_id,) = emulator.start_runs(1, region_name="us-west-2")
        emulator.limit("GetRun", 10)
        began = time.monotonic()
        passed = 0
        for _ in range(40):
            try:
                client.get_run(id=run_id)
            except client.exceptions.ThrottlingException:
                continue
            passed += 1
        seconds = time.monotonic() - began
        assert 10 <= passed <= 10 * (seconds + 1)

    def test_it_can_be_lifted(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("*", 1 / 3600)
        emulator.limit("*", None)
        assert client.list_runs()
        assert client.list_runs()

    @pytest.mark.parametrize(
        "rate", [0, -1, True, "ten", float("nan"), float("inf"), pytest.param(10**400, id="huge")]
    )
    def test_a_limit_is_a_number_above_zero(self, rate: Any, emulator: Emulator) -> None:
        with pytest.raises(ValueError, match="per_second is"):
            emulator.limit("GetRun", rate)

    def test_one_operation_can_be_freed_of_the_limit_of_all(self, client: Any, emulator: Emulator) -> None:
        emulator.limit("*", 1 / 3600)
        emulator.limit("ListRuns", None)
        assert [client.list_runs()["items"] for _ in range(3)] == [[], [], []]
        run = start(client)
        assert refused(start, client=client)[0] == "ThrottlingException"
        emulator.limit("*", None)
        assert start(client)["id"] != run["id"]
