"""Which run or batch is meant: turns what a DAG author gives into an id and what must match it.

Ids are unique only within an account and a Region, and HealthOmics reuses the id of a deleted run,
so a record is identified by more than its id:
https://docs.aws.amazon.com/omics/latest/dev/starting-a-run.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from airflow_omics._resource import RUN, Resource
from airflow_omics.records import IDENTITY_KEYS, RunRecord, parse_time, with_status

CHECK_PLACE: Final = "Check aws_conn_id and region_name."

# Compiled when they are first used: every DAG file that imports a sensor pays for this module.
_ID: Final = r"[0-9]{1,18}"
_ARN: Final = (
    r"arn:(?P<partition>aws[a-z-]*):omics:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):(?P<type>run|runBatch)/"
    r"(?P<id>[0-9]{1,18})"
)
_UUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_AIRFLOW_RUN_ID: Final = (
    r"(manual|scheduled|backfill|dataset_triggered|asset_triggered|asset_materialization"
    r"|operator_triggered)__"
)


class Target(NamedTuple):
    """The run or batch that a task is about, as it was given.

    :param id: its id, 1 to 18 digits.
    :param uuid: its globally unique id, if a record gave it.
    :param partition: ``aws``, ``aws-cn``, ..., if an ARN gave it; likewise ``region`` and ``account``.
    :param resource: what it is.
    """

    id: str
    uuid: str | None = None
    partition: str | None = None
    region: str | None = None
    account: str | None = None
    resource: Resource = RUN

    @classmethod
    def parse(cls, value: Any, resource: Resource = RUN) -> Target:
        """Return the run or batch that ``value`` names.

        :param value: an id (text or int), an ARN, or a record holding ``id`` (and maybe ``uuid`` and
            ``arn``).
        :param resource: what it must name.
        :raises ValueError: for anything else, in one sentence, with a hint if the mistake is a known one.
        """
        if isinstance(value, Mapping):
            return cls._from_record(value, resource)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str):
            if re.fullmatch(_ID, value):
                return cls(value, resource=resource)
            match = re.fullmatch(_ARN, value)
            if match and match["type"] == resource.arn_type:
                return cls(match["id"], None, match["partition"], match["region"], match["account"], resource)
        argument, hint = resource.argument, _hint(value, resource)
        raise ValueError(f"{argument} is {shown(value)}; {resource.accepted}.{hint}")

    @classmethod
    def _from_record(cls, record: Mapping[str, Any], resource: Resource) -> Target:
        argument, accepted = resource.argument, resource.accepted
        if record.get("id") is None:
            keys = [_cut(" ".join(str(key).split()), 40) for key in list(record)[:5]]
            held = ", ".join(keys + ["..."] * (len(record) > 5)) or "nothing"
            raise ValueError(f"{argument} is a record without 'id' (it holds {held}); {accepted}.")
        if isinstance(record["id"], Mapping):
            raise ValueError(f"{argument} is a record whose 'id' is itself a record; {accepted}.")
        target = cls.parse(record["id"], resource)
        uuid, arn = record.get("uuid"), record.get("arn")
        if arn is not None:
            of_arn = cls.parse(arn, resource)
            if of_arn.region is None or of_arn.id != target.id:
                raise ValueError(
                    f"{argument} is a record whose 'id' {target.id} and 'arn' {shown(arn)} do not name the "
                    f"same {resource.noun}; {accepted}."
                )
            target = of_arn
        return target._replace(uuid=str(uuid) if uuid else None)

    @property
    def arn(self) -> str | None:
        """Its ARN, if it is known."""
        if not self.account:
            return None
        return f"arn:{self.partition}:omics:{self.region}:{self.account}:{self.resource.arn_type}/{self.id}"

    def __str__(self) -> str:
        """Return how texts name it."""
        return self.resource.named(self.id)

    def check_region(self, region_name: str | None) -> None:
        """Raise ValueError if ``region_name`` contradicts the Region of its ARN."""
        if region_name and self.region and region_name != self.region:
            argument, noun = self.resource.argument, self.resource.noun
            raise ValueError(
                f"region_name is {region_name!r}, but {argument} names a {noun} in {self.region!r} "
                f"({self.arn}); leave region_name out, or give the {noun}'s own Region."
            )

    def contradiction(self, record: Mapping[str, Any]) -> str | None:
        """Return why ``record`` cannot be about this run or batch, or None if it can.

        Only the answer's account, Region and id are judged here. Another ``uuid`` under the right ARN is not
        a contradiction: it is another run, and the caller must treat it as such.
        """
        noun, read = self.resource.noun, self.resource.read
        if record.get("id") != self.id:
            return f"asked for {noun} {self.id}, {read} answered with {noun} {record.get('id')!r}"
        arn = record.get("arn")
        if arn is None:
            return None
        match = re.fullmatch(_ARN, str(arn))
        if match is None or (match["type"], match["id"]) != (self.resource.arn_type, self.id):
            return f"asked for {noun} {self.id}, {read} answered with {arn!r}"
        for what, wanted in (("account", self.account), ("region", self.region)):
            if wanted and match[what] != wanted:
                return f"asked for {self.arn}, {read} answered with {arn} (another {what})"
        return None


class Judgement(NamedTuple):
    """Whether an answer is about the run or batch that is meant.

    :param verdict: ``ours``: it is. ``another``: the id belongs to another run now, so ours was deleted.
        ``contradiction``: it cannot be about the run that was given. ``elsewhere``: it is, or may be, of
        another account or Region than the run that was read before.
    :param why: for logs and errors; empty for ``ours``.
    """

    verdict: Literal["ours", "another", "contradiction", "elsewhere"]
    why: str = ""


class KnownResource:
    """What is known of one run or batch, and the one judgement of whether an answer is about it.

    :param target: the run or batch, as it was given.
    :param created: when it was made, in seconds since the epoch by the service's clock, if that is known.
    :param was_read: whether somebody has read it before.
    """

    # A triggerer holds thousands of these.
    __slots__ = ("created", "record", "target", "uuid", "was_read")

    def __init__(self, target: Target, *, created: float | None = None, was_read: bool = False) -> None:
        self.target = target
        self.created = created
        self.was_read = was_read
        self.uuid = target.uuid
        self.record: RunRecord | None = None

    @property
    def arn(self) -> str | None:
        """Its ARN, if it is known."""
        return (self.record or {}).get("arn") or self.target.arn

    @property
    def home(self) -> str | None:
        """Its account and Region, by its ARN, if they are known."""
        return home_of((self.record or {}).get("arn")) or home_of(self.target.arn)

    def judge(
        self,
        record: RunRecord,
        *,
        stands_in: bool = False,
        may_be_created_at: Callable[[float], bool] | None = None,
    ) -> Judgement:
        """Return whether an answer is about this run or batch.

        An answer that is wrong from the start is a contradiction: the user's mistake. If answers become wrong
        later, the client's identity has changed.

        :param stands_in: whether it came through boto3's own chain of credentials, because the connection
            was not found.
        :param may_be_created_at: returns whether a run made at that time can be the one that is meant, if
            neither uuid nor creation time is known.
        """
        home, answered = self.home, home_of(record.get("arn"))
        if self.was_read and home is not None and answered is not None and home != answered:
            resource = self.target.resource
            why = f"{resource.read} answered for {answered}, and the {resource.noun} is of {home}"
            return Judgement("elsewhere", why)
        if contradiction := self.target.contradiction(record):
            return Judgement("contradiction", f"{contradiction}. {CHECK_PLACE}")
        if not self._is_another(record, may_be_created_at):
            return Judgement("ours")
        if stands_in and home is None and self.was_read:
            why = (
                f"boto3's own credentials find another {self.target.resource.noun} under its id; the named "
                "connection was not found"
            )
            return Judgement("elsewhere", why)
        return Judgement("another", f"its id belongs to another {self.target.resource.noun} now")

    def _is_another(self, record: RunRecord, may_be_created_at: Callable[[float], bool] | None) -> bool:
        uuid, creation_time = record.get("uuid"), record.get("creationTime")
        if self.uuid and uuid:
            return uuid.lower() != self.uuid.lower()
        if creation_time is None:
            return False
        created = parse_time(creation_time).timestamp()
        if self.created is not None:
            return abs(created - self.created) >= 1.0
        return may_be_created_at is not None and not may_be_created_at(created)

    def note(self, record: RunRecord) -> None:
        """Note an answer that is about it."""
        self.record, self.was_read = record, True
        self.uuid = record.get("uuid") or self.uuid
        if created := record.get("creationTime"):
            self.created = parse_time(created).timestamp()

    def identity(self) -> dict[str, str]:
        """Return those of ``id``, ``uuid`` and ``arn`` that are known, as plain JSON."""
        known = {"id": self.target.id, "uuid": self.uuid, "arn": self.arn}
        return {key: value for key, value in known.items() if value}

    def deleted(self) -> RunRecord:
        """Return the last known record, with its ``status`` replaced by DELETED."""
        known: RunRecord = self.record or {}
        return with_status({**self.identity(), **known}, "DELETED")  # type: ignore[typeddict-item]


def home_of(arn: Any) -> str | None:
    """Return the account and Region that the ARN of a run or batch names, as one text; None if it is none."""
    match = re.fullmatch(_ARN, arn) if isinstance(arn, str) else None
    return home_in(match["account"], match["region"]) if match else None


def home_in(account: str, region: str) -> str:
    """Return an account and a Region as one text, as :func:`home_of` does."""
    return f"account {account} in {region}"


def reduce_to_identity(value: Any) -> Any:
    """Reduce a record to ``id``, ``uuid`` and ``arn``; return anything else as it is.

    Rendered template fields go to Airflow's database and UI, and trigger arguments to its database. A whole
    record would bring the run's parameters there, which may hold patient data.
    """
    if isinstance(value, list | tuple):
        return [reduce_to_identity(item) for item in value]
    if isinstance(value, str):
        return _cut(value) if _is_rendered_record(value) else value
    if not isinstance(value, Mapping):
        return value
    if value.get("id") is None:
        return dict.fromkeys(value)  # it identifies no run: its keys are kept for the error
    return {key: _plain(value[key]) for key in IDENTITY_KEYS if value.get(key) is not None}


def _plain(value: Any) -> Any:
    """Return what may be an id, or will be one once it is rendered; a record instead of it is emptied."""
    if isinstance(value, Mapping):
        return {}
    return [] if isinstance(value, list | tuple | set) else value


def _is_rendered_record(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and not any(mark in text for mark in ("{{", "{%", "{#"))


def _cut(text: str, limit: int = 16) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


def shown(value: Any) -> str:
    """Return a wrong value as short text: it may be a whole record that was rendered to text."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return repr(_cut(value, 20 if value.lstrip()[:1] in ("{", "[") else 80))


def _hint(value: Any, resource: Resource) -> str:
    """Return a sentence about the mistake, if it is a known one."""
    if value is None or value == "None":
        return " None comes from an upstream task that pushed nothing."
    if isinstance(value, list | tuple):
        plural = "batches" if resource.noun == "batch" else "runs"
        return f" For several {plural} map the task: .expand({resource.argument}=[...])."
    if not isinstance(value, str):
        return ""
    text = value.strip()
    if not text:
        return " An empty text comes from a template or variable that is not set."
    if re.match(_AIRFLOW_RUN_ID, text):
        return " This is Airflow's own run_id, the id of a DAG run."
    if _is_rendered_record(text):
        argument = resource.argument
        return f" This is a record rendered to text: pass the output itself, {argument}=start.output."
    if "{{" in text or "{%" in text:
        return " This template was not rendered."
    if re.fullmatch(_UUID, text):
        return f" This is a {resource.noun}'s uuid; {resource.read} takes its id."
    if text.startswith("arn:"):
        return f" This ARN is not a {resource.noun}'s."
    return ""
