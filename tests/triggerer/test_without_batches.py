"""Without a botocore that knows batches, a wait on one ends at once, and those on runs go on."""

from __future__ import annotations

import botocore.model
import pytest

from airflow_omics.emulator import Emulator
from airflow_omics.triggers import OmicsRunBatchTrigger
from tests.support.triggers import ends, run_loop, seen, seen_more, start_waits


@pytest.fixture(autouse=True)
def _an_old_botocore(omics: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the operations about batches away, if the installed botocore has them."""
    known = vars(botocore.model.ServiceModel)["operation_names"]._fget
    old = property(lambda model: [name for name in known(model) if "Batch" not in name])
    monkeypatch.setattr(botocore.model.ServiceModel, "operation_names", old)


def test_a_wait_on_a_batch_ends_with_the_sentence_and_one_on_a_run_goes_on(omics: Emulator) -> None:
    [run_id] = omics.start_runs(1, life="pending-forever")

    async def body() -> dict[str, str]:
        runs = start_waits([run_id])
        await seen(omics, "GetRun", 1)
        event = await start_waits(["7123456"], OmicsRunBatchTrigger)["7123456"]
        assert (event["outcome"], event["error"]) == ("error", "OmicsRequestError")
        assert event["message"].startswith(
            "HealthOmics batch 7123456: Batches of runs need botocore 1.42.74 (and aiobotocore 3.4.0)"
        )
        await seen_more(omics, "GetRun", 2)
        omics.move(run_id, "COMPLETED")
        return await ends(runs)

    assert run_loop(body) == {run_id: "COMPLETED"}
