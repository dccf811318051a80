"""How pytest-xdist's workers share the tests: what is dear to set up stays with one of them."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

# tests/stack starts servers that expect a core for themselves, tests/task_runner sets up one Airflow for all,
# and tests/docs builds the site once.
FOLDERS = ("tests/stack/", "tests/task_runner/", "tests/docs/")
# Its tests wait in real time, and leave three quarters of a core idle.
WAITING = "tests/triggerer/"


class OneWorkerAFolder(LoadScopeScheduling):
    """Tests of a folder of ``FOLDERS`` run in one worker, one by one; any other runs in any worker.

    Of three workers one has the tests of ``WAITING``, and then no others: two cores hold two workers that are
    busy, and one that waits.

    The mark ``xdist_group`` would say the same, but does nothing with pytest 9.2:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """

    _folders = FOLDERS
    _waiter: Any = None

    def schedule(self) -> None:
        """Share out the tests, once every worker has said which there are."""
        tests = next(iter(self.registered_collections.values()))
        if self.numnodes > 2 and not all(test.startswith(WAITING) for test in tests):
            self._folders = (*FOLDERS, WAITING)
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in self._folders if nodeid.startswith(folder)), nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if self._waiter is None and WAITING in self.workqueue:
            self._waiter = node
            self.workqueue.move_to_end(WAITING, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if node is not self._waiter:
            super()._reschedule(node)
        elif not node.shutting_down and self._pending_of(self.assigned_work[node]) <= 1:
            node.shutdown()  # a worker runs its last test once it knows that there is no other
