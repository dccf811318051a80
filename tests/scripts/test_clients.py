"""`make clients`: clients are brought, driven step by step, and what came of it is written down."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_omics.emulator import EmulatorServer
from scripts import clients as command
from scripts.setup import clients
from scripts.setup.commands import SetupError
from scripts.setup.places import CONSTRAINTS
from tests.clients import KINDS, table
from tests.clients.bench import Client, KnownBug, Report, Result, drive, expect, step

BUG = KnownBug("it asks for too much", "at most 10")


class Tried(Client):
    """A client that does one thing well, and others not."""

    name = "tried"
    title = "A client"

    @step("works")
    def works(self) -> None:
        # Preparations are not the client's.
        before = self.control.now()
        time.sleep(0.01)
        expect("the time", self.control.now(), before)
        self.started(seconds=60)
        self._asks("/run")

    @step("is wrong")
    def is_wrong(self) -> None:
        expect("the answer", 41, 42)

    @step("breaks")
    def breaks(self) -> None:
        raise KeyError("id")

    @step("has a bug", BUG)
    def has_a_bug(self) -> None:
        raise AssertionError("refused: at most 10\nare allowed")

    @step("fails otherwise than its bug", BUG)
    def fails_otherwise(self) -> None:
        raise AssertionError("another | reason")

    @step("has its bug no more", BUG)
    def is_mended(self) -> None:
        pass

    @step("asks for what is not emulated")
    def asks(self) -> None:
        self._asks("/sequencestores")

    def _asks(self, path: str) -> None:
        scope = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/omics/aws4_request, Signature=0"
        method = "GET" if path == "/run" else "POST"
        request = urllib.request.Request(
            self.server.endpoint_url + path, headers={"Authorization": scope}, method=method
        )
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer() as running:
        yield running


@pytest.fixture(scope="module")
def results(server: EmulatorServer) -> dict[str, Result]:
    return {result.step: result for result in drive(Tried, Path("/nowhere"), server)}


# -- steps ---------------------------------------------------------------------------------------------------


def test_steps_are_taken_in_the_order_of_their_lines(results: dict[str, Result]) -> None:
    assert list(results) == [
        "works",
        "is wrong",
        "breaks",
        "has a bug",
        "fails otherwise than its bug",
        "has its bug no more",
        "asks for what is not emulated",
    ]


def test_what_the_client_called_is_counted_and_not_what_was_prepared(results: dict[str, Result]) -> None:
    assert results["works"].failure == ""
    assert results["works"].operations == {"ListRuns"}
    assert results["is wrong"].operations == frozenset()
    assert results["asks for what is not emulated"].refused == {"ListSequenceStores"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("works", "passed"),
        ("is wrong", "failed: the answer should be 42, and is 41"),
        ("breaks", "failed: KeyError: 'id'"),
        ("has a bug", "the client's own bug: it asks for too much"),
        ("fails otherwise than its bug", "failed: another | reason"),
        ("has its bug no more", "failed: it passes, so this bug is no more: it asks for too much"),
    ],
)
def test_what_came_of_a_step_is_one_line(results: dict[str, Result], name: str, says: str) -> None:
    assert table.said(results[name]) == says


def test_a_client_has_no_settings_of_this_machine(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/here")
    client = Tried(Path("/home-of-it"), server, tmp_path)
    said = dict(line.split("=", 1) for line in client.run("env").splitlines() if "=" in line)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PYTHONPATH"} & set(said)
    assert said["AWS_ENDPOINT_URL"] == server.endpoint_url
    assert said["PATH"].split(os.pathsep)[0] == "/home-of-it/bin"
    assert said["HOME"] == str(tmp_path)


def test_a_program_that_does_not_end_is_ended(server: EmulatorServer, tmp_path: Path) -> None:
    client = Tried(tmp_path, server, tmp_path)
    with pytest.raises(AssertionError, match=r"^it did not end within 0\.5 s: waiting$"):
        client.run("sh", "-c", "echo waiting; exec sleep 60", timeout=0.5)


def test_a_program_that_ends_with_another_code_says_why(server: EmulatorServer, tmp_path: Path) -> None:
    client = Tried(tmp_path, server, tmp_path)
    with pytest.raises(AssertionError, match=r"^it ended with 3, not 0: no such run\n$"):
        client.run("sh", "-c", "echo no such run >&2; exit 3")
    assert client.run("sh", "-c", "echo no such run >&2; exit 3", code=3) == "no such run\n"


# -- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    page = tmp_path / "emulator.md"
    page.write_text("before\n<!-- clients -->\nold\n<!-- /clients -->\nafter\n")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(command, "write", lambda reports: table.write(reports, page))
    monkeypatch.setattr(command.clients, "bring", lambda name: tmp_path)
    monkeypatch.setattr(command.clients, "version", lambda name: "1.2.3")
    return page


class Good(Client):
    """A client that does all that it should, but for its own bug."""

    name = "good"
    title = "A good client"

    @step("works")
    def works(self) -> None:
        pass

    @step("has a bug", BUG)
    def has_a_bug(self) -> None:
        raise AssertionError("at most 10")


def _kinds(monkeypatch: pytest.MonkeyPatch, *kinds: type[Client]) -> None:
    monkeypatch.setattr(command, "KINDS", {kind.name: kind for kind in kinds})


def test_all_clients_that_do_what_they_should_are_written_down(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _kinds(monkeypatch, Good)
    assert command.main([]) == 0
    assert page.read_text() == (
        "before\n<!-- clients -->\n"
        "| client | version | steps that passed | operations | answered 501 |\n"
        "|---|---|---|---|---|\n"
        "| A good client | 1.2.3 | 1 of 2; its own bugs: 1 |  |  |\n\n"
        "| client | what it did | result |\n|---|---|---|\n"
        "| A good client | works | passed |\n"
        "| A good client | has a bug | the client's own bug: it asks for too much |\n"
        "<!-- /clients -->\nafter\n"
    )
    assert re.search(r"^ +\d\.\d s  works: passed$", capsys.readouterr().out, re.MULTILINE)


def test_a_step_that_fails_is_written_down_and_fails_the_command(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kinds(monkeypatch, Good, Tried)
    assert command.main([]) == 1
    text = page.read_text()
    assert "| A client | is wrong | failed: the answer should be 42, and is 41 |\n" in text
    assert "| A client | fails otherwise than its bug | failed: another \\| reason |\n" in text
    assert "| A client | 1.2.3 | 2 of 7; its own bugs: 1 | ListRuns | ListSequenceStores |\n" in text


def test_some_clients_alone_leave_the_page_as_it_is(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kinds(monkeypatch, Good, Tried)
    before = page.read_text()
    assert command.main(["good"]) == 0
    assert page.read_text() == before


def test_a_client_that_cannot_be_brought_is_one_sentence_and_the_others_are_driven(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bring(name: str) -> Path:
        if name == "tried":
            raise SetupError("the network is down")
        return page.parent

    _kinds(monkeypatch, Tried, Good)
    monkeypatch.setattr(command.clients, "bring", bring)
    before = page.read_text()
    assert command.main([]) == 1
    out, err = capsys.readouterr()
    assert err == "A client: the network is down\n"
    assert "| A good client | works | passed |" in out
    assert page.read_text() == before


def test_an_unknown_client_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["cobol"]) == 2
    assert capsys.readouterr().err.startswith("unknown client cobol; the clients are aws-cli, ")


# -- the clients ---------------------------------------------------------------------------------------------


def test_every_client_is_pinned() -> None:
    assert set(KINDS) == set(clients.DISTRIBUTIONS)
    for name in KINDS:
        assert re.fullmatch(r"\d+\.\d+\.\d+", clients.version(name)), name
    for path in (CONSTRAINTS / "clients").glob("*.txt"):
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in path.read_text().split()), path


def test_no_two_steps_of_a_client_have_one_name() -> None:
    for kind in KINDS.values():
        names = [each.name for each in kind.steps()]
        assert len(names) == len(set(names)), kind.name


def test_without_node_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError) as caught:
        clients.bring("javascript")
    assert str(caught.value) == (
        "node and npm cannot be run here, and @aws-sdk/client-omics needs Node.js 20 or later with npm; "
        "install them, on Debian and Ubuntu with `apt-get install nodejs npm`"
    )


def test_packages_of_javascript_are_installed_once_and_without_a_lock_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    npm = f'echo "$@" >> {tmp_path}/called; test "$1" = --version || mkdir "$6/node_modules"'
    for name, does in (("node", ""), ("npm", npm)):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setattr(clients, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(clients, "OUTPUT", tmp_path / "output")
    home = clients.bring("javascript")
    assert clients.bring("javascript") == home
    assert (home / "node_modules").is_dir()
    assert json.loads((home / "package.json").read_text())["private"] is True
    calls: list[Any] = (tmp_path / "called").read_text().splitlines()
    [installed] = [call for call in calls if not call.startswith("--version")]
    assert installed.startswith("install --no-package-lock --no-audit --no-fund --prefix ")


def test_a_report_is_green_if_nothing_failed_but_known_bugs() -> None:
    report = Report("A client", "1", [Result("works"), Result("bug", "reason", excused=True)])
    assert table.is_green(report)
    report.results.append(Result("wrong", "reason"))
    assert not table.is_green(report)
