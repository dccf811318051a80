"""Small phrases for people: durations and moments."""

from __future__ import annotations

import datetime

from airflow_omics.records import parse_time


def span(seconds: float) -> str:
    """Return a duration for people: ``45 s``, ``8 min 20 s``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    if whole < 86400:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")
    return f"{whole // 86400} d" + (f" {whole % 86400 // 3600} h" if whole % 86400 >= 3600 else "")


def about(seconds: float) -> str:
    """Return a duration to the minute, unless it is shorter than one: ``52 min``, ``1 h 40 min``."""
    return span(seconds if seconds < 60 else round(seconds / 60) * 60)


def moment(text: str) -> str:
    """Return a record's time for people, ``2026-01-15 12:00:00 UTC``; text that is not a time stays."""
    try:
        time = parse_time(text).astimezone(datetime.UTC)
    except ValueError:
        return text
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
