"""How events are delivered: EventBridge's best effort, with what can go wrong by rate."""

from __future__ import annotations

from dataclasses import dataclass, fields

from airflow_omics.emulator.world.numbers import is_number

_LONGEST_SECONDS = 1_000_000_000


@dataclass(frozen=True)
class EventPolicy:
    """What happens to events on their way; each rate is a share of them, from 0 to 1.

    :param lost: never arrive.
    :param doubled: arrive twice, with one id.
    :param late: arrive ``late_seconds`` after they happened.
    :param late_seconds: service seconds.
    :param out_of_order: arrive after the next one; after ``late_seconds`` if there is none by then.
    :param bare: have no more than ``omicsVersion``, ``arn`` and ``status``, as all had in 2023.
    """

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_seconds: float = 60.0
    out_of_order: float = 0.0
    bare: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no rate.

        :raises ValueError: one of the arguments is out of its range.
        """
        for field in fields(self):
            value, most = getattr(self, field.name), 1
            if field.name == "late_seconds":
                most = _LONGEST_SECONDS
                what = "a number of service seconds"
            else:
                what = "a share of the events"
            if not (is_number(value) and 0 <= value <= most):
                raise ValueError(f"{field.name} is {value!r}; give {what} from 0 to {most}")
