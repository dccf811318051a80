"""``make up``: Airflow's own UI with the local HealthOmics beside it, to click through, until Ctrl-C."""

from __future__ import annotations

import sys

from airflow_omics.emulator import EmulatorClient
from scripts.setup.commands import SetupError
from scripts.stack import Stack, StackError, running
from scripts.stack.terminal import chosen_database, paint, say

PACE = 20
POKE_INTERVAL = 5
RUNS = (
    ("completed", "goes well, in about a minute"),
    ("failed-run-task-failed", "fails, because of a task"),
    ("cancelled", "is cancelled midway by somebody"),
    ("pending-forever", "never starts"),
)


def guide(stack: Stack) -> str:
    """Start a few runs, and say what there is and what to do with it."""
    emulator = EmulatorClient(stack.endpoint_url)
    runs = {life: emulator.start_runs(1, life, logs=True, name=f"{life}-{{n}}")[0] for life, _ in RUNS}
    several = f'["{runs["completed"]}", "{runs["pending-forever"]}"]'
    lines = [
        f"  Airflow            {paint(stack.airflow_url, '1;34')}   (no login: you are its admin)",
        f"  local HealthOmics  {paint(stack.endpoint_url, '1;34')}   ({PACE} times faster than life)",
        f"  logs               {stack.logs}",
        "",
        "  These runs are on their way:",
        *(f"    {paint(runs[life], '1')}  {says}" for life, says in RUNS),
        "",
        "  In Airflow choose a DAG, Trigger, and put in its configuration:",
        f'    gate_and_use_record   {{"omics_run_id": "{runs["completed"]}"}}',
        f'    branch_on_outcome     {{"omics_run_id": "{runs["cancelled"]}"}}',
        f'    gate_allowed_to_fail  {{"omics_run_id": "{runs["failed-run-task-failed"]}"}}',
        f'    many_runs_mapped      {{"omics_run_ids": {several}}}',
        "",
        "  Start more runs, in any life, from Python:",
        "    from airflow_omics.emulator import EmulatorClient",
        f'    EmulatorClient("{stack.endpoint_url}").start_runs(3, "completed")',
        "",
        f"  {paint('Ctrl-C', '1')} ends all of it.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Keep the stack up until it is interrupted."""
    database = chosen_database("make up")
    print()
    try:
        with running(Stack(pace=PACE, poke_interval=POKE_INTERVAL, say=say, database=database)) as stack:
            print(f"\n{guide(stack)}\n", flush=True)
            while True:
                stack.pause(1)
                stack.check()
    except KeyboardInterrupt:
        print("\n  stopped")
        return 0
    except (StackError, SetupError) as error:
        print(f"\n  {paint('something is off', '31')}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
