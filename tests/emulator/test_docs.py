"""The documentation page says what the code does."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from airflow_omics.emulator import LIVES, Emulator
from airflow_omics.emulator.__main__ import parser
from airflow_omics.emulator.world.batches import BatchRules
from airflow_omics.emulator.world.faults import KINDS

from .batches import needs_batches

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "use" / "emulator.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text()


def test_the_table_of_lives_is_complete(text: str) -> None:
    table = text.partition("<!-- lives -->")[2].partition("<!-- /lives -->")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(name, LIVES[name].description) for name in sorted(LIVES)]


def test_the_table_of_faults_is_complete(text: str) -> None:
    section = text.partition("## Faults")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) == list(KINDS)


def test_every_control_is_described(text: str) -> None:
    for name in dir(Emulator):
        if not name.startswith("_"):
            assert re.search(rf"`[^`]*\b{name}\b", text), name


def test_every_rule_of_batches_is_described(text: str) -> None:
    table = text.partition("<!-- batches -->")[2].partition("<!-- /batches -->")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    described = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert described == [rule.name for rule in dataclasses.fields(BatchRules)]


@needs_batches
def test_the_batch_of_the_page_is_processed(text: str) -> None:
    code = text.partition("\n## Batches")[2].partition("```python\n")[2].partition("```")[0]
    known: dict[str, Any] = {}
    exec(compile(code, "emulator.md", "exec"), known)
    assert known["record"]["status"] == "PROCESSED"


def test_every_option_of_the_command_line_is_described(text: str) -> None:
    for option in re.findall(r"--[a-z]+", parser().format_help()):
        assert option == "--help" or f"`{option}`" in text


def test_the_python_of_the_page_is_python(text: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        compile(block, "emulator.md", "exec")


def test_the_tests_of_the_page_pass_as_printed(text: str, tmp_path: pathlib.Path) -> None:
    files = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", text, re.DOTALL))
    assert set(files) == {
        "conftest.py",
        "dags/cohort.py",
        "tests/test_cohort.py",
        "tests/test_one_operator.py",
    }
    for name, code in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    # Whoever follows the page has set nothing else.
    ours = ("AIRFLOW", "AWS_", "MOTO_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        env={**environment, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "\n3 passed" in done.stdout, done.stdout[-6000:] + done.stderr[-2000:]
    assert done.returncode == 0
