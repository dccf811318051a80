"""The small HealthOmics of one task that starts batches, and the bucket in which it keeps their settings."""

from __future__ import annotations

import copy
import datetime
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from airflow_omics.hooks.objects import OmicsObjectsHook
from tests.simulation.exhaustive.service import ACCOUNT, LASTS, Hook, Run, Service, refuse

SAMPLES = ("s1", "s2", "s3")
PAGE = 2
"""How many items a page of a list has, so that there is something between two of them."""

MAY_PASS, STAYS = "SERVICE_ERROR", "ECR_PERMISSION_ERROR"
"""Two reasons: a member that failed for the first may complete the next time."""

FATES: Mapping[str, tuple[str, tuple[str | None, ...]]] = {
    "COMPLETED": ("PROCESSED", ("COMPLETED",) * 3),
    "one may pass": ("PROCESSED", (MAY_PASS, "COMPLETED", "COMPLETED")),
    "one stays": ("PROCESSED", (STAYS, "COMPLETED", "COMPLETED")),
    "fails early": ("FAILED", ("RUNNING", "COMPLETED", None)),
    "is cancelled": ("CANCELLED", ("CANCELLED", "COMPLETED", None)),
    "is deleted": ("gone", ("RUNNING", "COMPLETED", "COMPLETED")),
    "is another's": ("gone", ("RUNNING", "COMPLETED", MAY_PASS)),
    "one fails early": ("RUNNING", (MAY_PASS, "RUNNING", "RUNNING")),
    "one fails early, the counts step back": ("RUNNING", (MAY_PASS, "RUNNING", "RUNNING")),
    "the counts say too much": ("RUNNING", ("RUNNING",) * 3),
}
"""What may become of a batch: its status, and that of the run of its first member, its second and its third.

A reason stands for a run that failed, and None for a member that was not started.
"""


@dataclass
class Sample:
    """One member of a batch.

    :param run_id: of its run; None if none was started.
    :param status: of its run.
    :param due: when its run completes, if nobody waits for the batch any more.
    """

    setting_id: str
    run_id: str | None = None
    status: str | None = None
    reason: str | None = None
    due: float | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ("RUNNING", "STOPPING")


@dataclass
class Batch(Run):
    """One batch, and what a judge has to know of it. RUNNING is what GetBatch calls INPROGRESS.

    :param samples: its members.
    :param fate: what has become of it, a key of ``FATES``.
    :param looks: how often its counts were read since then.
    :param try_number: the try that started it.
    :param clears: how often the task had been cleared then.
    :param is_anothers: whether its id is another batch's by now.
    """

    samples: list[Sample] = field(default_factory=list)
    fate: str = ""
    looks: int = 0
    try_number: int = 0
    clears: int = 0
    is_anothers: bool = False

    def __copy__(self) -> Batch:
        made = object.__new__(Batch)
        made.__dict__.update(self.__dict__)
        made.samples = [copy.copy(sample) for sample in self.samples]
        return made

    @property
    def uuid(self) -> str:
        return f"{self.number:08d}-0000-4000-8000-000000000000"

    @property
    def arn(self) -> str:
        return f"{ACCOUNT.replace('run/', 'runBatch/')}{self.id}"

    def record(self) -> dict[str, Any]:
        """Return GetBatch's answer; of another batch with another uuid, if the id is another's."""
        made = datetime.datetime.fromtimestamp(self.created, datetime.UTC)
        record = {
            "id": self.id,
            "arn": self.arn,
            "uuid": self.uuid,
            "name": self.members["name"],
            "tags": dict(self.members["tags"]),
            "status": "INPROGRESS" if self.status == "RUNNING" else self.status,
            "creationTime": made.isoformat(),
            "totalRuns": len(self.samples),
            **self._counts(),
        }
        if self.is_anothers:
            later = (made + datetime.timedelta(seconds=2 * LASTS)).isoformat()
            record |= {"uuid": f"{self.number:08d}-0000-4000-8000-ffffffffffff", "tags": {}, "name": "other"}
            record |= {"status": "INPROGRESS", "creationTime": later}
        return record

    def _counts(self) -> dict[str, Any]:
        counts = Counter(sample.status for sample in self.samples)
        failed = counts["FAILED"]
        if self.fate == "the counts say too much" and self.status == "RUNNING":
            failed += 1
        elif "step back" in self.fate and self.status == "RUNNING" and self.looks == 2:
            failed = 0
        states = ("RUNNING", "STOPPING", "COMPLETED", "CANCELLED", "DELETED")
        summary = {f"{state.lower()}RunCount": counts[state] for state in states}
        tried = sum(sample.run_id is not None for sample in self.samples)
        pending = len(self.samples) - tried if self.status == "RUNNING" else 0
        return {
            "runSummary": {**summary, "failedRunCount": failed},
            "submissionSummary": {
                "successfulStartSubmissionCount": tried,
                "pendingStartSubmissionCount": pending,
            },
        }


