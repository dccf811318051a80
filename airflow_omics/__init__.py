"""Gate on, start, steer and understand AWS HealthOmics workflow runs from Apache Airflow.

Nothing is imported here: parsing a DAG file pays only for the module it names, for example
``from airflow_omics.sensors import OmicsRunSensor``.

Public is what has no underscore in its path and stands in the ``__all__`` of one of these modules. Nothing
deeper is public.

For a DAG file:

- ``sensors``: wait for a run, or a batch of runs, to end.
- ``operators``: start, read, cancel, delete and diagnose runs, and batches of them.
- ``notifications``: notify people why a run failed.
- ``retry_policies``: retry by why a run failed (Airflow 3.3).
- ``exceptions``: what a task may fail with.
- ``records``: the types of the records of runs and batches.
- ``failures``: the table of failure reasons, which a DAG file may change.
- ``diagnosis``: why a run failed, as an error carries it.
- ``provenance``: what made the outputs of a run, and how two runs differ.
- ``hooks``: the clients, on an Airflow connection of type ``aws``.

For Airflow itself, which stores or shows them:

- ``triggers``: the deferred halves of sensors and operators.
- ``links``: the extra links of their tasks.
- ``get_provider_info``: what the package provides.
- ``plugin``: the pages in its UI.
- ``assets``: the URIs of HealthOmics that an asset may have.

For tests and demos:

- ``emulator``: a local HealthOmics.

The rest is private. A wing is a folder with one purpose; its docstring names its doors:

- ``_starting``: start a run or batch once, however often its task is tried.
- ``_steering``: change a run or batch, and confirm the change.
- ``_batches``: what a batch asks for, and what became of its members.
- ``_outputs``: what runs have left in S3.
- ``_watching``: many waits in one triggerer.
- ``_listening``: events of HealthOmics, from a queue.
- ``_task``: what operators and sensors share as tasks of Airflow.
- ``_waiting``: one wait on one run or batch.
- ``_monitoring``: how far a run is, and what it costs.
- ``_lineage``: what OpenLineage is told of a run or batch.
- ``_resource``: what a task can be about, a run or a batch of runs.
- ``_outcome``: how the runs of a batch ended, in numbers, and how many may end badly.
- ``_identity``: which run is meant, and whether it is still the same one.
- ``_faults``: what a failed call means.
- ``_iam``: the IAM actions of each operator, sensor and trigger.
- ``_connection``: how AWS is reached.
- ``_clock``: the one clock.
- ``_opening``: building a client off the event loop.
- ``_words``: small phrases for people.
- ``_compat``: the names that differ from one Airflow to the next.

``starting`` only keeps the class path that version 0.1.0 stored for deferred starts; it goes with the next
minor release.
"""

from __future__ import annotations

__version__ = "0.1.0"
