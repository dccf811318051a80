"""The emulator's folders stand on floors: an import only points down, and none runs in a circle."""

from __future__ import annotations

import ast
import pathlib
from graphlib import TopologicalSorter

import pytest

import airflow_omics.emulator

PACKAGE = "airflow_omics.emulator"
ROOT = pathlib.Path(airflow_omics.emulator.__file__).parent
# From the ground up. Folders in one row know nothing of each other.
FLOORS = (
    ("lives", "wire"),
    ("world",),
    ("service.common",),
    ("service",),
    ("other_services",),
    ("control_table",),
    ("controls",),
    ("control",),
    ("client", "serving"),
    ("__init__",),
    ("__main__", "pytest_plugin"),
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))
}


def place(module: str) -> tuple[int, str]:
    """Return the floor of a module, and its folder there."""
    for name in (".".join(module.split(".")[:2]), module.split(".")[0]):
        for number, floor in enumerate(FLOORS):
            if name in floor:
                return number, name
    raise AssertionError(f"{module} stands on no floor")


def imports(module: str) -> set[str]:
    """Return the modules of the emulator that one imports, wherever in its code."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}."):
            base = f"{node.module}."[len(PACKAGE) + 1 :]
            for alias in node.names:
                names = [f"{base}{alias.name}", base.rstrip("."), f"{base}{alias.name}.__init__"]
                known = next((name for name in names if name in MODULES), "__init__")
                found.add(known)
    return found


def test_an_import_only_points_down() -> None:
    for module in MODULES:
        for imported in imports(module):
            (here, folder), (there, other) = place(module), place(imported)
            assert there < here or folder == other, f"{module} imports {imported}"


def test_no_imports_run_in_a_circle() -> None:
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith(".__init__")])
def test_a_folder_s_init_is_a_docstring(module: str) -> None:
    [only] = ast.parse(MODULES[module].read_text()).body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)
    assert "Floor:" in only.value.value
