"""Writes the reports: ``python -m tests.support.write_reports``. Read what changed before you commit."""

from __future__ import annotations

import tests.support.environment  # noqa: F401  an Airflow home of its own
from tests.support.reports import FOLDER, NAMES, emulator, kept, report_on


def main() -> None:
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name in NAMES:
        with emulator() as control:
            kept(name).write_text(report_on(control, name).text + "\n")
        print(f"wrote {kept(name).relative_to(FOLDER.parents[2])}")


if __name__ == "__main__":
    main()
