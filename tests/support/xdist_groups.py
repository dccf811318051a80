"""How pytest-xdist's workers share the tests: what is dear to set up stays with one of them."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# tests/stack starts servers that expect a core for themselves, tests/task_runner sets up one Airflow for all,
# and tests/docs builds the site once.
FOLDERS = ("tests/stack/", "tests/task_runner/", "tests/docs/")


class OneWorkerAFolder(LoadScopeScheduling):
    """Tests of a folder of ``FOLDERS`` run in one worker, one by one; any other runs in any worker.

    The mark ``xdist_group`` would say the same, but does nothing with pytest 9.2:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in FOLDERS if nodeid.startswith(folder)), nodeid)
