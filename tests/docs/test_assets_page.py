"""The samples of docs/use/assets.md are DAGs that Airflow takes, and its tables say what is so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_omics._compat import has_partitions
from airflow_omics._task.outlet_arguments import DEFAULT_FIELDS

PAGE = Path(__file__).parents[2] / "docs" / "use" / "assets.md"
INDENTED = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
PLACE = "s3://genomes/cohort/1234567"


def samples() -> list[str]:
    """Return the blocks of Python on the page, in their order."""
    return [textwrap.dedent(block) for block in INDENTED.findall(PAGE.read_text())]


def event(**extra: Any) -> Any:
    return SimpleNamespace(extra=extra)


@pytest.fixture
def named() -> dict[str, Any]:
    """Every name that the samples, run one after the other, give to something."""
    names: dict[str, Any] = {}
    for sample in samples():
        exec(sample, names)
    return names


@pytest.mark.skipif(not has_partitions(), reason="the samples are for Airflow 3.3")
class TestSamples:
    def test_every_sample_runs(self, named: dict[str, Any]) -> None:
        assert len(samples()) == 4
        assert {"cohort", "publish", "announce", "publish_one", "reference"} <= set(named)

    def test_the_consumer_gets_the_folder_of_each_event(self, named: dict[str, Any]) -> None:
        events = {named["cohort"]: [event(runOutputUri=PLACE), event(runOutputUri=PLACE + "8")]}
        assert named["publish"].function(events) == [PLACE, PLACE + "8"]

    def test_the_consumer_of_a_partition_gets_its_run(self, named: dict[str, Any]) -> None:
        events = {named["cohort"]: [event(runOutputUri=PLACE, uuid="u-1")]}
        dag_run = SimpleNamespace(partition_key="u-1")
        assert named["publish_one"].function(dag_run, events) == PLACE

    def test_the_task_after_the_gates_tells_of_all_runs(self, named: dict[str, Any]) -> None:
        accessor = event()
        records = [{"runOutputUri": PLACE}, {"runOutputUri": PLACE + "8"}]
        named["announce"].function(records, outlet_events={named["cohort"]: accessor})
        assert accessor.extra == {"folders": [PLACE, PLACE + "8"]}


@pytest.mark.parametrize("noun", DEFAULT_FIELDS)
def test_the_table_has_the_members_of_an_event(noun: str) -> None:
    [row] = re.findall(rf"^\| a {noun} \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", row)) == DEFAULT_FIELDS[noun]
