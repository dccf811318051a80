"""Extra links: the run in the HealthOmics console, its run log and its engine log in CloudWatch.

A worker that has seen a run stores the few things the links are made of in an XCom of their own
(``persist_links``). Airflow 2.11 reads them back in its webserver. Airflow 3 asks for the links on the worker
each time a worker leaves the task, so also when the task is deferred, and stores their text.
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Final, TypedDict
from urllib.parse import quote_plus

from airflow_omics._compat import BaseOperatorLink, Context, xcom_value
from airflow_omics.records import RunRecord

__all__ = ["OmicsEngineLogLink", "OmicsRunLink", "OmicsRunLogLink"]

log = logging.getLogger(__name__)

XCOM_KEY: Final = "omics_run_links"
"""The key of the XCom from which the links are made. Airflow shows it beside the task's own XComs."""

_CONSOLES: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
_LOG_GROUP: Final = "/aws/omics/WorkflowLog"


# The task instance for which this process has stored links, and the links. Right afterwards Airflow 3 asks
# for each link, and reading them back would be one request to its API server for each.
_stored: tuple[Any, RunLinks] | None = None


class RunLinks(TypedDict, total=False):
    """What the links are made from: plain JSON, in which nothing may hold patient data.

    ``run_log`` and ``engine_log`` are ARNs of CloudWatch log streams; a run without logs has neither.
    """

    arn: str
    run_log: str
    engine_log: str


def run_links(record: RunRecord) -> RunLinks | None:
    """Return what the links to a run are made from, or None if the record does not have a run's ARN.

    A batch has no links: AWS documents no address for it.

    The log streams are those that the record names; without these, those that HealthOmics documents:
    https://docs.aws.amazon.com/omics/latest/dev/monitoring-cloudwatch-logs.html
    """
    arn, run_id = record.get("arn"), record.get("id")
    place = _partition_and_region(arn)
    if arn is None or place is None or ":run/" not in arn:
        return None
    links: RunLinks = {"arn": arn}
    if record.get("logLevel") == "OFF":
        return links
    named = record.get("logLocation") or {}
    group = f"arn:{place[0]}:logs:{place[1]}:{arn.split(':')[4]}:log-group:{_LOG_GROUP}"
    links["run_log"] = named.get("runLogStream") or f"{group}:log-stream:run/{run_id}"
    links["engine_log"] = named.get("engineLogStream") or f"{group}:log-stream:run/{run_id}/engine"
    return links


def persist_links(
    context: Context, record: RunRecord | None, known: RunLinks | None = None
) -> RunLinks | None:
    """Store what the links to a run are made from, so that the UI shows them from now on.

    An operator or sensor calls it once it has seen the run and before it defers. It ignores ``do_xcom_push``,
    which is about what a task hands to others; so does Airflow 3 when it stores links.

    :param context: the task's context; one without a task instance, as in a user's test, stores nothing.
    :param record: the run's record; None or a record without an ARN stores nothing.
    :param known: what this process has stored already; it is not stored again.
    :return: what is stored now.
    """
    global _stored
    links = run_links(record) if record else None
    ti: Any = context.get("ti")
    if links is None or links == known or ti is None:
        return known
    try:
        ti.xcom_push(key=XCOM_KEY, value=links)
    except Exception:
        log.warning("The extra links could not be stored; the task goes on without them", exc_info=True)
        return known
    _stored = (ti, links)
    return links


class _RunLink(BaseOperatorLink):
    """A link to something of a run."""

    name: ClassVar[str]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL, or an empty text until a worker has seen the run.

        :param operator: the task, or the webserver's copy of it.
        :param ti_key: which task instance.
        """
        try:
            whose, links = _stored or (None, None)
            if whose is None or whose is not ti_key:
                links = xcom_value(ti_key, XCOM_KEY)
            return self.url(links) if links else ""
        except Exception:
            # Airflow 3.0 ends a task's process with an error if a link raises one.
            log.debug("The link %r could not be made", self.name, exc_info=True)
            return ""

    def url(self, links: RunLinks) -> str:
        """Return the URL for what :func:`run_links` returned; empty if there is nothing to link to."""
        raise NotImplementedError


class OmicsRunLink(_RunLink):
    """The run in the HealthOmics console, in the partition and Region of its ARN."""

    name = "HealthOmics run"

    def url(self, links: RunLinks) -> str:
        """Return the URL of the run's page."""
        arn = links.get("arn", "")
        return _console_url(arn, "omics", f"/runs/{arn.rpartition('/')[2]}")


class OmicsRunLogLink(_RunLink):
    """The run log in CloudWatch: what HealthOmics did for the run, step by step."""

    name = "HealthOmics run log"

    def url(self, links: RunLinks) -> str:
        """Return the URL of the log stream."""
        return _stream_url(links.get("run_log", ""))


class OmicsEngineLogLink(_RunLink):
    """The engine log in CloudWatch: what the workflow engine (WDL, Nextflow, CWL) wrote."""

    name = "HealthOmics engine log"

    def url(self, links: RunLinks) -> str:
        """Return the URL of the log stream."""
        return _stream_url(links.get("engine_log", ""))


RUN_LINKS: Final = (OmicsRunLink(), OmicsRunLogLink(), OmicsEngineLogLink())
"""The links of every operator and sensor that knows a run: its ``operator_extra_links``."""


def _stream_url(stream_arn: str) -> str:
    head, _, stream = stream_arn.partition(":log-stream:")
    group = head.partition(":log-group:")[2]
    if not group or not stream:
        return ""
    fragment = f"logsV2:log-groups/log-group/{quote_plus(group)}/log-events/{quote_plus(stream)}"
    return _console_url(stream_arn, "cloudwatch", fragment)


def _console_url(arn: str, console: str, fragment: str) -> str:
    """Return a page of an AWS console; empty in a partition whose console's address is not known."""
    place = _partition_and_region(arn)
    if place is None or place[0] not in _CONSOLES:
        return ""
    partition, region = place
    return f"https://{_CONSOLES[partition]}/{console}/home?region={region}#{fragment}"


def _partition_and_region(arn: Any) -> tuple[str, str] | None:
    parts = arn.split(":") if isinstance(arn, str) else []
    return (parts[1], parts[3]) if len(parts) >= 6 and parts[0] == "arn" and parts[3] else None
