"""The same histories over botocore and the emulator, which keep the small service honest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_omics.emulator import mock_omics
from airflow_omics.hooks import OmicsHook
from tests.simulation.exhaustive.service import LASTS, Hook, Run
from tests.simulation.exhaustive.tries import Try
from tests.support.sensors import ONE_ATTEMPT


class EmulatedHook(Hook):
    """Makes each call to the emulator; the small service is its copy, for those who judge."""

    omics: Any
    real: Any

    def start_run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._at("before", "StartRun")
        token = request["requestId"]
        if token in self._service.tokens:
            answers = ("earlier", "conflict", "validation", "forgotten")
            self.omics.repeat_request_id(self._ask("a repeated token is answered with", answers))
        self._bring_up_to_date()
        answer: dict[str, Any] = self.real.start_run(request)
        if all(run.id != answer["id"] for run in self._service.runs):
            members = {key: value for key, value in request.items() if key != "requestId"}
            number, now = len(self._service.runs) + 1, self._now()
            run = Run(
                number, members, json.dumps(members), now, self._wish(), now + LASTS, given_id=answer["id"]
            )
            self._service.runs.append(run)
            self._service.tokens[token] = number
            self._started(run)
        self._at("after", "StartRun")
        return answer

    def get_run(self, run_id: str, export: Any = None) -> dict[str, Any]:
        self._at("before", "GetRun")
        self._bring_up_to_date(run_id)
        record: dict[str, Any] = self.real.get_run(run_id)
        self._at("after", "GetRun")
        self.homes.update(self.real.homes)
        return record

    def list_runs(self, *, name: str | None = None) -> Iterator[dict[str, Any]]:
        self._at("before", "ListRuns")
        if self._ask("omics:ListRuns is", ("allowed", "denied")) == "denied":
            self.omics.fault("ListRuns", "access-denied", times=1)
        else:
            for run in self._service.runs:
                self._bring_up_to_date(run.id)
        found = list(self.real.list_runs(name=name))
        self._at("after", "ListRuns")
        yield from found

    def cancel_run(self, run_id: str) -> None:
        self._at("before", "CancelRun")
        self._bring_up_to_date(run_id)
        if self._ask("omics:CancelRun is", ("allowed", "denied")) == "denied":
            self.omics.fault("CancelRun", "access-denied", times=1)
        self.real.cancel_run(run_id)
        run = self._service.find(run_id)
        assert run is not None
        run.status, run.is_cancelled, run.due = "STOPPING", True, self._now() + LASTS
        self._cancelled(run)
        self._at("after", "CancelRun")

    def _bring_up_to_date(self, looked_at: str = "") -> None:
        """Let the emulator's runs be what those of the small service are."""
        for run in self._service.runs:
            if run.id == looked_at:
                self._settle(run)
            if run.is_gone:
                with contextlib.suppress(Exception):  # it is gone there as well
                    self.omics.vanish(run.id)
            else:
                reason = "SERVICE_ERROR" if run.status == "FAILED" else None
                self.omics.move(run.id, run.status, reason)


class EmulatedTry(Try):
    """A try whose calls go to the emulator."""

    omics: Any
    real: Any

    def hook(self, *_: Any) -> Any:
        hook = super().hook()
        made = EmulatedHook.__new__(EmulatedHook)
        made.__dict__.update(hook.__dict__)
        made.omics = self.omics
        made.real = self.real
        return made

    def __call__(self) -> Try:
        self._set_clock()
        return super().__call__()

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._set_clock()

    def _set_clock(self) -> None:
        self.omics.advance(max(0.0, self._now - self.omics.now()))


@contextlib.contextmanager
def emulated(patch: pytest.MonkeyPatch) -> Iterator[type[Try]]:
    """Give a class of tries that an emulator of its own answers."""
    patch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": {"region_name": "us-east-1"}})
    )
    # moto prepares thousands of answers for the library requests, with each start; botocore has its own.
    patch.setattr("moto.core.models.RESPONSES_METHODS", [])
    with mock_omics(seed=20260101) as control:
        control.freeze()
        control.default_life = "running-forever"

        class Tries(EmulatedTry):
            omics = control
            real = OmicsHook(aws_conn_id="aws_default", config=ONE_ATTEMPT)

        yield Tries
