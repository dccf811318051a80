"""What a diagnosis may read, and what it may hand on: what programs print may name patients."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import cast

from airflow_omics._compat import conf
from airflow_omics.records import ERROR_KEYS, RunRecord

log = logging.getLogger(__name__)


def may_read_logs() -> bool:
    """Return ``[omics] log_tails`` of Airflow's configuration, True by default.

    No argument in a DAG file overrides it.
    """
    try:
        return bool(conf.getboolean("omics", "log_tails", fallback=True))
    except Exception as error:  # each Airflow raises its own; an unclear value must not count as True
        log.warning("No logs are read, since [omics] log_tails is neither True nor False: %s", error)
        return False


def narrowed(record: Mapping[str, object], fields: Collection[str] | None) -> RunRecord:
    """Return the members of a record that a diagnosis hands on; parameters and tags are never among them.

    :param fields: the task's ``record_fields``; None for all. What an error needs stays.
    """
    kept = record if fields is None else (*fields, *ERROR_KEYS, "source")
    return cast("RunRecord", {key: value for key, value in record.items() if key in kept})
