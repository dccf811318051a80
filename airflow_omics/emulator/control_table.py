"""The table of controls: what a test can do with the emulator, each declared once.

A control is a method of ``Emulator`` that is marked with :func:`control`. Its name, its arguments and its
docstring are the declaration. The HTTP route and the method of ``EmulatorClient`` follow from it. To add a
control, write the method and mark it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

_Method = TypeVar("_Method", bound=Callable[..., Any])

CONTROL_PATH = "/omics-emulator"
"""Below this path lies the control over HTTP."""


@dataclass(frozen=True)
class Control:
    """One control.

    :param name: its name, and the last part of its path over HTTP.
    :param function: what carries it out, a method.
    :param reads: whether it changes nothing, so that GET may ask for it.
    """

    name: str
    function: Callable[..., Any]
    reads: bool

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """Its arguments, without ``self``."""
        whole = inspect.signature(self.function)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def named(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call by name, those with a default among them.

        :raises TypeError: they do not fit.
        """
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            value = bound.arguments[name]
            named |= value if parameter.kind is parameter.VAR_KEYWORD else {name: value}
        return named

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Check the names of arguments.

        :raises ValueError: one is missing or unknown.
        """
        try:
            self.signature.bind(**arguments)
        except TypeError as error:
            raise ValueError(f"{self.name}: {error}") from None


CONTROLS: dict[str, Control] = {}
"""Every control, by name."""


def control(*, name: str | None = None, reads: bool = False) -> Callable[[_Method], _Method]:
    """Mark a method as a control.

    A call of it goes through ``_apply`` of the object, which carries it out here or sends it elsewhere.

    :param name: its name, if it is not the method's.
    :param reads: whether it changes nothing, so that GET may ask for it.
    """

    def mark(function: _Method) -> _Method:
        declared = Control(name or function.__name__, function, reads)
        CONTROLS[declared.name] = declared

        @functools.wraps(function)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            return self._apply(declared, *args, **kwargs)

        return cast(_Method, call)

    return mark
