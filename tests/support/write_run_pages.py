"""Writes the pages of runs: ``python -m tests.support.write_run_pages``. Look before you commit."""

from __future__ import annotations

from tests.support.run_pages import FOLDER, PAGES, kept, page_of


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("run-*.html"):
        old.unlink()
    for name in PAGES:
        kept(name).write_text(page_of(name))
        print(f"wrote {kept(name).relative_to(FOLDER.parents[2])}")


if __name__ == "__main__":
    main()
