"""What a batch of 100,000 runs costs a task, beside mapped starts and beside waits on runs.

    make bench-batch        # or: python -m benchmarks.batch --json batch.json
    python -m benchmarks.batch --members 2000 --failing 50 --starts 20 --tries 2 --waits 20 --interval 5

Each case runs in a process of its own, against an emulator in another one, over HTTP. Clocks are turned, so
that a batch of 28 hours takes minutes. CPU is that of the task's process alone; memory is the most that it
had, above what it held once everything was imported. It fails if the settings miss their target.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SETTINGS = {
    "settings-list": "a list",
    "settings-csv": "a `.csv` file",
    "settings-s3": "a JSON file in S3, 99 of 100 wanted",
}
MOST_SECONDS, MOST_MEGABYTES = 10.0, 200.0
"""What the settings of a batch may take to be checked and written: CPU, and memory."""


def measured(case: str, members: int, failing: int = 0) -> dict[str, Any]:
    """Measure a case in new processes, and return its figures."""
    command = [sys.executable, "-m", "benchmarks.batch_cases"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "serve"], stderr=subprocess.DEVNULL, **pipes) as emulator:
        assert emulator.stdout is not None
        # What moto says on standard output has other lines.
        endpoint = next(line.strip() for line in emulator.stdout if line.startswith("http"))
        sizes = [f"--members={members}", f"--failing={failing}"]
        done = subprocess.run(
            [*command, case, f"--endpoint={endpoint}", *sizes], stdout=subprocess.PIPE, text=True, check=True
        )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def waits(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure what waits on batches cost a triggerer, beside waits on runs: in real time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "watch.json"
        subprocess.run(
            [
                *(sys.executable, str(Path(__file__).with_name("watch.py")), "--contestants=ours,batches"),
                *(f"--waits={options.waits}", f"--interval={options.interval}", "--intervals=2"),
                f"--json={file}",
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
        return rows


# -- tables --------------------------------------------------------------------------------------------------


def table(header: list[str], rows: list[list[Any]]) -> None:
    """Print a table as the page has it."""
    print("|", " | ".join(header), "|")
    print("|" + "---|" * len(header))
    for row in rows:
        print("|", " | ".join(f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in row), "|")
    print(flush=True)


def asked(step: dict[str, Any]) -> str:
    """Return the requests of a step."""
    return ", ".join(f"{count:,} {name}" for name, count in step["requests"].items()) or "none"


def show_settings(figures: dict[str, dict[str, Any]]) -> None:
    """Print what the settings took."""
    table(
        ["run_settings", "CPU (s)", "wall (s)", "memory (MB)", "of it before: list, client (MB)", "written"],
        [
            [
                SETTINGS[case],
                *(f[name] for name in ("cpu_s", "wall_s", "mb", "given_mb")),
                f"{f['written']:,} entries, {f['written_mb']:.0f} MB",
            ]
            for case, f in figures.items()
        ],
    )


def show_try(figures: dict[str, Any]) -> None:
    """Print what a whole try took."""
    table(
        ["step", "CPU (s)", "at the rate, or waiting (s)", "memory (MB)", "requests"],
        [[s["step"], s["cpu_s"], f"{s['service_s']:,.0f}", s["mb"], asked(s)] for s in figures["steps"]],
    )
    print(f"{figures['ended']}: {figures['outcome']}\n{figures['reasons']} reasons")
    print(f"{figures['xcom_bytes']:,} bytes in XCom, without the DAG's own settings\n", flush=True)


def show_starts(mapped: dict[str, Any], batch: dict[str, Any], starts: int, tries: int) -> None:
    """Print what mapped starts took beside a batch: a few of them are measured, and all are alike."""
    times = starts / tries
    rows: list[list[Any]] = []
    for of_mapped, of_batch in zip(mapped["steps"], batch["steps"], strict=True):
        name = of_batch["step"]
        scaled = {operation: round(count * times) for operation, count in of_mapped["requests"].items()}
        rows.append([f"{name}: CPU (s)", of_mapped["cpu_s"] * times, of_batch["cpu_s"]])
        rows.append([f"{name}: requests", asked({"requests": scaled}), asked(of_batch)])
        if name == "start":
            seconds = f"{of_mapped['service_s'] * times:,.0f}", f"{of_batch['service_s']:,.0f}"
            rows.append(["until all were submitted, at one StartRun a second (s)", *seconds])
    rows.append(["bytes in XCom", f"{mapped['xcom_bytes'] * times:,.0f}", f"{batch['xcom_bytes']:,}"])
    table([f"{starts:,} runs", f"mapped ({tries} measured)", "one batch"], rows)


def show_waits(rows: list[dict[str, Any]]) -> None:
    """Print what waiting took."""
    names = {"ours": "runs", "batches": "batches"}
    table(
        [f"{rows[0]['waits']:,} waits on", *(names[row["contestant"]] for row in rows)],
        [
            ["requests an interval, all together", *(asked({"requests": requests(row)}) for row in rows)],
            ["most requests in any second", *(str(max(row["busiest_second"].values())) for row in rows)],
            ["CPU a wait an interval (ms)", *(f"{row['cpu_ms_a_wait_an_interval']:.2f}" for row in rows)],
            ["memory that the first wait brings along (MB)", *(row["mb_first_wait"] for row in rows)],
            ["memory of each further wait (KB)", *(row["kb_each_further_wait"] for row in rows)],
            ["longest block of the event loop (s)", *(f"{row['longest_block_s']:.2f}" for row in rows)],
        ],
    )


def requests(row: dict[str, Any]) -> dict[str, int]:
    """Return the requests an interval of a row, as whole numbers."""
    return {name: round(count) for name, count in row["requests_an_interval"].items()}


def main() -> int:
    """Measure, print, and fail if a target is missed."""
    options = arguments()
    figures: dict[str, Any] = {}
    print(f"{options.members:,} members, settings checked and written to S3\n")
    settings = {case: measured(case, options.members) for case in SETTINGS}
    show_settings(settings)
    for case, failing in (("batch", 0), ("batch-rerun", options.failing)):
        print(f"a whole try: {options.members:,} members, {failing:,} of them fail\n")
        figures[case] = measured(case, options.members, failing)
        show_try(figures[case])
    figures["mapped"] = measured("mapped", options.tries)
    figures["one-batch"] = measured("one-batch", options.starts)
    show_starts(figures["mapped"], figures["one-batch"], options.starts, options.tries)
    if options.waits:
        figures["waits"] = waits(options)
        show_waits(figures["waits"])
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    print(machine)
    if options.json:
        whole = {"machine": machine, "sizes": {**vars(options), "json": None}, **settings, **figures}
        options.json.write_text(json.dumps(whole, indent=2) + "\n")
    met = all(f["cpu_s"] < MOST_SECONDS and f["mb"] < MOST_MEGABYTES for f in settings.values())
    return 0 if met else 1


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=100_000, help="members of the large batches")
    parser.add_argument("--failing", type=int, default=2_000, help="members that fail, where some do")
    parser.add_argument("--starts", type=int, default=1_000, help="runs of the batch beside mapped starts")
    parser.add_argument("--tries", type=int, default=50, help="mapped starts that are measured")
    parser.add_argument("--waits", type=int, default=1_000, help="waits on runs, and on batches; 0 for none")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks of a wait")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
