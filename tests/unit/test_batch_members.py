"""The members of a batch are listed once each, whatever the lists of AWS lack, repeat or refuse."""

from __future__ import annotations

import logging
import tracemalloc
from collections import Counter
from typing import Any

import pytest

from airflow_omics import _clock
from airflow_omics._batches.calls import BatchCalls
from airflow_omics._batches.members import BatchMembers, Member
from airflow_omics._batches.seen import Seen
from airflow_omics._identity import Target
from airflow_omics._resource import BATCH
from airflow_omics.exceptions import OmicsAccessError, OmicsError, OmicsRequestError
from airflow_omics.hooks import OmicsHook
from tests.support.batches import counting, flat, needs_batches, settings, start_batch
from tests.support.sensors import Clock

# Of Airflow they need what every other test of an operator needs.
pytestmark = [needs_batches, pytest.mark.any_airflow, pytest.mark.usefixtures("clock")]

LIVES = [("completed", 5), ("failed-out-of-memory-error", 2), ("failed-import-failed", 1)]
STATUSES = {"COMPLETED": 5, "FAILED": 2 + 1, "NOT_STARTED": 2}
FAILED_SUBMISSIONS = {"late-1": "ThrottlingException", "late-2": ["ValidationException", "no such cache"]}


def members_of(record: Any, **options: Any) -> BatchMembers:
    calls = BatchCalls(OmicsHook(), Target(record["id"], resource=BATCH), logging.getLogger("members"))
    return BatchMembers(calls, record, **options)


def listed(record: Any, statuses: Any = None, **options: Any) -> list[Member]:
    return flat(members_of(record, **options).pages(statuses))


def cohort(omics: Any, *, named: bool = True, **rules: Any) -> Any:
    given = [*settings(LIVES), {"runSettingId": "late-1"}, {"runSettingId": "late-2"}]
    return start_batch(omics, given, named=named, fail=FAILED_SUBMISSIONS, **rules)


def statuses_of(members: list[Member]) -> dict[str, int]:
    return dict(Counter(member.status for member in members))


@pytest.mark.parametrize("named", [True, False])
def test_each_member_has_its_sample_its_run_and_its_status(omics: Any, named: bool) -> None:
    record = cohort(omics, named=named)
    members = listed(record)
    assert {member.setting_id for member in members} == {
        *(f"sample-{number}" for number in range(1, 9)), "late-1", "late-2",
    }  # fmt: skip
    assert statuses_of(members) == STATUSES
    by_id = {member.setting_id: member for member in members}
    assert by_id["sample-6"].status == "FAILED"
    assert OmicsHook().get_run(str(by_id["sample-6"].run_id))["status"] == "FAILED"
    assert by_id["late-2"] == ("late-2", None, "NOT_STARTED", "ValidationException", "no such cache")


def test_if_runs_are_named_by_their_settings_one_list_is_enough(omics: Any) -> None:
    record = cohort(omics)
    requests = counting(omics)
    assert len(listed(record)) == 10
    assert requests() == {"ListRuns": 1, "ListRunsInBatch": 1}


def test_a_batch_of_somebody_else_needs_both_lists(omics: Any) -> None:
    record = cohort(omics, named=False)
    requests = counting(omics)
    assert len(listed(record)) == 10
    assert requests() == {"ListRuns": 1, "ListRunsInBatch": 1}


@pytest.mark.parametrize("rule", ["both", "one filter"])
@pytest.mark.parametrize("named", [True, False])
def test_members_in_one_status_are_filtered_whether_or_not_aws_does_it(
    omics: Any, named: bool, rule: str
) -> None:
    record = cohort(omics, named=named, list_runs=rule)
    failed = listed(record, ("FAILED",))
    assert sorted(str(member.setting_id) for member in failed) == ["sample-6", "sample-7", "sample-8"]
    assert len(listed(record, ("FAILED", "NOT_STARTED"))) == 5
    assert len(listed(record, ("NOT_STARTED",))) == 2


def test_a_few_failed_runs_of_somebody_elses_large_batch_are_looked_up_one_by_one(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 398), ("failed-import-failed", 2)]), named=False)
    requests = counting(omics)
    assert {member.setting_id for member in listed(record, ("FAILED",))} == {"sample-399", "sample-400"}
    assert requests() == {"ListRuns": 1, "ListRunsInBatch": 2}


@pytest.mark.parametrize("named", [True, False])
def test_runs_that_were_removed_are_deleted_and_not_taken_for_members_never_started(
    omics: Any, named: bool
) -> None:
    record = start_batch(omics, settings([("completed", 4), ("vanishes-after-completion", 3)]), named=named)
    members = listed(record)
    assert statuses_of(members) == {"COMPLETED": 4, "DELETED": 3}
    assert {m.setting_id for m in members if m.status == "DELETED"} == {"sample-5", "sample-6", "sample-7"}


