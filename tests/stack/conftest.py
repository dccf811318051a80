"""One Airflow on PostgreSQL, with the emulator beside it, for every module that can share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    settings = {
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        # A run that ended badly must fail its gate without one of these.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    }
    with running(
        Stack(pace=1, poke_interval=1, settings=settings, database="postgresql", login=True)
    ) as stack:
        yield stack


@pytest.fixture(scope="session")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)
