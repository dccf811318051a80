"""A DAG file pays for nothing that only a running task needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.surface import LOADS_AWS, NEWEST_ONLY, PUBLIC

# Airflow itself may read the Amazon provider's metadata, airflow.providers.amazon.get_provider_info.
HEAVY = ("aiobotocore", "airflow.providers.amazon.aws", "boto3", "botocore", "moto")
STATEMENTS = (
    "from airflow_omics.sensors import OmicsRunSensor; OmicsRunSensor(task_id='gate', run_id='1234567')",
    "from airflow_omics.sensors import OmicsRunBatchSensor; OmicsRunBatchSensor(task_id='b', batch_id=1)",
    "from airflow_omics.operators import OmicsGetRunOperator; OmicsGetRunOperator(task_id='r', run_id=1)",
    "from airflow_omics.operators import OmicsCancelRunOperator as T; T(task_id='c', run_id=1)",
    "from airflow_omics.get_provider_info import get_provider_info; get_provider_info()",
    *(f"import airflow_omics.{module}" for module in PUBLIC if module not in LOADS_AWS),
)
# What these need, an older Airflow does not have: their ImportError comes at once.
MAY_BE_REFUSED = [f"import airflow_omics.{module}" for module in NEWEST_ONLY]
# Importing Airflow takes seconds: each statement gets a fork of a process that has done it. What Airflow
# loads for our base classes counts against every one of them.
SCRIPT = """
import json, multiprocessing, sys
import airflow_omics._compat

heavy, statements, may_be_refused = json.loads(sys.argv[1])

def load(statement):
    try:
        exec(statement, {})
    except ImportError:
        if statement not in may_be_refused:
            raise
    return [name for name in sys.modules for top in heavy if name == top or name.startswith(top + ".")]

with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
    print(json.dumps(pool.map(load, statements, chunksize=1)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, Any]:
    """The AWS libraries that each statement has loaded, in a process of its own."""
    arguments = json.dumps([HEAVY, STATEMENTS, MAY_BE_REFUSED])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(STATEMENTS, json.loads(done.stderr.splitlines()[-1]), strict=True))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.split()[1])
def test_importing_loads_no_aws_library(statement: str, loaded: dict[str, Any]) -> None:
    assert loaded[statement] == []
