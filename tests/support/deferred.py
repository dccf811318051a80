"""Lets a sensor defer, waits by its trigger against the emulator's server, and resumes it with the event."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.loaders
import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.sensors import OmicsRunSensor
from tests.support.sensors import TaskInstance, context_of
from tests.support.triggers import fire, run_loop, seen

try:
    from airflow.sdk.exceptions import TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferred


@contextlib.contextmanager
def quick_clients() -> Iterator[None]:
    """Read the models of botocore once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("list_available_services", "determine_latest_version", "load_service_model"):
            patch.setattr(botocore.loaders.Loader, name, _once(getattr(botocore.loaders.Loader, name)))
        yield


def _once(method: Any) -> Any:
    known: dict[Any, Any] = {}

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        key = (args, tuple(sorted(kwargs.items())))
        if key not in known:
            known[key] = method(self, *args, **kwargs)
        return known[key]

    return wrapper


class _Later:
    """Stands for the clock of the table's gates: what is planned for later happens in the triggerer."""

    def __init__(self) -> None:
        self.plan: list[Callable[[], Any]] = []

    def at(self, seconds: float, action: Callable[..., Any], *args: Any) -> None:
        self.plan.append(lambda: action(*args))


@dataclass
class Deferral:
    """What the arranging functions of the table take for a gate."""

    omics: Emulator
    clock: _Later = field(default_factory=_Later)
    endpoint_url: str | None = None


def sensor_of(target: Any, sensor_class: Any = OmicsRunSensor, **arguments: Any) -> Any:
    """Return a deferrable sensor of a run, or of a batch."""
    once = {"retries": {"mode": "standard", "total_max_attempts": 1}}
    defaults = {"task_id": "gate", "poke_interval": 0.5, "timeout": 3600, "botocore_config": once}
    named = {sensor_class.resource.argument: target}
    return sensor_class(deferrable=True, **{**defaults, **named, **arguments})


def defer(sensor: Any) -> Any:
    """Let the sensor look once; return the trigger it leaves."""
    ti = TaskInstance()
    with pytest.raises(TaskDeferred) as caught:
        sensor.execute(context_of(ti))
    assert ti.pushed == []
    assert caught.value.method_name == "execute_complete"
    return caught.value.trigger


def resume(sensor: Any, event: Any) -> tuple[Any, Exception | None, Any]:
    """Return what the resumed sensor returns or raises, and the record downstream tasks find."""
    ti = TaskInstance()
    event = json.loads(json.dumps(event))
    try:
        result = sensor.resume_execution("execute_complete", {"event": event}, context_of(ti))
    except Exception as error:
        return None, error, ti.pushed[-1] if ti.pushed else None
    assert ti.pushed == []
    return result, None, result


def kind(error: Exception | None) -> str:
    return "success" if error is None else type(error).__name__


def wait_out(trigger: Any, deferral: Deferral) -> dict[str, Any]:
    """Let the trigger wait, and do what is planned once it has looked; return its event's payload."""
    read = trigger.resource.read

    async def body() -> dict[str, Any]:
        looks = deferral.omics.counts().get(read, 0)
        wait = asyncio.create_task(fire(trigger))
        if deferral.clock.plan:
            await seen(deferral.omics, read, looks + 1)
        for action in deferral.clock.plan:
            action()
        return await wait

    return run_loop(body, 20.0)
