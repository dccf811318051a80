"""The moto backend: the runs of one account and Region."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import boto3
from moto.core.base_backend import BackendDict, BaseBackend
from moto.moto_api import state_manager

from airflow_omics.emulator.lives.run import Entry, Run
from airflow_omics.emulator.lives.script import REUSED, TERMINAL, VANISHED, Life, Stage
from airflow_omics.emulator.wire.exceptions import conflict, not_found, validation
from airflow_omics.emulator.world.shared import STATE_MODEL, WORLD

state_manager.register_default_transition(STATE_MODEL, {"progression": "clock"})

#: What a rerun (``runId`` in StartRun) does not take over. It takes over all else, members to come included.
_NOT_TAKEN_OVER = frozenset(
    {"runId", "requestId", "roleArn", "outputUri", "tags", "sessionPolicy", "batchId"}
)
#: Members of which a request has one or the other.
_EITHER = {"parameters": "parametersUri", "parametersUri": "parameters"}
_CANCELLABLE = frozenset({"PENDING", "STARTING", "RUNNING", "STOPPING"})
_DELETABLE = frozenset({"COMPLETED", "FAILED", "CANCELLED"})


class OmicsBackend(BaseBackend):
    """The runs of one account and Region."""

    #: The module with ``url_bases`` and ``url_paths``, for moto's dispatcher; set when it is registered.
    addresses: ClassVar[Any] = None

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._runs: dict[str, Run] = {}
        #: Every run in order of creation, those that are gone among them until they are swept out.
        self._order: list[Run] = []
        self._gone = 0
        self._seq = 0
        self._requests: dict[str, tuple[Run, str]] = {}
        self._random = WORLD.generator(f"{account_id}/{region_name}")
        #: Runs whose logs and outputs are not fully written yet.
        self.unwritten: dict[int, Run] = {}
        #: What GetRunGroup answers, by id.
        self.run_groups: dict[str, dict[str, Any]] = {}

    @property
    def _url_module(self) -> Any:
        # moto finds it by the name of the module that a backend is in, where it expects "models".
        return self.addresses

    @property
    def arn_prefix(self) -> str:
        """What every ARN of this account and Region begins with."""
        return f"arn:{self.partition}:omics:{self.region_name}:{self.account_id}:"

    # -- making runs -----------------------------------------------------------------------------------------

    def start_run(self, members: Mapping[str, Any]) -> Run:
        """Start a run from the members of a StartRun request."""
        request_id = members.get("requestId")
        fingerprint = json.dumps(
            {k: v for k, v in members.items() if k != "requestId"}, sort_keys=True, default=str
        )
        earlier = self._requests.get(request_id) if request_id else None
        if earlier is not None and WORLD.repeat_policy != "forgotten":
            run, before = earlier
            if WORLD.repeat_policy == "conflict":
                raise conflict(f"A run with requestId {request_id} already exists")
            if WORLD.repeat_policy == "validation" and before != fingerprint:
                raise validation(f"requestId {request_id} was used before with other parameters")
            self.settle(run)
            return run
        run = self.add_run(self._completed_members(members), WORLD.life_of(members.get("tags")))
        if request_id:
            self._requests[request_id] = (run, fingerprint)
        return run

    def _completed_members(self, members: Mapping[str, Any]) -> dict[str, Any]:
        members = dict(members)
        # The model of an old botocore does not say that it is required.
        uri = members.get("outputUri", "")
        bucket = uri.removeprefix("s3://").partition("/")[0]
        if not uri.startswith("s3://") or not bucket:
            raise validation(f"outputUri {uri!r} is not an S3 URI such as s3://bucket/prefix")
        if len(bucket) < 3:
            raise validation(
                f"outputUri {uri!r} names the bucket {bucket!r}; a bucket's name has at least 3 characters"
            )
        if "parameters" in members and "parametersUri" in members:
            raise validation("give either parameters or parametersUri, not both")
        if "runId" in members:
            source = self.get_run(members["runId"])
            given = set(members)
            for name, value in source.members.items():
                if name not in _NOT_TAKEN_OVER and _EITHER.get(name) not in given:
                    members.setdefault(name, value)
        if "workflowId" not in members:
            raise validation("either workflowId or runId must be given")
        if members.get("networkingMode") == "VPC" and "configurationName" not in members:
            raise validation("configurationName is required when networkingMode is VPC")
        members.setdefault("workflowType", "PRIVATE")
        members.setdefault("retentionMode", "RETAIN")
        if members["workflowType"] == "PRIVATE":
            members.setdefault("storageType", "DYNAMIC")
        members.setdefault("logLevel", "ALL")
        members.setdefault("tags", {})
        return members

    def add_run(
        self,
        members: Mapping[str, Any],
        life: Life,
        *,
        run_id: str | None = None,
        created: tuple[float, float] | None = None,
        quiet: bool = False,
    ) -> Run:
        """Add a run; ``members`` must be complete already."""
        run_id = run_id or self._new_id()
        self._seq += 1
        run = Run(
            id=run_id,
            uuid=WORLD.uuid(),
            arn=f"{self.arn_prefix}run/{run_id}",
            seq=self._seq,
            members=members,
            life=life,
            created=created or WORLD.clock.read(),
            quiet=quiet,
        )
        self._runs[run_id] = run
        self._order.append(run)
        if not quiet:
            self.unwritten[run.seq] = run
        return run

    def _new_id(self) -> str:
        while True:
            run_id = str(self._random.randrange(1_000_000, 10_000_000))
            if run_id not in self._runs:
                return run_id

    # -- reading them ----------------------------------------------------------------------------------------

    def settle(self, run: Run, now: float | None = None, transition: Mapping[str, Any] | None = None) -> None:
        """Bring a run up to the present; it may be found gone."""
        now = WORLD.clock.service() if now is None else now
        run.settle(
            now, WORLD.clock, state_manager.get_transition(STATE_MODEL) if transition is None else transition
        )
        self._after(run, now, transition)

    def _after(self, run: Run, now: float, transition: Mapping[str, Any] | None) -> None:
        if run.gone and self._runs.get(run.id) is run:
            last = run.history[-1]
            self._drop(run)
            if last.status == REUSED:
                life = WORLD.life(run.life.next_life)
                heir = self.add_run(
                    run.members, life, run_id=run.id, created=(last.service, last.reported), quiet=run.quiet
                )
                self.settle(heir, now, transition)

    def _drop(self, run: Run) -> None:
        if not run.gone:
            # A ListRuns that lags still shows it as it was before this moment.
            run.history.append(Entry(*WORLD.clock.read(), VANISHED))
            run.gone = True
        del self._runs[run.id]
        self._gone += 1
        if self._gone > 1000 and self._gone * 2 > len(self._order):
            self._order = [kept for kept in self._order if not kept.gone]
            self._gone = 0

    def get_run(self, run_id: str, *, tick: bool = False) -> Run:
        """Return a run as it is now.

        :param tick: Count this call towards a ``manual`` transition.
        """
        run = self._runs.get(run_id)
        if run is not None:
            self.settle(run)
            if tick and self._runs.get(run_id) is run:
                run.tick(WORLD.clock, state_manager.get_transition(STATE_MODEL))
                self._after(run, WORLD.clock.service(), None)
        run = self._runs.get(run_id)
        if run is None:
            raise not_found(f"Run {run_id}")
        return run

    def list_runs(
        self, look: Callable[[Run], tuple[Run, Entry] | None], after: int, limit: int
    ) -> tuple[list[tuple[Run, Entry]], int | None]:
        """Return up to ``limit`` runs that ``look`` lets through, and where the next page begins.

        :param look: Gives what to show of a run, or None to pass it over.
        :param after: The sequence number of the last run of the page before.
        """
        found: list[tuple[Run, Entry]] = []
        now, transition = WORLD.clock.service(), state_manager.get_transition(STATE_MODEL)
        plain = transition["progression"] == "clock"
        index = bisect_right(self._order, after, key=lambda run: run.seq)
        order = self._order
        while index < len(order):
            run = order[index]
            index += 1
            if not run.gone and (not plain or run.due <= now):
                self.settle(run, now, transition)
            shown = look(run)
            if shown is None:
                continue
            if len(found) == limit:
                return found, found[-1][0].seq
            found.append(shown)
        return found, None

    def runs(self) -> Iterator[Run]:
        """Yield every run that is not gone."""
        return iter([run for run in self._order if not run.gone])

    def find(self, run_id: str) -> Run | None:
        """Return a run without settling it, or None."""
        return self._runs.get(run_id)

    # -- changing them ---------------------------------------------------------------------------------------

    def cancel_run(self, run_id: str) -> None:
        """Cancel a run: STOPPING, then CANCELLED. A run that is STOPPING already ends as it was going to."""
        run = self.get_run(run_id)
        if run.terminal:
            message = f"Run {run_id} is {run.status} and cannot be cancelled"
            raise conflict(message) if WORLD.cancel_policy == "conflict" else validation(message)
        if run.status == "STOPPING":
            return
        self.replan(run, (Stage("STOPPING", run.life.cancel_seconds), Stage("CANCELLED")))

    def delete_run(self, run_id: str) -> None:
        """Delete the metadata of a run that has ended; its logs and outputs stay."""
        run = self.get_run(run_id)
        if run.status not in _DELETABLE:
            raise conflict(f"Run {run_id} is {run.status}; only a run that has ended can be deleted")
        self._drop(run)

    def replan(self, run: Run, stages: tuple[Stage, ...]) -> None:
        """Let a run enter ``stages[0]`` now, whatever its script says."""
        service, reported = WORLD.clock.read()
        target = stages[0].status
        if stages[-1].status in TERMINAL - {"COMPLETED"} and run.ended is None:
            run.cut = True
        if target == "COMPLETED" and run.entered("RUNNING") is None:
            run.replan((Stage("RUNNING"),), (service, reported))
        run.replan(stages, (service, reported))

    def vanish(self, run: Run) -> None:
        """Let a run not be found from now on."""
        self._drop(run)

    def reuse(self, run: Run, life: Life) -> Run:
        """Give the id of a run to another one, created now."""
        self._drop(run)
        return self.add_run(run.members, life, run_id=run.id, quiet=run.quiet)


def _regions() -> list[str]:
    session = boto3.Session(aws_access_key_id="emulator", aws_secret_access_key="emulator")
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    ]


#: Account to Region to backend. HealthOmics is not in every Region, but an emulator need not refuse the
#: others.
omics_backends: BackendDict[OmicsBackend] = BackendDict(
    OmicsBackend, "omics", use_boto3_regions=False, additional_regions=_regions()
)
