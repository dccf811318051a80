"""What may happen to a worker in the middle of its try."""

from __future__ import annotations

from typing import NamedTuple


class Accident(NamedTuple):
    """One accident.

    :param position: the number of the moment in the try, from 0.
    :param kind: a key of ``ACCIDENTS``.
    """

    position: int
    kind: str


class Happens(NamedTuple):
    """What happens.

    :param state: the task's state while ``on_kill`` is called; None if it is not called.
    :param dies: whether the worker dies of it.
    """

    state: str | None
    dies: bool = True


ACCIDENTS = {
    "the worker dies": Happens(None),
    "a person marks the task failed": Happens("failed"),
    "a person clears the running task": Happens("restarting"),
    "the worker is told to stop": Happens("running"),
    "the network fails": Happens(None, dies=False),
}
