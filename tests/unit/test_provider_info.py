"""What Airflow's provider manager reads of this package is valid, true and complete."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import airflow_omics
from airflow_omics.get_provider_info import METRICS, get_provider_info

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = REPOSITORY / ".cache" / "schemas"
KINDS = ("operators", "sensors", "hooks", "triggers")


def supported_airflows() -> list[str]:
    versions = {
        line.split("==")[1]
        for path in (REPOSITORY / "constraints").glob("*.txt")
        for line in path.read_text().split()
        if line.startswith("apache-airflow==")
    }
    return sorted(versions)


def test_there_is_a_constraints_file_for_every_supported_airflow() -> None:
    series = {version.rpartition(".")[0] for version in supported_airflows()}
    assert series == {"2.11", "3.0", "3.1", "3.2", "3.3"}


@pytest.mark.parametrize("version", supported_airflows())
def test_metadata_fits_the_schema_of(version: str) -> None:
    path = SCHEMAS / f"{version}.json"
    assert path.exists(), (
        f"the schema of Airflow {version} is not in {SCHEMAS}; run: make test (or make schemas)"
    )
    jsonschema.validate(get_provider_info(), json.loads(path.read_text()))


def named_modules(kind: str) -> set[str]:
    return {module for group in get_provider_info().get(kind, ()) for module in group["python-modules"]}


@pytest.mark.parametrize("kind", KINDS)
def test_every_named_module_has_something_of_its_kind(kind: str) -> None:
    for name in named_modules(kind):
        assert own_classes(name, kind), f"{name} holds no {kind[:-1]}"


def test_every_module_with_something_public_is_named() -> None:
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for info in pkgutil.iter_modules(airflow_omics.__path__, "airflow_omics."):
        if info.name == "airflow_omics.emulator" or info.name.rpartition(".")[2].startswith("_"):
            continue
        try:
            module = importlib.import_module(info.name)
        except ImportError as error:
            if "needs Airflow 3.3 or newer" not in str(error):
                raise
            continue
        rooms = [info.name]
        if info.ispkg and not hasattr(module, "__all__"):  # its modules are imported one by one
            rooms = [room.name for room in pkgutil.iter_modules(module.__path__, f"{info.name}.")]
        for kind in KINDS:
            found[kind] |= {name for name in rooms if own_classes(name, kind)}
    assert found == {kind: named_modules(kind) for kind in KINDS}


def own_classes(name: str, kind: str) -> list[str]:
    """Return the public classes of a kind that a module, or a package of that name, defines itself."""
    from airflow.triggers.base import BaseTrigger

    from airflow_omics._compat import BaseOperator, BaseSensorOperator

    try:
        from airflow.sdk import BaseHook
    except ImportError:  # Airflow 2.11
        from airflow.hooks.base import BaseHook

    bases: dict[str, Any] = {
        "operators": BaseOperator,
        "sensors": BaseSensorOperator,
        "hooks": BaseHook,
        "triggers": BaseTrigger,
    }
    return [
        member.__name__
        for member in vars(importlib.import_module(name)).values()
        if inspect.isclass(member)
        and (member.__module__ == name or member.__module__.startswith(f"{name}."))
        and not member.__name__.startswith("_")
        and issubclass(member, bases[kind])
        and not (kind == "operators" and issubclass(member, BaseSensorOperator))
    ]


def airflow_command(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments, "--output", "json"],
        env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Airflow 3 also writes log lines, in brackets, to standard output.
    lines = done.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(("[{", '{"')) or line == "[")
    return json.loads("\n".join(lines[start:]))


def test_airflow_lists_the_provider() -> None:
    [row] = [row for row in airflow_command("providers", "list") if row["package_name"] == "airflow-omics"]
    assert row["version"] == airflow_omics.__version__
    assert "HealthOmics" in row["description"]


def test_airflow_shows_the_provider() -> None:
    [row] = airflow_command("providers", "get", "airflow-omics")
    assert row["Provider"] == "airflow-omics"
    assert row["Version"] == airflow_omics.__version__


def test_wheel_holds_types_and_emulator_and_nothing_beside_the_package(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"airflow_omics/py.typed", "airflow_omics/emulator/__main__.py"} <= set(names)
    info = f"airflow_omics-{airflow_omics.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"airflow_omics", info}
    assert f"{info}/licenses/LICENSE" in names


def test_every_metric_that_is_sent_is_in_the_table_with_its_kind() -> None:
    sent = set()
    for path in Path(airflow_omics.__file__).parent.rglob("*.py"):
        sent |= set(re.findall(r'stats\(\)\.(\w+)\(\s*"([^"]+)"', path.read_text()))
    kinds = {"incr": "counter", "gauge": "gauge", "timing": "timing, in milliseconds"}
    assert {(name, kinds[method]) for method, name in sent} == {
        ("omics.watcher.waiting", "gauge"),
        ("omics.watcher.waiting_batches", "gauge"),
        ("omics.watcher.requests", "counter"),
        ("omics.watcher.throttled", "counter"),
        ("omics.watcher.detection_delay", "timing, in milliseconds"),
        ("omics.snapshots.written", "counter"),
        ("omics.snapshots.lost", "counter"),
        ("omics.events.fired", "counter"),
        ("omics.events.copies", "counter"),
        ("omics.events.ignored", "counter"),
        ("omics.batch.completed", "counter"),
        ("omics.batch.bad", "counter"),
    }
    assert {(name, kind) for name, (kind, _) in METRICS.items()} == {
        (name, kinds[method]) for method, name in sent
    }
