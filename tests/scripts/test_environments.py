"""Environments: what is pinned is installed once, kept by its hash, and copied to each checkout."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scripts.setup import environments
from scripts.setup.commands import SetupError

REPOSITORY = Path(__file__).resolve().parents[2]


class Installer:
    """Installs a library, and a program that names the folder it was installed to."""

    def __init__(self) -> None:
        self.made: list[Path] = []
        self.installed: list[tuple[str, tuple[str, ...]]] = []
        self.breaks = False

    def make(self, path: Path, python: str, log: Path) -> None:
        self.made.append(path)
        (path / "bin").mkdir(parents=True)
        (path / "bin" / "python").symlink_to(sys.executable)
        (path / "lib").mkdir()

    def install(self, path: Path, log: Path, *options: str) -> None:
        self.installed.append((path.name, options))
        if self.breaks:
            raise SetupError("the network is down")
        (path / "lib" / "library.py").write_text("VERSION = 1\n")
        (path / "bin" / "tool").write_text(f"#!{path}/bin/python\n")
        (path / "bin" / "tool").chmod(0o755)

    def check(self, path: Path, log: Path) -> None:
        pass


class Checkout:
    """A clone of the repository, in which one environment is made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder
        (folder / "constraints").mkdir(parents=True)
        (folder / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
        self.pin("1.0")

    def pin(self, version: str) -> None:
        (self.folder / "constraints" / "some.txt").write_text(f"library=={version}\n")

    def make(self) -> Path:
        self._is_here()
        return environments.make("some", self.folder / ".venv").parents[1]

    def make_apart(self, version: str = "1.0") -> Path:
        self._is_here()
        (self.folder / "constraints" / "tools").mkdir(exist_ok=True)
        (self.folder / "constraints" / "tools" / "tool.txt").write_text(f"tool=={version}\nlibrary==1.0\n")
        return environments.make_apart("tools/tool", "tool")

    def _is_here(self) -> None:
        self._monkeypatch.setattr(environments, "REPOSITORY", self.folder)
        self._monkeypatch.setattr(environments, "CONSTRAINTS", self.folder / "constraints")
        self._monkeypatch.setattr(environments, "OUTPUT", self.folder / ".cache")
        (self.folder / ".cache").mkdir(exist_ok=True)


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installer:
    installer = Installer()
    monkeypatch.setattr(environments, "installer", lambda: installer)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "shared")
    return installer


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", monkeypatch)


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "second", monkeypatch)


def test_a_second_checkout_with_the_same_pins_installs_nothing_but_itself(
    installer: Installer, checkout: Checkout, second: Checkout
) -> None:
    checkout.make()
    installer.installed.clear()
    environment = second.make()
    assert len(installer.made) == 1
    editable = ("--no-deps", "--no-build-isolation", "--editable", f"{second.folder}[emulator]")
    assert installer.installed == [(".venv", editable)]
    assert (environment / "lib" / "library.py").read_text() == "VERSION = 1\n"


def test_an_environment_that_is_as_it_should_be_is_left_alone(
    installer: Installer, checkout: Checkout
) -> None:
    environment = checkout.make()
    (environment / "added-by-hand").touch()
    installer.installed.clear()
    checkout.make()
    assert (environment / "added-by-hand").exists()
    assert installer.installed == []


def test_other_pins_are_another_environment_and_the_first_is_kept(
    installer: Installer, checkout: Checkout
) -> None:
    for version in ("1.0", "2.0", "1.0"):
        checkout.pin(version)
        checkout.make()
    assert len(installer.made) == 2


def test_an_entry_point_that_is_added_is_installed_from_the_pins_that_are_kept(
    installer: Installer, checkout: Checkout
) -> None:
    environment = checkout.make()
    project = checkout.folder / "pyproject.toml"
    for text, are_installed in ((project.read_text(), 0), ("", 1)):
        installer.installed.clear()
        project.write_text(text or f'{project.read_text()}\n[project.entry-points."new"]\na = "b:c"\n')
        assert checkout.make() == environment
        assert [options[-1] for _, options in installer.installed] == [
            f"{checkout.folder}[emulator]"
        ] * are_installed
    assert len(installer.made) == 1


def test_what_was_not_installed_to_its_end_is_installed_anew(
    installer: Installer, checkout: Checkout
) -> None:
    installer.breaks = True
    with pytest.raises(SetupError, match="the network is down"):
        checkout.make()
    installer.breaks = False
    checkout.make()
    assert len(installer.made) == 2


