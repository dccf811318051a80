"""The trigger of an ``AssetWatcher``: it fires when runs end, whoever started them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import AsyncIterator, Collection, Hashable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.base import TriggerEvent

from airflow_omics._compat import BaseEventTrigger, has_event_triggers, stats
from airflow_omics._connection import AwsArguments
from airflow_omics._resource import BATCH, RUN
from airflow_omics._task.checks import check_one_of, check_statuses

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_omics._listening.events import Ended
    from airflow_omics._listening.queue_reader import QueueReader
    from airflow_omics._listening.remembered import Remembered

_DEFAULT: Final = ("COMPLETED",)
_RESOURCES: Final = {"run": RUN, "batch": BATCH}
_LISTS: Final = {"run": "runs", "batch": "batches"}
_LONGEST_SPACING: Final = 3600.0
_QUEUE_URL: Final = r"https?://[^/\s?#{}@]+(/[^/\s?#{}]+)*/[A-Za-z0-9_-]{1,80}(\.fifo)?"
_REGION: Final = r"([a-z]{2,}(?:-[a-z]+)+-[0-9]+)"
_REGION_OF_HOST: Final = rf"(?:^|[.])sqs(?:-fips)?[.]{_REGION}[.]|^{_REGION}[.]queue[.]"
_SHOWN: Final = 20  # runs in an event's printed form


class OmicsEndedEvent(TriggerEvent):
    """That runs or batches have ended: ``{"runs": [...]}`` or ``{"batches": [...]}``.

    The triggerer logs every event in its printed form, so an event prints ids and statuses alone.
    """

    def __repr__(self) -> str:
        [(name, members)] = self.payload.items()
        shown = [f"{member.get('id')} {member.get('status')}" for member in members[:_SHOWN]]
        shown += [f"and {len(members) - _SHOWN} more"] * (len(members) > _SHOWN)
        return f"{type(self).__name__}({name}: {', '.join(shown)})"

    __str__ = __repr__


class OmicsRunEventTrigger(BaseEventTrigger):  # type: ignore[misc]
    """Fire when HealthOmics runs, or batches of runs, have ended, whoever started them.

    It is for Airflow's ``AssetWatcher``, from Airflow 3.0 on. It reads the events of HealthOmics from a queue
    of SQS that a rule of EventBridge sends them to. The queue is the trigger's own::

        ended = Asset(
            "ended_runs",
            watchers=[AssetWatcher(name="omics", trigger=OmicsRunEventTrigger(queue_url=...))],
        )

    The event of the asset has ``extra["payload"]``: ``{"runs": [...]}``, each with those of ``id``, ``uuid``,
    ``arn``, ``status``, ``name``, ``runOutputUri``, ``workflowId``, ``account``, ``region`` and ``time`` that
    the event of HealthOmics has; or ``{"batches": [...]}``, with the counts of the batch instead of
    ``runOutputUri``. Runs that end within ``spacing`` are in one event.

    No run is lost, and few are in two events. Copies of an event are dropped. But a triggerer that ends
    between an event and the deletion of its messages leaves those to be fired for again: on Airflow 3.3 that
    is a second or two after the event was stored, before 20 seconds after it was fired. On Airflow 3.0 and
    3.1 every triggerer runs the trigger, with a ``spacing`` and a memory of copies of its own.

    :param queue_url: the URL of the queue.
    :param statuses: terminal statuses that it fires for. With ``kind="batch"`` the default means PROCESSED.
    :param workflow_id: the id of a workflow, or several, if it fires for their runs alone; an event that
        names no workflow is dropped then. None for all.
    :param kind: ``run`` or ``batch``.
    :param spacing: the least seconds between two events: Airflow up to 3.3.2 leaves events of an asset unused
        that come close together. At most 3600.
    :param aws_conn_id: id of an Airflow connection of type ``aws``.
    :param region_name: the Region of the queue; if left out, that of its URL, or else the connection's.
    :param verify: as for the sensor; likewise ``botocore_config``.
    :raises ValueError: an argument can't be right, or this Airflow has no ``AssetWatcher``.

    See https://docs.aws.amazon.com/omics/latest/dev/eventbridge.html and
    https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/event-scheduling.html
    """

    def __init__(
        self,
        queue_url: str,
        statuses: Collection[str] = _DEFAULT,
        workflow_id: str | int | Collection[str | int] | None = None,
        kind: str = "run",
        spacing: float = 10.0,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        if not has_event_triggers():
            raise ValueError(
                "OmicsRunEventTrigger needs Airflow 3.0 or newer: older ones have no AssetWatcher to use it."
            )
        super().__init__()
        self.queue_url = _checked_url(queue_url)
        self.kind = check_one_of("kind", kind, tuple(_RESOURCES))
        self.statuses = _checked_statuses(statuses, self.kind)
        self.workflow_id = _checked_ids(workflow_id)
        self.spacing = _checked_spacing(spacing)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config
        self.aws_arguments()  # refuses what can't be right
        if botocore_config is not None:
            self.botocore_config = json.loads(json.dumps(dict(botocore_config)))  # without tuples
        of_url = _region_of(self.queue_url)
        if region_name and of_url and region_name != of_url:
            raise ValueError(
                f"region_name is {region_name!r}, but queue_url names a queue in {of_url!r}; leave "
                "region_name out."
            )
        self._reader: QueueReader | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and every argument of the constructor, in plain JSON.

        A tuple in it would come back from Airflow's database as a list, and the trigger would be another one
        whenever its DAG file is parsed.
        """
        names = ("queue_url", "statuses", "workflow_id", "kind", "spacing")
        aws = ("aws_conn_id", "region_name", "verify", "botocore_config")
        return (
            "airflow_omics.triggers.OmicsRunEventTrigger",
            {name: getattr(self, name) for name in (*names, *aws)},
        )

    def aws_arguments(self) -> AwsArguments:
        """Return how the queue is reached."""
        arguments = AwsArguments(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
        return arguments.in_region(_region_of(self.queue_url))

    def wants(self, ended: Ended) -> bool:
        """Return whether it fires for that."""
        return (
            ended.kind == self.kind
            and ended.status in self.statuses
            and (self.workflow_id is None or ended.workflow_id in self.workflow_id)
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield events for ever, on Airflow 3.0 to 3.2.

        Nobody says there when an event is stored, so its messages are deleted a while later.
        """
        from airflow_omics._listening.queue_reader import QueueReader
        from airflow_omics._listening.readers import Readers, readers_of
        from airflow_omics._listening.remembered import Remembered

        alone, fired = Readers(self.queue_url, self), Remembered()
        all_readers = readers_of(self.queue_url, self)
        self._reader = reader = QueueReader(self.queue_url, alone)
        try:
            with alone.joined_by(self), all_readers.joined_by(self):
                async for batch in reader.batches():
                    all_readers.warn_of_several()
                    event = self._event(batch.ended, fired)
                    if event is None:
                        await reader.delete(batch.messages)
                    else:
                        reader.delete_late(batch.messages)
                        yield event
        finally:
            await reader.close()

    def shared_stream_key(self) -> Hashable | None:
        """Return what the triggers of one stream have in common, on Airflow 3.3: the queue alone.

        Two that would read one queue each for itself would take away each other's messages.
        """
        return ("airflow_omics", self.queue_url)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return what reads the queue for every trigger of the stream, on Airflow 3.3.

        :param kwargs: the arguments of one of them.
        """
        from airflow_omics._listening.readers import readers_of
        from airflow_omics.triggers.queue_producer import QueueProducer

        first = cls(**kwargs)
        return QueueProducer(first.queue_url, readers_of(first.queue_url, first))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each batch in which there is anything for this trigger.

        What was fired is remembered here and not in the trigger: Airflow ends this stream if an event could
        not be stored, and then its messages come again.

        :param shared_stream: batches, as :meth:`create_shared_stream_producer` reads them.
        """
        from airflow_omics._listening.readers import readers_of
        from airflow_omics._listening.remembered import Remembered

        readers, fired = readers_of(self.queue_url, self), Remembered()
        with readers.joined_by(self):
            async for batch in shared_stream:
                readers.warn_of_several()
                if (event := self._event(batch.ended, fired)) is not None:
                    batch.firing.add(self)
                    yield event
                    batch.firing.discard(self)

    async def cleanup(self) -> None:
        """Hand back what was received and never fired."""
        if self._reader is not None:
            with contextlib.suppress(Exception):
                await self._reader.close()

    def _event(self, batch: Sequence[Ended], fired: Remembered) -> OmicsEndedEvent | None:
        """Return the event for what this trigger wants of a batch and has not fired for; None for nothing."""
        wanted = [ended for ended in batch if self.wants(ended)]
        members = [ended.members for ended in wanted if fired.is_first((ended.kind, *ended.key))]
        if len(wanted) > len(members):
            stats().incr("omics.events.copies", len(wanted) - len(members))
        if not members:
            return None
        stats().incr("omics.events.fired", len(members))
        return OmicsEndedEvent(payload={_LISTS[self.kind]: members})


def _checked_url(url: Any) -> str:
    if isinstance(url, str) and re.fullmatch(_QUEUE_URL, url):
        return url
    hint = ""
    if isinstance(url, str) and url.startswith("arn:"):
        hint = (
            " This is an ARN: the URL is in the queue's details in the console, and GetQueueUrl returns it."
        )
    elif isinstance(url, str) and "{{" in url:
        hint = " The arguments of an AssetWatcher's trigger are not templated."
    elif isinstance(url, str) and "@" in url:
        url = re.sub("//[^/]*@", "//***@", url)
        hint = " It has no user and password: credentials belong in the connection."
    raise ValueError(
        f"queue_url is {url!r}; it takes the URL of a queue, such as "
        f"'https://sqs.us-east-1.amazonaws.com/123456789012/ended-runs'.{hint}"
    )


def _checked_statuses(statuses: Any, kind: str) -> list[str]:
    if kind == "batch" and statuses == _DEFAULT:
        return [BATCH.terminal[0]]
    checked = check_statuses("statuses", statuses, _RESOURCES[kind])
    if not checked:
        raise ValueError(
            f"statuses is {statuses!r}; without any status the trigger would never fire: name one, such as "
            f"{_RESOURCES[kind].terminal[0]!r}."
        )
    return _in_order(checked, statuses)


def _in_order(checked: Collection[str], given: Any) -> list[str]:
    """Return each once, and a set sorted: its order differs by process, and Airflow compares triggers."""
    return sorted(checked) if isinstance(given, Set) else list(dict.fromkeys(checked))


def _checked_ids(value: Any) -> list[str] | None:
    if value is None:
        return None
    several = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
    ids = [
        str(one) if isinstance(one, int) and not isinstance(one, bool) else one
        for one in (value if several else [value])
    ]
    if not ids or not all(isinstance(one, str) and re.fullmatch(r"[0-9]{1,18}", one) for one in ids):
        raise ValueError(
            f"workflow_id is {value!r}; it takes the id of a workflow, such as '1234567', or a collection of "
            "ids."
        )
    return _in_order(dict.fromkeys(ids), value)


def _checked_spacing(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 <= value <= _LONGEST_SPACING:
        raise ValueError(f"spacing is {value!r}; it takes seconds as a number, from 0 to 3600.")
    return float(value)


def _region_of(queue_url: str) -> str | None:
    """Return the Region that a queue's URL names; None for an endpoint of one's own."""
    found = re.search(_REGION_OF_HOST, queue_url.split("/")[2])
    return (found[1] or found[2]) if found else None
