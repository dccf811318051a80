"""A stack's parts can be killed, started again and measured, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import PARTS, Stack, StackError, running
from tests.support.pipeline import Pipeline


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(
        Stack(pace=1, poke_interval=1, database="postgresql", parts=(*PARTS, "triggerer-2"), revive=True)
    ) as stack:
        yield stack


def test_a_part_may_run_twice(stack: Stack) -> None:
    alive = stack.get("/api/v2/jobs?job_type=TriggererJob&is_alive=true")
    assert alive["total_entries"] == 2


@pytest.mark.parametrize("part", ["triggerer-2", "scheduler", "dag-processor", "api-server", "postgres"])
def test_a_part_is_killed_with_its_children_and_comes_back(stack: Stack, part: str) -> None:
    members = stack.family(part)
    stack.kill(part)
    assert [member for member in members if member.is_running()] == []
    with pytest.raises(StackError, match="running"):
        stack.family(part)
    stack.restart(part)
    assert not {member.pid for member in members} & {member.pid for member in stack.family(part)}


def test_airflow_works_after_all_of_that(stack: Stack) -> None:
    omics = EmulatorClient(stack.endpoint_url)
    [run_id] = omics.start_runs(1, life="pending-forever")
    omics.move(run_id, "COMPLETED")
    pipeline = Pipeline(stack, "gate_and_use_record", {"omics_run_id": run_id})
    assert pipeline.until_ended() == {"gate": "success", "find_outputs": "success"}


def test_a_part_that_ends_by_itself_is_revived(stack: Stack) -> None:
    stack.revived.clear()
    stack.family("dag-processor")[0].kill()
    stack.wait_for("the end of the DAG processor", lambda: stack.revived == ["dag-processor"], 30)
    assert stack.family("dag-processor")[0].is_running()


def test_the_use_of_a_part_counts_its_children(stack: Stack) -> None:
    server, *connections = stack.family("postgres")
    assert len(connections) > 1
    use = stack.usage("postgres")
    assert use.rss_bytes > server.memory_info().rss
    assert 0 < use.cpu_seconds <= stack.usage("postgres").cpu_seconds


def test_a_statement_that_postgresql_refuses_says_so(stack: Stack) -> None:
    assert stack.psql("SELECT 1, 'two'") == "1|two"
    with pytest.raises(StackError, match='relation "nowhere" does not exist'):
        stack.psql("SELECT * FROM nowhere")
