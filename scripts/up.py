"""``make up``: Airflow's own UI with the local HealthOmics beside it, until Ctrl-C.

It opens on runs of hours that have passed, and on a cohort, so that one look shows the pages of runs in all
states. The clock of the local HealthOmics goes on from there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from airflow_omics.emulator import EmulatorClient
from scripts.setup.commands import SetupError
from scripts.stack import Stack, StackError, running
from scripts.stack.scene import SCENE_DAGS, Scene
from scripts.stack.terminal import chosen_database, paint, say

PACE = 20
POKE_INTERVAL = 5
TASKS_EVERY = 20
RUNS = (
    ("completed", "goes well, in about a minute"),
    ("failed-run-task-failed", "fails, because of a task"),
    ("cancelled", "is cancelled midway by somebody"),
    ("pending-forever", "never starts"),
)


def guide(stack: Stack, scene: Scene) -> str:
    """Start a few runs, and say what there is and what to do with it."""
    emulator = EmulatorClient(stack.endpoint_url)
    runs = {life: emulator.start_runs(1, life, logs=True, name=f"{life}-{{n}}")[0] for life, _ in RUNS}
    several = f'["{runs["completed"]}", "{runs["pending-forever"]}"]'
    lines = [
        *pages(stack, scene),
        "",
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


def pages(stack: Stack, scene: Scene) -> Iterator[str]:
    """Yield lines with the pages of the scene, and where in Airflow they are opened."""
    cohort = ", ".join(f"{number} {status}" for status, number in scene.statuses.most_common())
    for name, says in (
        ("running", "a run that goes on"),
        ("cohort", f"a cohort of {scene.statuses.total()}: {cohort}"),
        ("failed", "a run that failed"),
        ("finished", "a run that completed"),
        ("batch", "a batch, half of which goes on"),
    ):
        yield f"  {says}"
        yield f"    {paint(stack.airflow_url + scene.page(name), '1;34')}"
    yield "  Airflow's page of a task has them as extra links: HealthOmics run page, HealthOmics cohort."


def main() -> int:
    """Keep the stack up, and its runs going, until it is interrupted."""
    database = chosen_database("make up")
    print()
    try:
        with running(
            Stack(
                pace=PACE,
                poke_interval=POKE_INTERVAL,
                say=say,
                database=database,
                more_dags=SCENE_DAGS,
                tasks_every=TASKS_EVERY,
            )
        ) as stack:
            scene = Scene(stack)
            say(f"letting {scene.statuses.total()} runs of a cohort and a few others come to something")
            scene.set()
            print(f"\n{guide(stack, scene)}\n", flush=True)
            keep_going(stack, scene)
    except KeyboardInterrupt:
        print("\n  stopped")
        return 0
    except (StackError, SetupError) as error:
        print(f"\n  {paint('something is off', '31')}: {error}", file=sys.stderr)
        return 1


def keep_going(stack: Stack, scene: Scene) -> None:
    """Turn the clock of the local HealthOmics, until somebody interrupts."""
    # Not by a pace: then a minute of a task would take three seconds by the clock that Airflow shows.
    turned = time.monotonic()
    while True:
        stack.pause(1)
        stack.check()
        now = time.monotonic()
        scene.go_on((now - turned) * PACE)
        turned = now


if __name__ == "__main__":
    sys.exit(main())
