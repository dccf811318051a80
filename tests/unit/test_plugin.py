"""What Airflow loads: next to nothing in a task, nothing at all before 3.1, and never an error."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest

from airflow_omics.plugin import links, plugin
from airflow_omics.plugin.plugin import OmicsPlugin
from tests.support.pages import HAS_PAGES

REPOSITORY = Path(__file__).parents[2]
SURFACES = ("fastapi_apps", "operator_extra_links", "external_views")
# What a task's process has loaded already.
SCRIPT = """
import sys
try:
    import airflow.sdk.plugins_manager
except ImportError:
    import airflow.plugins_manager
before = set(sys.modules)
import airflow_omics.plugin.plugin
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""


@pytest.fixture
def omics_plugin() -> Any:
    return OmicsPlugin()


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be another Airflow, with options: ``on("3.4", ui_tabs=True)``."""

    def pretend(version: str, **options: bool) -> None:
        monkeypatch.setattr("airflow.version.version", version)
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__OMICS__{name.upper()}", str(value))

    return pretend


def tabs(of: Any) -> dict[str, dict[str, Any]]:
    return {view["destination"]: view for view in of.external_views}


# -- in every process ----------------------------------------------------------------------------------------


def test_importing_it_imports_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = done.stderr.splitlines()[-1].split()
    assert loaded[-1] == "airflow_omics.plugin.plugin"
    # The first of these Airflow may have loaded for its provider's metadata.
    assert set(loaded[:-1]) <= {"airflow_omics", "airflow_omics.plugin"}


def test_airflow_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    [(name, path)] = project["entry-points"]["airflow.plugins"].items()
    [installed] = [
        found
        for found in metadata.entry_points(group="airflow.plugins")
        if found.value.startswith("airflow_omics")
    ]
    assert (installed.name, installed.value) == (name, path), "run: make environment"
    assert installed.load() is OmicsPlugin


def test_airflow_lists_it_with_what_it_has() -> None:
    """What ``airflow plugins -o json`` prints, which evaluates each surface of each plugin."""
    listed = import_module("airflow.plugins_manager").get_plugin_info()
    [ours] = [info for info in json.loads(json.dumps(listed, default=str)) if info["name"] == "healthomics"]
    assert len(ours["operator_extra_links"]) == (2 if HAS_PAGES else 0)
    assert [app["url_prefix"] for app in ours.get("fastapi_apps", [])] == ["/healthomics"] * HAS_PAGES
    assert ours.get("external_views", []) == []
    assert import_module("airflow.plugins_manager").__dict__.get("import_errors", {}) == {}


# -- what there is, where ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.11.0", "3.0.6", "3.0.6rc1"])
def test_before_3_1_there_is_nothing(omics_plugin: Any, on: Any, version: str) -> None:
    on(version, ui_tabs=True)
    assert [getattr(omics_plugin, surface) for surface in SURFACES] == [[], [], []]


@pytest.mark.parametrize("version", ["3.1.8", "3.4.0", "4.0.0"])
def test_without_ui_there_is_nothing(omics_plugin: Any, on: Any, version: str) -> None:
    on(version, ui=False, ui_tabs=True)
    assert [getattr(omics_plugin, surface) for surface in SURFACES] == [[], [], []]


@pytest.mark.parametrize("version", ["3.1.0", "3.2.2", "3.3.2rc1", "3.4.0.dev0", "3.10.1", "4.0.0"])
def test_from_3_1_on_there_are_two_links(omics_plugin: Any, on: Any, version: str) -> None:
    on(version)
    assert [link.name for link in omics_plugin.operator_extra_links] == [
        "HealthOmics run page",
        "HealthOmics cohort",
    ]


@pytest.mark.parametrize("version", ["3.1.0", "3.3.2"])
def test_before_3_4_there_are_tabs_only_if_asked_for(omics_plugin: Any, on: Any, version: str) -> None:
    on(version)
    assert omics_plugin.external_views == []
    on(version, ui_tabs=True)
    assert list(tabs(omics_plugin)) == ["task_instance", "dag_run"]
    assert all("applies_to" not in view for view in omics_plugin.external_views)


@pytest.mark.parametrize("version", ["3.4.0", "3.4.0.dev0", "3.10.0", "4.0.0"])
def test_from_3_4_on_a_task_has_a_tab_if_it_is_ours(omics_plugin: Any, on: Any, version: str) -> None:
    on(version)
    assert list(tabs(omics_plugin)) == ["task_instance"]
    assert tabs(omics_plugin)["task_instance"]["applies_to"] == {
        "operator_name": [
            "OmicsRunSensor",
            "OmicsRunBatchSensor",
            "OmicsStartRunOperator",
            "OmicsStartRunBatchOperator",
        ]
    }
    on(version, ui_tabs=True)
    assert list(tabs(omics_plugin)) == ["task_instance", "dag_run"]


def test_a_tab_has_one_short_word_and_a_relative_address(omics_plugin: Any, on: Any) -> None:
    on("3.3.2", ui_tabs=True)
    assert {name: (view["name"], view["href"]) for name, view in tabs(omics_plugin).items()} == {
        "task_instance": ("HealthOmics", "healthomics/run/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}"),
        "dag_run": ("HealthOmics", "healthomics/cohort/{DAG_ID}/{RUN_ID}"),
    }
    assert len({view["url_route"] for view in omics_plugin.external_views}) == 2


@pytest.mark.parametrize("version", ["3.3.2", "unknown", "", "3"])
def test_what_cannot_be_made_is_left_out_and_logged(
    omics_plugin: Any,
    on: Any,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> bool:
        raise ImportError("This Airflow has moved it")

    on(version)
    if version == "3.3.2":
        monkeypatch.setattr(plugin, "_is_on", lambda option, default: broken())
    found = [getattr(omics_plugin, surface) for surface in SURFACES]
    assert found == [[], [], []]
    said = [record.getMessage() for record in caplog.records if record.name == plugin.__name__]
    assert said == ["The pages of HealthOmics runs are not there, or not whole"] * 3 or version == "3"


# -- the links -----------------------------------------------------------------------------------------------


class Key:
    dag_id, run_id, task_id, map_index = "cohort", "manual__2026-01-15T12:00:00+00:00", "group.gate", 7


def test_a_link_is_relative_and_each_part_of_it_quoted() -> None:
    run, cohort = links.PAGE_LINKS
    assert run.get_link(None, ti_key=Key) == (
        "healthomics/run/cohort/manual__2026-01-15T12%3A00%3A00%2B00%3A00/group.gate/7"
    )
    assert cohort.get_link(None, ti_key=Key) == (
        "healthomics/cohort/cohort/manual__2026-01-15T12%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize("run_id", ["a/../b", "%2F", "ü", "a?b#c", "javascript:x"])
def test_an_id_leads_to_no_other_page(run_id: str) -> None:
    class Hostile(Key):
        pass

    Hostile.run_id = run_id
    address = links.PAGE_LINKS[0].get_link(None, ti_key=Hostile)
    assert address.startswith("healthomics/run/cohort/")
    assert address.endswith("/group.gate/7")
    assert address.count("/") == 5
    assert address.isascii()
    assert not set("?#: ") & set(address)


def test_a_link_that_cannot_be_made_raises_nothing() -> None:
    assert [link.get_link(None, ti_key=None) for link in links.PAGE_LINKS] == ["", ""]


def test_the_links_are_on_all_that_waits_or_starts() -> None:
    from airflow_omics.operators import OmicsStartRunBatchOperator, OmicsStartRunOperator
    from airflow_omics.sensors import OmicsRunBatchSensor, OmicsRunSensor

    ours = {OmicsRunBatchSensor, OmicsRunSensor, OmicsStartRunBatchOperator, OmicsStartRunOperator}
    assert [set(link.operators) for link in links.PAGE_LINKS] == [ours, ours]


def test_they_replace_no_link_that_a_task_has_itself() -> None:
    from airflow_omics.links import RUN_LINKS

    assert not {link.name for link in RUN_LINKS} & {link.name for link in links.PAGE_LINKS}
