"""Which part of the package may import which, read from the imports; and how long a function may be.

Every import counts: of a module, inside a function, and for type checkers alone.
"""

from __future__ import annotations

import ast
from collections import defaultdict

import pytest

from tests.support.imports import Import, circles, imports_of, modules_in

pytestmark = pytest.mark.any_airflow

# From the top. An import only points down, to a lower line.
FLOORS = (
    ("plugin",),  # what a person sees in Airflow's UI
    ("sensors", "operators"),  # what a DAG author imports
    ("_starting",),
    ("triggers",),
    ("_steering", "_outputs"),
    ("_batches",),
    ("_watching", "_listening"),
    ("_task",),
    ("_waiting",),
    ("_monitoring", "_lineage"),
    ("diagnosis",),
    ("hooks",),  # the only room that talks to AWS
    ("_faults", "notifications", "retry_policies"),
    ("exceptions", "links", "_identity", "assets", "provenance"),
    ("_resource", "_words"),
    ("_outcome", "records", "failures", "_connection", "_clock", "_opening", "_compat", "_iam"),
)
FLOOR = {part: number for number, floor in enumerate(FLOORS) for part in floor}
# What stands beside the floors, and what of the package it may import.
APART: dict[str, set[str]] = {"emulator": set(), "get_provider_info": set(), "starting": {"triggers"}}

AWS = ("aiobotocore", "boto3", "botocore", "moto", "s3transfer")
TALKS_TO_AWS = {"hooks", "emulator"}
# What each part imports of Airflow itself, by the beginning of its name; _compat is for the rest.
AIRFLOW = {
    "_compat": ("airflow.",),
    "_task": (
        "airflow.models.",
        "airflow.sdk.execution_time.",
        "airflow.triggers.base",
        "airflow.utils.session",
    ),
    "_lineage": ("airflow.providers.openlineage.",),
    "assets": ("airflow.providers.common.compat.",),
    "hooks": ("airflow.providers.amazon.aws.hooks.base_aws",),
    "plugin": (
        "airflow.api_fastapi.",
        "airflow.models.",
        "airflow.plugins_manager",
        "airflow.sdk.plugins_manager",
        "airflow.utils.session",
        "airflow.version",
    ),
    "retry_policies": ("airflow.sdk",),
    "sensors": ("airflow.triggers.base",),
    "triggers": (
        "airflow.sdk.execution_time.xcom",
        "airflow.triggers.base",
        "airflow.triggers.shared_stream",
    ),
}
# What only a task is made of. Below triggers, _task alone knows it.
TASK_MACHINERY = {
    "AirflowRescheduleException",
    "BaseOperator",
    "BaseSensorOperator",
    "PokeReturnValue",
    "TaskDeferralError",
    "first_reschedule_date",
    "has_listeners",
}
KNOWS_TASKS = {"sensors", "operators", "_starting", "triggers", "_task"}
GROUND_WITHOUT_AIRFLOW = {"_outcome", "records", "failures", "_connection", "_clock", "_iam"}

MOST_LINES = 60
# A constructor takes its class's arguments one by one; a table is as long as what it lists.
MAY_BE_LONGER = {"sensors": "__init__", "operators": "__init__", "triggers": "__init__"}

MODULES = modules_in("airflow_omics")
IMPORTS = imports_of(MODULES)


def part_of(module: str) -> str:
    """Return the part of the package that a module belongs to: the second word of its name."""
    return module.split(".")[1] if "." in module else ""


def is_of(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def between_parts() -> list[Import]:
    inside = [found for found in IMPORTS if is_of(found.target, ("airflow_omics",))]
    return [found for found in inside if part_of(found.source) != part_of(found.target)]


def said(found: list[Import]) -> list[str]:
    return [str(one) for one in found]


def test_every_part_has_its_floor() -> None:
    assert {part_of(name) for name in MODULES} - {""} == set(FLOOR) | set(APART)


def test_no_import_points_upward_or_sideways() -> None:
    on_floors = [found for found in between_parts() if part_of(found.source) in FLOOR]
    assert said([f for f in on_floors if FLOOR.get(part_of(f.target), -1) <= FLOOR[part_of(f.source)]]) == []


def test_what_stands_apart_imports_what_it_may() -> None:
    apart = [found for found in between_parts() if part_of(found.source) in APART]
    assert said([f for f in apart if part_of(f.target) not in APART[part_of(f.source)]]) == []


def test_nothing_of_the_product_imports_the_emulator() -> None:
    assert said([found for found in between_parts() if part_of(found.target) == "emulator"]) == []


def test_aws_is_talked_to_in_one_room() -> None:
    aws = [found for found in IMPORTS if is_of(found.target, AWS)]
    assert said([found for found in aws if part_of(found.source) not in TALKS_TO_AWS]) == []


def test_airflow_is_imported_where_that_is_meant() -> None:
    airflow = [found for found in IMPORTS if is_of(found.target, ("airflow",))]
    assert said([f for f in airflow if not f.target.startswith(AIRFLOW.get(part_of(f.source), ()))]) == []


def test_the_ground_knows_no_airflow() -> None:
    ground = [found for found in IMPORTS if part_of(found.source) in GROUND_WITHOUT_AIRFLOW]
    assert said([f for f in ground if is_of(f.target, ("airflow", "airflow_omics._compat"))]) == []


def test_below_the_triggers_only_task_knows_what_tasks_are_made_of() -> None:
    machinery = [found for found in IMPORTS if found.name in TASK_MACHINERY]
    assert (
        said([found for found in machinery if part_of(found.source) not in KNOWS_TASKS | {"_compat"}]) == []
    )


@pytest.mark.parametrize("folder", ["airflow_omics", "scripts", "tests/support"])
def test_no_modules_import_each_other_in_a_circle(folder: str) -> None:
    modules = modules_in(folder)
    edges = defaultdict(set)
    for found in IMPORTS if folder == "airflow_omics" else imports_of(modules):
        if found.target in modules and found.target != found.source:
            edges[found.source].add(found.target)
    assert circles(edges) == []


def test_no_parts_import_each_other_in_a_circle() -> None:
    edges = defaultdict(set)
    for found in between_parts():
        edges[part_of(found.source)].add(part_of(found.target))
    assert circles(edges) == []


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_LINES and node.name != MAY_BE_LONGER.get(part_of(module)):
                    long.append(f"{module}.{node.name}: {lines} lines")
    assert long == []
