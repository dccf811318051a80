"""The hook for the logs of runs in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.config import Config

from airflow_omics.hooks.named import NamedConnectionHook
from airflow_omics.hooks.responses import UnusableAnswerError
from airflow_omics.hooks.settings import with_defaults

LOG_GROUP: Final = "/aws/omics/WorkflowLog"
"""Where HealthOmics writes the logs of every run of an account and Region."""

# Logs are read to explain something that has already gone wrong: better no log than a long wait for one.
_DEFAULT_CONFIG: Mapping[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}

_MOST_EMPTY_PAGES: Final = 5


class OmicsLogsHook(NamedConnectionHook):
    """Read the logs of HealthOmics runs through an Airflow connection of type ``aws``.

    It takes every parameter of ``AwsBaseHook`` except ``client_type``.

    See https://docs.aws.amazon.com/omics/latest/dev/monitoring-cloudwatch-logs.html
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "logs"
        super().__init__(*args, **kwargs)

    @property
    def config(self) -> Config:
        """The settings of its clients, also of the one that assumes a role."""
        return with_defaults(super().config, _DEFAULT_CONFIG)

    def tail(self, stream: str, most: int, *, since: float | None = None) -> list[dict[str, Any]]:
        """Return the last events of a log stream, the oldest first.

        :param stream: the stream's name, such as ``run/1234567/engine``.
        :param most: events at most, up to 10,000.
        :param since: seconds since the epoch; events before it are left out. A run's id may have been
            another run's before, and so its log streams.
        :raises botocore.exceptions.ClientError: as AWS answered.

        See https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
        """
        request: dict[str, Any] = {
            "logGroupName": LOG_GROUP,
            "logStreamName": stream,
            "limit": max(1, min(most, 10_000)),
            "startFromHead": False,
        }
        if since is not None:
            request["startTime"] = max(0, int(since * 1000))
        # A page may be empty although there are events beyond it.
        for _ in range(_MOST_EMPTY_PAGES):
            events, answer = self._events(request)
            if events:
                return events
            token = answer.get("nextBackwardToken")
            if not token or token == request.get("nextToken"):
                break
            request["nextToken"] = token
        return []

    def head(self, stream: str, most_pages: int) -> Iterator[dict[str, Any]]:
        """Yield the events of a log stream from its beginning.

        :param most_pages: pages at most; each holds up to a megabyte or 10,000 events.
        """
        request: dict[str, Any] = {"logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": True}
        for _ in range(most_pages):
            events, answer = self._events(request)
            yield from events
            token = answer.get("nextForwardToken")
            # The end is where the token stays the same, not where a page is empty.
            if not token or token == request.get("nextToken"):
                return
            request["nextToken"] = token

    def streams(self, prefix: str) -> list[dict[str, Any]]:
        """Return the first 50 log streams whose name begins with ``prefix``.

        See https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
        """
        client: Any = self.conn
        answer = client.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=prefix)
        streams = answer.get("logStreams")
        if not isinstance(streams, list):
            raise UnusableAnswerError("DescribeLogStreams answered without a list of streams")
        return streams

    def _events(self, request: Mapping[str, Any]) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        client: Any = self.conn
        answer = client.get_log_events(**request)
        events = answer.get("events")
        if not isinstance(events, list):
            raise UnusableAnswerError("GetLogEvents answered without a list of events")
        return [event for event in events if isinstance(event.get("message"), str)], answer