@pytest.mark.parametrize("named", [True, False])
def test_a_run_that_listruns_leaves_out_has_the_status_that_getrun_says(omics: Any, named: bool) -> None:
    record = cohort(omics, named=named)
    [left_out] = [m.run_id for m in listed(record) if m.setting_id == "sample-3"]
    omics.fault("ListRuns", "list-omits", run_id=left_out)
    assert statuses_of(listed(record)) == STATUSES


def test_members_that_were_not_tried_yet_are_in_no_list_or_in_one_without_a_status(omics: Any) -> None:
    given = settings([("running-forever", 10)])
    record = start_batch(omics, given, starts_per_second=1.0, seconds=35 + 4.5)
    assert record["status"] == "SUBMITTING"
    assert {m.setting_id for m in listed(record)} <= {f"sample-{n}" for n in range(1, 10)}
    assert "NOT_STARTED" not in statuses_of(listed(record))
    omics.batches(untried="listed")
    members = listed(record)
    assert len(members) == 10
    assert members[-1] == ("sample-10", None, "NOT_STARTED", None, None)
    assert listed(record, ("NOT_STARTED",))[-1] == members[-1]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("page", [1, 3, 100])
def test_pages_may_be_short(omics: Any, named: bool, page: int) -> None:
    record = cohort(omics, named=named, page=page)
    assert statuses_of(listed(record)) == STATUSES