@dataclass
class BatchService(Service):
    """What HealthOmics and S3 hold."""

    objects: dict[str, bytes] = field(default_factory=dict)
    overwritten: bool = False

    def copy(self) -> BatchService:
        batches = [copy.copy(run) for run in self.runs]
        return BatchService(batches, dict(self.tokens), dict(self.objects), self.overwritten)

    @property
    def batches(self) -> list[Batch]:
        """Every batch that there was, the first first."""
        return self.runs  # type: ignore[return-value]

    def of(self, run_id: str) -> tuple[Batch, Sample] | None:
        """Return the batch and the member of a run."""
        pairs = ((batch, sample) for batch in self.batches for sample in batch.samples)
        return next((pair for pair in pairs if pair[1].run_id == run_id), None)


class Pages(Iterator[dict[str, Any]]):
    """The answer to a list operation, in the place of ``Listing``.

    :param items: returns all items.
    :param at: is called before each page and after it.
    """

    def __init__(
        self, operation: str, items: Callable[[], list[dict[str, Any]]], at: Callable[[str, str], None]
    ) -> None:
        self._operation, self._items, self._at = operation, items, at
        self._position, self._rest = 0, iter(list[dict[str, Any]]())
        self.is_over = False

    def next_page(self) -> list[dict[str, Any]]:
        self._at("before", self._operation)
        items = self._items()
        page = items[self._position : self._position + PAGE]
        self._position += PAGE
        self.is_over = self._position >= len(items)
        return page

    def __next__(self) -> dict[str, Any]:
        while True:
            for item in self._rest:
                return item
            if self.is_over:
                raise StopIteration
            self._rest = iter(self.next_page())


