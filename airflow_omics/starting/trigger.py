"""The class path that version 0.1.0 stores for a start that is deferred, so that an upgrade resumes it.

Use :class:`airflow_omics.triggers.OmicsStartedRunTrigger`; this path goes with the next minor release.
"""

from airflow_omics.triggers.started import OmicsStartedRunTrigger

__all__ = ["OmicsStartedRunTrigger"]
