"""What is public, and what is not. Who adds a name decides here whether it is a promise."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.imports import REPOSITORY
from tests.support.surface import LOADS_AWS, NEWEST_ONLY, PUBLIC

pytestmark = pytest.mark.any_airflow

PACKAGE = REPOSITORY / "airflow_omics"
WINGS = {
    "_batches",
    "_lineage",
    "_listening",
    "_monitoring",
    "_outputs",
    "_starting",
    "_steering",
    "_task",
    "_waiting",
    "_watching",
}
PRIVATE_MODULES = {
    "_clock",
    "_compat",
    "_connection",
    "_faults",
    "_iam",
    "_identity",
    "_opening",
    "_outcome",
    "_resource",
    "_words",
}
# For one release, the class path that version 0.1.0 stored for deferred starts.
OLD_PATHS = {"starting"}
# The public modules that are folders; the others are one file.
PACKAGES = {"diagnosis", "emulator", "hooks", "operators", "plugin", "provenance", "sensors", "triggers"}


def file_of(name: str) -> Path:
    package = PACKAGE / name / "__init__.py"
    return package if package.exists() else PACKAGE / f"{name}.py"


def names_said(path: Path) -> list[str] | None:
    """Return what ``__all__`` says, as it stands in the source."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def test_every_module_and_folder_at_the_top_is_decided_upon() -> None:
    found = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or path.joinpath("__init__.py").exists()
    }
    assert found == {"__init__", *PUBLIC, *WINGS, *PRIVATE_MODULES, *OLD_PATHS}


def test_what_is_a_folder_is_a_package_of_its_own() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == WINGS | PACKAGES | OLD_PATHS


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_promises_these_names_and_no_other(module: str) -> None:
    assert names_said(file_of(module)) == PUBLIC[module]


@pytest.mark.parametrize("module", sorted(set(PUBLIC) - NEWEST_ONLY))
def test_what_is_promised_is_there(module: str) -> None:
    imported = importlib.import_module(f"airflow_omics.{module}")
    assert [name for name in PUBLIC[module] if not hasattr(imported, name)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_promised_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(file_of(module).read_text()))


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_a_wing_s_init_is_a_docstring_that_names_its_doors(wing: str) -> None:
    [docstring] = ast.parse(file_of(wing).read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert "\n\nDoor" in ast.literal_eval(docstring.value)


def test_the_map_names_everything_at_the_top() -> None:
    text = str(ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text())))
    listed = [
        line.removeprefix("- ``").partition("``")[0] for line in text.splitlines() if line.startswith("- ")
    ]
    assert sorted(listed) == sorted([*PUBLIC, *WINGS, *PRIVATE_MODULES])
    assert [name for name in OLD_PATHS if f"``{name}``" not in text] == []


def test_importing_the_package_imports_nothing() -> None:
    script = "import sys, json, airflow_omics; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    assert [name for name in loaded if name.startswith("airflow_omics")] == ["airflow_omics"]
    assert [name for name in ("airflow", "botocore") if name in loaded] == []


def test_the_old_paths_lead_to_what_is_there_today() -> None:
    from airflow_omics import triggers
    from airflow_omics.starting import trigger

    assert trigger.OmicsStartedRunTrigger is triggers.OmicsStartedRunTrigger


def test_what_loads_aws_is_public() -> None:
    assert set(PUBLIC) >= LOADS_AWS | NEWEST_ONLY
