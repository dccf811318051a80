"""The documentation page tells what the code does."""

from __future__ import annotations

import pathlib
import re

import pytest

from airflow_omics.emulator import LIVES, Emulator
from airflow_omics.emulator.__main__ import parser
from airflow_omics.emulator.faults import KINDS

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "emulator.md"


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


def test_every_control_is_told(text: str) -> None:
    for name in vars(Emulator):
        if not name.startswith("_"):
            assert re.search(rf"`[^`]*\b{name}\b", text), name


def test_every_option_of_the_command_line_is_told(text: str) -> None:
    for option in re.findall(r"--[a-z]+", parser().format_help()):
        assert option == "--help" or f"`{option}`" in text


def test_the_python_of_the_page_is_python(text: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "emulator.md", "exec")
