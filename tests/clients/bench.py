"""What the clients share: their steps, a fresh emulator for each, and what came of it."""

from __future__ import annotations

import inspect
import io
import json
import os
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import boto3
from botocore.config import Config

from airflow_omics.emulator import EmulatorServer

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/OmicsRole"
OUTPUT = "s3://omics-outputs/runs"
COMMON = {"workflowId": "1234567", "roleArn": ROLE, "outputUri": OUTPUT}
"""What every run needs. No workflow has to be made: the emulator takes any id."""
WDL = """version 1.0

workflow greet {
  input {
    String who
  }
  call hello { input: who = who }
  output {
    File greeting = hello.greeting
  }
}

task hello {
  input {
    String who
  }
  command <<<
    echo "Hello, ~{who}!" > greeting.txt
  >>>
  output {
    File greeting = "greeting.txt"
  }
  runtime {
    docker: "123456789012.dkr.ecr.us-east-1.amazonaws.com/ubuntu:24.04"
    cpu: 2
    memory: "4 GiB"
  }
}
"""
_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
# What this process asks itself is no request of the client's.
_OURS = "airflow-omics-bench"

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True)
class KnownBug:
    """A mistake of the client itself, for which a step may fail.

    :ivar reason: one sentence about it.
    :ivar sign: what the failure says, so that no other failure is taken for it.
    """

    reason: str
    sign: str


@dataclass(frozen=True)
class Step:
    """Something that a client does.

    :ivar does: does it, with a client; an AssertionError says what was expected, and what came.
    """

    name: str
    does: Callable[[Any], None]
    bug: KnownBug | None = None


@dataclass(frozen=True)
class Result:
    """What came of a step.

    :ivar failure: why it failed, in one line; empty if it passed.
    :ivar excused: whether that is the client's own, known bug.
    :ivar operations: those of HealthOmics that were called, and what no service here has.
    :ivar refused: those of them that were answered with 501.
    """

    step: str
    failure: str = ""
    excused: bool = False
    operations: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass
class Report:
    """What came of a client."""

    client: str
    version: str
    results: list[Result] = field(default_factory=list)


def step(name: str, bug: KnownBug | None = None) -> Callable[[Method], Method]:
    """Mark a method as a step of its client; steps are taken in the order of their lines."""

    def mark(method: Method) -> Method:
        method.step = Step(name, method, bug)  # type: ignore[attr-defined]
        return method

    return mark


