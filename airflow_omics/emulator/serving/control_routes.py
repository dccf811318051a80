"""The control over HTTP: a POST to ``/omics-emulator/<control>`` with a JSON object of arguments."""

from __future__ import annotations

import json
from typing import Any

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.control_table import CONTROL_PATH, CONTROLS
from airflow_omics.emulator.serving.answers import Answer

_JSON = {"Content-Type": "application/json"}
# What a GET of the control's own path shows.
_STATE = ("now", "pace", "counts", "lives")


def is_control(target: str) -> bool:
    """Return whether a request is to the control.

    :param target: the path, with or without a query.
    """
    # A bucket of S3 may have a name that begins in the same way.
    return f"{target.partition('?')[0]}/".startswith(f"{CONTROL_PATH}/")


def controlled(emulator: Emulator, method: str, path: str, body: bytes) -> Answer:
    """Apply a control, and answer with its result or with one sentence of what was wrong."""
    name = path.removeprefix(CONTROL_PATH).strip("/")
    known = CONTROLS.get(name)
    if method != "POST" and (name == "" or known) and not (method == "GET" and _reads(name) and not body):
        says = f"{CONTROL_PATH}/{name} was asked with {method}; it takes POST, with arguments as JSON"
        return Answer(405, json.dumps({"error": says}).encode(), {"Allow": "POST", **_JSON})
    status = 200
    try:
        result = {"result": _result(emulator, name, body)}
    except TimeoutError as error:
        status, result = 408, {"error": str(error)}
    except (ValueError, TypeError) as error:
        status, result = 400, {"error": str(error)}
    return Answer(status, json.dumps(result).encode(), dict(_JSON))


def _reads(name: str) -> bool:
    return name == "" or CONTROLS[name].reads


def _result(emulator: Emulator, name: str, body: bytes) -> Any:
    if name == "":
        return {part: CONTROLS[part].function(emulator) for part in _STATE}
    if name not in CONTROLS:
        raise ValueError(f"{name!r} is nothing the emulator can do; it can {', '.join(sorted(CONTROLS))}")
    control = CONTROLS[name]
    arguments = _arguments(name, list(control.signature.parameters), body)
    control.check(arguments)
    return control.function(emulator, **arguments)


def _arguments(name: str, known: list[str], body: bytes) -> dict[str, Any]:
    """Return the arguments in the body of a request.

    :param known: their names, for the error.
    :raises ValueError: the body is not a JSON object.
    """
    try:
        arguments = json.loads(body or b"{}")
    except ValueError:
        arguments = None
    if isinstance(arguments, dict):
        return arguments
    wanted = f"a JSON object with {', '.join(known)}" if known else "no arguments: an empty body or {}"
    raise ValueError(f"{CONTROL_PATH}/{name} takes {wanted}, not {body[:60]!r}")
