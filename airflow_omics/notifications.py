"""Notify people why a run failed, through any of Airflow's notifiers: Slack, SNS, mail and the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from airflow_omics._compat import BaseNotifier, Context

__all__ = ["OmicsRunNotifier"]

_EMPTY: Final[Mapping[str, Any]] = {
    "run": {},
    "reason": None,
    "class": None,
    "owner": None,
    "meaning": None,
    "advice": None,
    "tasks": [],
    "notes": [],
    "links": {},
    "commands": [],
}


class OmicsRunNotifier(BaseNotifier):  # type: ignore[misc]
    """Hand the diagnosis of a failed run to another notifier, as ``omics`` in its templates.

    ::

        OmicsRunSensor(
            task_id="gate",
            run_id=start.output,
            on_failure_callback=OmicsRunNotifier(
                SlackNotifier(channel="#runs", text="{{ omics.headline }} {{ omics.advice }}")
            ),
        )

    ``omics`` is the diagnosis as it is in XCom under ``diagnosis``: ``headline`` (one line), ``text`` (the
    whole report), ``owner``, ``reason``, ``class``, ``meaning``, ``advice``, ``run`` (``omics.run.name``),
    ``tasks``, ``links`` and ``commands``. A failure without a diagnosis is sent as well: its ``text`` is the
    error's.

    :param channel: a notifier of Airflow's (its template fields are rendered as usual), or any other
        callback that takes the context; it finds ``context["omics"]``.
    :param owners: send only failures that one of these can act on: ``platform``, ``pipeline author``,
        ``data``, ``AWS``, or an owner of your own table. None sends all. A failure whose owner is not known
        is always sent, so that none is lost.
    :raises ValueError: while parsing, for a channel that can't be called.

    See https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html
    """

    def __init__(self, channel: Callable[[Any], Any], *, owners: Collection[str] | None = None) -> None:
        super().__init__()
        if isinstance(channel, type) or not callable(channel):
            raise ValueError(
                f"channel is {channel!r}; it takes a notifier that is ready to be used, such as "
                "SnsNotifier(target_arn=..., message='{{ omics.text }}'), or a function of the context."
            )
        if isinstance(owners, str):
            raise ValueError(f"owners is {owners!r}; it takes a collection of owners, such as ['data'].")
        self.channel = channel
        self.owners = None if owners is None else frozenset(owners)

    def notify(self, context: Context) -> None:
        """Send the diagnosis of the context's task through the channel."""
        found = _diagnosis(context)
        owner = found["owner"]
        if self.owners is not None and owner is not None and owner not in self.owners:
            return
        shared: Any = context
        shared["omics"] = found
        # Rendering replaces a notifier's templates by their text; the next failure needs the templates.
        copy.copy(self.channel)(shared)


def _diagnosis(context: Any) -> dict[str, Any]:
    error = context.get("exception")
    found = getattr(error, "diagnosis", None)
    plain = found.to_plain() if found is not None and hasattr(found, "to_plain") else found
    if not isinstance(plain, Mapping):
        plain = _from_xcom(context)
    if isinstance(plain, Mapping):
        return {**_EMPTY, **plain}
    text = str(error) if error else "The task failed without an error that says why."
    return {**_EMPTY, "headline": text.partition("\n")[0], "text": text}


def _from_xcom(context: Any) -> Any:
    try:
        ti = context["ti"]
        return ti.xcom_pull(task_ids=ti.task_id, key="diagnosis", map_indexes=ti.map_index)
    except Exception:
        # If a callback runs without a worker there may be no XComs; the failure must still be sent.
        return None
