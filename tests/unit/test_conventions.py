"""What Airflow asks of a provider's operators, and this package of what it declares."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow 2.11
    from airflow import DAG

from airflow_omics import operators, sensors
from airflow_omics._compat import BaseOperator

REPOSITORY = Path(__file__).parents[2]
TASKS = [
    getattr(module, name)
    for module in (operators, sensors)
    for name in module.__all__
    if name != "SampleSheet"
]


# -- template fields -----------------------------------------------------------------------------------------


def misused_fields(task: type) -> Iterator[str]:
    """Say what a constructor does with the class's template fields besides assigning each as it was given.

    They are rendered after it has run: whatever it looks at or makes of them would be of the template.
    """
    fields: set[str] = set(task.template_fields)  # type: ignore[attr-defined]
    tree = ast.parse(textwrap.dedent(inspect.getsource(task)))
    [constructor] = [node for node in tree.body[0].body if getattr(node, "name", "") == "__init__"]  # type: ignore[attr-defined]
    assigned: list[str] = []
    seen: set[ast.AST] = set()
    for statement in constructor.body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name("self"), attr=field) as target], value=ast.Name(name)
            ) if field == name and field in fields:
                assigned.append(field)
                seen |= {target, statement.value}
    yield from (
        f"{field} is assigned {assigned.count(field)} times" for field in fields if assigned.count(field) != 1
    )
    for node in ast.walk(ast.Module(constructor.body, [])):
        match node:
            case ast.Name(name) | ast.Attribute(value=ast.Name("self"), attr=name) if (
                name in fields and node not in seen
            ):
                yield f"{ast.unparse(node)} is used"


@pytest.mark.parametrize("task", TASKS)
def test_template_fields_are_assigned_as_they_are(task: type) -> None:
    assert list(misused_fields(task)) == []


def test_a_constructor_that_makes_something_of_a_field_is_found() -> None:
    class Wrong:
        template_fields = ("good", "made", "checked", "left_out", "later")

        def __init__(self, good: Any, made: Any, checked: Any, left_out: Any, later: Any) -> None:
            self.good = good
            self.made = str(made)
            self.checked = checked
            if self.checked:
                self.later = later

    assert set(misused_fields(Wrong)) == {
        "made is assigned 0 times",
        "left_out is assigned 0 times",
        "later is assigned 0 times",
        "self.made is used",
        "made is used",
        "self.checked is used",
        "self.later is used",
        "later is used",
    }


@pytest.mark.parametrize("task", TASKS)
def test_template_fields_are_written_out(task: type) -> None:
    """Airflow's own check reads a tuple of texts, and knows no other."""
    [fields] = re.findall(
        r"template_fields: Sequence\[str\] = (\(.+?\))\n", inspect.getsource(task), re.DOTALL
    )
    assert ast.literal_eval(fields) == task.template_fields  # type: ignore[attr-defined]


# -- mapped tasks --------------------------------------------------------------------------------------------


def mapped_defaults(task: Any) -> dict[str, Any]:
    with DAG("mapped", schedule=None):
        mapped: Any = task.partial(task_id="task").expand(region_name=["us-west-2"])
    return {name: mapped.partial_kwargs[name] for name in ("inlets", "outlets", "retries", "trigger_rule")}


@pytest.mark.parametrize("task", TASKS)
def test_a_mapped_task_has_airflows_own_defaults(task: type) -> None:
    class Plain(BaseOperator):
        def __init__(self, region_name: str | None = None, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    assert mapped_defaults(task) == mapped_defaults(Plain)


# -- dependencies --------------------------------------------------------------------------------------------


def imports(files: list[Path]) -> set[str]:
    """Return the names of the modules that files import, at their top or within a function."""
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
    return found


def distributions(modules: set[str]) -> set[str]:
    """Return the names of the distributions that modules are of, the standard library and this one aside."""
    known = importlib.metadata.packages_distributions()
    found = set()
    for module in modules:
        top = module.partition(".")[0]
        if provider := re.match(r"airflow\.providers\.(\w+)", module):
            found.add(f"apache-airflow-providers-{provider[1]}")
        elif top == "airflow":
            found.add("apache-airflow")
        elif top not in sys.stdlib_module_names and top != "airflow_omics":
            found |= {name.lower() for name in known[top]}
    return found


def declared(requirements: list[str]) -> set[str]:
    return {re.match(r"[a-z0-9-]+", requirement)[0] for requirement in requirements}  # type: ignore[index]


def test_what_is_imported_is_declared_and_nothing_else() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package = REPOSITORY / "airflow_omics"
    emulator = sorted((package / "emulator").rglob("*.py"))
    # Only an API server loads the pages, and Airflow has made it of these.
    pages = sorted((package / "plugin").rglob("*.py"))
    # Only Airflow's OpenLineage provider has these loaded, and it brings the client.
    lineage = sorted((package / "_lineage").rglob("*.py"))
    product = [path for path in package.rglob("*.py") if path not in (*emulator, *pages, *lineage)]
    needed = declared(project["dependencies"])
    of_airflow = {"fastapi", "sqlalchemy", "starlette"}
    tops = {module.partition(".")[0] for module in imports(pages)}
    assert tops - sys.stdlib_module_names - {"__future__"} == of_airflow | {"airflow", "airflow_omics"}
    tops = {module.partition(".")[0] for module in imports(lineage)}
    assert tops - sys.stdlib_module_names == {"airflow", "airflow_omics", "attr", "openlineage"}
    # The Amazon provider's hook imports aiobotocore for us when it makes an asynchronous client.
    assert distributions(imports(product)) | {"aiobotocore"} == needed
    # Who names the pytest plugin has pytest, and moto brings boto3.
    assert distributions(imports(emulator)) - needed - {"pytest"} == declared(
        project["optional-dependencies"]["emulator"]
    )
