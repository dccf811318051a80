"""How pytest's workers share the tests: a folder in one, and one that waits beside two busy ones."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.xdist_groups import OneWorkerAFolder

STACK = [f"tests/stack/test_core.py::test_{n}" for n in range(20)]
TRIGGERER = [f"tests/triggerer/test_news.py::test_{n}" for n in range(5)]
UNIT = [f"tests/unit/test_links.py::test_{n}" for n in range(30)]


class Worker:
    """Runs a test as soon as it knows what comes after it, as pytest-xdist's own does."""

    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.sent: list[int] = []
        self.ran: list[str] = []

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.shutting_down
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def shared_out(tests: list[str], number: int) -> list[list[str]]:
    """Let so many workers run the tests, one each in turn; return what each has run."""
    config: Any = SimpleNamespace(
        getvalue=lambda name: [f"{number}*popen"], option=SimpleNamespace(loadscopereorder=True)
    )
    scheduler = OneWorkerAFolder(config)
    workers = [Worker(f"gw{n}") for n in range(number)]
    for worker in workers:
        scheduler.add_node(worker)  # type: ignore[arg-type]
    for worker in workers:
        scheduler.add_node_collection(worker, tests)  # type: ignore[arg-type]
    scheduler.schedule()
    while ready := [worker for worker in workers if len(worker.sent) > (not worker.shutting_down)]:
        for worker in ready:
            index = worker.sent.pop(0)
            worker.ran.append(tests[index])
            scheduler.mark_test_complete(worker, index)  # type: ignore[arg-type]
    assert all(worker.shutting_down for worker in workers)
    return [worker.ran for worker in workers]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_test_is_run_once(number: int) -> None:
    ran = shared_out([*STACK, *TRIGGERER, *UNIT], number)
    assert sorted(test for tests in ran for test in tests) == sorted([*STACK, *TRIGGERER, *UNIT])


@pytest.mark.parametrize("number", [2, 3])
def test_a_folder_that_is_dear_to_set_up_is_in_one_worker(number: int) -> None:
    ran = shared_out([*STACK, *TRIGGERER, *UNIT], number)
    [tests] = [tests for tests in ran if set(STACK) & set(tests)]
    assert [test for test in tests if test in STACK] == STACK


def test_one_of_three_workers_waits_and_has_nothing_else() -> None:
    ran = shared_out([*STACK, *TRIGGERER, *UNIT], 3)
    assert TRIGGERER in ran
    assert sum(bool(tests) for tests in ran) == 3


def test_two_workers_share_what_waits() -> None:
    ran = shared_out([*TRIGGERER, *UNIT], 2)
    assert all(set(TRIGGERER) & set(tests) for tests in ran)


def test_what_waits_is_shared_if_there_is_nothing_else() -> None:
    ran = shared_out(TRIGGERER, 3)
    assert all(ran)
