"""A ready-made retry policy for Airflow 3.3 and newer: retry failures that may pass, after a fitting delay.

    OmicsStartRunOperator(..., retries=5, retry_policy=OmicsRetryPolicy())

See https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/tasks.html
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import RetryPolicy
    from airflow.sdk.definitions.retry_policy import RetryDecision
else:
    try:
        from airflow.sdk import RetryPolicy
        from airflow.sdk.definitions.retry_policy import RetryDecision
    except ImportError as error:
        raise ImportError(
            "airflow_omics.retry_policies needs Airflow 3.3 or newer; before that, OmicsStartRunOperator's "
            "retry_by_class says which failures are retried."
        ) from error

__all__ = ["OmicsRetryPolicy"]


class OmicsRetryPolicy(RetryPolicy):
    """Retry by why a run failed.

    A failure of class *retry* (capacity, the service) is retried after ``delay``, since capacity comes back
    in tens of minutes. A failure of class *change*, a denied call and a refused value fail at once. For
    everything else, such as expired credentials or an account that holds too many runs, the task's own
    ``retries`` and ``retry_delay`` apply. There are never more retries than the task's ``retries``.

    :param delay: how long to wait before a run that failed since AWS had no capacity is started again (15
        minutes).
    :param retry_by_class: whether a failure class is retried, such as ``{"look inside": False}``. It
        overrides the rules above. Airflow does not ask the policy if the start operator fails without retry,
        as it does for *change*: give *change* to the operator's own ``retry_by_class`` as well.
    """

    def __init__(
        self,
        delay: datetime.timedelta = datetime.timedelta(minutes=15),
        retry_by_class: Mapping[str, bool] | None = None,
    ) -> None:
        self.delay = delay
        self.retry_by_class = dict(retry_by_class or {})

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """Decide on one failure."""
        from airflow_omics.exceptions import FaultKind, OmicsError, OmicsRunError
        from airflow_omics.failures import CHANGE, RETRY, classify

        if isinstance(exception, OmicsError) and exception.kind in (FaultKind.DENIED, FaultKind.REFUSED):
            return RetryDecision.fail(reason="no retry helps until somebody changes something")
        if not isinstance(exception, OmicsRunError):
            return RetryDecision.default()
        run = {"status": exception.status, "failureReason": exception.failure_reason}
        failure_class = classify({key: value for key, value in run.items() if value}).failure_class
        said = f"the run's failure is of class {failure_class!r}"
        wanted = self.retry_by_class.get(failure_class)
        if wanted is False or (wanted is None and failure_class == CHANGE):
            return RetryDecision.fail(reason=said)
        if failure_class == RETRY:
            return RetryDecision.retry(delay=self.delay, reason=said)
        return RetryDecision.default() if wanted is None else RetryDecision.retry(reason=said)

    def serialize(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain JSON."""
        return {"delay": self.delay.total_seconds(), "retry_by_class": self.retry_by_class}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OmicsRetryPolicy:
        """Return the policy that :meth:`serialize` wrote down."""
        return cls(datetime.timedelta(seconds=data["delay"]), data["retry_by_class"])
