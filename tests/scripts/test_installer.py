"""uv is brought once, at the version that is pinned; if it cannot be had, pip does its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.setup import installer
from scripts.setup.commands import SetupError, run


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Return what pip is asked for; it installs a program of that name."""
    wanted: list[str] = []

    def make(self: installer.Pip, path: Path, python: str, log: Path) -> None:
        (path / "bin").mkdir(parents=True)

    def install(self: installer.Pip, path: Path, log: Path, *options: str) -> None:
        wanted.extend(options)
        program = path / "bin" / "uv"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

    monkeypatch.setattr(installer, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(installer, "OUTPUT", tmp_path / "output")
    monkeypatch.setattr(installer.Pip, "make", make)
    monkeypatch.setattr(installer.Pip, "install", install)
    return wanted


def test_uv_is_installed_once(wanted: list[str], tmp_path: Path) -> None:
    assert isinstance(installer.installer(), installer.Uv)
    assert isinstance(installer.installer(), installer.Uv)
    assert wanted == [installer.pin("uv")]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [installer.pin("uv").replace("==", "-")]


def test_pip_takes_over_if_uv_cannot_be_had(
    wanted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(*arguments: object) -> None:
        raise SetupError("no such distribution")

    monkeypatch.setattr(installer.Pip, "install", fail)
    assert isinstance(installer.installer(), installer.Pip)
    assert capsys.readouterr().out == (
        f"{installer.pin('uv')} cannot be installed here ({tmp_path}/output/install-uv.log says why): "
        "pip does it, slower\n"
    )
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_command_that_fails_ends_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "made" / "log"
    with pytest.raises(SetupError) as caught:
        run(["sh", "-c", "seq 20; exit 3"], log)
    assert str(caught.value).splitlines() == [
        f"`sh -c seq 20; exit 3 ...` failed, see {log}",
        *map(str, range(6, 21)),
    ]


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere could not be started: No such file or directory"):
        run([tmp_path / "nowhere"], tmp_path / "log")
