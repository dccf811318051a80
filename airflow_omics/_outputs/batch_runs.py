"""Which runs of a batch have completed, so that the outputs of none are left out unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_omics._batches.members import BatchMembers

_ENDED_OTHERWISE: Final = ("FAILED", "CANCELLED", "DELETED")


def completed_runs(members: BatchMembers) -> tuple[list[str], int]:
    """Return the ids of the runs that have completed, and how many more there are by GetBatch's count.

    ListRuns lags, and lacks runs that were deleted, as retention mode REMOVE does. So if it has fewer than
    GetBatch counts, all members are listed, and GetRun says of each that is in doubt how it ended.

    :param members: of a batch that has ended.
    :raises OmicsError: a list, or a run, could not be had.
    """
    found = {str(member.run_id): None for page in members.pages(("COMPLETED",)) for member in page}
    counts = members.record.get("runSummary")
    counted = counts.get("completedRunCount") if isinstance(counts, Mapping) else None
    if not isinstance(counted, int) or counted <= len(found):
        return list(found), 0
    for page in members.pages():
        for member in page:
            run_id = member.run_id
            if run_id is None or run_id in found or member.status in _ENDED_OTHERWISE:
                continue
            run = {"status": "COMPLETED"} if member.status == "COMPLETED" else members.calls.get_run(run_id)
            if run is not None and run.get("status") == "COMPLETED":
                found[run_id] = None
    return list(found), max(0, counted - len(found))
