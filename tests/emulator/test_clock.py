"""The clock, as clients see it: times in answers, the Date header, pace, freezing and turning by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from airflow_omics.emulator import Emulator, Life, Stage, Task, mock_omics

from .support import aws, start


def date_of(answer: dict[str, Any]) -> float:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()


def test_running_times_are_wall_clock_times(client: Any) -> None:
    before = datetime.now(UTC)
    run = start(client)
    assert before <= client.get_run(id=run["id"])["creationTime"] <= datetime.now(UTC)


def test_a_pace_compresses_durations_and_never_shows_the_future() -> None:
    with mock_omics(pace=1_000_000) as emulator:
        client = aws()
        run = start(client)
        # A run of 1202 seconds takes 1.2 ms.
        while client.get_run(id=run["id"])["status"] != "COMPLETED":
            emulator.wait_for("GetRun")
        record = client.get_run(id=run["id"])
        assert record["creationTime"] <= record["startTime"] <= record["stopTime"] <= datetime.now(UTC)
        assert (record["stopTime"] - record["creationTime"]).total_seconds() < 0.01


def test_a_frozen_clock_stands_still(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    now = emulator.now()
    run = start(client)
    assert emulator.now() == now
    assert client.get_run(id=run["id"])["creationTime"].timestamp() == pytest.approx(now, abs=0.00001)


def test_turning_the_clock_moves_every_time_it_gives(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    now = emulator.now()
    emulator.advance(86_400)
    run = start(client)
    assert emulator.now() == now + 86_400
    answer = client.get_run(id=run["id"])
    assert answer["creationTime"].timestamp() == pytest.approx(now + 86_400, abs=0.00001)
    assert 0 <= emulator.now() - date_of(answer) < 1


def test_turning_a_running_clock_freezes_it(emulator: Emulator) -> None:
    emulator.advance(10)
    assert emulator.now() == emulator.now()
    assert emulator.now() > time.time() + 5


def test_set_pace_hands_the_clock_back_to_the_wall(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    run = start(client)
    emulator.advance(600)
    emulator.set_pace(1)
    assert client.get_run(id=run["id"])["status"] == "RUNNING"
    assert abs(emulator.now() - time.time()) < 5
    assert abs(date_of(client.get_run(id=run["id"])) - time.time()) < 5


def test_a_change_of_pace_leaves_the_past_as_it_was(client: Any, emulator: Emulator) -> None:
    emulator.freeze()
    run = start(client)
    emulator.advance(600)
    started = client.get_run(id=run["id"])["startTime"]
    emulator.set_pace(60)
    assert client.get_run(id=run["id"])["startTime"] == started


def test_a_clock_that_was_turned_back_has_hours_in_the_past(client: Any, emulator: Emulator) -> None:
    emulator.turn_back(7200)
    run = start(client)
    emulator.add_life(Life("at-once", (Stage("RUNNING", 100), Stage("COMPLETED")), tasks=(Task("first"),)))
    other = start(client, life="at-once")
    [task] = client.list_run_tasks(id=other["id"])["items"]
    for moment in (client.get_run(id=run["id"])["creationTime"], task["creationTime"]):
        assert -7205 < moment.timestamp() - time.time() < -7195
    emulator.advance(7200)
    assert abs(emulator.now() - time.time()) < 5
    record = client.get_run(id=run["id"])
    assert record["status"] == "COMPLETED"
    assert (record["stopTime"] - record["creationTime"]).total_seconds() == pytest.approx(1202, abs=0.001)
    emulator.set_pace(1)
    assert client.get_run(id=run["id"]) | {"ResponseMetadata": None} == record | {"ResponseMetadata": None}


def test_a_clock_that_is_turned_back_leaves_what_has_happened_its_times(
    client: Any, emulator: Emulator
) -> None:
    emulator.freeze()
    run = start(client)
    emulator.advance(600)
    before = client.get_run(id=run["id"])
    emulator.turn_back(3600)
    assert client.get_run(id=run["id"]) | {"ResponseMetadata": None} == before | {"ResponseMetadata": None}


@pytest.mark.parametrize(
    "seconds", [-1, "ten", None, float("nan"), 1e308, pytest.param(10**400, id="huge"), 3e9]
)
def test_the_clock_goes_back_no_further_than_1970(seconds: Any, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"seconds is .*; the clock goes back by a number of seconds from 0"):
        emulator.turn_back(seconds)
    assert abs(emulator.now() - time.time()) < 5


@pytest.mark.parametrize(
    "pace", [0, -1, "fast", float("nan"), True, 1e308, 1e-320, pytest.param(10**400, id="huge")]
)
def test_a_pace_is_a_number_that_a_clock_can_run_at(pace: Any, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="pace is"):
        emulator.set_pace(pace)


@pytest.mark.parametrize("seconds", [-1, "ten", None, float("nan")])
def test_the_clock_turns_only_forward(seconds: Any, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="the clock only turns forward"):
        emulator.advance(seconds)


@pytest.mark.parametrize("seconds", [1e308, float("inf"), pytest.param(10**400, id="huge")])
def test_the_clock_turns_no_further_than_a_date_can_express(
    seconds: Any, client: Any, emulator: Emulator
) -> None:
    run = start(client)
    with pytest.raises(ValueError, match=r"seconds is .*; the clock goes no further than the year 9999, so"):
        emulator.advance(seconds)
    assert abs(emulator.now() - time.time()) < 5
    assert client.get_run(id=run["id"])["status"] == "PENDING"


def test_the_clock_is_not_turned_too_far_in_steps_either(client: Any, emulator: Emulator) -> None:
    run = start(client)
    emulator.advance(2e11)
    assert client.get_run(id=run["id"])["stopTime"].year < 2100
    with pytest.raises(ValueError, match="give at most"):
        emulator.advance(2e11)
    assert date_of(client.get_run(id=run["id"])) == pytest.approx(emulator.now(), abs=1)
