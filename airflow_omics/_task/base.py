"""What operators and sensors share: the four AWS arguments, ``run_id``, and the checks on both.

Every DAG file that names one of them imports this module, so that what only a running task needs is
imported where it is needed.
"""

from __future__ import annotations

import datetime
import logging
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_omics._identity import RunTarget
from airflow_omics._task.fields import TaskFields, holds_reference
from airflow_omics.records import ACTIVE_STATUSES, TERMINAL_STATUSES, RunRecord

if TYPE_CHECKING:
    from airflow_omics._connection import AwsArguments
    from airflow_omics.diagnosis import Diagnosis
    from airflow_omics.hooks import OmicsHook

log = logging.getLogger(__name__)

LONGEST: Final = 100 * 365.25 * 24 * 3600.0
"""Seconds that a span of time may take; a deadline much later is none that Python's dates can hold."""

WITHOUT_LOGS: Final = "without logs"
"""What ``diagnose`` takes besides True and False."""


class RunTaskMixin(TaskFields):
    """A task about one run, on the connection that its four AWS arguments name."""

    run_id: Any
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None
    text_fields = frozenset({"aws_conn_id", "region_name"})
    _region_is_told = False

    def _check_aws_arguments(self) -> None:
        """Refuse at parse time what cannot be carried to a trigger, or is never rendered."""
        if self.botocore_config is None:
            return
        from airflow_omics._connection import AwsArguments

        AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        for key, value in self.botocore_config.items():
            if not is_known_now(value):
                raise ValueError(f"botocore_config[{key!r}] is a template; botocore_config is not templated.")

    def _check_run_id(self) -> None:
        """Refuse at parse time what is wrong whatever happens later; a template is checked when rendered."""
        if is_known_now(self.run_id):
            target = RunTarget.parse(self.run_id)
            if is_known_now(self.region_name):
                target.check_region(self.region_name)

    def _target(self) -> RunTarget:
        """Return the run that the rendered arguments name, or raise OmicsRequestError."""
        from airflow_omics.exceptions import OmicsRequestError

        try:
            target = RunTarget.parse(self.run_id)
            target.check_region(self.region_name)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return target

    def _aws_arguments(self, target: RunTarget) -> AwsArguments:
        """Return the AWS arguments; the Region of the run's ARN counts where none was given."""
        from airflow_omics._connection import AwsArguments
        from airflow_omics.exceptions import OmicsRequestError

        try:
            arguments = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        except ValueError as error:
            raise OmicsRequestError(str(error)) from None
        return arguments.in_region(target.region)

    def _make_hook(self, target: RunTarget) -> OmicsHook:
        return self._hook_of(self._aws_arguments(target))

    def _hook_of(self, arguments: AwsArguments) -> OmicsHook:
        """Return a hook; the task's first warns of a Region that botocore does not know."""
        from airflow_omics.hooks import OmicsHook

        hook = OmicsHook.of(arguments)
        if not self._region_is_told and (warning := hook.region_warning()):
            log.warning("%s", warning)
        self._region_is_told = True
        return hook

    def _explain(
        self,
        record: RunRecord,
        headline: str,
        context: Any,
        target: RunTarget | None = None,
        *,
        has_error: bool = True,
    ) -> Diagnosis | None:
        """Return why the run ended badly, and push it as the XCom ``diagnosis``; None where that went wrong.

        Whatever goes wrong here, the task ends as it would have ended without it.

        :param headline: the first line of the report.
        :param target: the run, where it is not what ``run_id`` names.
        :param has_error: whether an error will carry the report, so that only what it lacks is logged here.
        """
        diagnosis: Diagnosis | None = None
        try:
            from airflow_omics.diagnosis import diagnose
            from airflow_omics.hooks import OmicsHook

            # Not by _hook_of, whose warning reads the connection: that is within the diagnosis' time.
            hook = OmicsHook.of(self._aws_arguments(target or self._target()))
            diagnosis = diagnose(
                hook,
                record,
                headline=headline,
                logs=getattr(self, "diagnose", True) != WITHOUT_LOGS,
                record_fields=getattr(self, "record_fields", None),
            )
            for line in diagnosis.log_tails if has_error else diagnosis.text.splitlines():
                log.warning("%s", line)
            ti: Any = context.get("ti")
            if getattr(self, "do_xcom_push", True) and ti is not None:
                ti.xcom_push(key="diagnosis", value=diagnosis.to_plain())
        except Exception:
            done = "found out" if diagnosis is None else "pushed to XCom"
            log.warning("Why HealthOmics run %s failed was not %s", record.get("id"), done, exc_info=True)
        return diagnosis

    @staticmethod
    def _checked(target: RunTarget, record: RunRecord) -> RunRecord:
        """Return GetRun's answer when it is about the run that was meant, or raise what it is instead."""
        from airflow_omics._faults import run_error
        from airflow_omics.exceptions import OmicsRequestError

        if contradiction := target.contradiction(record):
            message = f"{contradiction}. Check aws_conn_id and region_name."
            raise OmicsRequestError(message, run_id=target.run_id)
        uuid = record.get("uuid")
        if target.uuid and uuid and uuid.lower() != target.uuid.lower():
            deleted: RunRecord = {"id": target.run_id, "uuid": target.uuid, "status": "DELETED"}
            message = f"HealthOmics run {target.run_id} was deleted: its id belongs to another run now."
            raise run_error(deleted, message)
        return record