def test_a_copy_shares_its_files_and_names_its_own_folder(installer: Installer, checkout: Checkout) -> None:
    environment = checkout.make()
    [kept] = installer.made
    assert (environment / "lib" / "library.py").samefile(kept / "lib" / "library.py")
    assert (environment / "bin" / "python").readlink() == Path(sys.executable)
    assert (environment / "bin" / "tool").stat().st_mode & 0o777 == 0o755
    assert (kept / "bin" / "tool").read_text() == f"#!{kept}/bin/python\n"


def test_what_is_apart_is_installed_once_for_all_checkouts_and_holds_nothing_of_this_package(
    installer: Installer, checkout: Checkout, second: Checkout, tmp_path: Path
) -> None:
    kept = checkout.make_apart()
    assert second.make_apart() == kept
    assert kept.parent == tmp_path / "shared" / "tools"
    requirements = str(checkout.folder / "constraints" / "tools" / "tool.txt")
    assert [options for _, options in installer.installed] == [
        ("--no-deps", "--requirement", requirements),
        ("--constraint", requirements, "tool"),
    ]


def test_what_is_apart_is_another_with_other_pins_and_not_found_before_it_is_made(
    installer: Installer, checkout: Checkout
) -> None:
    kept = checkout.make_apart()
    assert environments.find_apart("tools/tool", "tool") == kept
    assert environments.find_apart("tools/tool", "library") is None
    (checkout.folder / "constraints" / "tools" / "tool.txt").write_text("tool==2.0\n")
    assert environments.find_apart("tools/tool", "tool") is None
    assert checkout.make_apart("2.0") != kept


def test_what_is_apart_is_made_again_if_its_python_is_gone(installer: Installer, checkout: Checkout) -> None:
    kept = checkout.make_apart()
    (kept / "bin" / "python").unlink()
    (kept / "bin" / "python").symlink_to("/nowhere/python")
    assert environments.find_apart("tools/tool", "tool") is None
    assert checkout.make_apart() == kept
    assert (kept / "bin" / "python").exists()


def test_what_is_apart_is_made_again_where_it_was_moved_to(
    installer: Installer, checkout: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Its programs name the folder that they were installed in.
    checkout.make_apart()
    (tmp_path / "shared").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(environments, "CACHE", tmp_path / "elsewhere")
    assert environments.find_apart("tools/tool", "tool") is None
    kept = checkout.make_apart()
    assert (kept / "bin" / "tool").read_text() == f"#!{kept}/bin/python\n"


def test_what_is_apart_is_found_by_way_of_a_link(
    installer: Installer, checkout: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = checkout.make_apart()
    (tmp_path / "link").symlink_to(tmp_path / "shared")
    monkeypatch.setattr(environments, "CACHE", tmp_path / "link")
    assert environments.find_apart("tools/tool", "tool") == kept


def test_what_is_apart_and_broke_off_is_not_found(installer: Installer, checkout: Checkout) -> None:
    installer.breaks = True
    with pytest.raises(SetupError, match="the network is down"):
        checkout.make_apart()
    assert environments.find_apart("tools/tool", "tool") is None


def test_a_program_of_a_copy_runs_in_the_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "kept", tmp_path / "copy"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "tool").write_text(f"#!{source}/bin/python\n")
    (source / "bin" / "other").write_text("#!/bin/sh\n")
    environments._copy(source, target)
    assert (target / "bin" / "tool").read_text() == f"#!{target}/bin/python\n"
    assert (source / "bin" / "tool").read_text() == f"#!{source}/bin/python\n"
    assert (target / "bin" / "other").read_text() == "#!/bin/sh\n"


def test_two_that_want_the_same_at_once_install_it_once(
    installer: Installer, checkout: Checkout, tmp_path: Path
) -> None:
    checkout.make()
    kept = installer.made.pop()
    (kept / "complete").unlink()
    pinned = kept.name.removeprefix("some-")
    log = tmp_path / "log"
    together = [
        threading.Thread(target=environments._keep, args=(installer, "some", pinned, sys.executable, log))
        for _ in range(5)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert installer.made == [kept]


@pytest.mark.parametrize(("variable", "expected"), [("", ".cache"), ("/srv/kept", "/srv/kept")])
def test_the_cache_is_the_checkout_s_own_unless_one_is_named(variable: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from scripts.setup.places import CACHE; print(CACHE)"],
        cwd=REPOSITORY,
        env={"AIRFLOW_OMICS_CACHE": variable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(REPOSITORY / expected)
