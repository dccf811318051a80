"""The hook for the calls of a start, and how the calls are retried."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_omics._faults import THROTTLED_GRACE, Fault
from airflow_omics._identity import Target
from airflow_omics.hooks.faults import fault_of
from airflow_omics.hooks.retrying import Retries

if TYPE_CHECKING:
    from airflow_omics.hooks import OmicsHook

T = TypeVar("T")


class Calls:
    """A hook that is made at the first call, and the retries of its calls.

    :param make_hook: makes a hook.
    :param log: the task's logger.
    """

    def __init__(self, make_hook: Callable[[], OmicsHook], log: Any) -> None:
        self._make_hook = make_hook
        self._log = log
        self._hook: OmicsHook | None = None

    @property
    def hook(self) -> OmicsHook:
        """The hook that the calls are made with."""
        if self._hook is None:
            self._hook = self._make_hook()
        return self._hook

    @property
    def at_hand(self) -> OmicsHook | None:
        """The hook of the last call, if there is one."""
        return self._hook

    def retry(self, call: Callable[[OmicsHook], T]) -> T:
        """Return what ``call`` returns, retried while its errors are tolerated. It is about no single run.

        :raises OmicsError: an error was final, or lasted too long.
        """
        return self.retries().call(lambda: call(self.hook))

    def retries(self, target: Target | None = None) -> Retries:
        """Return the retries of one call, for a caller that has more to do between two tries.

        :param target: the run or batch that the call is about; None for none.
        """
        return Retries(lambda: self._hook, self._log, target=target, throttled=THROTTLED_GRACE)

    def fault_of(self, error: Exception) -> Fault | None:
        """Return what the error of a call means, as ``airflow_omics.hooks.faults.fault_of`` does."""
        return fault_of(error, self._hook)
