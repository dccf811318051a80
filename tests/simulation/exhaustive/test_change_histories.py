"""Every history of one cancel and of one delete: the run that is meant is changed, once, and no other."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.exhaustive.changes import REASONS, Change, all_changes
from tests.simulation.exhaustive.write import STEERING, change_rows, page_with

pytestmark = pytest.mark.any_airflow


@pytest.fixture(scope="module")
def histories() -> list[Change]:
    return all_changes()


def test_every_history_is_as_meant_or_broken_for_a_reason_of_the_list(histories: list[Change]) -> None:
    of_no_reason = {
        name: done.ways.taken for done in histories for name in done.broken if name not in REASONS
    }
    assert of_no_reason == {}
    assert {name for done in histories for name in done.broken} == set(REASONS)
    assert len(histories) > 2000


def test_what_fails_though_it_was_tried_again_fails_for_a_known_reason(histories: list[Change]) -> None:
    """It ended in a trouble, the run cannot be deleted, nobody has the id, or another's run was changed."""
    ended = Counter(done.ended for done in histories)
    assert ended["succeeded"] > len(histories) / 2
    for done in histories:
        how = list(done.ways.taken.values())
        if done.ended == "died":
            assert any(answer.endswith("dies") for answer in how), how
        elif done.ended == "OmicsAccessError":
            assert "is denied" in how
        elif done.ended == "OmicsRequestError":
            assert done.operation == "deletes", how
            assert not {"RUNNING", "STOPPING", "is denied"}.isdisjoint(how), how
        elif done.ended == "OmicsRunNotFoundError":
            assert (done.operation, done.given) == ("cancels", "by its id"), how
        elif done.ended == "OmicsError":
            assert done.broken & set(REASONS), how
        else:
            assert done.ended == "succeeded", how


def test_a_request_is_accepted_once_at_most(histories: list[Change]) -> None:
    assert max(done.ours.accepted for done in histories) == 1


def test_the_page_lists_what_cannot_be_promised(histories: list[Change]) -> None:
    text = STEERING.read_text(encoding="utf-8")
    assert page_with(text, change_rows(histories)) == text, "run python -m tests.simulation.exhaustive.write"
