"""Draw what benchmarks/watch.py measured: a panel for each figure, a bar for each contestant.

    python benchmarks/watch.py --waits 300 --contestants ours,pattern,sleep --json watch.json
    python benchmarks/plot.py watch.json watch.svg

It needs matplotlib, which no environment of this repository holds: ``pip install matplotlib``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PANELS = {
    "cpu_ms_to_start": "CPU to begin a wait (ms)",
    "cpu_ms_a_wait_an_interval": "CPU a wait an interval (ms)",
    "kb_each_further_wait": "memory a wait (KB)",
    "longest_block_s_start": "longest block of the loop, at the start (s)",
    "requests": "requests an interval",
}
COLOURS = {"ours": "#2b8a6e", "pattern": "#c0603a", "sleep": "#9aa5b1"}


def draw(figures: dict[str, Any], path: Path) -> None:
    """Write the picture; the suffix of its name says the format."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = figures["rows"]
    for row in rows:
        row["requests"] = sum(row["requests_an_interval"].values())
    picture, axes = pyplot.subplots(1, len(PANELS), figsize=(3.2 * len(PANELS), 3.4), layout="constrained")
    names = [row["contestant"] for row in rows]
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        values = [row[key] for row in rows]
        bars = axis.bar(names, values, color=[COLOURS.get(name, "#666") for name in names])
        axis.bar_label(
            bars, [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values], fontsize=8
        )
        axis.margins(y=0.15)
        axis.set_title(title, fontsize=9)
        axis.set_yscale("symlog", linthresh=min([value for value in values if value > 0] or [1]))
        axis.spines[["top", "right"]].set_visible(False)
    waits, machine = rows[0]["waits"], figures["machine"]
    picture.suptitle(f"{waits:,} waits, {machine['cores']} cores, Python {machine['python']}", fontsize=10)
    picture.savefig(path)


def main() -> int:
    """Draw the picture that the command line names."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
    except ModuleNotFoundError as error:
        print(f"{error}; install it: pip install matplotlib", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