def check_names(name: str, values: Any, example: str) -> tuple[str, ...] | None:
    """Return a collection of names as a tuple, None as None, or raise ValueError.

    :param name: the argument's name, for the error.
    :param example: a good value, for the error.
    """
    if values is None:
        return None
    if (
        isinstance(values, str | bytes | Mapping)
        or not isinstance(values, Collection)
        or not all(isinstance(value, str) for value in values)
    ):
        raise ValueError(f"{name} is {values!r}; it takes a collection of names, such as {example}.")
    for given in values:
        if not is_known_now(given):
            raise ValueError(f"{name} holds {given!r}, a template; {name} is not templated.")
    return tuple(values)


def check_fields(name: str, values: Any, example: str) -> tuple[str, ...] | None:
    """Return names of a record's members as :func:`check_names` does; refuse what the API can't call one.

    Any other name may be a member that AWS adds later.
    """
    names = check_names(name, values, example)
    for given in names or ():
        first, *others = given.strip("_").split("_")
        if "_" in given:
            member = first + "".join(part[:1].upper() + part[1:] for part in others)
            raise ValueError(
                f"{name} holds {given!r}, and no member's name has an underscore; did you mean {member!r}?"
            )
    return names


def check_switch(name: str, value: Any) -> bool:
    """Return ``value``, or raise ValueError unless it is True or False: any text would count as True."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; it takes True or False.")
    return value


def check_diagnose(value: Any) -> bool | str:
    """Return ``value``, or raise ValueError unless it is True, False or ``"without logs"``."""
    if not isinstance(value, bool) and value != WITHOUT_LOGS:
        raise ValueError(f"diagnose is {value!r}; it takes True, False or {WITHOUT_LOGS!r}.")
    return value  # type: ignore[no-any-return]


def check_statuses(name: str, statuses: Any) -> tuple[str, ...]:
    """Return ``statuses`` as a tuple, or raise ValueError saying what the argument takes.

    :param name: the argument's name, for the error.
    """
    if isinstance(statuses, str) or not isinstance(statuses, Collection):
        raise ValueError(
            f"{name} is {statuses!r}; it takes a collection of terminal run statuses, such as ('COMPLETED',)."
        )
    for status in statuses:
        if status in ACTIVE_STATUSES:
            raise ValueError(
                f"{name} holds {status!r}, a status that a run leaves again; it takes statuses in which a "
                "run stays: COMPLETED, FAILED, CANCELLED, DELETED."
            )
        if not isinstance(status, str) or status != status.upper() or not status:
            raise ValueError(f"{name} holds {status!r}; statuses are upper-case text, such as 'COMPLETED'.")
        if (meant := _meant_status(status)) != status:
            raise ValueError(f"{name} holds {status!r}; did you mean {meant!r}?")
    return tuple(statuses)


def _meant_status(status: str) -> str:
    """Return the status that is meant; one like no other may be one that AWS adds later."""
    known, stripped = (*TERMINAL_STATUSES, *ACTIVE_STATUSES), status.strip()
    if stripped in known:
        return stripped
    import difflib  # every DAG file that waits for a run pays for this module

    near = difflib.get_close_matches(stripped, known, n=1, cutoff=0.85)
    return near[0] if near else stripped


def check_seconds(name: str, value: Any, *, required: bool = False) -> None:
    """Raise ValueError unless ``value`` is a span of time, as Airflow's sensors take it.

    Airflow's own check does not say what was given, and lets a negative timedelta and infinity pass.

    :param required: whether None is refused, too.
    """
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if seconds is None and not required:
        return
    a_number = "a number"
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        if 0 <= seconds <= LONGEST:
            return
        if isinstance(seconds, float) and not math.isfinite(seconds):
            a_number = "a finite number"
        elif seconds > LONGEST:
            raise ValueError(f"{name} is {value!r}; it takes at most {LONGEST:.0f} seconds, 100 years.")
    raise ValueError(f"{name} is {value!r}; it takes seconds, zero or more, as {a_number} or a timedelta.")


def warn_of_short_interval(seconds: float) -> None:
    """Log one warning where a worker is to look more often than once a second."""
    if seconds < 1.0:
        log.warning(
            "poke_interval is %g s: GetRun is called that often, out of a quota of 10 calls a second that "
            "the whole account shares by default; give 30 or more, since runs take at least ten minutes.",
            seconds,
        )


def to_seconds(value: float | datetime.timedelta | None) -> float | None:
    """Return a span of time that :func:`check_seconds` let pass, in seconds."""
    return value.total_seconds() if isinstance(value, datetime.timedelta) else value


def is_known_now(value: Any) -> bool:
    """Return False for a template and for an upstream task's output, which have no value while parsing."""
    if isinstance(value, Mapping):
        return all(is_known_now(item) for item in value.values())
    if isinstance(value, list | tuple | set):
        return all(is_known_now(item) for item in value)
    if isinstance(value, str):
        return not any(mark in value for mark in ("{{", "{%", "{#"))
    return not holds_reference(value)
