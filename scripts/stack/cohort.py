"""The cohort that ``make demo COHORT=200`` runs: its samples, what becomes of each, and what must come of it.

Some runs fail: once, so that it passes when they are run again, or each time. What the task leaves is
compared with what was planned here, and never with what it says itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.stack.processes import StackError

SMALLEST, LARGEST = 40, 1_000
MAY_FAIL = 20
"""One sample in so many may fail, as the DAG says; more do before they are run again, and fewer after."""

LARGEST_RESULT = 12_000
"""Bytes of the result in XCom that would be too many, however large the cohort is; 100 members take 6,500."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with some samples.

    :ivar share: of all samples.
    :ivar fails: how often a sample's run fails, or is not started.
    :ivar again: whether such a sample is run again.
    :ivar says: the run's ``statusMessage``.
    """

    reason: str
    share: float
    fails: int
    again: bool
    says: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the sample does not complete in the end."""
        return self.fails > 1 or not self.again


NOT_STARTED = Trouble("ThrottlingException", 0.01, fails=1, again=True)
TROUBLES = (
    Trouble("SERVICE_ERROR", 0.03, fails=1, again=True, says="There was an error inside the service."),
    Trouble("OUT_OF_MEMORY_ERROR", 0.02, fails=2, again=True, says="Task CallVariants ran out of memory."),
    Trouble("INPUT_URI_NOT_FOUND", 0.015, fails=1, again=False, says="An input is not there."),
    NOT_STARTED,
)


class Cohort:
    """So many samples, some with a trouble.

    :ivar samples: their ids.
    :ivar troubles: the trouble of those that have one, by sample.
    """

    def __init__(self, size: int) -> None:
        self.samples = [f"S{number:04}" for number in range(1, size + 1)]
        each = [trouble for trouble in TROUBLES for _ in range(max(1, round(size * trouble.share)))]
        # Spread over the cohort, and mixed: all of one kind in a row would look arranged.
        mixed = [each[number * 5 % len(each)] for number in range(len(each))] if len(each) % 5 else each
        step = size / len(mixed)
        self.troubles = {
            self.samples[int((number + 0.6) * step)]: trouble for number, trouble in enumerate(mixed)
        }

    def write_sheet(self, path: Path) -> None:
        """Write the sample sheet."""
        rows = [f"{sample},s3://cohort-reads/{sample}.fastq.gz,30" for sample in self.samples]
        path.write_text("\n".join(["sample,reads,depth", *rows, ""]))

    def that(self, **attributes: Any) -> set[str]:
        """Return the samples whose trouble has these attributes."""
        return {
            sample
            for sample, trouble in self.troubles.items()
            if all(getattr(trouble, name) == value for name, value in attributes.items())
        }

    @property
    def may_fail(self) -> int:
        """How many samples may fail."""
        return len(self.samples) // MAY_FAIL

    @property
    def passed(self) -> dict[str, list[str]]:
        """The samples that complete when they are run again, by reason."""
        samples = sorted(self.that(is_final=False))
        reasons = [trouble.reason for trouble in TROUBLES if not trouble.is_final]
        return {name: [each for each in samples if self.troubles[each].reason == name] for name in reasons}

    @property
    def runs(self) -> Counter[str]:
        """How many runs each sample has in the end; one that could not be started had none at first."""
        again = self.that(again=True) - self.that(reason=NOT_STARTED.reason)
        return Counter(self.samples) + Counter(again)

    def check(self, record: Mapping[str, Any], size: int) -> None:
        """Raise StackError unless the task's result is what was planned.

        :param record: the result.
        :param size: of the result in XCom, in bytes.
        """
        failed = self.that(is_final=True)
        total = len(self.samples)
        outcome = {"total": total, "completed": total - len(failed), "failed": len(failed)}
        same("outcome", record.get("outcome"), {**outcome, "cancelled": 0, "deleted": 0, "notStarted": 0})
        reasons = Counter(self.troubles[sample].reason for sample in failed)
        rows = record.get("failures", [])
        same("failures", {row["reason"]: row["count"] for row in rows}, dict(reasons))
        for row in rows:
            named = {example["runSettingId"] for example in row["examples"]}
            if not named or not named <= self.that(reason=row["reason"]):
                raise StackError(f"the examples for {row['reason']} are {sorted(named)}")
        if size > LARGEST_RESULT:
            raise StackError(f"the result has {size:,} bytes in XCom")

    def check_members(self, members: list[dict[str, Any]]) -> None:
        """Raise StackError unless every sample is there once, and ended as was planned."""
        failed = self.that(is_final=True)
        same(
            "members",
            sorted((member["runSettingId"], member["status"]) for member in members),
            [(sample, "FAILED" if sample in failed else "COMPLETED") for sample in self.samples],
        )


def same(what: str, found: Any, expected: Any) -> None:
    """Raise StackError unless two values are the same."""
    if found != expected:
        raise StackError(f"{what} is {found!r}, and not {expected!r}")
