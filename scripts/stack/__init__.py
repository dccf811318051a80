"""The local HealthOmics and a real Airflow beside it, for commands, tests and benchmarks to use."""

from __future__ import annotations

from scripts.stack.processes import StackError
from scripts.stack.stack import DATABASES, EXAMPLE_DAGS, PARTS, Stack, running

__all__ = ["DATABASES", "EXAMPLE_DAGS", "PARTS", "Stack", "StackError", "running"]
