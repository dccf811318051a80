"""``typed_use.py`` uses all that is public, and mypy finds each of its types right."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_omics import operators, sensors, triggers
from tests.support.imports import REPOSITORY
from tests.support.surface import PUBLIC

# mypy is in the environment of the newest Airflow alone, and the types are those of that one.
pytestmark = pytest.mark.any_airflow

FILE = Path(__file__).with_name("typed_use.py")
TREE = ast.parse(FILE.read_text())
WITH_ARGUMENTS = [
    getattr(module, name)
    for module in (operators, sensors, triggers)
    for name in module.__all__
    if not name.endswith("Event")  # Airflow's own constructor
]


def test_mypy_finds_every_type_right() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_public_name_is_used() -> None:
    imported: dict[str, set[str]] = {}
    for node in TREE.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("airflow_omics."):
            module = str(node.module).removeprefix("airflow_omics.")
            imported[module] = {alias.name for alias in node.names}
    assert imported == {module: set(names) for module, names in PUBLIC.items() if names}


@pytest.mark.parametrize("class_", WITH_ARGUMENTS, ids=lambda class_: class_.__name__)
def test_every_argument_is_given(class_: type[Any]) -> None:
    given: set[str] = set()
    for node in ast.walk(TREE):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == class_.__name__:
            given |= {str(keyword.arg) for keyword in node.keywords}
    own = inspect.signature(class_).parameters.values()
    taken = {p.name for p in own if p.kind is not p.VAR_KEYWORD}
    positional = {p.name for p in own if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert taken - positional - given == set()