@pytest.mark.parametrize("named", [True, False])
def test_pages_that_repeat_members_or_step_back_show_each_once(
    omics: Any, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = cohort(omics, named=named, page=3)
    stepping_back(monkeypatch)
    members = listed(record)
    assert len({member.setting_id for member in members}) == len(members) == 10


def stepping_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each page show the page before it again."""
    really = OmicsHook._omics_client

    class Client:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            call = getattr(self._client, name)
            if name not in ("list_runs", "list_runs_in_batch"):
                return call
            key = "items" if name == "list_runs" else "runs"

            def again(**request: Any) -> Any:
                answer = call(**request)
                earlier.setdefault(name, [])
                answer[key], earlier[name] = [*earlier[name], *answer[key], *answer[key]], answer[key]
                return answer

            return again

    earlier: dict[str, Any] = {}
    monkeypatch.setattr(OmicsHook, "_omics_client", lambda hook, **kwargs: Client(really(hook, **kwargs)))


def test_a_list_whose_pages_lead_round_and_round_ends(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {None: "a", "a": "b", "b": "c", "c": "a"}
    run = {"status": "COMPLETED", "name": "s", "batchId": "7"}

    class Client:
        meta = OmicsHook().conn.meta

        def list_runs(self, startingToken: str | None = None, **request: Any) -> Any:
            number = "1" + str(ord(startingToken or "Z"))
            return {"items": [{"id": number, **run}], "nextToken": pages[startingToken]}

    monkeypatch.setattr(OmicsHook, "_omics_client", lambda hook, **kwargs: Client())
    record = {"id": "7", "status": "PROCESSED", "totalRuns": 4}
    assert len(listed(record, ("COMPLETED",), named=True)) == 4


def test_a_page_that_fails_is_asked_for_again_and_not_those_before_it(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 250)]))
    requests = counting(omics)
    pages = members_of(record).pages(("COMPLETED",))
    assert len(next(pages)) == 100
    omics.fault("ListRuns", "throttle", times=2)
    assert len(next(pages)) == 100
    assert len(next(pages)) == 50
    assert next(pages, None) is None
    assert requests() == {"ListRuns": 3 + 2}


def test_calls_keep_to_the_configured_rate(omics: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    record = start_batch(omics, settings([("completed", 20)]), page=4)
    monkeypatch.setenv("AIRFLOW__OMICS__REQUESTS_PER_SECOND", "4")
    requests, began = counting(omics), omics.now()
    assert len(listed(record, named=False)) == 20
    assert requests() == {"ListRuns": 1, "ListRunsInBatch": 5}
    assert 5 / 4 <= omics.now() - began < 6 / 4


def test_a_service_that_refuses_to_list_by_batch_leaves_getrun(
    omics: Any, caplog: pytest.LogCaptureFixture
) -> None:
    record = cohort(omics)
    omics.fault("ListRuns", "validation")
    assert statuses_of(listed(record)) == STATUSES
    [failed] = [m for m in listed(record) if m.setting_id == "sample-8"]
    assert (failed.status, failed.reason) == ("FAILED", "IMPORT_FAILED")
    assert "each is read by a GetRun of its own" in caplog.text


def test_a_denied_list_names_the_action(omics: Any) -> None:
    record = cohort(omics)
    omics.fault("ListRuns", "access-denied")
    with pytest.raises(OmicsAccessError, match=r"HealthOmics batch \d+: .*Allow omics:ListRuns"):
        listed(record)


def test_a_list_that_fails_for_long_is_an_error_about_the_batch(omics: Any, clock: Clock) -> None:
    record = cohort(omics)
    omics.fault("ListRuns", "internal-error")
    began = omics.now()
    with pytest.raises(OmicsError, match=f"HealthOmics batch {record['id']}: ListRuns"):
        listed(record)
    assert 240 <= omics.now() - began < 420


def test_runs_of_other_batches_that_a_list_shows_are_left_out(omics: Any) -> None:
    other = start_batch(omics, settings([("completed", 3)]))
    record = start_batch(omics, settings([("completed", 2)]))
    assert other["id"] != record["id"]
    assert len(listed(record)) == 2


def test_a_run_whose_id_is_a_run_of_another_batch_now_is_deleted(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 3)]))
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    omics.vanish(run_id)
    members = members_of(record)

    def another(run_id: str) -> Any:
        return {"id": run_id, "status": "COMPLETED", "batchId": "99"}

    members.calls.hook.get_run = another  # type: ignore[method-assign]
    assert statuses_of(flat(members.pages())) == {"COMPLETED": 2, "DELETED": 1}


def test_a_page_that_is_refused_later_is_an_error_and_nothing_is_shown_twice(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 150)]))
    pages = members_of(record).pages()
    assert len(next(pages)) == 100
    omics.fault("ListRuns", "validation")
    with pytest.raises(OmicsRequestError, match="ListRuns: ValidationException"):
        next(pages)


def test_runs_of_another_batch_on_a_page_are_not_shown(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record = start_batch(omics, settings([("completed", 2)]))
    listing = {"id": "999", "status": "COMPLETED", "name": "other", "batchId": "99"}
    really = BatchCalls.pages
    monkeypatch.setattr(BatchCalls, "pages", lambda calls, of: ([*p, listing] for p in really(calls, of)))
    assert {member.setting_id for member in listed(record, ("COMPLETED",))} == {"sample-1", "sample-2"}


def test_after_enough_runs_that_are_gone_listruns_is_believed(
    omics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_omics._batches.members._MOST_CONFIRMED", 2)
    record = start_batch(omics, settings([("vanishes-after-completion", 5)]))
    requests = counting(omics)
    assert statuses_of(listed(record)) == {"DELETED": 5}
    assert requests()["GetRun"] == 2


def test_a_run_of_a_batch_that_goes_on_is_always_read(omics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_omics._batches.members._MOST_CONFIRMED", 0)
    record = start_batch(omics, settings([("running-forever", 3)]), seconds=3000)
    [run_id] = [m.run_id for m in listed(record) if m.setting_id == "sample-2"]
    omics.fault("ListRuns", "list-omits", run_id=run_id)
    assert statuses_of(listed(record)) == {"RUNNING": 3}


def test_runs_that_their_batch_has_deleted_are_not_asked_for(omics: Any) -> None:
    record = start_batch(omics, settings([("completed", 5)]))
    OmicsHook().delete_run_batch(record["id"])
    omics.advance(100)
    record = dict(OmicsHook().get_batch(record["id"]))
    requests = counting(omics)
    assert statuses_of(listed(record)) == {"DELETED": 5}
    assert "GetRun" not in requests()


def test_which_runs_were_seen_is_kept_however_many_they_are() -> None:
    seen = Seen()
    ids = [str(7919 * number + 1) for number in range(5000)] + ["0", "007", "x" * 20, "9" * 18]
    assert [seen.add(run_id) for run_id in ids] == [True] * len(ids)
    assert [seen.add(run_id) for run_id in ids] == [False] * len(ids)


def test_it_keeps_no_member_that_it_has_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """16 to 48 bytes for each run; a list of the members takes more than 250."""

    class Client:
        meta = None

        def __init__(self, total: int) -> None:
            self.total = total

        def list_runs(self, startingToken: str = "0", **request: Any) -> Any:
            first = int(startingToken)
            ids = range(first, min(first + 100, self.total))
            items = [
                {"id": str(10**15 + 7919 * n), "name": f"sample-{n}", "status": "COMPLETED"} for n in ids
            ]
            after = first + 100
            return {"items": items, **({"nextToken": str(after)} if after < self.total else {})}

    def peak(total: int) -> int:
        client = Client(total)
        monkeypatch.setattr("airflow_omics.hooks.batch_operations.check_batches", lambda client: client)
        monkeypatch.setattr(OmicsHook, "_omics_client", lambda hook, **kwargs: client)
        record = {"id": "7", "status": "PROCESSED", "totalRuns": total}
        monkeypatch.setattr(_clock, "sleep", lambda seconds: None)
        pages = members_of(record, named=True).pages(("COMPLETED",))
        tracemalloc.start()
        try:
            assert sum(len(page) for page in pages) == total
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(200)  # what is imported once
    assert peak(20_000) - peak(2_000) < 18_000 * 64
