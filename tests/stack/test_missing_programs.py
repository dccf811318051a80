"""A machine without PostgreSQL or Chromium: tests fail with a sentence that says how to get them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from scripts import programs
from scripts.stack import Stack, StackError


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder for temporary files of a machine that has neither program."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "_DEBIAN_POSTGRES", tmp_path / "postgresql")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_stack_on_postgresql_says_how_to_get_it(bare_machine: Path) -> None:
    with pytest.raises(StackError, match="`apt-get install postgresql`"):
        Stack(pace=1, poke_interval=1, database="postgresql")
    assert list(bare_machine.iterdir()) == []


def test_the_browser_says_how_to_get_it(bare_machine: Path) -> None:
    with pytest.raises(StackError, match="`apt-get install chromium`"):
        programs.chromium()


def test_all_that_is_missing_is_told_at_once(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert programs.main() == 2
    told = capsys.readouterr().err
    assert "apt-get install postgresql" in told
    assert "apt-get install chromium" in told
