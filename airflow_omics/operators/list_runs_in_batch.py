"""The operator that lists the members of one batch of runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._compat import BaseOperator, Context
from airflow_omics._resource import BATCH
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_names
from airflow_omics.records import ACTIVE_STATUSES, TERMINAL_STATUSES

if TYPE_CHECKING:
    from airflow_omics._batches.members import BatchMembers, Member

_STATUSES: Final = (*ACTIVE_STATUSES, *TERMINAL_STATUSES, "NOT_STARTED")
_FIELDS: Final = {
    "runSettingId": "setting_id",
    "runId": "run_id",
    "status": "status",
    "submissionFailureReason": "reason",
    "submissionFailureMessage": "message",
}


class OmicsListRunsInBatchOperator(RunTaskMixin, BaseOperator):
    """List the members of a HealthOmics batch: which sample, which run, and how it stands.

    It is for mapping over them: over the completed ones, each or in chunks, with ``.expand()``. A member for
    which no run was started has the status ``NOT_STARTED`` and no ``runId``. A run that HealthOmics has
    forgotten, as after retention mode REMOVE, has the status ``DELETED``.

    One list is enough for a batch whose runs are named by their runSettingIds, as this package starts them;
    for another, ListRuns and ListRunsInBatch are joined. It makes at most ``[omics] requests_per_second``
    requests a second, each for 100 members.

    :param batch_id: a batch id (text or int), a batch ARN, or a record that holds ``id``, such as the output
        of the task that started the batch. Templated.
    :param statuses: only members in one of these: statuses of runs, such as ``["COMPLETED"]``, and
        ``NOT_STARTED``; None lists all.
    :param fields: what each entry has: ``runSettingId``, ``runId``, ``status``, ``submissionFailureReason``,
        ``submissionFailureMessage``. What a member lacks is left out of its entry.
    :param chunk_size: how many entries a list holds at most; the task then returns a list of lists, and each
        mapped task gets one. None returns one list of entries. Airflow maps a task at most 1,024 times unless
        ``[core] max_map_length`` says otherwise.
    :param max_runs: the most members to return (1000), since all of them are in XCom, about 80 bytes each.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the batch's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: a list of entries, or of lists of them, in XCom as ``return_value``; map over it with
        ``.output``.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsBatchNotFoundError: HealthOmics does not know the batch.
    :raises OmicsBatchDeletedError: the id of the record given as ``batch_id`` belongs to another batch now.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: more than ``max_runs`` members match, a value is wrong, AWS refused it, or
        botocore does not know batches.

    Needs the IAM actions ``omics:GetBatch``, ``omics:ListRuns`` and ``omics:ListRunsInBatch``; and
    ``omics:GetRun`` for runs that ListRuns lacks.
    Batches need botocore 1.42.74 (with aiobotocore 3.4.0); with an older one it fails as it runs.
    See https://docs.aws.amazon.com/omics/latest/api/API_ListRunsInBatch.html
    """

    template_fields: Sequence[str] = ("batch_id", "aws_conn_id", "region_name", "verify")
    resource = BATCH
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        batch_id: Any,
        statuses: Collection[str] | None = None,
        fields: Collection[str] = ("runSettingId", "runId", "status"),
        chunk_size: int | None = None,
        max_runs: int = 1000,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.statuses = _check_known("statuses", statuses, "['COMPLETED']", _STATUSES)
        if fields is None:
            raise ValueError("fields is None; it takes a collection of names, such as ['runId'].")
        self.fields: tuple[str, ...] = _check_known("fields", fields, "['runId']", tuple(_FIELDS)) or ()
        self.chunk_size = None if chunk_size is None else _check_count("chunk_size", chunk_size)
        self.max_runs = _check_count("max_runs", max_runs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> list[Any]:
        """List the batch's members and return their entries."""
        from airflow_omics._batches.calls import BatchCalls
        from airflow_omics._batches.members import BatchMembers

        target = self._target()
        calls = BatchCalls(self._make_hook(target), target, self.log)
        # The lists name a batch by its id alone, and ids are reused.
        record = self._checked(target, calls.call(lambda: calls.hook.get_batch(target.id)))
        entries = self._entries(BatchMembers(calls, record))
        size = self.chunk_size
        return entries if size is None else [entries[n : n + size] for n in range(0, len(entries), size)]

    def _entries(self, members: BatchMembers) -> list[dict[str, Any]]:
        from airflow_omics.exceptions import OmicsRequestError

        entries: list[dict[str, Any]] = []
        matching = 0
        for page in members.pages(self.statuses):
            matching += len(page)
            entries += [self._entry(member) for member in page[: max(0, self.max_runs - len(entries))]]
        batch, total = members.calls.batch, members.total
        of_how_many = "" if total is None else f" of {total:,}"
        if matching > self.max_runs:
            raise OmicsRequestError(
                f"{batch}: {matching:,}{of_how_many} members match, and max_runs is {self.max_runs:,}; give "
                "statuses that fewer members are in, or a higher max_runs: all of them are in XCom, about 80 "
                "bytes each, and a task that is mapped over them needs a chunk_size to stay below Airflow's "
                "max_map_length.",
                batch_id=batch.id,
            )
        self.log.info(
            "%s is %s. Members listed: %s%s",
            batch,
            members.record.get("status"),
            f"{matching:,}",
            of_how_many,
        )
        if self.statuses is None and total is not None and matching < total:
            self.log.warning(
                "%s: %s members are in no list: they have not been tried", batch, f"{total - matching:,}"
            )
        return entries

    def _entry(self, member: Member) -> dict[str, Any]:
        values = {field: getattr(member, _FIELDS[field]) for field in self.fields}
        return {field: value for field, value in values.items() if value is not None}


def _check_known(name: str, values: Any, example: str, known: tuple[str, ...]) -> tuple[str, ...] | None:
    given = check_names(name, values, example)
    if given == ():
        raise ValueError(f"{name} is empty, so nothing could be listed; name one, such as {example}.")
    for value in given or ():
        if value not in known:
            import difflib  # every DAG file that names an operator pays for this module

            near = difflib.get_close_matches(value, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise ValueError(f"{name} holds {value!r}; {hint}")
    return given


def _check_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}; it takes a number of members, 1 or more.")
    return value
