"""Checks of a HealthOmics answer, before anything relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_omics import _clock
from airflow_omics.records import RunRecord, to_record


class UnusableAnswerError(Exception):
    """An answer that no HealthOmics gives, such as a proxy's HTML page with status 200."""


def checked_record(answer: Mapping[str, Any], operation: str = "GetRun") -> RunRecord:
    """Return an operation's answer as a record, or raise UnusableAnswerError if it is about no resource."""
    if not isinstance(answer.get("id"), str) or not isinstance(answer.get("status"), str):
        raise UnusableAnswerError(f"{operation} answered without an id and a status")
    return to_record(answer)


def clock_skew(answer: Mapping[str, Any]) -> float:
    """Return by how many seconds the service's clock, by the answer's ``Date``, is ahead of ours."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date).timestamp() - _clock.time() if date else 0.0
    except ValueError:
        return 0.0


def is_of_aws(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer has the id that AWS gives to each request: no proxy in between has one."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return "x-amz-request-id" in headers or "x-amzn-requestid" in headers
