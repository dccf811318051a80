"""``make clients``: drive public clients against the emulator, and write down what each of them did.

``python -m scripts.clients [CLIENT ...]`` drives some: aws-cli, aws-healthomics-tools, miniwdl-omics-run,
mcp-server, javascript. Each is installed into an environment of its own in the cache, and talks to the
emulator over HTTP. If all are driven, the table on the page about the emulator is written anew.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from airflow_omics.emulator import EmulatorServer
from scripts.setup import clients
from scripts.setup.commands import SetupError
from scripts.setup.places import REPOSITORY
from tests.clients import KINDS
from tests.clients.bench import Client, Report, drive
from tests.clients.table import PAGE, is_green, rendered, said, write


def main(names: Sequence[str]) -> int:
    """Drive the clients named, or all of them; return the exit code."""
    if unknown := [name for name in names if name not in KINDS]:
        print(f"unknown client {', '.join(unknown)}; the clients are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    reports, missing = [], False
    with EmulatorServer(seed=1) as server:
        for name in names or KINDS:
            try:
                reports.append(_drive(KINDS[name], server))
            except SetupError as error:
                print(f"{KINDS[name].title}: {error}", file=sys.stderr, flush=True)
                missing = True
    print(f"\n{rendered(reports)}", flush=True)
    if not (names or missing):
        write(reports)
        print(f"written to {PAGE.relative_to(REPOSITORY)}")
    return 0 if not missing and all(map(is_green, reports)) else 1


def _drive(kind: type[Client], server: EmulatorServer) -> Report:
    """Bring a client, take its steps, and print what comes of each."""
    home = clients.bring(kind.name)
    report = Report(kind.title, clients.version(kind.name))
    print(f"{report.client} {report.version}", flush=True)
    for result in drive(kind, home, server):
        report.results.append(result)
        print(f"  {result.seconds:5.1f} s  {result.step}: {said(result)}", flush=True)
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
