"""Writes the pages of cohorts and batches: ``python -m tests.support.write_cohort_pages``.

Look at what changed before you commit.
"""

from __future__ import annotations

from tests.support.cohorts import FOLDER, VIEWS, page_of


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for kind in ("cohort", "batch"):
        for old in FOLDER.glob(f"{kind}-*.html"):
            old.unlink()
    for name in VIEWS:
        (FOLDER / f"{name}.html").write_text(page_of(name), encoding="utf-8")
        print(f"wrote {name}.html")


if __name__ == "__main__":
    main()
