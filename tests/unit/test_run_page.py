"""What the page of a run says, in each state of the run and of its task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_omics._monitoring.price_list import PriceList
from airflow_omics._monitoring.task_table import RunTask, TaskTable, iso
from airflow_omics.plugin.model import Gate, RunView
from airflow_omics.plugin.run_page import render
from tests.support.parsed import Element, parsed
from tests.support.run_pages import DIAGNOSIS, HOUR, MINUTE, NOON, gate, record, seen, task, view

pytestmark = pytest.mark.any_airflow

SEEN = NOON + 72 * MINUTE  # an hour after the run's start


def shown(one: RunView, now: float = SEEN + 10) -> Element:
    return parsed(render(one, "/", now))


def facts(page: Element) -> dict[str, str]:
    """Return the facts of the run, those of its failure apart."""
    found = {}
    for element in page.of_class("facts")[-1].all("div"):
        name, value = element.all("dt"), element.all("dd")
        found[next(name).text] = next(value).text
    return found


def running(*tasks: RunTask, at: float = SEEN, left_out: int = 0, **more: Any) -> RunView:
    table = TaskTable(at, tasks, left_out)
    return view(gate(snapshot=seen("RUNNING", at=at)), tasks=table, **more)


# -- the run and its times


def test_the_head_says_which_run_of_what_and_as_of_when() -> None:
    page = shown(running())
    [head] = page.all("header")
    assert head.text.startswith(
        "NA12878 germline RUNNING Run 7261567 of workflow 1234567, version v2.1.0, "
        "as seen 2026-01-15 13:12:00 UTC"
    )
    [moment] = head.all("time")
    assert moment.attributes == {"datetime": "2026-01-15T13:12:00+00:00", "data-clock": None}
    [badge] = head.of_class("badge")
    assert badge.attributes["class"] == "badge s-RUNNING"


def test_times_are_those_of_the_service_and_not_of_the_api_server() -> None:
    page = shown(running(), now=NOON - 5 * HOUR)
    assert facts(page) == {
        "Created": "2026-01-15 12:00:00 UTC",
        "Waited": "12 min",
        "Running for": "1 h",
        "Storage": "DYNAMIC",
    }


def test_a_run_that_ended_says_when_and_how_long_it_took() -> None:
    stop = iso(NOON + 2 * HOUR)
    page = shown(view(gate("success", snapshot=seen("COMPLETED", stopTime=stop))))
    assert facts(page) == {
        "Created": "2026-01-15 12:00:00 UTC",
        "Waited": "12 min",
        "Ran for": "1 h 48 min",
        "Ended": "2026-01-15 14:00:00 UTC",
        "Storage": "DYNAMIC",
    }
    assert "as seen" not in page.text


def test_a_run_that_never_started_says_so() -> None:
    ended = seen("CANCELLED", stopTime=iso(NOON + 5 * MINUTE))
    del ended["run"]["startTime"]
    assert facts(shown(view(gate("failed", snapshot=ended))))["Started"] == "never"


def test_static_storage_says_how_much() -> None:
    one = seen("RUNNING", storageType="STATIC", storageCapacity=4800)
    assert facts(shown(view(gate(snapshot=one))))["Storage"] == "STATIC, 4,800 GiB"


def test_no_span_is_negative_whatever_the_clocks_say() -> None:
    early = record("COMPLETED", startTime=iso(NOON - HOUR), stopTime=iso(NOON - 2 * HOUR))
    odd = TaskTable(
        NOON - 3 * HOUR,
        (task(1, "A", "COMPLETED", 10, 5, 1), task(2, "B", "RUNNING", 10, 20), task(3, "C", "PENDING", 9)),
    )
    page = shown(
        view(gate("success", snapshot={"run": early}), tasks=odd, prices=PriceList({"omics.m.xlarge": 1.0}))
    )
    assert facts(page)["Waited"] == "0 s"
    assert facts(page)["Ran for"] == "0 s"
    widths = [one.attributes["width"] or "" for one in page.all("rect")]
    assert [width for width in widths if width.startswith("-")] == []
    assert facts(page)["Instance hours"].startswith("0.03")


@pytest.mark.parametrize(
    ("age", "words"),
    [(14 * MINUTE, None), (16 * MINUTE, "Last seen 16 min ago. The run may be further by now.")],
)
def test_a_page_that_is_old_says_so(age: float, words: str | None) -> None:
    warnings = [one.text for one in shown(running(), now=SEEN + age).of_class("warning")]
    assert warnings == ([words] if words else [])


def test_a_run_that_ended_is_never_old() -> None:
    page = shown(view(gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN)))), now=SEEN + 400 * HOUR)
    assert page.of_class("warning") == []


def test_a_run_in_which_nothing_moves_says_since_when() -> None:
    one = seen("RUNNING", at=SEEN, stuck_since=NOON + 20 * MINUTE)
    [warning] = shown(view(gate(snapshot=one))).of_class("warning")
    assert (
        warning.text
        == "Nothing has moved since 2026-01-15 12:20:00 UTC (52 min): no task has started or ended."
    )


def test_a_task_that_ended_before_its_run_says_so() -> None:
    one = view(gate("failed", snapshot=seen("RUNNING", at=SEEN)))
    [warning] = shown(one, now=SEEN + 40 * HOUR).of_class("warning")
    assert warning.text.startswith("The task in Airflow has ended (failed) while the run went on.")


def test_an_unknown_status_is_named_and_goes_on() -> None:
    page = shown(view(gate(snapshot=seen("REHYDRATING", at=SEEN))))
    assert "does not know the status REHYDRATING" in page.of_class("warning")[0].text
    assert facts(page)["Running for"] == "1 h"
    assert page.of_class("badge")[0].attributes["class"] == "badge s-OTHER"


# -- when it should end


@pytest.mark.parametrize(
    ("earlier", "value"),
    [
        ((), None),
        (
            (110 * MINUTE, 130 * MINUTE, 120 * MINUTE),
            "in about 1 h at about 2026-01-15 14:12:00 UTC the last 3 took 1 h 50 min to 2 h 10 min",
        ),
        ((2 * HOUR,), "in about 1 h at about 2026-01-15 14:12:00 UTC the one earlier run took 2 h"),
        ((HOUR / 2, HOUR), "it takes longer than all 2 earlier runs the last 2 took 30 min to 1 h"),
        ((HOUR / 2,), "it takes longer than the one earlier run the one earlier run took 30 min"),
        ((HOUR / 2, HOUR / 2), "it takes longer than all 2 earlier runs the last 2 took 30 min each"),
        (
            # Of those that took longer than it has so far: 90 min and 110 min.
            (30 * MINUTE, 45 * MINUTE, 90 * MINUTE, 110 * MINUTE),
            "in about 40 min at about 2026-01-15 13:52:00 UTC the last 4 took 30 min to 1 h 50 min, "
            "2 of them longer than this one so far",
        ),
        ((HOUR + 200,), "in about 3 min at about 2026-01-15 13:15:20 UTC the one earlier run took 1 h 3 min"),
        ((float("nan"), float("inf")), None),
    ],
)
def test_it_says_when_the_run_should_end(earlier: tuple[float, ...], value: str | None) -> None:
    assert facts(shown(running(earlier=earlier))).get("Should end") == value


def test_before_its_start_it_says_how_long_the_run_should_take() -> None:
    one = view(gate(snapshot=seen("PENDING", at=NOON + MINUTE)), earlier=(2 * HOUR,))
    assert facts(shown(one))["Should end"] == "about 2 h after its start the one earlier run took 2 h"


@pytest.mark.parametrize("status", ["STOPPING", "COMPLETED", "FAILED"])
def test_a_run_that_stops_or_has_ended_has_no_forecast(status: str) -> None:
    stop = {} if status == "STOPPING" else {"stopTime": iso(SEEN)}
    page = shown(view(gate(snapshot=seen(status, **stop)), earlier=(2 * HOUR,)))
    assert "Should end" not in facts(page)


# -- its tasks


def progress(page: Element) -> list[str]:
    return [one.text for one in page.of_class("progress")]


def test_it_says_how_many_of_the_known_tasks_have_ended() -> None:
    tasks = (
        task(1, "A", "COMPLETED", 13, 14, 15),
        task(2, "B", "COMPLETED", 13, 14, 15, cached=True),
        task(3, "C", "FAILED", 13, 14, 15),
        task(4, "D", "RUNNING", 13, 14),
        task(5, "E", "PENDING", 13),
    )
    page = shown(running(*tasks))
    assert progress(page) == ["3 of the 5 tasks known so far have ended"]
    [counts] = page.of_class("counts")
    assert [one.text for one in counts.all("li")] == [
        "2 COMPLETED (1 from the run cache)",
        "1 FAILED",
        "1 RUNNING",
        "1 PENDING",
    ]
    [bar] = page.of_class("bar")
    assert [(r.attributes["x"], r.attributes["width"], r.attributes["class"]) for r in bar.all("rect")] == [
        ("0.000%", "40.000%", "s-COMPLETED"),
        ("40.000%", "20.000%", "s-FAILED"),
        ("60.000%", "20.000%", "s-RUNNING"),
        ("80.000%", "20.000%", "s-PENDING"),
    ]
    assert bar.attributes["aria-label"] == "Tasks: 2 COMPLETED, 1 FAILED, 1 RUNNING, 1 PENDING"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ((), "No tasks are known yet."),
        ((task(1, "A", "RUNNING", 13, 14),), "The one task known so far has not ended yet"),
        ((task(1, "A", "COMPLETED", 13, 14, 15),), "The one task known so far has ended"),
        (
            (task(1, "A", "COMPLETED", 13, 14, 15), task(2, "B", "RUNNING", 13, 14)),
            "1 of the 2 tasks known so far has ended",
        ),
    ],
)
def test_few_tasks_are_said_in_as_few_words(tasks: tuple[RunTask, ...], words: str) -> None:
    assert progress(shown(running(*tasks))) == [words]


def test_tasks_that_were_left_out_are_counted_and_said() -> None:
    page = shown(running(task(1, "A", "COMPLETED", 13, 14, 15), task(2, "B", "RUNNING", 13, 14), left_out=40))
    assert progress(page) == ["42 tasks are known so far; shown are 2 that go on, failed or took the longest"]
    assert "40 more tasks are not shown." in page.text
    assert "40 more tasks of the run are not counted here." in page.text


def test_the_snapshot_counts_tasks_that_the_table_left_out() -> None:
    table = TaskTable(SEEN, (task(1, "A", "RUNNING", 13, 14),), left_out=41)
    snapshot = {**seen("RUNNING", at=SEEN), "tasks": {"COMPLETED": 41, "RUNNING": 1}, "cached": 7}
    page = shown(view(gate(snapshot=snapshot), tasks=table))
    assert progress(page) == ["41 of the 42 tasks known so far have ended"]
    assert "41 COMPLETED (7 from the run cache)" in page.text


def test_a_snapshot_alone_says_how_many_tasks_have_ended() -> None:
    snapshot = {**seen("RUNNING", at=SEEN), "tasks": {"COMPLETED": 6, "RUNNING": 6}}
    page = shown(view(gate(snapshot=snapshot)))
    assert progress(page) == ["6 of the 12 tasks known so far have ended"]
    assert not page.has("tasks")


def test_tasks_that_were_listed_long_before_say_when() -> None:
    table = TaskTable(SEEN - 9 * MINUTE, (task(1, "A", "RUNNING", 13, 14), task(2, "B", "RUNNING", 13, 14)))
    page = shown(view(gate(snapshot=seen("RUNNING", at=SEEN)), tasks=table))
    assert progress(page) == ["0 of the 2 tasks known so far have ended as listed 2026-01-15 13:03:00 UTC"]


def bars(page: Element) -> dict[str, list[tuple[str, str]]]:
    """Return class and words of each line of the timeline, by what it is."""
    [drawing] = page.of_class("rows")
    found = {}
    for line in drawing.all("g"):
        title = next(line.all("title")).text
        shapes = [one for one in line.all() if one.tag in ("rect", "path")]
        said = " ".join(one.text for one in line.all("text"))
        found[title] = [(one.attributes["class"] or "", said) for one in shapes]
    return found


def test_the_timeline_tells_waiting_retries_and_the_cache_apart() -> None:
    page = shown(
        running(
            task(1, "Index", "COMPLETED", 12.5, 13, 13, None, cached=True),
            task(2, "Align", "FAILED", 13, 15, 20),
            task(3, "Align", "RUNNING", 21, 25),
            task(4, "Sort", "PENDING", 22),
        )
    )
    assert bars(page) == {
        "The run is RUNNING: waited 12 min, ran 1 h": [
            ("waits", "1 h so far"),
            ("s-RUNNING goes-on", "1 h so far"),
        ],
        "Index (9000001), from the run cache, waited 30 s, no instance": [
            ("cached s-COMPLETED", "from the run cache")
        ],
        "Align (9000002), attempt 1 of 2, failed after 5 min, waited 2 min, omics.m.xlarge": [
            ("waits", "failed after 5 min"),
            ("s-FAILED", "failed after 5 min"),
            ("retried", "failed after 5 min"),
        ],
        "Align (9000003), attempt 2 of 2, 47 min so far, waited 4 min, omics.m.xlarge": [
            ("waits", "47 min so far"),
            ("s-RUNNING goes-on", "47 min so far"),
        ],
        "Sort (9000004), waiting 50 min, waited 50 min, omics.m.xlarge": [("waits", "waiting 50 min")],
    }
    [names] = page.of_class("names")
    assert [one.text for one in names.all("li")] == [
        "The run",
        "Index cache",
        "Align 1/2",
        "Align 2/2",
        "Sort",
    ]
    legend = [one.text for one in page.of_class("legend")[0].all("li")]
    assert legend == ["waits", "an attempt that another one followed", "answered by the run cache"]


def test_a_task_that_the_cache_answered_is_on_the_timeline_although_it_has_no_time() -> None:
    page = shown(
        running(
            task(1, "Align", "RUNNING", 13, 25),
            task(2, "Index", "COMPLETED", None, None, None, None, cached=True),
            task(3, "Lost", "CANCELLED", None, None, None, None),
        )
    )
    found = bars(page)
    assert found["Index (9000002), from the run cache"] == [("cached s-COMPLETED", "from the run cache")]
    [names] = page.of_class("names")
    assert [one.text for one in names.all("li")] == ["The run", "Index cache", "Align"]
    # The run was created at 0 and started after 12 of 72 minutes.
    [point] = [one for one in page.all("svg") if "x" in one.attributes]
    assert point.attributes["x"] == "16.67%"


def test_the_timeline_is_to_scale() -> None:
    page = shown(running(task(1, "Align", "COMPLETED", 18, 36, 54)))
    [drawing] = page.of_class("rows")
    rects = [(r.attributes["x"], r.attributes["width"]) for r in drawing.all("rect")]
    # 72 minutes are all of it: the run waited 12, the task was made at 18, ran from 36 to 54.
    assert rects == [
        ("0.00%", "16.67%"),
        ("16.67%", "83.33%"),
        ("25.00%", "25.00%"),
        ("50.00%", "25.00%"),
    ]
    labels = [one.text for one in page.of_class("axis")[0].all("text")]
    assert labels == ["created", "+15 min", "+30 min", "+45 min", "+1 h"]


def test_the_time_that_is_left_is_drawn_if_it_is_not_far() -> None:
    page = shown(running(earlier=(90 * MINUTE,)))
    [ahead] = [one for one in page.of_class("ahead") if "x" in one.attributes]
    # From 72 of 102 minutes on.
    assert ahead.attributes["x"] == "70.59%"
    far = shown(running(earlier=(90 * HOUR,)))
    [ahead] = [one for one in far.of_class("ahead") if "x" in one.attributes]
    assert ahead.attributes["x"] == "57.14%"  # 1 / 1.75


def test_the_table_says_what_the_timeline_draws() -> None:
    page = shown(
        running(
            task(1, "Index", "COMPLETED", 13, 13, 13.5, None, cached=True),
            task(2, "Align", "FAILED", 13, 15, 20),
            task(3, "Align", "RUNNING", 21, 25, gpus=2),
            task(4, "Sort", "PENDING", 22),
            task(5, "Late", "CANCELLED", 22),
        )
    )
    rows = [
        [cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in page.find("tasks").all("tr")
    ]
    asked = "4 vCPU, 16 GiB"
    assert rows == [
        ["Task", "Status", "Waited", "Started", "Took", "Instance", "Asked for", "Id"],
        [
            "Index",
            "COMPLETED from the run cache",
            "0 s",
            "2026-01-15 12:13:00 UTC",
            "30 s",
            "",
            asked,
            "9000001",
        ],
        [
            "Align attempt 1 of 2",
            "FAILED",
            "2 min",
            "2026-01-15 12:15:00 UTC",
            "5 min",
            "omics.m.xlarge",
            asked,
            "9000002",
        ],
        [
            *(
                "Align attempt 2 of 2",
                "RUNNING",
                "4 min",
                "2026-01-15 12:25:00 UTC",
                "47 min so far",
                "omics.m.xlarge",
            ),
            *("4 vCPU, 16 GiB, 2 GPU", "9000003"),
        ],
        ["Sort", "PENDING", "50 min", "", "", "omics.m.xlarge", asked, "9000004"],
        ["Late", "CANCELLED", "", "", "", "omics.m.xlarge", asked, "9000005"],
    ]


def test_many_tasks_scroll_in_a_box_of_their_own() -> None:
    few, many = (running(*(task(n, f"T{n}", "RUNNING", 13, 14) for n in range(count))) for count in (20, 60))
    assert not shown(few).has("long")
    assert shown(many).find("long").attributes["tabindex"] == "0"


# -- what it has used

PRICES = PriceList(
    {"omics.m.xlarge": 0.5}, region="us-east-1", source="a file", as_of="2026-01-01", factor=0.8
)


def hours(page: Element) -> list[list[str]]:
    table = next(page.find("hours-table").all("table"))
    return [[cell.text for cell in row.all() if cell.tag in ("th", "td")] for row in table.all("tr")]


def test_instance_hours_are_summed_by_type() -> None:
    done = view(
        gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN))),
        tasks=TaskTable(
            SEEN,
            (task(1, "A", "COMPLETED", 12, 12, 42), task(2, "B", "COMPLETED", 12, 12, 27, "omics.c.large")),
        ),
    )
    page = shown(done)
    assert facts(page)["Instance hours"] == "0.75"
    assert hours(page) == [
        ["Instance type", "Hours"],
        ["omics.m.xlarge", "0.50"],
        ["omics.c.large", "0.25"],
        ["All", "0.75"],
    ]
    assert "USD" not in page.text


def test_with_a_price_list_they_are_money() -> None:
    done = view(
        gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN))),
        tasks=TaskTable(SEEN, (task(1, "A", "COMPLETED", 12, 12, 42),)),
        prices=PRICES,
    )
    page = shown(done)
    assert facts(page)["Instance hours"] == "0.50 0.20 USD, without storage"
    assert hours(page) == [
        ["Instance type", "Hours", "USD an hour", "USD"],
        ["omics.m.xlarge", "0.50", "0.4000", "0.20"],
        ["All", "0.50", "", "0.20"],
    ]
    assert "Prices: a file, us-east-1, as of 2026-01-01, times 0.8." in page.find("hours").text


def test_while_it_runs_the_sum_is_the_least() -> None:
    page = shown(running(task(1, "A", "RUNNING", 12, 42), prices=PRICES))
    assert facts(page)["Instance hours so far"] == "0.50 at least 0.20 USD, without storage"
    assert "Counted until 2026-01-15 13:12:00 UTC; the run goes on" in page.find("hours").text


def test_a_type_without_a_price_makes_the_sum_incomplete() -> None:
    done = view(
        gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN))),
        tasks=TaskTable(
            SEEN,
            (task(1, "A", "COMPLETED", 12, 12, 42), task(2, "B", "COMPLETED", 12, 12, 13, "omics.g5.xlarge")),
        ),
        prices=PRICES,
    )
    page = shown(done)
    assert "Incomplete: no price for omics.g5.xlarge." in page.find("hours").text
    assert facts(page)["Instance hours"] == "0.52 at least 0.20 USD, without storage"
    assert hours(page)[2] == ["omics.g5.xlarge", "0.02", "no price", ""]


def ended(*tasks: RunTask, at: float = SEEN, more: bool = False) -> Element:
    """Return the page of a run that completed an hour after its start, whose tasks were listed then."""
    one = gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN)))
    return shown(view(one, tasks=TaskTable(at, tasks, more=more), prices=PRICES))


def test_a_run_that_ended_after_its_tasks_were_listed_takes_more() -> None:
    page = ended(task(1, "A", "RUNNING", 12, 42), at=SEEN - 15 * MINUTE)
    assert facts(page)["Instance hours"] == "0.25 at least 0.10 USD, without storage"
    assert hours(page)[-1] == ["All", "0.25", "", "at least 0.10"]
    assert "Counted until 2026-01-15 12:57:00 UTC: the tasks were not listed again" in page.find("hours").text
    [words] = page.of_class("strong")
    assert words.text == "1 task as listed 2026-01-15 12:57:00 UTC"


def test_a_listing_that_was_cut_is_the_least() -> None:
    page = ended(task(1, "A", "COMPLETED", 12, 12, 42), more=True)
    assert facts(page)["Instance hours"] == "0.50 at least 0.20 USD, without storage"
    assert "The run may have more tasks: not all of them could be listed." in page.find("hours").text
    [words] = page.of_class("strong")
    assert words.text == "At least 1 task: not all of them could be listed"


def test_tasks_that_were_left_out_make_the_sum_the_least() -> None:
    one = gate("success", snapshot=seen("COMPLETED", stopTime=iso(SEEN)))
    table = TaskTable(SEEN, (task(1, "A", "COMPLETED", 12, 12, 42),), left_out=7)
    page = shown(view(one, tasks=table, prices=PRICES))
    assert facts(page)["Instance hours"] == "0.50 at least 0.20 USD, without storage"


def test_a_snapshot_alone_says_that_its_listing_was_cut() -> None:
    one = seen("COMPLETED", stopTime=iso(SEEN)) | {"tasks": {"COMPLETED": 500}, "more": True}
    [words] = shown(view(gate("success", snapshot=one))).of_class("strong")
    assert words.text == "At least 500 tasks: not all of them could be listed"


def test_money_is_in_the_currency_of_the_price_list() -> None:
    prices = PriceList({"omics.m.xlarge": 2.0}, "cn-north-1", "a file", currency="CNY")
    page = shown(running(task(1, "A", "RUNNING", 12, 42), prices=prices))
    assert facts(page)["Instance hours so far"] == "0.50 at least 1.00 CNY, without storage"
    assert hours(page)[0] == ["Instance type", "Hours", "CNY an hour", "CNY"]
    assert "USD" not in page.text


def test_less_than_a_cent_is_not_nothing() -> None:
    cheap = PriceList({"omics.m.xlarge": 0.001})
    assert hours(shown(running(task(1, "A", "RUNNING", 12, 71), prices=cheap)))[1][-1] == "< 0.01"


# -- why it failed


def rows_of(page: Element) -> dict[str, str]:
    found = {}
    for pairs in page.find("why").of_class("facts"):
        for pair in pairs.all("div"):
            found[next(pair.all("dt")).text] = next(pair.all("dd")).text
    return found


def test_a_diagnosis_says_why_who_can_act_and_what_to_do() -> None:
    page = shown(view(gate("failed", snapshot=seen("FAILED")), diagnosis=DIAGNOSIS))
    why = page.find("why")
    assert why.attributes["class"] == "alert"
    assert page.find("why-title").text == "OUT_OF_MEMORY_ERROR"
    assert rows_of(page) == {
        "What it means": "A task used more memory than it had asked for.",
        "Message": "A task ran out of memory.",
        "Who can act": "the pipeline's author",
        "What to do": "Give the task more memory in the workflow definition or by a parameter.",
        "Would a retry help": "Not the same run; with other settings it may pass.",
        "Its message": "The task ran out of memory (exit code 137).",
        "Exit code": "137, killed, usually out of memory",
        "On": "omics.c.4xlarge",
    }
    assert "Failed task: BwaMem 9000005" in why.text
    assert next(page.find("log-1").all("summary")).text == "The last 4 lines of the log of BwaMem"
    assert page.find("log-1-text").text.endswith("Killed")
    assert page.find("report-text").text.startswith("HealthOmics run 7261567 'NA12878 germline' of workflow")
    assert "The engine log was not read: access denied." in why.text
    assert "aws omics get-run --id 7261567" in page.find("commands-text").text


def test_a_task_s_own_reason_is_shown_if_it_is_another() -> None:
    other = {**DIAGNOSIS["tasks"][0], "failure": {"reason": "TASK_TIMED_OUT", "meaning": "It took too long."}}
    page = shown(
        view(
            gate("failed", snapshot=seen("FAILED")),
            diagnosis={**DIAGNOSIS, "tasks": [other, other], "failed_tasks": 9},
        )
    )
    assert rows_of(page)["Its reason"] == "TASK_TIMED_OUT It took too long."
    assert "9 tasks failed; the first 2 of them are shown." in page.text


def test_the_engine_log_is_folded() -> None:
    found = {**DIAGNOSIS, "tasks": [], "engine_log": ["one line"]}
    page = shown(view(gate("failed", snapshot=seen("FAILED")), diagnosis=found))
    assert page.find("engine-log").text == "The last line of the engine log one line"


def test_without_a_diagnosis_the_snapshot_s_reason_is_explained() -> None:
    snapshot = {**seen("FAILED", failureReason="EXPORT_FAILED"), "owner": "storage team"}
    page = shown(view(gate("failed", snapshot=snapshot)))
    assert page.find("why-title").text == "EXPORT_FAILED"
    assert rows_of(page)["What it means"].startswith("The outputs could not be written to S3")
    assert rows_of(page)["Who can act"] == "storage team"


def test_a_reason_that_is_kept_out_of_xcom_is_not_guessed_at() -> None:
    snapshot = {"kind": "run", "seen": iso(SEEN), "run": {"id": "7261567", "status": "FAILED"}}
    page = shown(view(gate("failed", snapshot=snapshot)))
    assert page.find("why-title").text == "The run is FAILED"
    assert rows_of(page) == {"What it means": "The task has left no reason here; its log may have one."}


@pytest.mark.parametrize(
    ("status", "words"),
    [("DELETED", "HealthOmics has forgotten the run"), ("CANCELLED", "Somebody, or a program")],
)
def test_other_bad_ends_are_explained(status: str, words: str) -> None:
    page = shown(view(gate("failed", snapshot=seen(status))))
    assert page.find("why-title").text == f"The run is {status}"
    assert rows_of(page)["What it means"].startswith(words)
    assert "Would a retry help" not in rows_of(page)


def test_what_was_found_out_about_a_run_that_goes_on_is_no_alarm() -> None:
    found = {"run": record("PENDING"), "text": "It waits for its run group."}
    page = shown(view(gate("success"), diagnosis=found))
    assert page.find("why").attributes["class"] == "plain"
    assert page.find("why").text == "What the run waits for It waits for its run group."


# -- what is known of it


def test_a_diagnosis_alone_is_enough() -> None:
    page = shown(view(gate("failed"), diagnosis=DIAGNOSIS))
    assert facts(page)["Ran for"] == "41 min"
    assert page.of_class("badge")[0].text == "FAILED"


def test_a_return_value_alone_is_enough() -> None:
    page = shown(view(gate("success"), record=record("COMPLETED", stopTime=iso(SEEN))))
    assert facts(page)["Ran for"] == "1 h"


def test_a_later_source_wins_and_leaves_no_member_out() -> None:
    one = view(
        gate("success", snapshot=seen("RUNNING")),
        record={"id": "7261567", "status": "COMPLETED", "name": None},
    )
    [head] = shown(one).all("header")
    assert head.text.startswith("NA12878 germline COMPLETED")


@pytest.mark.parametrize(
    ("state", "title", "words"),
    [
        (None, "No run has been seen yet", "Airflow has not scheduled the task yet."),
        ("queued", "No run has been seen yet", "The task waits for a worker."),
        ("running", "No run has been seen yet", "The task is at work, and has not seen its run yet."),
        (
            "deferred",
            "No run has been seen yet",
            "The task waits in the triggerer, and has left nothing of its run yet.",
        ),
        ("failed", "No run was seen", "The task failed before it had seen a run. Its log says more."),
        ("skipped", "No run was seen", "The task was skipped. Its log says more."),
        ("restarting", "No run has been seen yet", "The task is restarting."),
    ],
)
def test_without_a_run_the_task_s_state_says_why(state: str | None, title: str, words: str) -> None:
    page = shown(view(gate(state)))
    assert next(page.all("h1")).text == title
    assert [one.text for one in page.of_class("plain")] == [words]


def test_xcoms_that_are_kept_elsewhere_are_said() -> None:
    page = shown(view(gate("deferred", is_elsewhere=True)))
    assert "keeps XComs outside of Airflow's database" in page.of_class("plain")[0].text
    assert "data-refresh" not in next(page.all("main")).attributes


@pytest.mark.parametrize(
    ("state", "refreshes"),
    [(None, True), ("queued", True), ("deferred", True), ("up_for_retry", True)]
    + [(state, False) for state in ("success", "failed", "skipped", "upstream_failed", "removed")],
)
@pytest.mark.parametrize("snapshot", [{}, seen("RUNNING"), seen("FAILED")], ids=["no run", "active", "ended"])
def test_a_page_refreshes_itself_until_its_task_has_ended(
    state: str | None, refreshes: bool, snapshot: dict[str, Any]
) -> None:
    """A run that has ended may still be explained by its task."""
    main = next(shown(view(gate(state, snapshot=snapshot))).all("main"))
    assert main.attributes == ({"data-refresh": "10"} if refreshes else {})


def test_a_batch_has_a_page_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    one = view(gate(snapshot={"kind": "batch", "run": {"id": "1"}}))
    monkeypatch.setattr("airflow_omics.plugin.batch_page.render", lambda *given: repr(given))
    assert render(one, "/team/", 5.0) == repr((one, "/team/", 5.0))


# -- the ways out


def test_links_go_to_airflow_below_its_own_path_and_to_the_cohort() -> None:
    mapped = replace(
        view(gate(snapshot=seen("RUNNING"), map_index=3)), dag_run_id="manual__2026-01-15T12:00:00+00:00/a b"
    )
    page = parsed(render(mapped, "/team/airflow/", SEEN))
    [nav] = page.all("nav")
    quoted = "manual__2026-01-15T12%3A00%3A00%2B00%3A00%2Fa%20b"
    assert [one.attributes["href"] for one in nav.all("a")] == [
        f"/team/airflow/dags/germline_cohort/runs/{quoted}/tasks/wait_for_germline/mapped/3",
        f"/team/airflow/healthomics/cohort/germline_cohort/{quoted}",
    ]
    assert next(page.all("script")).attributes["src"] == "/team/airflow/healthomics/static/omics.js"


def test_links_out_are_https_alone_and_each_is_there_once() -> None:
    links = {
        "The run": "https://console.aws.amazon.com/a?b&c",
        "Trap": "javascript:alert(1)",
        "Plain": "http://console.aws.amazon.com/",
        "Data": "data:text/html,x",
    }
    found = {
        **DIAGNOSIS,
        "links": {"The run again": links["The run"], "Log": "https://console.aws.amazon.com/log", "No": 7},
    }
    page = shown(view(gate("failed"), diagnosis=found, links=links))
    outside = [(one.text, one.attributes["href"]) for one in page.find("elsewhere").all("a")]
    assert outside == [
        ("The run", "https://console.aws.amazon.com/a?b&c"),
        ("Log", "https://console.aws.amazon.com/log"),
    ]


def test_the_task_is_named_where_airflow_does_not_show_it() -> None:
    one = replace(gate("up_for_retry", snapshot=seen("RUNNING"), map_index=3, label="NA12878"), try_number=2)
    assert (
        "Task wait_for_germline[3] (NA12878), try 2: up for retry. DAG germline_cohort, DAG run manual__"
        in shown(view(one)).text
    )


def test_an_empty_view_is_a_page() -> None:
    assert shown(RunView("a", "b", Gate("c"))).has("c") is False


def test_a_run_of_as_many_tasks_as_an_xcom_holds_is_a_page_that_a_browser_takes() -> None:
    tasks = tuple(task(n, f"Genotype (shard {n:03})", "COMPLETED", 13, 14, 15 + n) for n in range(300))
    page = render(running(*tasks, left_out=4_700), "/", SEEN)
    assert len(parsed(page).of_class("names")[0].content) == 301
    assert len(page) < 250_000


def test_a_failure_for_which_the_service_gave_no_reason_says_so() -> None:
    page = shown(view(gate("failed", snapshot=seen("FAILED"))))
    assert page.find("why-title").text == "The run is FAILED"
    assert rows_of(page)["What it means"] == "HealthOmics gave no reason."


def test_a_bar_of_no_length_is_seen_at_the_edge_and_does_not_stick_out() -> None:
    page = shown(running(task(1, "Align", "RUNNING", 72, 72)))
    [drawing] = page.of_class("rows")
    last = list(drawing.all("rect"))[-1].attributes
    assert (last["x"], last["width"]) == ("99.70%", "0.30%")
