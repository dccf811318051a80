"""One Airflow on PostgreSQL, with the emulator beside it, for every module that can share it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_omics._compat import has_partitions
from airflow_omics.emulator import EmulatorClient
from scripts.stack import Stack, running
from scripts.stack.scene import SCENE_DAGS
from tests.support.pages import HAS_PAGES

# Airflow before 3.1 has no pages, and before 3.3 no partitions. One row of the matrix has FAB's provider.
collect_ignore_glob = [
    *([] if HAS_PAGES else ["test_pages.py", "test_pages_shown.py"]),
    *([] if find_spec("airflow.providers.fab") else ["test_pages_fab.py"]),
    *([] if has_partitions() else ["test_outlets.py"]),
]
OUTLET_DAGS = Path(__file__).with_name("outlet_dags")
pytest.register_assert_rewrite("tests.support.core", "tests.support.started")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    more_dags = tmp_path_factory.mktemp("dags")
    for source in (SCENE_DAGS, *([OUTLET_DAGS] if has_partitions() else [])):
        shutil.copytree(source, more_dags, dirs_exist_ok=True)
    settings = {
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        # A run that ended badly must fail its gate without one of these.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    }
    with running(
        Stack(
            pace=1,
            poke_interval=1,
            settings=settings,
            database="postgresql",
            login=True,
            more_dags=more_dags,
            tasks_every=5,
        )
    ) as stack:
        yield stack


@pytest.fixture(scope="session")
def omics(stack: Stack) -> EmulatorClient:
    return EmulatorClient(stack.endpoint_url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # An Airflow for one module is gone when the module is done; the one above stays until the end of all
    # tests, and would take its part of two cores beside the others.
    def shares(item: pytest.Item) -> bool:
        here = "tests/stack/" in item.path.as_posix()
        return here and not hasattr(getattr(item, "module", None), "stack")

    items.sort(key=shares)
