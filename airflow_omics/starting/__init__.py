"""The old place of the trigger of a started run; see :mod:`airflow_omics.starting.trigger`."""
