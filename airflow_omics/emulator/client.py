"""Control of an emulator in another process, over HTTP, with the standard library alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from airflow_omics.emulator.lives.script import Life


class EmulatorClient:
    """The methods of :class:`airflow_omics.emulator.Emulator`, asked of ``python -m airflow_omics.emulator``.

    :param endpoint_url: Where the emulator listens, such as ``http://127.0.0.1:4300``.
    :param timeout: Real seconds to wait for an answer.
    """

    def __init__(self, endpoint_url: str, timeout: float = 30.0) -> None:
        if not endpoint_url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint_url is {endpoint_url!r}; give one such as http://127.0.0.1:4300")
        self.endpoint_url = endpoint_url.rstrip("/")
        self._timeout = timeout
        # A proxy of the environment is no way to a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _call(self, method: str, /, *, patience: float = 0.0, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint_url}/omics-emulator/{method}",
            data=json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with self._opener.open(request, timeout=self._timeout + patience) as response:
                return json.load(response)["result"]
        except urllib.error.HTTPError as error:
            with error:
                message = self._message(error.read())
            if error.code == 408:
                raise TimeoutError(message) from None
            raise ValueError(message) from None
        except urllib.error.URLError as error:
            raise ConnectionError(f"no emulator answers at {self.endpoint_url}: {error.reason}") from None

    def _message(self, body: bytes) -> str:
        try:
            return str(json.loads(body)["error"])
        except (ValueError, KeyError, TypeError):
            raise ConnectionError(f"what answers at {self.endpoint_url} is not the emulator") from None

    def now(self) -> float:
        """See :meth:`Emulator.now`."""
        return float(self._call("now"))

    @property
    def pace(self) -> float:
        """See :attr:`Emulator.pace`."""
        return float(self._call("pace"))

    def set_pace(self, pace: float) -> None:
        """See :meth:`Emulator.set_pace`."""
        self._call("set_pace", pace=pace)

    def freeze(self) -> None:
        """See :meth:`Emulator.freeze`."""
        self._call("freeze")

    def advance(self, seconds: float) -> None:
        """See :meth:`Emulator.advance`."""
        self._call("advance", seconds=seconds)

    def lives(self) -> list[str]:
        """See :meth:`Emulator.lives`."""
        return list(self._call("lives"))

    def add_life(self, life: Life | Mapping[str, Any]) -> None:
        """See :meth:`Emulator.add_life`."""
        self._call("add_life", life=life.to_dict() if isinstance(life, Life) else dict(life))

    @property
    def default_life(self) -> str:
        """See :attr:`Emulator.default_life`."""
        return str(self._call("default_life"))

    @default_life.setter
    def default_life(self, name: str) -> None:
        self._call("default_life", value=name)

    def start_runs(
        self,
        count: int,
        life: str | None = None,
        *,
        logs: bool = False,
        account_id: str | None = None,
        region_name: str | None = None,
        **members: Any,
    ) -> list[str]:
        """See :meth:`Emulator.start_runs`."""
        return list(
            self._call(
                "start_runs",
                count=count,
                life=life,
                logs=logs,
                account_id=account_id,
                region_name=region_name,
                **members,
            )
        )

    def move(
        self,
        run_id: str,
        status: str,
        failure_reason: str | None = None,
        status_message: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """See :meth:`Emulator.move`."""
        self._call(
            "move",
            run_id=run_id,
            status=status,
            failure_reason=failure_reason,
            status_message=status_message,
            account_id=account_id,
            region_name=region_name,
        )

    def vanish(self, run_id: str, *, account_id: str | None = None, region_name: str | None = None) -> None:
        """See :meth:`Emulator.vanish`."""
        self._call("vanish", run_id=run_id, account_id=account_id, region_name=region_name)

    def reuse_id(
        self,
        run_id: str,
        life: str | None = None,
        *,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> str:
        """See :meth:`Emulator.reuse_id`."""
        return str(
            self._call("reuse_id", run_id=run_id, life=life, account_id=account_id, region_name=region_name)
        )

    def run_group(
        self,
        run_group_id: str,
        *,
        name: str | None = None,
        max_runs: int | None = None,
        max_cpus: int | None = None,
        max_gpus: int | None = None,
        max_duration: int | None = None,
        account_id: str | None = None,
        region_name: str | None = None,
    ) -> None:
        """See :meth:`Emulator.run_group`."""
        self._call(
            "run_group",
            run_group_id=run_group_id,
            name=name,
            max_runs=max_runs,
            max_cpus=max_cpus,
            max_gpus=max_gpus,
            max_duration=max_duration,
            account_id=account_id,
            region_name=region_name,
        )

    def fault(
        self,
        operation: str,
        kind: str,
        rate: float = 1.0,
        times: int | None = None,
        run_id: str | None = None,
        **options: Any,
    ) -> str:
        """See :meth:`Emulator.fault`."""
        return str(
            self._call(
                "fault", operation=operation, kind=kind, rate=rate, times=times, run_id=run_id, **options
            )
        )

    def clear_faults(self) -> None:
        """See :meth:`Emulator.clear_faults`."""
        self._call("clear_faults")

    def limit(self, operation: str, per_second: float | None) -> None:
        """See :meth:`Emulator.limit`."""
        self._call("limit", operation=operation, per_second=per_second)

    def repeat_request_id(self, policy: str) -> None:
        """See :meth:`Emulator.repeat_request_id`."""
        self._call("repeat_request_id", policy=policy)

    def cancel_ended_run(self, policy: str) -> None:
        """See :meth:`Emulator.cancel_ended_run`."""
        self._call("cancel_ended_run", policy=policy)

    def requests(self, operation: str | None = None) -> list[dict[str, Any]]:
        """See :meth:`Emulator.requests`."""
        return list(self._call("requests", operation=operation))

    def counts(self) -> dict[str, int]:
        """See :meth:`Emulator.counts`."""
        return dict(self._call("counts"))

    def wait_for(self, operation: str | None = None, count: int = 1, timeout: float = 10.0) -> int:
        """See :meth:`Emulator.wait_for`."""
        return int(
            self._call("wait_for", patience=timeout, operation=operation, count=count, timeout=timeout)
        )

    def settle(self) -> None:
        """See :meth:`Emulator.settle`."""
        self._call("settle")

    def reset(self) -> None:
        """See :meth:`Emulator.reset`."""
        self._call("reset")
