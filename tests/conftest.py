"""Gives each test process an Airflow home of its own, before it imports Airflow, and shares out the tests."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.scheduling import OneWorkerAFolder

    return OneWorkerAFolder(config, log)


@pytest.fixture(autouse=True)
def _no_connection_was_read_before() -> Iterator[None]:
    """Each test is a process of its own as far as the connections that were read in it."""
    yield
    if (named := sys.modules.get("airflow_omics.hooks.named")) is not None:
        named._READ.clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Record the IAM action of each call that is made, as ``asked.actions``."""
    from tests.support.iam import record_calls

    return record_calls(monkeypatch)
