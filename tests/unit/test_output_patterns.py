"""Which outputs a pattern means, and which patterns can mean none."""

# ruff: noqa: E501 - each case stands whole, in one line

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_omics._outputs.patterns import Pattern, Patterns

pytestmark = pytest.mark.any_airflow

PATHS = (
    "a.bam",
    "a.BAM",
    "out/a.bam",
    "out/qc/a.bam",
    "out/qc/deep/a.bam",
    "out/.hidden",
    "outer/a.bam",
    "logs/engine.log",
    "logs/deep/a.bam",
    "out/logs/a.bam",
    "logs",
)


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("a.bam", ["a.bam", "out/a.bam", "out/qc/a.bam", "out/qc/deep/a.bam", "outer/a.bam", "out/logs/a.bam"]),
        ("*.BAM", ["a.BAM"]),
        ("out/a.bam", ["out/a.bam"]),
        ("out/*", ["out/a.bam", "out/.hidden"]),
        ("out*/*.bam", ["out/a.bam", "outer/a.bam"]),
        ("*/*/a.bam", ["out/qc/a.bam", "out/logs/a.bam"]),
        ("out/**", ["out/a.bam", "out/qc/a.bam", "out/qc/deep/a.bam", "out/.hidden", "out/logs/a.bam"]),
        ("out/**/a.bam", ["out/a.bam", "out/qc/a.bam", "out/qc/deep/a.bam", "out/logs/a.bam"]),
        ("out/**/deep/*", ["out/qc/deep/a.bam"]),
        ("out/**/qc/**/*.bam", ["out/qc/a.bam", "out/qc/deep/a.bam"]),
        ("**/qc/*", ["out/qc/a.bam"]),
        ("**/a.bam", ["a.bam", "out/a.bam", "out/qc/a.bam", "out/qc/deep/a.bam", "outer/a.bam", "out/logs/a.bam"]),
        ("**", [path for path in PATHS if not path.startswith("logs/")]),
        ("**/**", [path for path in PATHS if not path.startswith("logs/")]),
        ("?.bam", ["a.bam", "out/a.bam", "out/qc/a.bam", "out/qc/deep/a.bam", "outer/a.bam", "out/logs/a.bam"]),
        ("out/[!a]*", ["out/.hidden"]),
        ("out/q?", []),
        ("bam", []),
        ("out", []),
        # HealthOmics' own files are meant only by a pattern that begins with their folder.
        ("logs/engine.log", ["logs/engine.log"]),
        ("logs/**", ["logs/engine.log", "logs/deep/a.bam"]),
        ("*.log", []),
        ("log*/engine.log", []),
        ("logs", ["logs"]),
    ],
)  # fmt: skip
def test_a_pattern_means_these_outputs(pattern: str, meant: list[str]) -> None:
    assert [path for path in PATHS if Pattern(pattern).matches(path)] == meant
    assert [path for path in PATHS if Patterns(pattern).matches(path)] == meant
    assert [path for path in PATHS if Patterns(["nothing", pattern]).matches(path)] == meant


def test_without_patterns_everything_is_meant_but_the_logs() -> None:
    assert [path for path in PATHS if not Patterns(None).matches(path)] == [
        "logs/engine.log",
        "logs/deep/a.bam",
    ]


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        (None, ""),
        ("*.bam", ""),
        ("a.bam", ""),  # in any folder
        ("out/*.bam", "out/"),
        ("out/chr1*.vcf", "out/chr1"),
        ("out/a.vcf", "out/a.vcf"),
        ("out/**/a.vcf", "out/"),
        ("**/a.vcf", ""),
        ("out/[ab]/c", "out/"),
        ("out/a?/c", "out/a"),
        (["out/vcf/*", "out/var/*"], "out/v"),
        (["out/vcf/*", "out/vcf/a*"], "out/vcf/"),
        (["out/vcf/*", "*.bam"], ""),
        (["logs/engine.log", "out/*"], ""),
    ],
)
def test_only_what_a_pattern_may_mean_is_listed(pattern: str | list[str] | None, prefix: str) -> None:
    assert Patterns(pattern).prefix == prefix


SEGMENT = st.text("ab.*?", min_size=1, max_size=3).filter(
    lambda text: text not in (".", "..") and "**" not in text
)
FOLDERS = st.one_of(SEGMENT, st.just("**"))
NAME = st.text("ab.", min_size=1, max_size=3)


def as_regex(pattern: str) -> str:
    """Return a pattern as one regular expression: another way to say what it means."""
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    if pattern.endswith("/**"):
        pattern += "/*"
    made = ""
    for segment in pattern.split("/")[:-1]:
        one = re.escape(segment).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        made += "(?:[^/]+/)*" if segment == "**" else f"{one}/"
    return made + re.escape(pattern.split("/")[-1]).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")


@given(st.lists(FOLDERS, max_size=4), SEGMENT, st.lists(NAME, min_size=1, max_size=5))
def test_it_is_what_a_regular_expression_says(folders: list[str], last: str, names: list[str]) -> None:
    pattern, path = "/".join([*folders, last]), "/".join(names)
    expected = re.fullmatch(as_regex(pattern), path) is not None
    assert Pattern(pattern).matches(path) == expected
    if expected:
        assert path.startswith(Pattern(pattern).prefix)
        assert fnmatch.fnmatchcase(names[-1], last)


def test_a_pattern_of_many_folders_takes_no_time_that_grows_with_each() -> None:
    assert not Pattern("/".join(["**", "a*"] * 12) + "/b").matches("/".join(["a" * 20] * 40))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "pattern is ''; it is empty, so nothing could match; it takes a glob relative to"),
        ("  ", "it is empty"),
        ("/out/*.vcf", "no output begins with a slash; it takes what follows the run's runOutputUri"),
        ("s3://bucket/run/*.vcf", "it takes what follows the run's runOutputUri, such as 'out/vcf/*.vcf.gz', and no URI."),
        ("out/", "it names a folder, and outputs are files; give 'out/**' for all that is in it."),
        ("../other/*.vcf", "so '.' and '..' match nothing; leave them out."),
        ("./out/*.vcf", "so '.' and '..' match nothing"),
        ("out/../*.vcf", "so '.' and '..' match nothing"),
        ("out//*.vcf", "it has two slashes in a row, and no output has; leave one out."),
        ("out/**.vcf", "'**' stands for any folders and takes a place of its own, such as 'out/**/*.bam'."),
        ("***", "'**' stands for any folders"),
        ("*.{vcf,bam}", "braces mean nothing in a glob; give one pattern for each case, in a list."),
    ],
)  # fmt: skip
def test_a_pattern_that_can_mean_nothing_is_refused(pattern: str, said: str) -> None:
    for value in (pattern, ["*.bam", pattern]):
        with pytest.raises(ValueError, match=re.escape(said)) as caught:
            Patterns(value)
        assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    "pattern", ["a b.txt", "ä*.txt", "a{1}.txt", "[{]a,b[}].txt", "[", "a]b", "..a", "...", "s3"]
)
def test_an_unusual_pattern_is_one(pattern: str) -> None:
    assert Patterns(pattern).all
    if not set(pattern) & set("*["):
        assert Patterns(pattern).matches(f"out/{pattern}")
