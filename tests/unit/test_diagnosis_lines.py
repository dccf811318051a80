"""What a program printed, made fit to be read."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics import _compat
from airflow_omics.diagnosis.lines import clean_line, clean_tail, clean_text


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
