"""The deferred half of the sensor: waits in the triggerer, on a watcher that all waits share."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_omics._compat import conf
from airflow_omics.connection import AwsArguments
from airflow_omics.identity import RunTarget
from airflow_omics.outcome import ending_to_event
from airflow_omics.rates import DEFAULT_RATE
from airflow_omics.wait import Ending, RunWait
from airflow_omics.watcher import Watcher

# Airflow tells by the context in which a line is written whose log it belongs to. A logger for each trigger
# would be a kilobyte for each wait.
log = logging.getLogger(__name__)


class OmicsRunEvent(TriggerEvent):
    """How a wait ended: ``{"outcome": "terminal" | "timeout" | "error", "record": ..., "message": ...}``.

    The triggerer logs every event as it is printed, so that it prints no more of the record than the
    run's id and status.
    """

    def __repr__(self) -> str:
        record: Mapping[str, Any] = self.payload.get("record") or {}
        return (
            f"OmicsRunEvent(outcome={self.payload.get('outcome')!r}, id={record.get('id')!r}, "
            f"status={record.get('status')!r})"
        )

    __str__ = __repr__


class OmicsRunTrigger(BaseTrigger):
    """Wait in the triggerer for a HealthOmics run to end, and fire one event that says how.

    Every argument is plain JSON and comes back from :meth:`serialize`.

    :param run_id: the run: an id, an ARN, or ``{"id", "uuid", "arn"}`` as far as they are known.
    :param started_at: when the sensor looked first, in seconds since the epoch; now, when left out.
    :param timeout_at: when the wait must end, in seconds since the epoch; it stays the same when a
        triggerer restarts. Seven days after the start when left out.
    :param created: when the run was made, in seconds since the epoch by the service's clock, if known.
    :param status: the run's status when it was last seen, so that only a change of it is logged.
    :param terminal_statuses: statuses that end the wait besides COMPLETED, FAILED, CANCELLED and DELETED.
    :param poke_interval: seconds between two looks, kept as far as the rate allows.
    :param export: what to export along once the run has ended.
    :param record_fields: members of the record that leave the trigger, besides those that an error needs.
    :param aws_conn_id: as for the sensor; likewise ``region_name``, ``verify`` and ``botocore_config``.
    """

    def __init__(
        self,
        run_id: Any,
        *,
        started_at: float | None = None,
        timeout_at: float | None = None,
        created: float | None = None,
        status: str | None = None,
        terminal_statuses: Sequence[str] = (),
        poke_interval: float = 60.0,
        export: Sequence[str] | None = None,
        record_fields: Sequence[str] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.run_id = run_id
        self.started_at = time.time() if started_at is None else started_at
        self.timeout_at = self.started_at + 7 * 24 * 3600.0 if timeout_at is None else timeout_at
        self.created = created
        self.status = status
        self.terminal_statuses = list(terminal_statuses)
        self.poke_interval = poke_interval
        self.export = None if export is None else list(export)
        self.record_fields = None if record_fields is None else list(record_fields)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every argument of the constructor."""
        names = (
            "run_id",
            "started_at",
            "timeout_at",
            "created",
            "status",
            "terminal_statuses",
            "poke_interval",
            "export",
            "record_fields",
            "aws_conn_id",
            "region_name",
            "verify",
            "botocore_config",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {n: getattr(self, n) for n in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        try:
            target = RunTarget.parse(self.run_id)
            arguments = AwsArguments(
                self.aws_conn_id, self.region_name, self.verify, self.botocore_config
            ).in_region(target.region)
            rate = requests_per_second()
        except ValueError as error:
            ending = Ending("error", None, str(error), "OmicsRequestError")
        else:
            wait = RunWait(
                target,
                started_at=self.started_at,
                timeout_at=self.timeout_at,
                terminal_statuses=self.terminal_statuses,
                created=self.created,
                status=self.status,
            )
            watcher = Watcher.shared(arguments, rate)
            ending = await watcher.wait(wait, interval=self.poke_interval, export=self.export, logger=log)
        yield OmicsRunEvent(ending_to_event(ending, self.record_fields))  # type: ignore[call-arg]


def requests_per_second() -> float:
    """Return ``[omics] requests_per_second`` of Airflow's configuration, 5 by default.

    :raises ValueError: when it is no positive number.
    """
    text = conf.get("omics", "requests_per_second", fallback=str(DEFAULT_RATE))
    try:
        rate = float(text)
    except (TypeError, ValueError):
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise ValueError(
            f"[omics] requests_per_second is {text!r} in Airflow's configuration; it takes a positive "
            "number, the most requests a second for one HealthOmics operation, such as 5."
        )
    return rate
