"""The operator that lists what a run, or the completed runs of a batch, left in S3."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._resource import BATCH, RUN, Resource
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_count, check_switch, is_known_now
from airflow_omics.links import RUN_LINKS, persist_links

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics._outputs.patterns import Patterns
    from airflow_omics._outputs.reader import Output, OutputsReader
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import BatchRecord, RunRecord


class OmicsListRunOutputsOperator(RunTaskMixin, BaseOperator):
    """List what a completed HealthOmics run left in S3, and fail if an output is missing or empty.

    It is for mapping over the outputs with ``.expand()``. It lists the run's ``runOutputUri``. HealthOmics'
    own files, in ``logs/``, are left out unless a pattern begins with ``logs/``. With a batch it lists the
    outputs of the batch's completed runs, each held to the same rules.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that waited for the run. Templated.
    :param batch_id: a batch id, a batch ARN, or a record, in place of ``run_id``. Templated.
    :param pattern: which outputs are meant: a glob or several, such as ``["out/vcf/*.vcf.gz", "*.bam"]``.
        Without a slash it matches a file's name in any folder; with one the path below ``runOutputUri``, and
        ``**`` any folders. None takes all. Templated.
    :param require: how many outputs of at least ``min_bytes`` each pattern must match in each run; without
        patterns, how many there must be. 0 requires none.
    :param min_bytes: the least size, in bytes, of an output that a pattern matches or that the workflow
        names. 0 accepts an empty one.
    :param chunk_size: how many outputs a list holds at most; the task then returns a list of lists, and each
        mapped task gets one. None returns one list. Airflow maps a task at most 1,024 times unless
        ``[core] max_map_length`` says otherwise.
    :param max_outputs: the most outputs to return (1000), since all of them are in XCom, about 300 bytes
        each.
    :param provenance: whether to write, beside the outputs of each run, what made them, as
        ``logs/provenance.json``; see docs/use/provenance.md.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the ARN, then the connection's. Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: a list of dicts with ``uri``, ``bytes``, ``etag``, ``lastModified``, ``run_id`` and, where the
        run's ``logs/outputs.json`` says it (WDL and CWL), ``name``; or a list of such lists. In XCom as
        ``return_value``; map over it with ``.output``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunError: the run did not complete (OmicsRunFailedError and so on), or an output is missing
        or too small. Airflow does not retry it. Of a batch it is OmicsBatchError.
    :raises OmicsError: the run or batch is still active.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run (OmicsBatchNotFoundError: the batch).
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: more than ``max_outputs`` match, the folder holds more than 100,000 objects,
        its bucket can't be listed, or a value is wrong.

    Needs the IAM actions ``omics:GetRun`` and ``s3:ListBucket``; optional is ``s3:GetObject``, for names.
    With ``batch_id`` also ``omics:GetBatch``, ``omics:ListRuns`` and ``omics:ListRunsInBatch``; with
    ``provenance`` also ``s3:PutObject`` and ``s3:GetObject``, and optional are ``omics:GetWorkflow`` and
    ``omics:GetWorkflowVersion``.
    See https://docs.aws.amazon.com/omics/latest/dev/workflows-run-outputs.html
    """

    template_fields: Sequence[str] = (
        "run_id",
        "batch_id",
        "pattern",
        "aws_conn_id",
        "region_name",
        "verify",
    )
    text_fields = frozenset({"pattern", "aws_conn_id", "region_name"})
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any = None,
        batch_id: Any = None,
        pattern: str | Collection[str] | None = None,
        require: int = 1,
        min_bytes: int = 1,
        chunk_size: int | None = None,
        max_outputs: int = 1000,
        provenance: bool = False,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.batch_id = batch_id
        self.pattern = pattern
        self.require = check_count("require", require)
        self.min_bytes = check_count("min_bytes", min_bytes)
        self.chunk_size = None if chunk_size is None else _check_some("chunk_size", chunk_size)
        self.max_outputs = _check_some("max_outputs", max_outputs)
        self.provenance = check_switch("provenance", provenance)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_what()
        self._check_target()

    @property
    def resource(self) -> Resource:  # type: ignore[override]
        """What it is about: a run, or a batch."""
        if self.run_id is None and self.batch_id is None:
            return BATCH if self._is_of_batch else RUN  # a template has rendered to nothing
        return RUN if self.batch_id is None else BATCH

    def _check_what(self) -> None:
        """Refuse at parse time both or neither of run and batch, and a pattern that can match nothing."""
        if (self.run_id is None) == (self.batch_id is None):
            given = "neither is given" if self.run_id is None else "both are given"
            raise ValueError(f"it takes run_id or batch_id, and {given}.")
        self._is_of_batch = self.run_id is None
        if self.pattern is not None and is_known_now(self.pattern):
            from airflow_omics._outputs.patterns import Patterns

            Patterns(self.pattern)

    def execute(self, context: Context) -> list[Any]:
        """List the outputs and return them."""
        from airflow_omics._outputs.reader import OutputsReader

        target = self._target()
        hook = self._make_hook(target)
        reader = OutputsReader(
            hook, self._patterns(), self.log, require=self.require, min_bytes=self.min_bytes
        )
        records, found = (
            self._of_run(target, hook, reader, context)
            if target.resource == RUN
            else self._of_batch(target, hook, reader)
        )
        if self.provenance:
            for record in records:
                self._keep_provenance(record, hook, reader, context)
        self.log.info(
            "%s: outputs listed: %s, %s bytes",
            target,
            f"{len(found):,}",
            f"{sum(output.bytes for output in found):,}",
        )
        plain = [output.to_plain() for output in found]
        size = self.chunk_size
        return plain if size is None else [plain[n : n + size] for n in range(0, len(plain), size)]

    def _patterns(self) -> Patterns:
        from airflow_omics._outputs.patterns import Patterns
        from airflow_omics.exceptions import OmicsRequestError

        try:
            return Patterns(self.pattern)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None

    def _of_run(
        self, target: Target, hook: OmicsHook, reader: OutputsReader, context: Context
    ) -> tuple[list[RunRecord], list[Output]]:
        from airflow_omics._outputs.reader import shown
        from airflow_omics.exceptions import OmicsRunError, without_retry
        from airflow_omics.hooks.retrying import with_retries

        record = with_retries(lambda: hook.get_run(target.id), hook=hook, target=target, log=self.log)
        persist_links(context, self._checked(target, record))
        self._check_completed(target, record)
        found = reader.of_run(record)
        if found.faults:
            message = f"{target}: its outputs are not as required: {shown(found.faults)}."
            raise without_retry(OmicsRunError(message, run_id=target.id, record=record))
        self._check_number(target, len(found.outputs))
        return [record], found.outputs

    def _of_batch(
        self, target: Target, hook: OmicsHook, reader: OutputsReader
    ) -> tuple[list[RunRecord], list[Output]]:
        from airflow_omics._batches.calls import BatchCalls
        from airflow_omics._batches.members import BatchMembers
        from airflow_omics._faults import batch_error
        from airflow_omics._outputs.batch_runs import completed_runs
        from airflow_omics._outputs.reader import shown
        from airflow_omics.exceptions import without_retry

        calls = BatchCalls(hook, target, self.log)
        # The lists name a batch by its id alone, and ids are reused.
        record: BatchRecord = self._checked(target, calls.call(lambda: hook.get_batch(target.id)))
        self._check_ended(target, record)
        # Which sample a run is of is not asked for, so one list is enough whatever the runs' names are.
        run_ids, lost = completed_runs(BatchMembers(calls, record, named=True))
        if self.require:
            self._check_number(target, len(run_ids), "runs have completed")
        runs: list[RunRecord] = []
        outputs: list[Output] = []
        faults = [] if run_ids or lost or not self.require else ["none of its runs has completed"]
        if lost:
            said = f"{lost:,} more of its runs completed, by GetBatch's count, and are listed no more"
            faults += [said] if self.require else []
            self.log.warning("%s: %s", target, said)
        for number, run_id in enumerate(run_ids, 1):
            calls.say_progress(f"outputs of {number:,} of {len(run_ids):,} runs listed")
            run = calls.get_run(run_id)
            if run is None or run.get("status") != "COMPLETED":
                now = "deleted" if run is None else run.get("status")
                faults.append(f"run {run_id} was COMPLETED, and is {now} now")
                continue
            found = reader.of_run(run)
            if self.provenance:  # a record may have megabytes of digests of inputs
                runs.append(run)
            outputs += found.outputs
            faults += [f"run {run_id}: {fault}" for fault in found.faults]
            self._check_number(target, len(outputs))
        if faults:
            raise without_retry(
                batch_error(record, f"{target}: its outputs are not as required: {shown(faults)}.")
            )
        return runs, outputs

    def _keep_provenance(
        self, record: RunRecord, hook: OmicsHook, reader: OutputsReader, context: Context
    ) -> None:
        """Write what made the outputs of a run beside them."""
        from airflow_omics._identity import Target
        from airflow_omics._outputs.provenance_file import write
        from airflow_omics.hooks.retrying import with_retries

        ti: Any = context.get("ti")
        task = {name: getattr(ti, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")}
        run = Target.parse(dict(record))
        manifest = with_retries(
            lambda: hook.provenance(record, task=task), hook=hook, target=run, log=self.log
        )
        for note in manifest.get("notes", ()):
            operation, _, rest = note.partition(" ")
            if rest.startswith("was denied"):
                self.log.warning("%s: %s Allow omics:%s to the caller.", run, note, operation)
        self.log.info("%s: what made its outputs is in %s", run, write(reader.objects, record, manifest))

    def _check_completed(self, target: Target, record: RunRecord) -> None:
        from airflow_omics._faults import run_error
        from airflow_omics.exceptions import without_retry
        from airflow_omics.records import TERMINAL_STATUSES, sentence

        status = record.get("status")
        if status == "COMPLETED":
            return
        if status in TERMINAL_STATUSES:
            message = f"{sentence(record)} Only a run that is COMPLETED has outputs to list."
            raise without_retry(run_error(record, message))
        self._check_ended(target, record)

    def _check_ended(self, target: Target, record: RunRecord | BatchRecord) -> None:
        from airflow_omics._faults import named
        from airflow_omics.exceptions import OmicsError

        resource = target.resource
        if record.get("status") not in resource.terminal:
            sensor = "OmicsRunSensor" if resource == RUN else "OmicsRunBatchSensor"
            raise OmicsError(
                f"{resource.sentence(record)} Its outputs are complete once it is {resource.terminal[0]}: "
                f"wait for it with {sensor}.",
                **named(target),
            )

    def _check_number(self, target: Target, count: int, what: str = "outputs match") -> None:
        from airflow_omics._faults import named
        from airflow_omics.exceptions import OmicsRequestError

        if count > self.max_outputs:
            raise OmicsRequestError(
                f"{target}: {count:,} {what}, and max_outputs is {self.max_outputs:,}; give a narrower "
                "pattern, or a higher max_outputs: all outputs are in XCom, about 300 bytes each, and a task "
                "that is mapped over them needs a chunk_size to stay below Airflow's max_map_length.",
                **named(target),
            )


def _check_some(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}; it takes a number of outputs, 1 or more.")
    return value
