"""The claims about runs, in the order in which they are tried.

Each is a function that takes the world and returns what it found. The number of an open point is that of
``POINTS``: what nobody has documented.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .world import ENDED, LOG_GROUP, NOT_FOUND, World, code_of, refusal_of

POINTS = {
    "1": "what a repeated requestId gets, and for how long",
    "2": "what GetRun answers right after StartRun, and for a run that was deleted",
    "3": "quotas, the order of ListRuns, and whether its filter by name is exact",
    "4": "the error of CancelRun for a run that has ended",
    "6": "whether a run that is cancelled in PENDING has a stopTime",
    "b": "what batches answer where the documentation is silent",
}
"""The open points. Point 5, pages of the console, cannot be tried from a program."""


class Finding(NamedTuple):
    """What a claim found.

    :param point: the number of the open point that it settles, or None.
    :param claim: what was tried, or claimed.
    :param says: what the service did.
    :param holds: whether it did what is claimed, as the emulator can; None if this could not be tried.
    """

    point: str | None
    claim: str
    says: str
    holds: bool | None


def tried(world: World) -> Iterator[Finding]:
    """Try every claim about runs, and yield what each has found."""
    failing, begun = world.start("fails"), time.monotonic()
    yield _readable(world, failing["id"], begun)
    yield from _repeated(world, failing["id"])
    cancelled = world.start("cancel")
    yield _cancelled(world, cancelled["id"])
    yield from _listed(world, failing["id"], cancelled["id"])
    yield from _failed(world, failing)
    yield from _refusals(world)
    yield from _deleted(world, failing["id"])
    yield _quotas(world)


def _readable(world: World, run_id: str, begun: float) -> Finding:
    refused: set[str] = set()
    while time.monotonic() - begun < world.settings.known_within:
        try:
            status = world.omics.get_run(id=run_id)["status"]
        except ClientError as error:
            refused.add(code_of(error))
            time.sleep(min(0.5, world.settings.poll))
            continue
        before = f"{' and '.join(sorted(refused))} until then" if refused else "never refused"
        says = f"readable as {status} after {time.monotonic() - begun:.0f} s, {before}"
        return Finding("2", "GetRun right after StartRun", says, refused <= {NOT_FOUND})
    says = f"refused for {world.settings.known_within:g} s with {' and '.join(sorted(refused))}"
    return Finding("2", "GetRun right after StartRun", says, False)


def _repeated(world: World, run_id: str) -> Iterator[Finding]:
    for claim, changed in (
        ("the same StartRun again", {}),
        ("the same requestId with another priority", {"priority": 7}),
    ):
        says = _again(world, run_id, changed)
        yield Finding("1", claim, says, says in ("the earlier run", "another run", *_REPEAT_ERRORS))


_REPEAT_ERRORS = ("ConflictException", "ValidationException")


def _again(world: World, run_id: str, changed: dict[str, Any]) -> str:
    try:
        answer = world.start("fails", **changed)
    except ClientError as error:
        return code_of(error)
    return "the earlier run" if answer["id"] == run_id else "another run"


def _cancelled(world: World, run_id: str) -> Finding:
    try:
        before = world.record(run_id)["status"]
    except ClientError as error:
        return Finding(
            "6", "CancelRun in PENDING", f"not tried: GetRun is refused with {code_of(error)}", None
        )
    claim = f"CancelRun in {before}"
    if code := refusal_of(lambda: world.patient(lambda: world.omics.cancel_run(id=run_id))):
        return Finding("6", claim, f"refused with {code}", False)
    again = refusal_of(lambda: world.omics.cancel_run(id=run_id)) or "accepted"
    record = world.ended(run_id)
    times = ", ".join(name for name in ("startTime", "stopTime") if name in record) or "neither time"
    says = f"{record['status']} with {times}; a second CancelRun at once: {again}"
    return Finding("6" if before == "PENDING" else None, claim, says, record["status"] == "CANCELLED")


def _listed(world: World, first: str, second: str) -> Iterator[Finding]:
    names = [world.members(part)["name"] for part in ("fails", "cancel")]
    common = world.name
    exact = {item["id"] for item in _pages(world, name=names[0])}
    by_prefix = {item["id"] for item in _pages(world, name=common)}
    kind = "exact" if first in exact and not by_prefix else "a prefix" if second in by_prefix else "neither"
    yield Finding("3", "ListRuns by name", f"the filter is {kind}", kind != "neither" and second not in exact)
    found = [item["id"] for item in _pages(world) if item["id"] in (first, second)]
    orders = {(first, second): "oldest first", (second, first): "newest first"}
    order = orders.get(tuple(found[:2]), f"only {found} of the two")  # type: ignore[arg-type]
    yield Finding("3", "the order of ListRuns", order, order in orders.values())


def _pages(world: World, **filters: Any) -> Iterator[dict[str, Any]]:
    """Yield runs of ListRuns, of the first twenty pages."""
    pages = world.omics.get_paginator("list_runs").paginate(**filters, PaginationConfig={"MaxItems": 2000})
    for page in pages:
        yield from page["items"]


def _failed(world: World, started: dict[str, Any]) -> Iterator[Finding]:
    record = world.ended(started["id"])
    reason = record.get("failureReason")
    says = f"{record['status']} with {reason or 'no failureReason'}"
    ended = "CancelRun of a run that has ended"
    if record["status"] not in ENDED:
        says = f"still {record['status']} after {world.settings.within:g} s"
        yield Finding(None, "a run that fails before its first task", says, False)
        yield Finding("4", ended, "not tried: the run has not ended", None)
        return
    yield Finding(None, "a run that fails before its first task", says, record["status"] == "FAILED")
    same = all(record.get(name) == started[name] for name in ("id", "arn", "uuid"))
    times = [record[name] for name in ("creationTime", "startTime", "stopTime") if name in record]
    order = times == sorted(times) and "creationTime" in record and "stopTime" in record
    says = "as in StartRun's answer, times in order" if same and order else f"not so: {record}"
    yield Finding(None, "id, arn, uuid and times of its record", says, same and order)
    tasks = world.omics.list_run_tasks(id=started["id"])["items"]
    yield Finding(None, "its tasks", f"{len(tasks)} tasks", not tasks)
    yield _streams(world, started["id"])
    code = refusal_of(lambda: world.omics.cancel_run(id=started["id"])) or "accepted"
    holds = code in ("ConflictException", "ValidationException")
    yield Finding("4", ended, code, holds)


def _streams(world: World, run_id: str) -> Finding:
    wanted = {f"run/{run_id}", f"run/{run_id}/engine"}

    def look() -> set[str]:
        try:
            found = world.logs.describe_log_streams(
                logGroupName=LOG_GROUP, logStreamNamePrefix=f"run/{run_id}"
            )
        except ClientError as error:
            return {code_of(error)}
        return {stream["logStreamName"] for stream in found["logStreams"]}

    found = world.until(look, lambda streams: wanted <= streams, within=min(300.0, world.settings.within))
    return Finding(None, "its log streams", ", ".join(sorted(found)) or "none", wanted <= found)


def _refusals(world: World) -> Iterator[Finding]:
    expected: dict[str, tuple[Callable[[], object], str]] = {
        "GetRun of an id that nobody has": (
            lambda: world.omics.get_run(id="9" * 18),
            NOT_FOUND,
        ),
        "GetRun of 'abc'": (lambda: world.omics.get_run(id="abc"), "ValidationException"),
        "ListRuns with a token of nobody": (
            lambda: world.omics.list_runs(startingToken="nobody"),
            "ValidationException",
        ),
        "StartRun of a workflow that nobody has": (
            lambda: world.start("nobody", workflowId="9" * 18),
            NOT_FOUND,
        ),
    }
    for claim, (call, code) in expected.items():
        got = refusal_of(call) or "accepted"
        yield Finding(None, claim, got, got == code)


def _deleted(world: World, run_id: str) -> Iterator[Finding]:
    claim = "GetRun after DeleteRun"
    if code := refusal_of(lambda: world.delete_run(run_id)):
        yield Finding("2", claim, f"DeleteRun is refused with {code}", False)
        return
    seen: list[str] = []
    end = time.monotonic() + min(60.0, world.settings.within)
    while time.monotonic() < end:
        try:
            now = world.omics.get_run(id=run_id)["status"]
        except ClientError as error:
            now = code_of(error)
        if now not in seen:
            seen.append(now)
        if now == NOT_FOUND:
            break
        time.sleep(min(2.0, world.settings.poll))
    holds = set(seen) <= {"DELETED", NOT_FOUND, *ENDED}
    yield Finding("2", claim, ", then ".join(seen), holds)
    says = _again(world, run_id, {})
    holds = says in ("the earlier run", "another run", NOT_FOUND, *_REPEAT_ERRORS)
    yield Finding("1", "the same StartRun again, after DeleteRun", says, holds)


def _quotas(world: World) -> Finding:
    claim = "quotas of concurrent runs"
    try:
        pages = world.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="omics")
        found = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    except (BotoCoreError, ClientError) as error:
        return Finding("3", claim, f"not known: {error}", None)
    told = [f"{name}: {value:g}" for name, value in sorted(found.items()) if "oncurren" in name]
    return Finding("3", claim, "; ".join(told) or "none is named so", bool(told) or None)
