"""Every supported Airflow, with LocalExecutor and PostgreSQL: what ``make matrix`` runs of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running
from tests.support.core import DAG_FILE, SETTINGS, Core, CoreClaims, run_core


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(
        Stack(pace=1, poke_interval=1, settings=SETTINGS, database="postgresql", dags_folder=DAG_FILE.parent)
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


@pytest.fixture(scope="module")
def core(stack: Stack, omics: EmulatorClient) -> Core:
    return run_core(stack, omics)


class TestOnLocalExecutor(CoreClaims):
    pass
