"""All that talks to AWS: a hook for HealthOmics, one for the logs of its runs, and the errors of their own.

``omics`` says how AWS is reached, ``operations`` has a method for each operation of the API. The package
itself also uses ``async_client``, the client of a triggerer; ``faults``, what an error means; and
``retrying``, which retries a call in a worker.

botocore is imported here and nowhere else in the package. Operators and sensors import this package
inside ``execute``, so that parsing a DAG file does not pay for it.
"""

from airflow_omics.hooks.logs import OmicsLogsHook
from airflow_omics.hooks.named import UnreadableConnectionError
from airflow_omics.hooks.omics import OmicsHook
from airflow_omics.hooks.responses import UnusableAnswerError

__all__ = ["OmicsHook", "OmicsLogsHook", "UnreadableConnectionError", "UnusableAnswerError"]
