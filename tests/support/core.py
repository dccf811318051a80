"""What every supported Airflow is held to, and every executor: gates and a start, end to end.

Airflow is asked through its REST API, as a user would. All tasks wait at the same time; most are over before
the triggerer is killed, and the rest outlive it.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack
from tests.support.pages import page_links
from tests.support.pipeline import Pipeline
from tests.support.started import started

DAG_FILE = Path(__file__).parents[1] / "stack" / "core_dags" / "core.py"
# What the claims need of a stack.
SETTINGS = {
    # A run that ended badly must fail its gate without one of these.
    "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    # Seconds after which another triggerer takes over what a dead one has left.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}


class Row(NamedTuple):
    """What becomes of a gate.

    :param ending: ``GetRun``'s status and failureReason at the end of its run.
    :param state: the task's state.
    """

    ending: str
    state: str


GATES = {
    "completed": Row("COMPLETED", "success"),
    "failed": Row("FAILED OUT_OF_MEMORY_ERROR", "failed"),
    "failed_softly": Row("FAILED SERVICE_ERROR", "skipped"),
    "skipped": Row("CANCELLED", "skipped"),
    "without_a_worker": Row("COMPLETED", "success"),
    "mapped[0]": Row("COMPLETED", "success"),
    "mapped[1]": Row("COMPLETED", "success"),
    "survivor": Row("COMPLETED", "success"),
}
ENDED = ("success", "failed", "skipped")
# From Airflow 3.3 on a task can begin in the triggerer, and from Airflow 3.0 on it can end there.
CAN_BEGIN = hasattr(BaseTrigger, "render_template_fields")
CAN_END = importlib.util.find_spec("airflow.sdk") is not None


class Core(NamedTuple):
    """The DAG run, over.

    :param run_ids: the run of each gate.
    :param waiting: each task as it was while all of them waited.
    :param links: the extra links of ``completed`` while it waited.
    """

    pipeline: Pipeline
    run_ids: dict[str, str]
    waiting: dict[str, dict[str, Any]]
    links: dict[str, str | None]


def end(omics: EmulatorClient, run_ids: dict[str, str], name: str) -> None:
    status, _, reason = GATES[name].ending.partition(" ")
    omics.move(run_ids[name], status, *([reason, "The status message."] if reason else []))


def run_core(stack: Stack, omics: EmulatorClient) -> Core:
    """Let the DAG run, and return it when it is over."""
    omics.default_life = "pending-forever"
    run_ids = dict(zip(GATES, omics.start_runs(len(GATES)), strict=True))
    mapped = [run_id for name, run_id in run_ids.items() if name.startswith("mapped")]
    pipeline = Pipeline(stack, "core", {**run_ids, "mapped": mapped})
    pipeline.until_deferred(len(GATES) + 1)
    waiting = {name: pipeline.task(name) for name in (*GATES, "start")}
    # A worker stores the links one by one, just after Airflow knows that the task is deferred.
    stack.wait_for("the links", lambda: all(pipeline.links("completed").values()), 30)
    links = pipeline.links("completed")
    early = set(GATES) - {"survivor"}
    for name in early:
        end(omics, run_ids, name)
    stack.wait_for("the first ends", lambda: all(pipeline.states()[name] in ENDED for name in early), 120)
    stack.kill("triggerer")
    end(omics, run_ids, "survivor")
    stack.restart("triggerer")
    stack.wait_for("the survivor", lambda: pipeline.states()["survivor"] in ENDED, 60)
    # The start's run is still going on: the new triggerer watches it as the old one did.
    for run_id in started(omics):
        omics.move(run_id, "COMPLETED")
    pipeline.until_ended()
    return Core(pipeline, run_ids, waiting, links)


class CoreClaims:
    """The claims; who inherits them has fixtures ``stack``, ``omics`` and ``core``, of :func:`run_core`."""

    @pytest.mark.parametrize("name", GATES)
    def test_a_gate_ends_as_its_run_did_at_the_first_try(self, core: Core, name: str) -> None:
        gate, record = core.pipeline.task(name), core.pipeline.xcom(name)
        found = Row(f"{record['status']} {record.get('failureReason', '')}".strip(), gate["state"])
        assert found == GATES[name]
        assert record["id"] == core.run_ids[name]
        assert (gate["try_number"], gate["max_tries"]) == (1, 3)

    @pytest.mark.parametrize("name", [name for name in GATES if not name.startswith("mapped")])
    def test_the_record_reaches_the_next_task_as_a_dict(self, core: Core, name: str) -> None:
        status = GATES[name].ending.partition(" ")[0]
        assert core.pipeline.xcom(f"after_{name}") == f"a dict {status}"

    def test_the_log_of_a_failed_gate_says_why(self, core: Core) -> None:
        log = core.pipeline.log("failed")
        assert "OmicsRunFailedError" in log
        assert "OUT_OF_MEMORY_ERROR" in log
        assert "The status message." in log

    def test_a_gate_takes_no_more_workers_than_its_airflow_needs(self, core: Core) -> None:
        def workers(name: str) -> list[str]:
            begun_by, ended_by = core.waiting[name]["pid"], core.pipeline.task(name)["pid"]
            return ["begin"] * (begun_by is not None) + ["end"] * (ended_by != begun_by)

        assert workers("completed") == ["begin", "end"]
        needed = ["begin"] * (not CAN_BEGIN) + ["end"] * (not CAN_END)
        assert workers("without_a_worker") == needed

    def test_what_uses_a_worker_instead_is_warned_of(self, core: Core, stack: Stack) -> None:
        reasons = ["start_from_trigger has no effect because it needs Airflow 3.3 or newer"] * (not CAN_BEGIN)
        reasons += ["end_from_trigger has no effect because it needs Airflow 3"] * (not CAN_END)
        pattern = r"'(\w+)' uses a worker: (.+?)\.(?!\d)"
        logs = [path.read_text(errors="replace") for path in stack.folder.rglob("*.log")]
        reported = {found for log in logs for found in re.findall(pattern, log)}
        assert reported == ({("without_a_worker", "; ".join(reasons))} if reasons else set())

    def test_a_gate_links_to_its_run_while_it_waits_and_after(self, core: Core) -> None:
        run_id = core.run_ids["completed"]
        assert core.links["HealthOmics run"] == (
            f"https://console.aws.amazon.com/omics/home?region=us-east-1#/runs/{run_id}"
        )
        assert core.pipeline.links("completed") == core.links
        pages = page_links("core", core.pipeline.dag_run_id, "completed")
        assert {name: core.links.get(name) for name in pages} == pages

    def test_a_start_whose_triggerer_is_killed_starts_one_run(
        self, core: Core, omics: EmulatorClient
    ) -> None:
        [run_id] = started(omics)
        start, record = core.pipeline.task("start"), core.pipeline.xcom("start")
        assert (start["state"], start["try_number"]) == ("success", 1)
        assert (record["id"], record["status"]) == (run_id, "COMPLETED")
        assert "CancelRun" not in omics.counts()
