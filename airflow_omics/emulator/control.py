"""Control of the emulator from the process it lives in: clock, lives, faults, limits, and the request log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.base_backend import BackendDict
from moto.moto_api import state_manager

from airflow_omics.emulator.control_table import Control, control
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Life, Stage
from airflow_omics.emulator.other_services.events import deliver_due
from airflow_omics.emulator.other_services.written_by_runs import write_due
from airflow_omics.emulator.service import batches, operations, run_groups, runs_start, workflows
from airflow_omics.emulator.service.common.backend import default_backend
from airflow_omics.emulator.service.runs_state import locate, runs_of
from airflow_omics.emulator.world.event_policy import EventPolicy
from airflow_omics.emulator.world.faults import LOG_OPERATIONS
from airflow_omics.emulator.world.shared import CANCEL_POLICIES, REPEAT_POLICIES, STATE_MODEL, WORLD


class Emulator:
    """A handle on the emulator of this process; every handle controls the same one.

    :class:`airflow_omics.emulator.EmulatorClient` has the same methods for an emulator in another process. A
    wrong argument is a ValueError of one sentence, in both.
    """

    def _apply(self, control: Control, *args: Any, **kwargs: Any) -> Any:
        return control.function(self, *args, **kwargs)

    # -- clock -----------------------------------------------------------------------------------------------

    @control(reads=True)
    def now(self) -> float:
        """Return the time that the emulator's answers show, in seconds since the epoch."""
        return WORLD.clock.now()

    @property
    @control(reads=True)
    def pace(self) -> float:
        """Service seconds in a real second: at 60, a run of 20 minutes takes 20 seconds."""
        return WORLD.clock.pace

    @control()
    def set_pace(self, pace: float) -> None:
        """Let the clock run at ``pace``, also after :meth:`freeze`; answers show wall-clock time again."""
        WORLD.clock.set_pace(pace)

    @control()
    def freeze(self) -> None:
        """Stop the clock; only :meth:`advance` moves it now."""
        WORLD.clock.freeze()

    @control()
    def advance(self, seconds: float) -> None:
        """Turn the clock forward by ``seconds`` of service time, freezing it first if it was running."""
        WORLD.clock.advance(seconds)

    # -- lives -----------------------------------------------------------------------------------------------

    @control(reads=True)
    def lives(self) -> list[str]:
        """Return the names of every life, the registered ones among them."""
        return sorted(WORLD.lives)

    @control()
    def add_life(self, life: Life | Mapping[str, Any]) -> None:
        """Register a life of your own, or replace one of the library's until :meth:`reset`."""
        if not isinstance(life, Life):
            life = Life.from_dict(life)
        WORLD.lives[life.name] = life

    @property
    def default_life(self) -> str:
        """The life of a run whose StartRun names none; may be set."""
        return self._default_life()

    @default_life.setter
    def default_life(self, name: str) -> None:
        self._default_life(str(name))

    @control(name="default_life", reads=True)
    def _default_life(self, value: str | None = None) -> str:
        """Return the default life, after setting it if a value is given."""
        if value is not None:
            WORLD.default_life = WORLD.life(value).name
        return WORLD.default_life

    # -- runs ------------------------------------------------------------------------------------------------

    @control()
    def start_runs(
        self,
        count: int,
        life: str | None = None,
        *,
        logs: bool = False,
        events: bool = False,
        account_id: str | None = None,
        region_name: str | None = None,
        **members: Any,
    ) -> list[str]:
        """Start many runs at once, and return their ids in order of creation.

        No request is made: no limit holds, no fault strikes, and the request log has no entry.

        :param count: how many.
        :param life: the life of each; the default life if left out.
        :param logs: whether they write logs and outputs, which is slow for thousands.
        :param events: whether EventBridge gets their events.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        :param members: members of StartRun in the API's spelling, and ``batchId``; ``{n}`` in ``name``
            becomes the number of the run, from 1.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"count is {count!r}; give a number of runs >= 0")
        script = WORLD.life(life or WORLD.default_life)
        with WORLD.lock:
            runs = runs_of(default_backend(account_id, region_name))
            return runs_start.start_many(runs, count, script, members, quiet=not logs, silent=not events)

    @control()
    def move(
        self,
        run_id: str,
        status: str,
        failure_reason: str | None = None,
        status_message: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Put one run into a status now; it leaves its script and stays there until moved again.

        :param run_id: the run.
        :param status: a status of the service, or a word no SDK knows.
        :param failure_reason: replaces the ``failureReason`` of its life.
        :param status_message: replaces the ``statusMessage`` of its life.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            stage = Stage(status)
            if status in (VANISHED, REUSED):
                raise ValueError(f"{status} is no status; use vanish() or reuse_id()")
            if run.terminal and status not in TERMINAL:
                raise ValueError(f"run {run_id} is {run.status}; a run that has ended cannot become {status}")
            if failure_reason is not None:
                run.reason = failure_reason
            if status_message is not None:
                run.says = status_message
            runs.replan(run, (stage,))

    @control()
    def vanish(self, run_id: str, *, account_id: str | None = None, region_name: str | None = None) -> None:
        """Let a run not be found from now on, as after retention mode REMOVE took it away."""
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            runs.remove(run)

    @control()
    def reuse_id(
        self,
        run_id: str,
        life: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """Give a run's id to another run, created now, and return the uuid of that other run.

        :param run_id: the id.
        :param life: the life of the other run; the default life if left out.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        script = WORLD.life(life or WORLD.default_life)
        with WORLD.lock:
            runs, run = locate(run_id, account_id, region_name)
            return runs.reuse(run, script).uuid

    @control()
    def run_group(
        self,
        run_group_id: str,
        *,
        name: str | None = None,
        max_runs: int | None = None,
        max_cpus: int | None = None,
        max_gpus: int | None = None,
        max_duration: int | None = None,
        limits: bool = True,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Make a run group with an id of your own, or another one under an id that there is.

        It limits its runs as one that CreateRunGroup made: those that are there already as well.

        :param run_group_id: its id, such as a run's ``runGroupId``.
        :param name: its name.
        :param max_runs: runs at once.
        :param max_cpus: vCPUs at once.
        :param max_gpus: GPUs at once.
        :param max_duration: minutes a run may be RUNNING.
        :param limits: False for a group that GetRunGroup answers, and that limits no run.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        """
        group = {
            "name": name,
            "maxRuns": max_runs,
            "maxCpus": max_cpus,
            "maxGpus": max_gpus,
            "maxDuration": max_duration,
        }
        if not isinstance(limits, bool):
            raise ValueError(f"limits is {limits!r}; give True or False")
        with WORLD.lock:
            backend = default_backend(account_id, region_name)
            run_groups.describe(backend, run_group_id, group, limits=limits)

    @control()
    def workflow(
        self,
        workflow_id: str,
        *,
        name: str | None = None,
        engine: str = "WDL",
        parameter_template: Mapping[str, Any] | None = None,
        versions: Sequence[str] = (),
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """Make a workflow without a request, ACTIVE at once. Its definition does nothing.

        :param workflow_id: its id, such as a run's ``workflowId``; takes the place of what had it.
        :param name: its name.
        :param engine: ``WDL``, ``NEXTFLOW``, ``CWL`` or ``WDL_LENIENT``.
        :param parameter_template: its ``parameterTemplate``.
        :param versions: the names of versions that it has.
        :param account_id: defaults to moto's account.
        :param region_name: defaults to ``AWS_DEFAULT_REGION``, or us-east-1.
        """
        with WORLD.lock:
            backend = default_backend(account_id, region_name)
            workflows.describe(backend, workflow_id, name, engine, parameter_template, versions)

    @control()
    def creation(self, kind: str, seconds: float, failure: str | None = None) -> None:
        """Set how the creation of workflows and their versions, or of configurations, goes from now on.

        :param kind: ``workflow`` or ``configuration``.
        :param seconds: how long each is CREATING, in seconds of service time.
        :param failure: the ``statusMessage`` with which each is FAILED after that; ACTIVE if left out, unless
            there is something wrong with it.
        """
        WORLD.set_creation(kind, seconds, failure)

    # -- batches ---------------------------------------------------------------------------------------------

    @control()
    def batches(self, **rules: Any) -> None:
        """Change how batches of runs behave: how fast they are, which members fail, what is answered.

        :param rules: those to change, such as ``starts_per_second=5``; docs/use/emulator.md has them all.
        """
        WORLD.batches = WORLD.batches.changed(rules)

    @control()
    def move_batch(
        self,
        batch_id: str,
        status: str,
        failure_reason: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """Put one batch into a status now, where it stays, and return its uuid.

        :param batch_id: the batch.
        :param status: a status of the service; or ``VANISHED``, not found from now on; or ``REUSED``, its id
            is another batch's that was just started, whose uuid is returned.
        :param failure_reason: what GetBatch shows of one that is FAILED.
        :param account_id: needed only if the id exists in several accounts.
        :param region_name: needed only if the id exists in several Regions.
        """
        with WORLD.lock:
            return batches.move(batch_id, status, failure_reason, account_id, region_name)

    # -- faults ----------------------------------------------------------------------------------------------

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
            Logs ``GetLogEvents`` and ``DescribeLogStreams`` can have an error.
        :param kind: a kind of fault, such as ``throttle`` (docs/use/emulator.md has them all), or an error
            code such as ``ThrottlingException``.
        :param rate: the share of calls it strikes, 0 to 1.
        :param times: strike this many calls, then no more.
        :param run_id: strike only calls about this run.
        :param options: ``message`` of an error; ``seconds`` (real) of a hang or a lost answer; ``status`` of
            an HTML answer; ``seconds`` (service time) a ListRuns lags behind; ``status`` a ListRuns lies
            about.
        """
        if operation not in LOG_OPERATIONS:
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
        WORLD.limits.set(operations.checked(operation), per_second)

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

    @control()
    def strict(self, on: bool = True) -> None:
        """Set whether StartRun refuses a workflow, run group, run cache or configuration that nobody made.

        AWS answers ResourceNotFoundException. Otherwise the emulator accepts any id, so that a test need not
        make what it is not about. Parameters that a workflow requires are checked as well.
        """
        if not isinstance(on, bool):
            raise ValueError(f"on is {on!r}; give True or False")
        WORLD.strict = on

    # -- what happened ---------------------------------------------------------------------------------------

    @control(reads=True)
    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the latest requests, oldest first: time, operation, status, error, run_id and more."""
        return WORLD.requests.latest(operation)

    @control(reads=True)
    def counts(self) -> dict[str, int]:
        """Return how many requests each operation has had since :meth:`reset`."""
        return WORLD.requests.counts()

    @control()
    def wait_for(self, operation: str | None = None, count: int = 1, timeout: float = 10.0) -> int:
        """Block until so many requests were seen since :meth:`reset`, and return how many there are.

        :param operation: the operation; any if it is None.
        :param count: how many requests to wait for.
        :param timeout: real seconds.
        :raises TimeoutError: they were not seen in time.
        """
        return WORLD.requests.wait_for(operation, count, timeout)

    @control()
    def settle(self) -> None:
        """Write to CloudWatch Logs and S3 what runs have produced by now, and deliver the events.

        Reading CloudWatch Logs, S3 or SQS does the same.
        """
        deliver_due()
        write_due()

    @control()
    def reset(self) -> None:
        """Forget everything: runs, faults, lives of your own, requests, and all of moto's other services.

        Pace, default life, seed and limit are those that the emulator was started with.
        """
        with WORLD.lock:
            WORLD.reset()
            BackendDict.reset()
            state_manager.unset_transition(STATE_MODEL)
