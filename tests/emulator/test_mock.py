"""``mock_omics`` in all its forms, and that nothing leaks from one use into the next."""

from __future__ import annotations

import re
import sys
import unittest
from typing import Any

import moto.backend_index
import pytest
from moto import mock_aws

from airflow_omics.emulator import Emulator, mock_omics
from airflow_omics.emulator.serving.register import register

from .support import aws, start


def runs() -> list[dict[str, Any]]:
    return aws("omics", "us-east-1").list_runs()["items"]


@mock_omics
def test_as_a_decorator() -> None:
    Emulator().start_runs(1)
    assert len(runs()) == 1


@mock_omics(life="cancelled-while-pending", pace=2)
def test_as_a_decorator_with_arguments() -> None:
    assert Emulator().pace == 2
    Emulator().start_runs(1)
    Emulator().advance(100)
    assert [run["status"] for run in runs()] == ["CANCELLED"]


def test_as_a_context_manager_twice() -> None:
    for _ in range(2):
        with mock_omics() as emulator:
            emulator.start_runs(1)
            assert len(runs()) == 1


def test_nothing_leaks_into_the_next_use() -> None:
    with mock_omics(pace=60, life="cancelled") as emulator:
        emulator.start_runs(1)
        emulator.fault("*", "throttle")
        emulator.limit("*", 1)
        emulator.repeat_request_id("conflict")
        emulator.add_life({"name": "mine", "stages": [{"status": "PENDING"}]})
        emulator.advance(1000)
    with mock_omics() as emulator:
        assert runs() == []
        assert emulator.pace == 1
        assert emulator.default_life == "completed"
        assert "mine" not in emulator.lives()
        assert emulator.counts() == {"ListRuns": 1}


def test_the_first_of_two_nested_uses_keeps_its_runs() -> None:
    with mock_omics() as emulator:
        emulator.start_runs(1)
        with mock_omics(), mock_aws():
            assert len(runs()) == 1
        assert len(runs()) == 1


def test_it_mocks_the_rest_of_aws_too() -> None:
    with mock_omics():
        aws("s3", "us-east-1").create_bucket(Bucket="a-bucket")
    with mock_omics():
        assert aws("s3", "us-east-1").list_buckets()["Buckets"] == []


@mock_omics
class TestClass:
    """Each test of a decorated class begins with nothing."""

    def helper(self) -> int:
        return len(runs())

    @pytest.mark.parametrize("count", [1, 2])
    def test_one(self, count: int) -> None:
        Emulator().start_runs(count)
        assert self.helper() == count


@mock_omics(seed=3)
class TestWithSetUp(unittest.TestCase):
    """What setUp makes is there in the test, and only once."""

    def setUp(self) -> None:
        Emulator().start_runs(2)

    def test_one(self) -> None:
        assert len(runs()) == 2

    def test_two(self) -> None:
        assert len(runs()) == 2


def test_a_coroutine_is_refused_with_the_way_out() -> None:
    async def test() -> None: ...

    with pytest.raises(
        TypeError, match=re.escape("cannot wrap the coroutine 'test'") + ".*use EmulatorServer"
    ):
        mock_omics(test)


def test_a_decorated_function_keeps_its_name_and_its_answer() -> None:
    @mock_omics
    def answer(value: int) -> int:
        """Give it back."""
        return value

    assert (answer(7), answer.__name__, answer.__doc__) == (7, "answer", "Give it back.")


def test_registering_twice_adds_one_row() -> None:
    assert register()
    assert register()
    assert [name for name, _ in moto.backend_index.backend_url_patterns].count("omics") == 1


def test_a_backend_of_motos_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setitem(sys.modules, "moto.omics", object())
    assert register() is False
    with pytest.raises(RuntimeError, match="this moto has a backend for omics of its own"), mock_omics():
        pass


def test_plain_mock_aws_knows_omics_once_the_emulator_is_imported() -> None:
    register()
    with mock_aws():
        client = aws("omics", "us-east-1")
        assert start(client)["status"] == "PENDING"
