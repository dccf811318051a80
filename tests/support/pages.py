"""Which Airflow this is, for the tests of its pages."""

from __future__ import annotations

from typing import Final

from airflow.version import version

AIRFLOW: Final = tuple(int(number) for number in version.split(".")[:2])

HAS_PAGES: Final = AIRFLOW >= (3, 1)
"""Whether Airflow's API server can show pages to people who are logged in."""