class BatchHook(Hook):
    """What stands in for ``OmicsHook``, of a task that starts batches.

    :param now_in: the number of the try, and how often the task has been cleared.
    """

    _service: BatchService

    def __init__(self, *arguments: Any, now_in: tuple[int, int], **of_try: Any) -> None:
        super().__init__(*arguments, **of_try)
        self._try_number, self._clears = now_in

    def start_run_batch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._at("before", "StartRunBatch")
        batch = self._start_batch(request)
        self._at("after", "StartRunBatch")
        return {"id": batch.id, "arn": batch.arn, "uuid": batch.uuid, "status": "CREATING"}

    def get_batch(self, batch_id: str) -> dict[str, Any]:
        self._at("before", "GetBatch")
        batch = self._known_batch(batch_id, "GetBatch")
        batch.looks += batch.status == "RUNNING" and bool(batch.fate)
        self._at("after", "GetBatch")
        self.homes.add("account 123456789012 in us-east-1")
        return batch.record()

    def list_batches(self, *, name: str | None = None) -> Pages:
        def items() -> list[dict[str, Any]]:
            if self._ask("omics:ListBatch is", ("allowed", "denied")) == "denied":
                refuse("ListBatch", "AccessDeniedException", 403, "not authorized")
            for batch in self._service.batches:
                self._settle(batch)
            records = [b.record() for b in self._service.batches if not b.is_gone or b.is_anothers]
            return [{**r, "createdAt": r["creationTime"]} for r in records if r["name"] == name]

        return Pages("ListBatch", items, self._at)

    def list_runs(self, *, batch_id: str | None = None, status: str | None = None) -> Pages:  # type: ignore[override]
        def items() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            if batch_id is not None:  # AWS does not say what it lists of a batch that is gone
                self._known_batch(batch_id, "ListRuns")
            for batch in self._service.batches:
                self._settle(batch)
                if batch_id in (None, batch.id):
                    found += [self._item(batch, s) for s in batch.samples if s.run_id and s.status]
                    if batch.is_anothers:
                        found += self._others(batch)
            return [item for item in found if status in (None, item["status"])]

        return Pages("ListRuns", items, self._at)

    def list_runs_in_batch(
        self, batch_id: str, *, submission_status: str | None = None, run_id: str | None = None
    ) -> Pages:
        def items() -> list[dict[str, Any]]:
            batch = self._known_batch(batch_id, "ListRunsInBatch")
            if batch.is_anothers:
                found = [
                    {"runSettingId": item["name"], "runId": item["id"], "submissionStatus": "SUCCESS"}
                    for item in self._others(batch)
                ]
            else:
                found = [
                    {"runSettingId": s.setting_id, "runId": s.run_id, "submissionStatus": "SUCCESS"}
                    if s.run_id
                    else {"runSettingId": s.setting_id}
                    for s in batch.samples
                ]
            return [
                item
                for item in found
                if submission_status in (None, item.get("submissionStatus"))
                and run_id in (None, item.get("runId"))
            ]

        return Pages("ListRunsInBatch", items, self._at)

    def get_run(self, run_id: str, export: Any = None) -> dict[str, Any]:
        self._at("before", "GetRun")
        batch, sample = self._known_run(run_id, "GetRun")
        record = {**self._item(batch, sample), "arn": f"{ACCOUNT}{run_id}", "uuid": f"uuid-{run_id}"}
        return {**record, "failureReason": sample.reason} if sample.reason else record

    def cancel_run_batch(self, batch_id: str) -> None:
        self._at("before", "CancelRunBatch")
        batch = self._known_batch(batch_id, "CancelRunBatch")
        if batch.status != "RUNNING":
            refuse("CancelRunBatch", "ConflictException", 409, f"the batch is {batch.status}")
        batch.status, batch.is_cancelled, batch.due = "STOPPING", True, self._now() + LASTS
        self._cancelled(batch)
        self._at("after", "CancelRunBatch")

    def cancel_run(self, run_id: str) -> None:
        self._at("before", "CancelRun")
        _, sample = self._known_run(run_id, "CancelRun")
        if sample.status != "RUNNING":
            refuse("CancelRun", "ConflictException", 409, f"the run is {sample.status}")
        sample.status = "CANCELLED"
        self._at("after", "CancelRun")

    # -- the rest --------------------------------------------------------------------------------------------

    def _start_batch(self, request: Mapping[str, Any]) -> Batch:
        given = request["batchRunSettings"]
        settings = given.get("inlineSettings") or json.loads(self._service.objects[given["s3UriSettings"]])
        fingerprint = json.dumps({k: v for k, v in request.items() if k != "requestId"}, sort_keys=True)

        def make(number: int, now: float) -> Batch:
            members = {"name": request["batchName"], "tags": request["tags"]}
            return Batch(
                number,
                members,
                fingerprint,
                now,
                self._wish(),
                now + LASTS,
                samples=[Sample(setting["runSettingId"]) for setting in settings],
                try_number=self._try_number,
                clears=self._clears,
            )

        batch: Any = self.start_once("StartRunBatch", request["requestId"], fingerprint, make)
        return batch

    def _known_batch(self, batch_id: str, operation: str) -> Batch:
        for batch in self._service.batches:
            if batch.id == batch_id:
                self._settle(batch)
                if not batch.is_gone or batch.is_anothers:
                    return batch
        refuse(operation, "ResourceNotFoundException", 404, f"Batch {batch_id} does not exist")

    def _known_run(self, run_id: str, operation: str) -> tuple[Batch, Sample]:
        found = self._service.of(run_id)
        if found is None:
            refuse(operation, "ResourceNotFoundException", 404, f"Run {run_id} does not exist")
        self._settle(found[0])
        return found

    def _settle(self, run: Run) -> None:
        batch: Any = run
        now = self._now()
        for sample in batch.samples:
            if sample.due is not None and now >= sample.due and not (batch.is_active and batch.due):
                sample.status, sample.due = "COMPLETED", None
        if batch.is_gone or batch.due is None or now < batch.due:
            return
        if batch.status == "STOPPING":
            batch.due, batch.status = None, "CANCELLED"
            end_samples(batch, "CANCELLED")
            return
        if batch.fate:
            settle_as(batch, "the rest completes", now)
        else:
            answers = self.fates[min(batch.number, len(self.fates)) - 1]
            settle_as(batch, self._ask(f"batch {batch.number} then", answers), now)

    fates: tuple[tuple[str, ...], ...] = ()
    """What may become of the first batch, the second, ...: keys of ``FATES``."""

    @staticmethod
    def _item(batch: Batch, sample: Sample) -> dict[str, Any]:
        made = datetime.datetime.fromtimestamp(batch.created + 1, datetime.UTC).isoformat()
        return {
            "id": sample.run_id,
            "name": sample.setting_id,
            "status": sample.status,
            "batchId": batch.id,
            "creationTime": made,
        }

    @staticmethod
    def _others(batch: Batch) -> list[dict[str, Any]]:
        """Return the runs of the batch that has the id of this one now; its samples have the same names."""
        made = datetime.datetime.fromtimestamp(batch.created + 3 * LASTS, datetime.UTC).isoformat()
        return [
            {
                "id": str(9_000_000 + 10 * batch.number + position),
                "name": sample.setting_id,
                "status": "COMPLETED",
                "batchId": batch.id,
                "creationTime": made,
            }
            for position, sample in enumerate(batch.samples)
        ]