class Client:
    """A client in its environment, and a server that it is driven against.

    :ivar name: what ``scripts/setup/clients.py`` and ``CLIENTS=`` call it.
    :ivar title: what people call it.
    :param home: the folder of its environment.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, home: Path, server: EmulatorServer, folder: Path) -> None:
        self.home, self.server, self.folder = home, server, folder
        self.control = server.control

    @classmethod
    def steps(cls) -> list[Step]:
        """Return its steps, in their order."""
        found = [method.step for _, method in inspect.getmembers(cls, lambda value: hasattr(value, "step"))]
        return sorted(found, key=lambda each: each.does.__code__.co_firstlineno)

    def close(self) -> None:
        """End what it has running."""

    # -- programs --------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """The environment that the emulator prints when it starts, and nothing of this machine's own AWS."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "AIRFLOW", "PYTHON"))
        }
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.home / "bin"), os.environ.get("PATH", "")]),
            "HOME": str(self.folder),
            "AWS_CONFIG_FILE": str(self.folder / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_ENDPOINT_URL": self.server.endpoint_url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "TZ": "UTC",
        }

    def begin(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a program of the client."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str], code: int = 0, timeout: float = 60) -> str:
        """Wait for a program, and return what it printed; with another code than 0, what it complained of."""
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end within {timeout:g} s: {last_line(out + err)}") from None
        if process.returncode != code:
            raise AssertionError(f"it ended with {process.returncode}, not {code}: {err or out}")
        return out if code == 0 else err

    def run(self, *command: str | Path, code: int = 0, timeout: float = 60) -> str:
        """Run a program of the client to its end."""
        return self.end(self.begin(*command), code, timeout)

    # -- the other side --------------------------------------------------------------------------------------

    def aws(self, service: str = "omics") -> Any:
        """Return a client of our own, to prepare and to look; what it calls is not counted."""
        config = Config(inject_host_prefix=False, user_agent=_OURS, retries={"total_max_attempts": 1})
        return boto3.client(service, REGION, endpoint_url=self.server.endpoint_url, config=config, **_KEYS)

    def started(self, life: str | None = None, seconds: float = 3600, **members: Any) -> str:
        """Start a run, turn the clock, and return its id."""
        members = {"name": "sample", **COMMON, **members}
        if life:
            members["tags"] = {**members.get("tags", {}), "airflow-omics:life": life}
        run_id: str = self.aws().start_run(**members)["id"]
        self.control.advance(seconds)
        return run_id

    def workflow(self, **members: Any) -> str:
        """Make a workflow that is ACTIVE, and return its id."""
        members = {"name": "greet", "definitionZip": zipped(), **members}
        workflow_id: str = self.aws().create_workflow(**members)["id"]
        self.control.advance(60)
        return workflow_id

    def group(self, **members: Any) -> str:
        """Make a run group, and return its id."""
        return str(self.aws().create_run_group(**{"name": "nightly", "maxRuns": 5, **members})["id"])

    def cache(self, **members: Any) -> str:
        """Make a run cache, and return its id."""
        members = {"name": "shared", "cacheS3Location": "s3://omics-cache/kept", **members}
        return str(self.aws().create_run_cache(**members)["id"])

    def batch(self, *settings: str) -> str:
        """Start a batch with a run for each setting, and return its id."""
        inline = [{"runSettingId": setting} for setting in settings or ("a", "b", "c")]
        batch = self.aws().start_run_batch(
            defaultRunSetting=COMMON, batchRunSettings={"inlineSettings": inline}, batchName="cohort"
        )
        return str(batch["id"])


def take(client: Client, one: Step) -> Result:
    """Take one step on an emulator that has seen nothing, and stands still."""
    control = client.control
    control.reset()
    control.freeze()
    started = time.monotonic()
    failure = whole = ""
    try:
        one.does(client)
    except AssertionError as error:
        whole = str(error)
        failure = last_line(whole) or "an assertion failed"
    except Exception as error:
        whole = str(error)
        failure = f"{type(error).__name__}: {last_line(whole)}"
    seen = [request for request in control.requests() if _OURS not in (request["user_agent"] or "")]
    excused = bool(failure and one.bug and one.bug.sign in whole)
    if excused and one.bug:
        failure = one.bug.reason
    elif one.bug and not failure:
        failure = f"it passes, so this bug is no more: {one.bug.reason}"
    return Result(
        one.name,
        failure,
        excused,
        frozenset(request["operation"] for request in seen),
        frozenset(request["operation"] for request in seen if request["status"] == 501),
        time.monotonic() - started,
    )


def drive(kind: type[Client], home: Path, server: EmulatorServer) -> Iterator[Result]:
    """Take all steps of a client, and yield what came of each.

    :param home: the folder of its environment.
    """
    with tempfile.TemporaryDirectory(prefix=f"{kind.name}-") as folder:
        client = kind(home, server, Path(folder))
        try:
            for one in kind.steps():
                yield take(client, one)
        finally:
            client.close()


# -- expectations --------------------------------------------------------------------------------------------


def expect(what: str, got: Any, wanted: Any) -> None:
    """Raise AssertionError unless what came is what was expected.

    :param what: what it is, for the message.
    """
    if got != wanted:
        raise AssertionError(f"{what} should be {wanted!r}, and is {got!r}")


def expect_in(what: str, part: Any, whole: Any) -> None:
    """Raise AssertionError unless something is part of what came."""
    if part not in whole:
        raise AssertionError(f"{what} should have {part!r}: {last_line(str(whole))!r}")


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty, cut to what a table can hold."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def zipped(**files: str) -> bytes:
    """Return a zip of files, by their names without ``.wdl``; of the workflow ``greet`` if none is given."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (files or {"main": WDL}).items():
            archive.writestr(f"{name}.wdl", text)
    return content.getvalue()


def parsed(text: str) -> Any:
    """Return what a text of JSON says.

    :raises AssertionError: it is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        raise AssertionError(f"it should have printed JSON, and printed {last_line(text)!r}") from None
