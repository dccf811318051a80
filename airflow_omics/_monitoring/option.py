"""Whether tasks look after the progress of their run: ``[omics] progress``."""

from __future__ import annotations

import logging

from airflow_omics._compat import conf

log = logging.getLogger(__name__)


def progress_is_on() -> bool:
    """Return ``[omics] progress`` of Airflow's configuration, True by default; False if it is no boolean."""
    try:
        return bool(conf.getboolean("omics", "progress", fallback=True))
    except Exception as error:  # each Airflow raises its own
        log.debug("[omics] progress is taken for False, as it is neither True nor False: %s", error)
        return False
