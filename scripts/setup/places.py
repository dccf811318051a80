"""Where things are kept, and what ``constraints/`` pins."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONSTRAINTS = REPOSITORY / "constraints"
# Of this checkout alone: logs, reports, schemas.
OUTPUT = REPOSITORY / ".cache"
# What depends on pins alone: environments, uv, PostgreSQL. Checkouts share it if they have the same variable.
CACHE = Path(os.environ.get("AIRFLOW_OMICS_CACHE") or OUTPUT).expanduser().absolute()


def pins(name: str) -> dict[str, str]:
    """Return version by distribution name, as a file of ``constraints/`` pins them.

    :param name: the file's, without ``.txt``.
    """
    return dict(line.split("==") for line in (CONSTRAINTS / f"{name}.txt").read_text().split())


def pin(distribution: str) -> str:
    """Return ``name==version`` of a tool that is no part of an environment."""
    return f"{distribution}=={pins('tools')[distribution]}"
