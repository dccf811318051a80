"""Controls of what goes wrong, and of what nobody has documented."""

from __future__ import annotations

from typing import Any

from airflow_omics.emulator.control_table import control
from airflow_omics.emulator.other_services.events import deliver_due
from airflow_omics.emulator.service import batches, operations
from airflow_omics.emulator.world.event_policy import EventPolicy
from airflow_omics.emulator.world.faults import ELSEWHERE
from airflow_omics.emulator.world.shared import CANCEL_POLICIES, REPEAT_POLICIES, WORLD


class FaultControls:
    """How the service fails, throttles and answers, and how its events arrive."""

    @control()
    def fault(
        self,
        operation: str,
        kind: str,
        rate: float = 1.0,
        times: int | None = None,
        run_id: str | None = None,
        **options: Any,
    ) -> str:
        """Put a fault in force, and return its id.

        :param operation: ``GetRun`` and so on, or ``*`` for every operation of HealthOmics; of CloudWatch
            Logs ``GetLogEvents`` and ``DescribeLogStreams``, of AWS Price List ``GetProducts``, and of SQS
            ``ReceiveMessage`` and others, can have an error.
        :param kind: a kind of fault, such as ``throttle`` (docs/use/emulator.md has them all), or an error
            code such as ``ThrottlingException``.
        :param rate: the share of calls it strikes, 0 to 1.
        :param times: strike this many calls, then no more.
        :param run_id: strike only calls about this run.
        :param options: ``message`` of an error; ``seconds`` (real) of a hang or a lost answer; ``status`` of
            an HTML answer; ``seconds`` (service time) a ListRuns lags behind; ``status`` a ListRuns lies
            about.
        """
        if operation not in ELSEWHERE:
            operations.checked(operation)
        return WORLD.faults.add(operation, kind, rate, times, run_id, options)

    @control()
    def clear_faults(self) -> None:
        """End every fault; connections that hang are dropped."""
        WORLD.faults.clear()
        WORLD.release()

    @control()
    def limit(self, operation: str, per_second: float | None) -> None:
        """Limit an operation (``*``: each) to ``per_second`` calls a real second; ``None`` lifts the limit.

        A call beyond it gets ThrottlingException. The service's default quota is 10 for most operations and 1
        for StartRun: https://docs.aws.amazon.com/omics/latest/dev/api-quotas.html
        """
        name = operations.checked(operation)
        with batches.new_rate():
            WORLD.limits.set(name, per_second)

    @control()
    def repeat_request_id(self, policy: str) -> None:
        """Set what StartRun answers to a ``requestId`` that it has seen. AWS does not document it.

        :param policy: ``earlier`` answers with the earlier run; ``conflict`` with ConflictException;
            ``validation`` with ValidationException if anything else changed, else with the earlier run;
            ``forgotten`` starts another.
        """
        if policy not in REPEAT_POLICIES:
            raise ValueError(f"policy {policy!r} is unknown; give one of {', '.join(REPEAT_POLICIES)}")
        WORLD.repeat_policy = policy

    @control()
    def cancel_ended_run(self, policy: str) -> None:
        """Set what CancelRun answers for a run that has ended: ``conflict`` or ``validation``."""
        if policy not in CANCEL_POLICIES:
            raise ValueError(f"policy {policy!r} is unknown; give one of {', '.join(CANCEL_POLICIES)}")
        WORLD.cancel_policy = policy

    @control()
    def events(
        self,
        lost: float = 0.0,
        doubled: float = 0.0,
        late: float = 0.0,
        late_seconds: float = 60.0,
        out_of_order: float = 0.0,
        bare: float = 0.0,
    ) -> None:
        """Set how EventBridge delivers the events to come: best effort, with what goes wrong by rate.

        Each rate is a share of the events, 0 to 1. What is left out is 0: ``events()`` delivers each once, in
        order. Chance is that of the emulator's seed.

        :param lost: never arrive.
        :param doubled: arrive twice.
        :param late: arrive ``late_seconds`` after they happened.
        :param late_seconds: service seconds.
        :param out_of_order: arrive after the next one, or after ``late_seconds`` if there is none by then.
        :param bare: say no more than ``omicsVersion``, ``arn`` and ``status``, as in 2023.
        """
        policy = EventPolicy(lost, doubled, late, late_seconds, out_of_order, bare)
        with WORLD.lock:
            # What has happened by now is delivered as it was said before.
            deliver_due()
            WORLD.event_policy = policy
