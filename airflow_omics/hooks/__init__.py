"""All that talks to AWS: a hook for HealthOmics, its async half, a hook for logs, and what their errors mean.

``omics`` says how AWS is reached, ``operations`` has a method for each operation of the API, ``faults`` says
what an error means, and ``retrying`` retries a call in a worker.

botocore is imported here and nowhere else in the package. Operators and sensors import this package
inside ``execute``, so that parsing a DAG file does not pay for it.
"""

from airflow_omics.hooks.async_client import OmicsAsyncClient, RunPage
from airflow_omics.hooks.faults import doubt_of, fault_of, weighed
from airflow_omics.hooks.logs import LOG_GROUP, OmicsLogsHook
from airflow_omics.hooks.named import UnreadableConnectionError
from airflow_omics.hooks.omics import OmicsHook
from airflow_omics.hooks.responses import UnusableAnswerError, checked_record, clock_skew

__all__ = [
    "LOG_GROUP",
    "OmicsAsyncClient",
    "OmicsHook",
    "OmicsLogsHook",
    "RunPage",
    "UnreadableConnectionError",
    "UnusableAnswerError",
    "checked_record",
    "clock_skew",
    "doubt_of",
    "fault_of",
    "weighed",
]
