"""Every history of one start of a batch: each member has the runs that are meant, or there is a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_omics._starting import batch_finish, cohort
from airflow_omics._starting.batch_finish import BatchFinish
from airflow_omics._starting.batch_try import BatchTry as RealTry
from airflow_omics._starting.finder import Finder
from airflow_omics._starting.memory import Memory
from airflow_omics.hooks.objects import OmicsObjectsHook
from tests.simulation.exhaustive.batch_judge import BATCH_REASONS
from tests.simulation.exhaustive.batch_starts import BatchHistories, all_batch_starts
from tests.simulation.exhaustive.starts import Table
from tests.simulation.exhaustive.tries import NoEndError
from tests.simulation.exhaustive.write import BATCH_NUMBERS, numbers

# Of Airflow they need what every other test of a start needs.
pytestmark = pytest.mark.any_airflow


@pytest.fixture(scope="module")
def table() -> Table:
    return all_batch_starts()


def test_every_history_is_as_meant_or_broken_for_a_reason_of_the_list(table: Table) -> None:
    of_no_reason = {
        outcome: branch.path
        for outcome, branch in table.outcomes.items()
        if outcome != "as meant" and not set(outcome.split(", ")) <= set(BATCH_REASONS)
    }
    assert of_no_reason == {}
    assert "as meant" in table.outcomes


def test_no_member_has_a_second_run_where_batches_may_be_listed_and_none_is_deleted(table: Table) -> None:
    assert table.worlds["forgotten"]["omics:ListBatch is"] == {"denied"}
    assert table.worlds["refused"]["omics:ListBatch is"] == {"denied"}
    assert table.worlds["deleted batch"]["the task state store is"] == {"missing"}


def test_the_numbers_of_histories_are_those_kept(table: Table) -> None:
    kept = json.loads(BATCH_NUMBERS.read_text(encoding="utf-8"))
    assert numbers(table) == kept, "run python -m tests.simulation.exhaustive.write, and read what changed"


def test_a_history_that_counts_as_one_played_comes_to_the_same(table: Table) -> None:
    histories = BatchHistories()
    with histories.plays.installed():
        for path, outcome in table.sample[::4]:
            assert histories.replay(path) == outcome, path


# -- the laws notice what is broken --------------------------------------------------------------------------


def finds_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Finder, "runs_of", lambda *_, **__: [])


def remembers_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Memory, "noted", {})
    patch.setattr(Memory, "_write", lambda _: None)
    patch.setattr(Finder, "runs_of", lambda *_, **__: [])


def leaves_nothing_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort.Rest, "wants", lambda *_: True)


def leaves_out_what_was_not_started(patch: pytest.MonkeyPatch) -> None:
    read = cohort.CohortReader.read

    def reads(self: Any, batches: Any, **arguments: Any) -> Any:
        made = read(self, batches, **arguments)
        made.total = len(made.members)
        return made

    patch.setattr(cohort.CohortReader, "read", reads)
    patch.setattr(cohort.Cohort, "keep", lambda *_: None)


def judges_by_the_status_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchFinish, "has_ended_well", lambda _, record: record.get("status") == "PROCESSED")


def takes_each_batch_for_the_whole_cohort(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchFinish, "_earlier", lambda *_: [])


def knows_no_runs_that_go_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort, "_has_ended", lambda _: True)


def runs_again_what_stays_broken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort, "may_pass", lambda *_: True)


def runs_again_within_a_try_as_often_as_it_fails(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(batch_finish, "rest_of", lambda *given, may_run, **also: cohort.rest_of(*given, **also))


def gives_up_what_a_deleted_batch_started(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort, "_runs_of_deleted", lambda *_: iter(()))


def takes_runs_of_another_batch_for_its_own(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort, "_is_before", lambda *_: True)


def believes_the_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchFinish, "confirms_excess", lambda *_: True)


def cancels_whatever_ends_the_worker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("airflow_omics._starting.worker_kill.is_killed", lambda *_: True)


def starts_under_another_token(patch: pytest.MonkeyPatch) -> None:
    request = RealTry.make_request
    patch.setattr(RealTry, "make_request", lambda self, attempt: request(self, attempt.with_generation(9)))


def writes_files_over(patch: pytest.MonkeyPatch) -> None:
    def put(self: Any, uri: str, body: Any) -> str:
        body.seek(0)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        answer = self.conn.put_object(Bucket=bucket, Key=key, Body=body)
        return str(answer["ETag"]).strip('"')

    patch.setattr(OmicsObjectsHook, "put_if_absent", put)


BROKEN = (
    finds_nothing,
    remembers_nothing,
    leaves_nothing_out,
    leaves_out_what_was_not_started,
    judges_by_the_status_alone,
    takes_each_batch_for_the_whole_cohort,
    knows_no_runs_that_go_on,
    runs_again_what_stays_broken,
    runs_again_within_a_try_as_often_as_it_fails,
    gives_up_what_a_deleted_batch_started,
    takes_runs_of_another_batch_for_its_own,
    believes_the_counts,
    cancels_whatever_ends_the_worker,
    starts_under_another_token,
    writes_files_over,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_package_breaks_a_law(
    table: Table, monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    broken(monkeypatch)
    histories = BatchHistories()
    with histories.plays.installed():
        assert any("UNKNOWN" in _replayed(histories, path) for path, _ in table.sample)


def _replayed(histories: BatchHistories, path: Any) -> str:
    try:
        return histories.replay(path)
    except NoEndError:
        return "UNKNOWN: it makes calls without end"
    except AssertionError:
        return ""  # it asks another question than the package that the history is of
