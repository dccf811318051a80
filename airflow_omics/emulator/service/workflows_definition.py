"""Definitions of workflows: where they come from, what is in them, and what is wrong with them.

https://docs.aws.amazon.com/omics/latest/dev/workflow-defn-requirements.html
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from airflow_omics.emulator.service.common.backend import OmicsBackend
from airflow_omics.emulator.wire.exceptions import validation
from airflow_omics.emulator.world import moto_stores

_ENGINE_OF = {".wdl": "WDL", ".nf": "NEXTFLOW", ".cwl": "CWL"}
_SOURCES = ("definitionZip", "definitionUri", "definitionRepository")
_READMES = ("readmeMarkdown", "readmeUri", "readmePath")
# Workflows that do nothing, for those that a test has without writing one.
_NOTHING = {
    "WDL": ("main.wdl", "version 1.0\n\nworkflow emulated {\n}\n"),
    "NEXTFLOW": ("main.nf", "workflow {\n}\n"),
    "CWL": ("main.cwl", "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\n"),
}
# These are the words of the service.
_NO_ZIP = "Invalid zip file"
# What zipfile raises for one that is cut off, damaged, encrypted, or packed in a way that it does not know.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
ENGINES = (*_NOTHING, "WDL_LENIENT")


class _Wrong(Exception):
    """What is wrong with a definition, as ``statusMessage`` says it."""


@dataclass(frozen=True)
class Definition:
    """What the service has found in a definition.

    :param failure: what is wrong with it, as ``statusMessage`` says it; None if nothing is.
    :param content: its zip; None if there is none.
    :param parameters: the parameter template that follows from it.
    """

    failure: str | None = None
    engine: str | None = None
    main: str | None = None
    content: bytes | None = None
    parameters: Mapping[str, Any] | None = None

    @property
    def workflow_name(self) -> str | None:
        """The name that the WDL gives the workflow; None if it is not WDL, or gives none."""
        if self.content is None or self.main is None or self.engine not in ("WDL", "WDL_LENIENT"):
            return None
        found = re.search(r"^[ \t]*workflow[ \t]+(\w+)", _text(self.content, self.main), re.MULTILINE)
        return None if found is None else found[1]

    @property
    def digest(self) -> str | None:
        """The digest of the zip."""
        return None if self.content is None else "sha256:" + hashlib.sha256(self.content).hexdigest()


def check(members: Mapping[str, Any]) -> None:
    """Refuse a request whose definition the service need not look at to do so.

    :raises OmicsServiceError: it gives no definition, or more than one, or a URI that is none of S3.
    """
    given = [name for name in _SOURCES if name in members]
    if len(given) != 1:
        raise validation(
            f"give one of {', '.join(_SOURCES)}, not {' and '.join(given) if given else 'none of them'}"
        )
    readmes = [name for name in _READMES if name in members]
    if len(readmes) > 1:
        raise validation(f"give one of {', '.join(_READMES)}, not {' and '.join(readmes)}")
    for name in ("definitionUri", "readmeUri"):
        if name in members and not re.fullmatch(r"s3://[^/]{3,}/.+", members[name]):
            raise validation(f"{name} {members[name]!r} is not the S3 URI of an object")


def read(backend: OmicsBackend, members: Mapping[str, Any]) -> Definition:
    """Return what is in the definition that a request gives, and what is wrong with it.

    :param members: the members of CreateWorkflow or CreateWorkflowVersion.
    """
    content = None
    try:
        content = _content(backend, members)
        # Whoever zips a folder on a Mac gets a second one beside it.
        paths = [path for path in _paths(content) if not path.startswith("__MACOSX/")]
        main = _main(paths, members.get("main"), members.get("engine"))
        engine = members.get("engine") or _engine(main)
        text = _text(content, main)
        parameters = wdl_parameters(text) if engine in ("WDL", "WDL_LENIENT") else None
        return Definition(None, engine, main, content, parameters)
    except _Wrong as wrong:
        return Definition(str(wrong), members.get("engine"), members.get("main"), content)


def readme(backend: OmicsBackend, members: Mapping[str, Any]) -> bytes | None:
    """Return the README that a request gives; None if it gives none, or one that cannot be read."""
    if "readmeUri" in members:
        return moto_stores.get_object(backend, members["readmeUri"])
    return members["readmeMarkdown"].encode() if "readmeMarkdown" in members else None


def nothing(engine: str) -> Definition:
    """Return the definition of a workflow that does nothing.

    :param engine: one of ``ENGINES``.
    """
    main, text = _NOTHING["WDL" if engine == "WDL_LENIENT" else engine]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # A file without a date has that of 1980, and so the zip is the same each time.
        archive.writestr(zipfile.ZipInfo(main), text)
    return Definition(None, engine, main, content.getvalue())


def _content(backend: OmicsBackend, members: Mapping[str, Any]) -> bytes:
    if "definitionRepository" in members:
        name = members["definitionRepository"]["fullRepositoryId"]
        raise _Wrong(f"Repository {name} cannot be reached: the emulator reads definitions from a zip or S3")
    if "definitionUri" not in members:
        return bytes(members["definitionZip"])
    uri = members["definitionUri"]
    content = moto_stores.get_object(backend, uri, members.get("workflowBucketOwnerId"))
    if content is None:
        raise _Wrong(f"Definition {uri} cannot be read from S3")
    return content


def _paths(content: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [path for path in archive.namelist() if not path.endswith("/")]
    except _BROKEN:
        raise _Wrong(_NO_ZIP) from None


def _text(content: bytes, path: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(path).decode(errors="replace")
    except _BROKEN:
        raise _Wrong(_NO_ZIP) from None


def _engine(main: str) -> str:
    try:
        return _ENGINE_OF[PurePosixPath(main).suffix.lower()]
    except KeyError:
        raise _Wrong(f"The engine of main file {main} is unknown: give engine") from None


def _main(paths: list[str], given: str | None, engine: str | None) -> str:
    """Return the path of the main file: the one given, the only one, or the one that is called main."""
    if given is not None:
        path = given.removeprefix("./")
        if path not in paths:
            raise _Wrong(f"Main file {given} is not in the definition")
        found = _ENGINE_OF.get(PurePosixPath(path).suffix.lower())
        if engine is not None and found not in (None, engine.removesuffix("_LENIENT")):
            raise _Wrong(f"Main file {given} is written in {found}, and the engine is {engine}")
        return path
    language = None if engine is None else engine.removesuffix("_LENIENT")
    written = {path: _ENGINE_OF.get(PurePosixPath(path).suffix.lower()) for path in paths}
    candidates = [path for path, of in written.items() if of is not None and language in (None, of)]
    if len(candidates) > 1:
        # Of several, the one that lies least deep.
        named = [path for path in candidates if PurePosixPath(path).stem == "main"]
        depth = min((path.count("/") for path in named), default=0)
        candidates = [path for path in named if path.count("/") == depth]
    if len(candidates) != 1:
        raise _Wrong(
            f"The main file of the definition cannot be found among {len(paths)} files: give main"
            + ("" if language is None else f", a file of {language}")
        )
    return candidates[0]


# -- parameters of WDL ---------------------------------------------------------------------------------------

_INPUT = re.compile(
    r"^[ \t]*(?P<type>[A-Z]\w*[+?]*)[ \t]+(?P<name>[A-Za-z]\w*)[ \t]*(?P<default>=|$)", re.MULTILINE
)


def wdl_parameters(text: str) -> dict[str, Any] | None:
    """Return the parameter template that follows from the inputs of a WDL workflow; None if it has none.

    An input with a default or of an optional type is optional. Only what can be seen without parsing WDL is.
    """
    bare = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#.*', "", text)
    workflow = re.search(r"^[ \t]*workflow[ \t]+\w+\s*\{", bare, re.MULTILINE)
    section = None if workflow is None else _input_section(bare, workflow.end())
    if section is None:
        return None
    found = {
        match["name"]: {"optional": match["type"].endswith("?") or match["default"] == "="}
        for match in _INPUT.finditer(_outermost(bare, section))
    }
    return found or None


def _input_section(text: str, begin: int) -> int | None:
    """Return where the input section of a block begins; None if it has none.

    :param begin: where the block begins.
    """
    depth = 0
    for match in re.finditer(r"(\binput\s*)?[{}]", text[begin:]):
        # A call in the block has an input section of its own.
        if match[1] and depth == 0 and match[0].endswith("{"):
            return begin + match.end()
        depth += 1 if match[0].endswith("{") else -1
        if depth < 0:
            break
    return None


def _outermost(text: str, begin: int) -> str:
    """Return what a block has outside of all brackets within it.

    :param begin: where the block begins.
    """
    depth, parts = 0, []
    for match in re.finditer(r"[{(\[]|[})\]]|[^{}()\[\]]+", text[begin:]):
        if match[0] in "{([":
            depth += 1
        elif match[0] in "})]":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0:
            parts.append(match[0])
    return "".join(parts)
