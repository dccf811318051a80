"""How the scripts hang together: who imports whom, and what make, CI and the hooks run."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import yaml

from scripts.setup.programs import PROGRAMS
from tests.support.imports import imports_of, modules_in
from tests.support.slow import SLOW
from tests.support.xdist_groups import FOLDERS

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "scripts"
LIBRARIES = ("scripts.setup", "scripts.stack")


MODULES = modules_in("scripts")
IMPORTS: dict[str, set[str]] = {name: set() for name in MODULES}
for found in imports_of(MODULES):
    IMPORTS[found.source].add(found.target)
COMMANDS = {name for name in MODULES if name.count(".") == 1 and name not in LIBRARIES}


def test_nobody_imports_a_command() -> None:
    users = {**MODULES, **modules_in("benchmarks"), **modules_in("tests/support")}
    assert [str(found) for found in imports_of(users) if found.target in COMMANDS] == []


def test_the_set_up_knows_nothing_of_a_stack_and_needs_the_standard_library_alone() -> None:
    before_there_is_an_environment = {name for name in IMPORTS if name.startswith("scripts.setup.")}
    for name in before_there_is_an_environment | {"scripts.environment"}:
        tops = {module.split(".")[0] for module in IMPORTS[name]}
        assert tops - {"scripts"} <= sys.stdlib_module_names, name
        assert not [module for module in IMPORTS[name] if module.startswith("scripts.stack")], name


def test_what_differs_between_airflows_asks_no_stack() -> None:
    asked = {name for name in IMPORTS["scripts.stack.versions"] if name.startswith("scripts")}
    assert asked == {"scripts.stack.processes"}


# -- commands ------------------------------------------------------------------------------------------------


MAKEFILE = (REPOSITORY / "Makefile").read_text()
CI = (REPOSITORY / ".ci" / "run").read_text()


def recipe(target: str) -> str:
    """Return what a target needs, and does."""
    [found] = re.findall(rf"^{target}:(.*\n(?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    return str(found)


def test_every_command_is_one_of_make() -> None:
    assert set(re.findall(r"-m (scripts\.\w+)", MAKEFILE)) == COMMANDS
    for command in COMMANDS:
        assert f"-m {command}" in MAKEFILE
        assert ast.get_docstring(ast.parse((REPOSITORY / f"{command.replace('.', '/')}.py").read_text())), (
            command
        )


def test_ci_makes_what_a_person_makes_and_brings_only_what_make_needs_to_begin() -> None:
    assert re.findall(r"^make (\w+)", CI, re.MULTILINE) == ["test", "matrix"]
    assert re.findall(r"apt-get install .*--no-install-recommends (.+) >", CI) == ["make python3"]
    assert not re.search(r"\b(postgres\w*|chromium|venv|pip|uv)\b", CI)


def test_programs_are_brought_before_anything_else_is_done() -> None:
    assert recipe("test").split()[:3] == ["programs", "lint", "schemas"]
    [brought] = re.findall(r"-m scripts.programs (\w+ .+)", recipe("programs"))
    assert set(brought.split()) == set(PROGRAMS)
    assert recipe("matrix").split()[0] == "postgresql"
    assert "programs" not in recipe("check")
    assert "postgresql" not in recipe("check")
    assert "aws-cli" not in recipe("check")


def test_a_check_starts_no_airflow_and_leaves_out_only_tests_that_there_are() -> None:
    [checked] = re.findall(r"^CHECKED := (.+)$", MAKEFILE, re.MULTILINE)
    assert not {folder.rstrip("/") for folder in FOLDERS} & set(checked.split())
    for beginning in SLOW:
        path, _, name = beginning.partition("::")
        assert f"def {name or 'test_'}" in (REPOSITORY / path).read_text(), beginning


def test_the_rows_that_ci_runs_are_rows_of_the_matrix() -> None:
    matrix = ast.parse((SCRIPTS / "matrix.py").read_text())
    [rows] = [
        ast.literal_eval(node.value)
        for node in matrix.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROWS"
    ]
    [named] = re.findall(r'ROWS="(.+)"', CI)
    assert set(named.split()) < set(rows)


def test_the_hooks_run_what_make_lint_runs() -> None:
    configuration = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())
    [hook] = [hook for repository in configuration["repos"] for hook in repository["hooks"]]
    assert hook["entry"] == "make lint"


def test_the_public_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert commands == ["bash .ci/run"]
    actions = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w/-]+@v\d+", action) for action in actions)
