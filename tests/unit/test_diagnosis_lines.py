"""What a program printed, made fit to be read."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics import _compat
from airflow_omics.diagnosis import lines
from airflow_omics.diagnosis.lines import clean_line, clean_tail, clean_text, mask
from airflow_omics.diagnosis.model import TaskFinding


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[31mERROR\x1b[0m: no reads", "ERROR: no reads"),
        ("\x1b[1;38;5;196mred\x1b[m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mC1", "C1"),
        ("a\x00b\x01c\x7f\x85d", "abcd"),
        ("BAM\x01\ufffd\ufffd\ud800end", "BAMend"),
        ("left\u202eright\u200b", "leftright"),
        ("one\u2028two", "one two"),
        ("tab\there", "tab    here"),
        ("Größe: 5 µl", "Größe: 5 µl"),
        ("", ""),
    ],
)
def test_escapes_and_bytes_that_are_no_text_are_removed(printed: str, shown: str) -> None:
    assert clean_line(printed) == shown


def test_a_long_line_is_cut_and_says_so() -> None:
    assert clean_line("A" * 1300) == "A" * 300 + " [... 1,000 more characters]"


def test_a_message_becomes_one_line() -> None:
    assert clean_text("first\n  second\r\n third ") == "first second third"


def test_of_many_lines_the_last_stay() -> None:
    assert clean_tail(["one\ntwo\n", "", "three", "\n  \n", "four\n"], 3) == ("two", "three", "four")


def test_of_a_progress_bar_its_last_state_stays() -> None:
    assert clean_tail(["  10%\r  50%\r 100%\r\n"], 5) == (" 100%",)


def test_no_lines_are_asked_for() -> None:
    assert clean_tail(["one"], 0) == ()


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIbPxRfiCY", "AWS_SECRET_ACCESS_KEY=***"),
        ('{"password": "hunter2000", "user": "ada"}', '{"password": "***", "user": "ada"}'),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9", "Authorization: ***"),
        ("curl --api-key abcdef123456 https://example.org", "curl --api-key *** https://example.org"),
        ("X-Amz-Security-Token=IQoJb3JpZ2luX2VjEJ&a=1", "X-Amz-Security-Token=***&a=1"),
        ("pass\x1b[0mword=hunter2000", "password=***"),
        ("1.password=hunter2000", "1.password=***"),
        ("call: --password=hunter2000 -x", "call: --password=*** -x"),
        ("env: 'DB_PASSWORD=hunter2000'", "env: 'DB_PASSWORD=***'"),
        ("x--api-key abcdef123456", "x--api-key ***"),
        ("parsed token: ')'", "parsed token: ')'"),
        ("reads: 1234567", "reads: 1234567"),
    ],
)
def test_a_value_under_a_name_that_airflow_counts_as_sensitive_is_masked(printed: str, shown: str) -> None:
    assert clean_line(printed) == shown


def test_a_secret_that_airflow_knows_is_masked_wherever_it_stands() -> None:
    _mask_secret("correct-horse-battery")
    assert clean_line("opened correct-horse-battery for you") == "opened *** for you"


def test_a_cut_does_not_lay_half_a_secret_open() -> None:
    _mask_secret("staple-" * 5)
    assert clean_line("x" * 290 + "staple-" * 5) == "x" * 290 + "***"


@given(st.text("ab1 .-_\"'=:;&,", max_size=40))
def test_a_secret_is_masked_whatever_stands_before_its_name(before: str) -> None:
    assert "hunter2000" not in clean_line(f"{before}password=hunter2000")


def test_a_secret_longer_than_the_cut_line_is_masked() -> None:
    assert clean_line("x " * 140 + "password=" + "k" * 9000) == "x " * 140 + "password=***"


def test_of_a_line_longer_than_what_is_read_the_rest_is_counted() -> None:
    assert clean_line("A" * 256_000) == "A" * 300 + " [... 255,700 more characters]"


def test_of_a_line_of_escapes_nothing_is_left() -> None:
    assert clean_line("\x1b[31m" * 1000 + "red") == "red"


def test_no_line_is_cleaned_that_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = []

    def spy(text: str) -> str:
        cleaned.append(text)
        return text

    monkeypatch.setattr(lines, "clean_line", spy)
    printed = "\n".join(f"line {number}" for number in range(50_000))
    assert clean_tail([printed, printed], 2) == ("line 49998", "line 49999")
    assert cleaned == ["line 49999", "line 49998"]


@pytest.mark.parametrize(
    "piece",
    ["A", "ACGT.", "a=", "a.", "--a", "-", "'", '"', '{"a": ', "a: ", "token=", "x password ", "\x1b[", "é"],
)
@pytest.mark.parametrize("work", [mask, clean_line], ids=["mask", "clean_line"])
def test_ten_times_as_long_a_line_is_at_most_about_ten_times_the_work(
    piece: str, work: Callable[[str], str]
) -> None:
    short, long = (piece * (size // len(piece)) for size in (2_000, 20_000))
    # Quadratic work would be a hundred times as much. Other processes do not count in it.
    assert _seconds(work, long) < 40 * _seconds(work, short)


def test_an_exit_code_is_looked_for_in_linear_time() -> None:
    def find(message: str) -> None:
        assert TaskFinding.of({"statusMessage": message}).exit_code is None

    assert _seconds(find, "exit" + " " * 20_000) < 40 * _seconds(find, "exit" + " " * 2_000)


def _seconds(work: Callable[[str], object], text: str) -> float:
    taken = []
    for _ in range(7):
        began = time.process_time()
        work(text)
        taken.append(time.process_time() - began)
    return max(min(taken), 20e-6)  # the shortest time that a clock can measure


@given(st.text(st.characters(), max_size=500))
def test_whatever_is_printed_comes_out_as_one_printable_line(printed: str) -> None:
    shown = clean_line(printed)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def _mask_secret(secret: str) -> None:
    # Each Airflow has its masker elsewhere; it is the one that redact() belongs to.
    module = importlib.import_module(_compat._redact().__module__)
    module.mask_secret(secret)
