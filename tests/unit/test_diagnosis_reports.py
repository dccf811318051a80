"""The report on each life that ends badly, as it is kept in tests/data/reports.

``python -m tests.support.write_reports`` writes them again.
"""

from __future__ import annotations

import json

import pytest

from tests.support.reports import FOLDER, NAMES, emulator, expected, report_on

pytestmark = pytest.mark.any_airflow


@pytest.mark.parametrize("life", NAMES)
def test_the_report_is_the_one_that_is_kept(life: str) -> None:
    with emulator() as control:
        diagnosis = report_on(control, life)
    assert diagnosis.text + "\n" == expected(life)
    plain = json.dumps(diagnosis.to_plain())
    for secret in ("P-4711", "W-12"):
        assert secret not in plain


def test_each_kept_report_has_its_life() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == sorted(NAMES)


def test_every_documented_reason_has_a_report() -> None:
    reasons = {path.stem for path in FOLDER.glob("failed-*.txt")}
    assert len(reasons) == 30  # 26 reasons, an unknown one, none, not a word, and no task
