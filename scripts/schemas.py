"""``make schemas``: fetch the schema of provider metadata of every supported Airflow, for the unit tests.

The schema is a file of Airflow's own wheel; it is taken from there into ``.cache/schemas`` and not kept in
this repository.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.setup.commands import SetupError
from scripts.setup.installer import installer
from scripts.setup.places import CONSTRAINTS, OUTPUT, pins

SCHEMAS = OUTPUT / "schemas"
_MEMBER = "airflow/provider_info.schema.json"


def wheels() -> list[tuple[str, str]]:
    """Return the distribution that holds the schema, and its version, for each supported Airflow."""
    found = set()
    for pinned in map(pins, (path.stem for path in CONSTRAINTS.glob("*.txt"))):
        for name in ("apache-airflow-core", "apache-airflow"):
            if name in pinned:
                found.add((name, pinned[name]))
                break
    return sorted(found, key=lambda item: item[1])


def fetch(name: str, version: str, into: Path) -> None:
    """Unpack one wheel and take its schema out."""
    with tempfile.TemporaryDirectory() as folder:
        installer().install_aside(f"{name}=={version}", Path(folder), OUTPUT / "install-schemas.log")
        into.write_bytes((Path(folder) / _MEMBER).read_bytes())


def main() -> int:
    """Fetch those schemas that are not there; return the exit code."""
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for name, version in wheels():
        path = SCHEMAS / f"{version}.json"
        if not path.exists():
            print(f"fetching the provider metadata schema of Airflow {version} ...", flush=True)
            try:
                fetch(name, version, path)
            except SetupError as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