def settle_as(batch: Batch, fate: str, now: float) -> None:
    """Let a batch and its members become what a fate says."""
    if fate == "the rest completes":
        batch.status, batch.due = "PROCESSED", None
        end_samples(batch, "COMPLETED")
        return
    batch.fate = fate
    status, became = FATES[fate]
    for position, (sample, ends) in enumerate(zip(batch.samples, became, strict=False)):
        if ends is None:
            continue
        sample.run_id = str(1_000_000 * (2 + batch.number) + position)
        is_failed = ends in (MAY_PASS, STAYS)
        sample.status, sample.reason = ("FAILED", ends) if is_failed else (ends, None)
        sample.due = now + LASTS if sample.status == "RUNNING" else None
    if status == "gone":
        batch.is_gone, batch.is_anothers = True, fate == "is another's"
        batch.status, batch.due = "PROCESSED", None
    else:
        batch.status = status
        batch.due = now + 4 * LASTS if status == "RUNNING" else None


def end_samples(batch: Batch, status: str) -> None:
    """Let the runs of a batch that go on end so."""
    for sample in batch.samples:
        sample.status, sample.due = status if sample.is_active else sample.status, None


# -- S3 ----------------------------------------------------------------------------------------------------


class Bucket:
    """What stands in for botocore's client of S3.

    :param service: has the objects.
    :param at: is called before and after each call, with its name; it may raise.
    """

    def __init__(self, service: BatchService, at: Callable[[str, str], None]) -> None:
        self._service, self._at = service, at

    def put_object(self, **request: Any) -> dict[str, Any]:
        self._at("before", "PutObject")
        uri, body = _uri_of(request), request["Body"].read()
        if uri in self._service.objects:
            if request.get("IfNoneMatch") == "*":
                raise _s3_error("PutObject", "PreconditionFailed", 412)
            self._service.overwritten = True
        self._service.objects[uri] = body
        self._at("after", "PutObject")
        return {"ETag": _etag_of(body)}

    def head_object(self, **request: Any) -> dict[str, Any]:
        self._at("before", "HeadObject")
        body = self._found(request, "HeadObject")
        return {"ETag": _etag_of(body), "ContentLength": len(body)}

    def get_object(self, **request: Any) -> dict[str, Any]:
        self._at("before", "GetObject")
        body = self._found(request, "GetObject")
        return {"ETag": _etag_of(body), "Body": io.BytesIO(body)}

    def _found(self, request: Mapping[str, Any], operation: str) -> bytes:
        body = self._service.objects.get(_uri_of(request))
        if body is None:
            raise _s3_error(operation, "404", 404)
        return body


def objects_hook(bucket: Bucket) -> OmicsObjectsHook:
    """Return the package's own hook for S3, with another client."""
    hook = object.__new__(OmicsObjectsHook)
    hook.__dict__["conn"] = bucket
    hook.replaces = False
    return hook


def _uri_of(request: Mapping[str, Any]) -> str:
    return f"s3://{request['Bucket']}/{request['Key']}"


def _etag_of(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _s3_error(operation: str, code: str, status: int) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "1", "HostId": "h"},
    }
    return ClientError(answer, operation)
