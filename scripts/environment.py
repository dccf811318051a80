"""``make environment``: ``.venv`` on the newest Airflow, in which every other command runs."""

from __future__ import annotations

import sys

from scripts.setup import environments
from scripts.setup.commands import SetupError
from scripts.setup.places import REPOSITORY


def main() -> int:
    """Make it unless it is there; return the exit code."""
    try:
        environments.make("airflow-3.3", REPOSITORY / ".venv")
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
