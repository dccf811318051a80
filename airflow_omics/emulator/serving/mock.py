"""``mock_omics``: the emulator inside the process, as moto's ``mock_aws`` is."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar, overload

from moto import mock_aws
from moto.core.models import MockAWS

from airflow_omics.emulator.control import Emulator
from airflow_omics.emulator.serving.register import register
from airflow_omics.emulator.world.shared import WORLD

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any] | type)
_SETUP_METHODS = ("setUp", "setup_method")


class MockOmics:
    """What :func:`mock_omics` returns: a context manager and a decorator."""

    _lock = threading.Lock()
    _depth = 0

    def __init__(
        self, *, pace: float = 1.0, life: str | None = None, seed: int | None = None, config: Any = None
    ) -> None:
        self._pace, self._life, self._seed, self._config = pace, life, seed, config
        self._mocks: list[MockAWS] = []

    def __enter__(self) -> Emulator:
        """Start mocking and return the control of the emulator."""
        return self._start(reset=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop mocking and forget everything."""
        self._stop(remove_data=True)

    def _start(self, reset: bool) -> Emulator:
        if not register():
            raise RuntimeError("this moto has a backend for omics of its own; use mock_aws")
        mock = mock_aws(config=self._config)
        mock.start(reset=reset)
        self._mocks.append(mock)
        with MockOmics._lock:
            MockOmics._depth += 1
            if MockOmics._depth == 1 and reset:
                WORLD.configure(pace=self._pace, life=self._life, seed=self._seed)
        return Emulator()

    def _stop(self, remove_data: bool) -> None:
        self._mocks.pop().stop(remove_data=remove_data)
        with MockOmics._lock:
            MockOmics._depth -= 1
            if MockOmics._depth == 0 and remove_data:
                WORLD.configure()

    def __call__(self, decorated: _Decorated) -> _Decorated:
        """Decorate a function, or the tests of a class."""
        if inspect.isclass(decorated):
            return self._class(decorated)  # type: ignore[no-any-return]
        return self._function(decorated)  # type: ignore[return-value]

    def _function(
        self, function: Callable[..., Any], reset: bool = True, remove_data: bool = True
    ) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):
            raise TypeError(
                f"mock_omics cannot wrap the coroutine {function.__name__!r}: aiobotocore does not work "
                "inside moto's mocks; use EmulatorServer"
            )

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._start(reset)
            try:
                return function(*args, **kwargs)
            finally:
                self._stop(remove_data)

        return wrapper

    def _class(self, klass: Any) -> Any:
        # As moto does it: data made in setUp is still there in the test, and gone in the next one's setUp.
        own = [base for base in klass.__mro__ if base.__module__ not in ("builtins", "unittest.case")]
        prepared = any(name in base.__dict__ for base in own for name in _SETUP_METHODS)
        for name in {name for base in own for name in base.__dict__}:
            method = getattr(klass, name)
            if not inspect.isfunction(method) or isinstance(
                inspect.getattr_static(klass, name), staticmethod
            ):
                continue
            if name in _SETUP_METHODS:
                setattr(klass, name, self._function(method, reset=True, remove_data=False))
            elif name.startswith("test"):
                setattr(klass, name, self._function(method, reset=not prepared, remove_data=not prepared))
        return klass


@overload
def mock_omics(decorated: _Decorated) -> _Decorated: ...


@overload
def mock_omics(
    *, pace: float = 1.0, life: str | None = None, seed: int | None = None, config: Any = None
) -> MockOmics: ...


def mock_omics(
    decorated: Any = None,
    *,
    pace: float = 1.0,
    life: str | None = None,
    seed: int | None = None,
    config: Any = None,
) -> Any:
    """Emulate HealthOmics, and mock the rest of AWS with moto, inside this process.

    Use it as ``@mock_omics``, as ``@mock_omics(life="failed-service-error")`` or as ``with mock_omics() as
    emulator:``, which gives the :class:`~airflow_omics.emulator.Emulator`. aiobotocore, and so an Airflow
    trigger, cannot be mocked in process; it needs :class:`~airflow_omics.emulator.EmulatorServer`.

    :param pace: service seconds in a real second.
    :param life: the default life.
    :param seed: makes run ids and uuids repeatable.
    :param config: as for ``mock_aws``: https://docs.getmoto.org/en/latest/docs/configuration/index.html
    """
    mock = MockOmics(pace=pace, life=life, seed=seed, config=config)
    return mock if decorated is None else mock(decorated)
