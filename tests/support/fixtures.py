"""The types of what fixtures give, for the signatures of tests."""

from __future__ import annotations

from collections.abc import Callable

Connect = Callable[..., None]
"""Sets an Airflow connection to AWS: ``connect("aws_default", login="test", **extra)``."""

Output = Callable[[], str]
"""Returns what was logged since it was called last."""
