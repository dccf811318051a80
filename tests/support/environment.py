"""Gives this process an Airflow home of its own and none of the machine's settings. Import it first."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="airflow-omics-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# What the machine has set for another Airflow or another AWS account must not leak in; under xdist that
# includes what the first process has set for itself.
for _name in list(os.environ):
    if _name.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "AWS_")):
        del os.environ[_name]

os.environ.update(
    AIRFLOW_HOME=_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=os.path.join(_HOME, "dags"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    # Credentials that a machine may have, in a file or from its cloud, are never found.
    AWS_CONFIG_FILE=os.path.join(_HOME, "aws-config"),
    AWS_SHARED_CREDENTIALS_FILE=os.path.join(_HOME, "aws-credentials"),
    AWS_EC2_METADATA_DISABLED="true",
)
