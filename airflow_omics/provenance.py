"""What made the outputs of a run, as plain JSON that can be kept beside them, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Comparison", "compare", "provenance_of"]


class Comparison(NamedTuple):
    """How two runs differ in what made their outputs.

    :param same: whether they do not.
    :param differences: by what differs, the value of each of the two.
    """

    same: bool
    differences: Mapping[str, tuple[Any, Any]]


def provenance_of(
    record: Mapping[str, Any],
    *,
    workflow: Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what made the outputs of a run.

    :param record: GetRun's answer.
    :param workflow: GetWorkflow's or GetWorkflowVersion's, if it is known.
    :param task: the task of Airflow that asks, if one does.
    """
    raise NotImplementedError


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Return how two of them differ."""
    raise NotImplementedError
