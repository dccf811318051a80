"""A DAG file pays for nothing that only a running task needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Airflow itself may read the Amazon provider's metadata, airflow.providers.amazon.get_provider_info.
HEAVY = ("aiobotocore", "airflow.providers.amazon.aws", "boto3", "botocore", "moto")


@pytest.mark.parametrize(
    "statement",
    [
        "from airflow_omics.sensors import OmicsRunSensor; OmicsRunSensor(task_id='gate', run_id='1234567')",
        "from airflow_omics.operators import OmicsGetRunOperator; OmicsGetRunOperator(task_id='r', run_id=1)",
        "from airflow_omics.operators import OmicsCancelRunOperator as T; T(task_id='c', run_id=1)",
        "from airflow_omics.links import RUN_LINKS",
        "from airflow_omics.get_provider_info import get_provider_info; get_provider_info()",
        "from airflow_omics.records import RunRecord",
        "from airflow_omics.exceptions import OmicsRunError",
    ],
    ids=lambda statement: statement.split()[1],
)
def test_importing_loads_no_aws_library(statement: str) -> None:
    script = (
        f"import sys; {statement}\n"
        f"print([name for name in sys.modules for heavy in {HEAVY!r}"
        " if name == heavy or name.startswith(heavy + '.')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
