"""A thread for each call that may block for long: of an XCom backend, of Airflow's supervisor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class OwnThread(Executor):
    """Runs each call in a thread that neither waits in a pool nor keeps a triggerer from ending.

    :param name: of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin the call, and return its future."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException as error:  # as every executor does: the caller that reads the result gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        future.set_running_or_notify_cancel()
        threading.Thread(target=work, name=self._name, daemon=True).start()
        return future
