"""The operator that estimates what one run costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_omics import _clock
from airflow_omics._compat import BaseOperator, Context
from airflow_omics._task.base import RunTaskMixin
from airflow_omics._task.checks import check_switch
from airflow_omics.links import RUN_LINKS, persist_links

if TYPE_CHECKING:
    from airflow_omics._identity import Target
    from airflow_omics._monitoring.reading import UsageReader
    from airflow_omics._monitoring.usage import RunUsage
    from airflow_omics.hooks import OmicsHook
    from airflow_omics.records import RunRecord


class OmicsEstimateRunCostOperator(RunTaskMixin, BaseOperator):
    """Estimate what a HealthOmics run costs at list prices, and return it as plain JSON.

    What the run has used is read from its manifest in CloudWatch Logs once it has ended, else from
    ListRunTasks. A run that goes on gives what it costs so far. A run that HealthOmics has forgotten is
    estimated from its manifest. Prices are those of ``[omics] price_list``, a file, or without it of AWS's
    Pricing API. No price is built in and none is guessed: if something has no price, ``complete`` is false
    and ``unpriced`` says what. It is an estimate, not a bill, and it changes nothing.

    :param run_id: a run id (text or int), a run ARN, or a record that holds ``id``, such as the output of
        the task that waited for the run. Templated.
    :param rightsize: whether ``rightsizing`` is added: what tasks asked for and used, the smallest instance
        type that would do, and what it would save. Only a manifest says what tasks have used.
    :param headroom: the share that ``rightsizing`` adds to the most that was used, 0.2 for a fifth.
    :param aws_conn_id: id of an Airflow connection of type ``aws``. Templated.
    :param region_name: AWS Region; without it the Region of the run's ARN, then the connection's.
        Templated.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle. Templated.
    :param botocore_config: keyword arguments of ``botocore.config.Config``.
    :return: the estimate, in XCom as ``return_value``; docs/use/cost.md describes each member.
    :raises ValueError: while parsing, for an argument that can't be right.
    :raises OmicsRunNotFoundError: HealthOmics does not know the run, and there is no manifest of it.
    :raises OmicsRunDeletedError: the id of the record given as ``run_id`` belongs to another run now, and
        there is no manifest of ours.
    :raises OmicsAccessError: AWS denied a call, or no credentials worked for five minutes.
    :raises OmicsRequestError: a value is wrong, AWS refused it, or the file of prices cannot be used.

    Needs the IAM actions ``omics:GetRun`` and ``omics:ListRunTasks``; without a file of prices
    ``pricing:GetProducts``; optional are ``logs:GetLogEvents`` and ``logs:DescribeLogStreams``.
    See https://docs.aws.amazon.com/omics/latest/dev/workflows-pricing.html
    """

    template_fields: Sequence[str] = ("run_id", "aws_conn_id", "region_name", "verify")
    operator_extra_links = RUN_LINKS
    ui_color = "#e8f4ee"

    def __init__(
        self,
        *,
        run_id: Any,
        rightsize: bool = False,
        headroom: float = 0.2,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.rightsize = check_switch("rightsize", rightsize)
        self.headroom = _check_headroom(headroom)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self._check_aws_arguments()
        self._check_target()

    def execute(self, context: Context) -> dict[str, Any]:
        """Estimate the run's cost, log it in one line and return the estimate."""
        from airflow_omics._monitoring.estimate import estimated
        from airflow_omics._monitoring.reading import UsageReader, prices_of
        from airflow_omics._monitoring.rightsizing import rightsized
        from airflow_omics.hooks.retrying import with_retries

        target = self._target()
        hook = self._make_hook(target)

        def retried(call: Any) -> Any:
            return with_retries(call, hook=hook, target=target, log=self.log)

        reader = UsageReader(hook, target.id, retried)
        record, usage = self._usage(hook, target, reader, retried)
        persist_links(context, record)
        prices = prices_of(hook, str(hook.conn_region_name), target, self.log)
        estimate = estimated(usage, prices)
        known = ("id", "uuid", "arn", "name", "status")
        plain: dict[str, Any] = {key: value for key, value in record.items() if key in known}
        plain |= estimate.to_plain()
        plain["notes"] = [*reader.notes, *_notes(usage, plain)]
        if self.rightsize:
            plain["rightsizing"] = rightsized(estimate, self.headroom)
        self.log.info("%s", _line(plain))
        for note in plain["notes"]:
            self.log.info("%s", note)
        return plain

    def _usage(
        self, hook: OmicsHook, target: Target, reader: UsageReader, retried: Any
    ) -> tuple[RunRecord, RunUsage]:
        """Return the run's record and what it has used."""
        from airflow_omics._monitoring.usage import usage_of_manifest
        from airflow_omics.exceptions import OmicsRunDeletedError, OmicsRunNotFoundError

        try:
            record = self._checked(target, retried(lambda: hook.get_run(target.id)))
        except (OmicsRunNotFoundError, OmicsRunDeletedError):
            manifest = reader.manifest(target.uuid)
            if manifest is None:
                for note in reader.notes:
                    self.log.info("%s", note)
                raise
            reader.notes.append("HealthOmics has forgotten the run; this is by its manifest.")
            if manifest.others:
                reader.notes.append(
                    f"{manifest.others} other run(s) had the id {target.id}; this is the newest of them."
                )
            usage = usage_of_manifest(manifest.line, manifest.tasks, _clock.time() + hook.clock_skew)
            return self._checked(target, manifest.record), usage
        return record, reader.of_record(record, _clock.time() + hook.clock_skew)


def _notes(usage: RunUsage, plain: Mapping[str, Any]) -> Iterator[str]:
    if usage.active:
        yield f"The run goes on: this is what it costs until {plain['as_of']}."
    if plain["unpriced"]:
        names = dict.fromkeys(item["resource"] for item in plain["unpriced"])
        yield f"The total is not complete; it lacks {', '.join(names)}."
    used = usage.storage
    if used.kind == "DYNAMIC" and used.gib == 0.0 and used.seconds:
        yield "HealthOmics measured no DYNAMIC storage, as for every short run; a bill may have a little."


def _line(plain: Mapping[str, Any]) -> str:
    """Return the estimate in one line of the log."""
    prices = plain["prices"]
    at_least = "at least " if plain["lower_bound"] else ""
    storage = "not known" if plain["storage"] is None else f"{plain['storage']:.2f}"
    of_when = f" of {prices['as_of']}" if prices["as_of"] else ""
    factor = "" if prices["factor"] == 1 else f", times {prices['factor']:g}"
    return (
        f"HealthOmics run {plain['id']} costs {at_least}{plain['total']:.2f} {plain['currency']}: compute "
        f"{plain['compute']:.2f}, storage {storage}, scratch {plain['scratch']:.2f}. Prices: "
        f"{prices['region']}, {prices['source']}{of_when}{factor}."
    )


def _check_headroom(value: Any) -> float:
    """Return a share, or raise ValueError unless it is a number from 0 to 10."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
        raise ValueError(
            f"headroom is {value!r}; it takes a share of what was used from 0 to 10, such as 0.2 for a fifth."
        )
    return float(value)
