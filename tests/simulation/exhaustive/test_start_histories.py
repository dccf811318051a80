"""Every history of one start: it goes as it is meant, or docs/use/starting.md says why not."""

from __future__ import annotations

import json

import pytest

from tests.simulation.exhaustive.broken import REASONS
from tests.simulation.exhaustive.over_emulator import emulated
from tests.simulation.exhaustive.starts import Histories, Table, all_starts
from tests.simulation.exhaustive.tries import installed
from tests.simulation.exhaustive.write import NUMBERS, PAGE, numbers, page_with, rows

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow


@pytest.fixture(scope="module")
def table() -> Table:
    return all_starts()


def test_every_history_is_as_meant_or_broken_for_a_reason_of_the_list(table: Table) -> None:
    of_no_reason = {
        outcome: branch.path
        for outcome, branch in table.outcomes.items()
        if outcome != "as meant" and not set(outcome.split(", ")) <= set(REASONS)
    }
    assert of_no_reason == {}
    assert "as meant" in table.outcomes


def test_every_reason_of_the_list_is_that_of_some_history(table: Table) -> None:
    assert set(table.worlds) == set(REASONS)


def test_nothing_is_broken_that_a_store_and_listruns_can_prevent(table: Table) -> None:
    """No second run, and none that is not found again, where runs may be listed."""
    for name in ("forgotten", "refused", "not found after a clear", "not waited for", "killed in StartRun"):
        assert table.worlds[name]["omics:ListRuns is"] == {"denied"}, name


def test_the_page_lists_what_cannot_be_promised(table: Table) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page_with(text, rows(table)) == text, "run python -m tests.simulation.exhaustive.write"


def test_the_numbers_of_histories_are_those_kept(table: Table) -> None:
    kept = json.loads(NUMBERS.read_text(encoding="utf-8"))
    assert numbers(table) == kept, "run python -m tests.simulation.exhaustive.write, and read what changed"


def test_a_history_that_counts_as_one_played_comes_to_the_same(table: Table) -> None:
    """Histories that had come to the same world were played on as one: here some are played by themselves."""
    played, replay = 0, Histories().replay
    with installed():
        for path, outcome in table.sample:
            assert replay(path) == outcome, path
            for end in range(1, len(path)):
                if (other := table.alike.get(repr(path[:end]))) is not None:
                    assert replay((*other, *path[end:])) == outcome, (other, path[end:])
                    played += 1
    assert played > 100


def test_histories_come_to_the_same_over_botocore_and_the_emulator(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, replay = max(1, len(table.sample) // 10), Histories().replay
    for path, outcome in table.sample[::every][:10]:
        with installed(), emulated(monkeypatch) as tries:
            assert replay(path, tries) == outcome, path
