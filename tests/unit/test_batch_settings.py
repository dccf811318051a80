"""``run_settings`` in each form becomes the same entries; what is wrong for certain is said before any call."""

# ruff: noqa: E501 - each message stands whole, in one line

from __future__ import annotations

import collections
import datetime
import hashlib
import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from airflow_omics._batches import json_array, json_items
from airflow_omics._batches.settings import Prepared, prepare
from airflow_omics._batches.sources import check_form
from airflow_omics._task.hidden import Hidden
from airflow_omics.exceptions import FaultKind, OmicsRequestError
from airflow_omics.operators import SampleSheet

# They are about values and files, and need nothing of Airflow that differs.
pytestmark = pytest.mark.any_airflow

MARKER = "patient-4711-marker"
WANTED = [
    {"runSettingId": "NA1", "name": "NA1", "parameters": {"fastq": "s3://reads/1"}},
    {"runSettingId": "NA2", "name": "NA2", "parameters": {"fastq": "s3://reads/2"}},
]
LIST = [{"runSettingId": one["runSettingId"], "parameters": one["parameters"]} for one in WANTED]
DICT = {one["runSettingId"]: one["parameters"] for one in WANTED}
# What the bytes are, written out: keys in order, no spaces, a line for each entry.
TEXT = (
    b'[{"name":"NA1","parameters":{"fastq":"s3://reads/1"},"runSettingId":"NA1"},\n'
    b'{"name":"NA2","parameters":{"fastq":"s3://reads/2"},"runSettingId":"NA2"}]'
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go, and in which nothing is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def inline(given: Any, **arguments: Any) -> Any:
    with prepare(given, **{"defaults": {}, **arguments}) as prepared:
        return prepared.inline


def refusal(given: Any, **arguments: Any) -> str:
    with pytest.raises(OmicsRequestError) as raised:
        prepare(given, **{"defaults": {}, **arguments})
    assert MARKER not in str(raised.value)
    assert raised.value.kind is FaultKind.REFUSED
    assert raised.value.__cause__ is None
    return str(raised.value)


def many(count: int, **members: Any) -> list[dict[str, Any]]:
    return [{"runSettingId": f"s{number}", **members} for number in range(count)]


# -- every form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(LIST, id="list"),
        pytest.param(tuple(LIST), id="tuple"),
        pytest.param(WANTED, id="with names that are the ids"),
        pytest.param([MappingProxyType(one) for one in LIST], id="mappings"),
        pytest.param(collections.UserList(LIST), id="what a mapped task pushed"),
        pytest.param(DICT, id="dict"),
        pytest.param(Hidden(DICT), id="hidden"),
        pytest.param(Hidden(Hidden(LIST), is_rendered=True), id="hidden twice"),
        pytest.param(
            [{**one, "priority": None, "runTags": None} for one in LIST], id="members that are None"
        ),
    ],
)
def test_values_become_entries(given: Any) -> None:
    with prepare(given, defaults={}) as prepared:
        assert prepared.inline == WANTED
        assert prepared.ids == ("NA1", "NA2")
        assert prepared.count == 2
        assert prepared.digest == hashlib.sha256(TEXT).hexdigest()
        assert prepared.size == len(TEXT)
        assert (prepared.array, prepared.uri, prepared.etag) == (None, None, None)


FILES: list[tuple[str, str]] = [
    ("a.json", json.dumps(LIST)),
    ("a.json", "\ufeff\r\n" + json.dumps(LIST, indent=4) + "\n\n"),
    ("a.json", json.dumps(DICT)),
    ("a.yaml", "- runSettingId: NA1\n  parameters: {fastq: s3://reads/1}\n- {runSettingId: NA2, parameters: {fastq: 's3://reads/2'}}\n"),
    ("a.yml", "NA1:\n  fastq: s3://reads/1\nNA2:\n  fastq: s3://reads/2\n"),
    ("a.yaml", "\ufeffNA1: &first\n  fastq: s3://reads/1\nNA2:\n  <<: *first\n  fastq: s3://reads/2\n"),
    ("a.yaml", "<<: {NA1: {fastq: s3://reads/1}}\nNA2: {fastq: s3://reads/2}\n"),
    ("a.csv", "sample,fastq\nNA1,s3://reads/1\nNA2,s3://reads/2\n"),
    ("a.tsv", "runSettingId\tfastq\nNA1\ts3://reads/1\nNA2\ts3://reads/2\n"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), FILES)
def test_files_beside_the_dag_become_the_same_entries(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_text(text, encoding="utf-8", newline="")
    with prepare(f"sub/{name}", defaults={}, folder=tmp_path) as prepared:
        assert prepared.inline == WANTED
        assert prepared.digest == hashlib.sha256(TEXT).hexdigest()
    assert inline(str(tmp_path / "sub" / name)) == WANTED


def test_every_member_is_kept_and_a_priority_may_be_text() -> None:
    members = {
        "outputUri": "s3://bucket/NA1",
        "outputBucketOwnerId": "012345678901",
        "runTags": {"project": "7"},
        "engineSettings": {"profile": ["a", None, 1.5, True]},
        "parameters": {"größe": "\U0001f9ec", "none": None, "deep": {"x": [{}]}},
    }
    [entry] = inline([{"runSettingId": "Größe 1/ü", "priority": "7", **members}])
    assert entry == {"runSettingId": "Größe 1/ü", "name": "Größe 1/ü", "priority": 7, **members}
    [without] = inline([{"runSettingId": "x"}])
    assert without == {"runSettingId": "x", "name": "x"}


def test_equal_content_gives_equal_bytes() -> None:
    one = [{"runSettingId": "a", "parameters": {"x": 1, "y": {"b": 2, "a": "ü"}}, "priority": 3}]
    other = [
        {"priority": "3", "parameters": {"y": {"a": "ü", "b": 2}, "x": 1}, "name": "a", "runSettingId": "a"}
    ]
    written = '[{"name":"a","parameters":{"x":1,"y":{"a":"ü","b":2}},"priority":3,"runSettingId":"a"}]'
    assert prepare(one, defaults={}).digest == hashlib.sha256(written.encode()).hexdigest()
    assert prepare(one, defaults={}).digest == prepare(other, defaults={}).digest
    assert prepare([*one, {"runSettingId": "b"}], defaults={}).digest != prepare(one, defaults={}).digest


# -- small and large -----------------------------------------------------------------------------------------


def content(prepared: Prepared) -> bytes:
    assert prepared.array is not None
    return prepared.array.body.read()


def test_a_hundred_small_entries_go_into_the_request_and_one_more_into_a_file() -> None:
    assert len(inline(many(100))) == 100
    with prepare(many(101), defaults={}) as prepared:
        assert prepared.inline is None
        written = content(prepared)
        assert json.loads(written) == [
            {"runSettingId": f"s{number}", "name": f"s{number}"} for number in range(101)
        ]
        assert (prepared.size, prepared.digest) == (len(written), hashlib.sha256(written).hexdigest())
        assert content(prepared) == written
        assert prepared.count == 101
    with pytest.raises(ValueError, match="closed"):
        content(prepared)


@pytest.mark.parametrize("too_many", [0, 1])
def test_few_entries_that_are_long_go_into_a_file(too_many: int) -> None:
    around = (
        '[{"name":"0","parameters":{"a":""},"runSettingId":"0"},\n'
        '{"name":"1","parameters":{"a":""},"runSettingId":"1"}]'
    )
    text = "x" * (262_144 - len(around) + too_many)
    half = len(text) // 2
    with prepare({"0": {"a": text[:half]}, "1": {"a": text[half:]}}, defaults={}) as prepared:
        assert prepared.size == 262_144 + too_many
        assert (prepared.inline is None, prepared.array is None) == (too_many == 1, too_many == 0)


def test_100_000_entries_are_taken_and_one_more_is_not() -> None:
    with prepare(many(100_000), defaults={}) as prepared:
        assert prepared.count == 100_000
    assert refusal(many(100_001)) == (
        "run_settings holds more than 100,000 entries; a batch takes no more. Split them between several tasks."
    )


@pytest.mark.parametrize("name", ["big.json", "big.csv"])
def test_a_large_file_takes_little_memory(tmp_path: Path, name: str) -> None:
    count, reads = 10_000, "r" * 500
    with (tmp_path / name).open("w") as file:
        if name == "big.csv":
            file.write("sample,reads\n")
            file.writelines(f"s{number},{reads}\n" for number in range(count))
        else:
            file.write(
                "[" + ",\n".join(json.dumps(one) for one in many(count, parameters={"reads": reads})) + "]"
            )
    tracemalloc.start()
    try:
        with prepare(name, defaults={}, folder=tmp_path) as prepared:
            _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert prepared.size > 5_000_000
    assert most < 5_000_000, "more than ids, numbers, and a few chunks"


def test_more_than_s3_takes_in_one_request_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "LARGEST", 1000)
    assert refusal(many(200)).startswith(
        "run_settings, entry 28 ('s27'): takes more than 1,000 bytes as JSON; S3 takes no more in one request."
    )


# -- only some of them ---------------------------------------------------------------------------------------


def test_only_the_entries_that_are_wanted_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sample,x\n" + "".join(f"s{number},1\n" for number in range(1000)))
    asked: list[str] = []

    def wanted(run_id: str) -> bool:
        asked.append(run_id)
        return run_id in ("s7", "s900")

    with prepare("a.csv", defaults={}, folder=tmp_path, wanted=wanted) as prepared:
        assert prepared.ids == ("s7", "s900")
        assert prepared.inline == [
            {"runSettingId": run_id, "name": run_id, "parameters": {"x": "1"}} for run_id in ("s7", "s900")
        ]
    assert asked == [f"s{number}" for number in range(1000)]


def test_none_may_be_wanted() -> None:
    with prepare(LIST, defaults={}, wanted=lambda run_id: False) as prepared:
        assert (prepared.ids, prepared.inline, prepared.size) == ((), [], 2)


def test_what_is_wrong_with_an_entry_that_is_not_wanted_does_not_matter() -> None:
    given = [LIST[0], {"runSettingId": "x", "priority": "high"}]
    assert inline(given, wanted=lambda run_id: run_id == "NA1") == WANTED[:1]
    assert "entry 2 ('x')" in refusal(given, wanted=lambda run_id: run_id == "x")
    assert "entry 2: runSettingId is missing" in refusal([LIST[0], {}], wanted=lambda run_id: True)


# -- what is wrong -------------------------------------------------------------------------------------------

TAKES = (
    "it takes a list of entries, a dict of parameters by sample, a SampleSheet, the path of a .json, .yaml, .csv or "
    ".tsv file relative to the DAG file, or the s3:// URI of a JSON file."
)
ID_TAKES = "it takes text of 1 to 128 characters, such as the sample's name"
ALL = "it takes runSettingId, name, outputUri, priority, parameters, outputBucketOwnerId, runTags, engineSettings."
NOT_ITS_NAME = (
    "name is not the runSettingId; the name of each run is its runSettingId, so that one list of runs shows which "
    "sample is how far. Leave name out."
)
NO_JSON = "which JSON does not have; it takes text, finite numbers, booleans, None, lists and dicts."
NOT_RENDERED = (
    "holds a template that was not rendered; Airflow does not render a template inside a rendered value, such as a "
    "Variable's. Render it before it is put there."
)

FORMS: list[tuple[Any, str]] = [
    (None, f"run_settings is None: it is not given, or came out as None from a template or from an upstream task that pushed nothing; {TAKES}"),
    (Hidden(None), f"run_settings is None: it is not given, or came out as None from a template or from an upstream task that pushed nothing; {TAKES}"),
    (7, f"run_settings is a int; {TAKES}"),
    ({"NA1"}, f"run_settings is a set; {TAKES}"),
    (b"x.json", f"run_settings is a bytes; {TAKES}"),
    (MARKER, f"run_settings is text, but not the path of a file; {TAKES}"),
    (f"[{{'who': '{MARKER}'}}].json", f"run_settings is text, but not the path of a file; {TAKES}"),
    ("cohort.xlsx", f"run_settings is text, but not the path of a file; {TAKES}"),
    ("s3://bucket/cohort.csv", "run_settings is 's3://bucket/cohort.csv'; in S3 it takes a JSON file."),
    (LIST[0], f"run_settings is one entry and no list of them; {TAKES}"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), FORMS)
def test_what_is_no_form_of_it_is_refused_also_at_parse_time(given: Any, message: str) -> None:
    assert refusal(given) == message
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        check_form(given)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "given", [LIST, DICT, "a.json", "s3://bucket/a.json", SampleSheet("a.csv"), Hidden(LIST)]
)
def test_a_form_that_may_be_right_parses_whatever_is_in_it(given: Any) -> None:
    check_form(given)


ENTRIES: list[tuple[Any, str]] = [
    (MARKER, f"entry 2: it is a str; it takes a dict of {ALL.removeprefix('it takes ').rstrip('.')}, as InlineSetting of StartRunBatch has them."),
    ({}, f"entry 2: runSettingId is missing; {ID_TAKES}."),
    ({"runSettingId": ""}, f"entry 2: runSettingId is missing; {ID_TAKES}."),
    ({"sample": MARKER}, f"entry 2: it holds 'sample', which an entry does not take; {ALL}"),
    ({"run_setting_id": MARKER}, "entry 2: it holds 'run_setting_id', which an entry does not take; did you mean 'runSettingId'?"),
    ({"runSettingId": 7}, f"entry 2: runSettingId is a int; {ID_TAKES}; put it in quotation marks."),
    ({"runSettingId": [MARKER]}, f"entry 2: runSettingId is a list; {ID_TAKES}."),
    ({"runSettingId": "n" * 129}, f"entry 2: runSettingId has 129 characters; {ID_TAKES}."),
    ({"runSettingId": "a\tb"}, "entry 2: runSettingId holds a control character, such as a line's end; it takes none."),
    ({"runSettingId": "a\ud83d"}, "entry 2: runSettingId holds a control character, such as a line's end; it takes none."),
    ({"runSettingId": "x", "output_uri": MARKER}, "entry 2 ('x'): it holds 'output_uri', which an entry does not take; did you mean 'outputUri'?"),
    ({"runSettingId": "x", "tags": {}}, "entry 2 ('x'): it holds 'tags', which an entry does not take; did you mean 'runTags'?"),
    ({"runSettingId": "x", 7: 1}, f"entry 2 ('x'): it has a key of type int; {ALL}"),
    ({"runSettingId": "x", "storageType": "STATIC"}, "entry 2 ('x'): it holds 'storageType', which is the same for all runs of a batch; give it as the operator's own argument, or map OmicsStartRunOperator."),
    ({"runSettingId": "x", "name": MARKER}, f"entry 2 ('x'): {NOT_ITS_NAME}"),
    ({"runSettingId": "x", "name": ""}, f"entry 2 ('x'): {NOT_ITS_NAME}"),
    ({"runSettingId": "x", "parameters": [MARKER]}, "entry 2 ('x'): parameters is a list; it takes an object: a dict."),
    ({"runSettingId": "x", "parameters": None}, "entry 2 ('x'): parameters is a NoneType; it takes an object: a dict."),
    ({"runSettingId": "x", "parameters": {"a": [{"b": float("nan")}]}}, f"entry 2 ('x'): parameters['a'][0]['b'] is nan, {NO_JSON}"),
    ({"runSettingId": "x", "parameters": {"a": {"day": datetime.date(2026, 1, 1)}}}, f"entry 2 ('x'): parameters['a']['day'] is a date, {NO_JSON}"),
    ({"runSettingId": "x", "parameters": {"raw": MARKER.encode()}}, f"entry 2 ('x'): parameters['raw'] is a bytes, {NO_JSON}"),
    ({"runSettingId": "x", "parameters": {"a": {7: MARKER}}}, "entry 2 ('x'): parameters['a'] has a key of type int; JSON's keys are text."),
    ({"runSettingId": "x", "parameters": {"a": [MARKER, "\ud83d"]}}, "entry 2 ('x'): parameters['a'][1] holds half of a character, which UTF-8 does not have."),
    ({"runSettingId": "x", "parameters": {"a": {"\ud83d": MARKER}}}, "entry 2 ('x'): parameters['a'] has a key that holds half of a character, which UTF-8 does not have."),
    ({"runSettingId": "x", "parameters": {"a": [MARKER, "{{ ds }}"]}}, f"entry 2 ('x'): parameters['a'][1] {NOT_RENDERED}"),
    ({"runSettingId": "x", "parameters": {"a": {"{% if %}": MARKER}}}, f"entry 2 ('x'): parameters['a'] {NOT_RENDERED}"),
    ({"runSettingId": "x", "runTags": {"a": "{{ ds }}"}}, f"entry 2 ('x'): runTags['a'] {NOT_RENDERED}"),
    ({"runSettingId": "{{ ds }}"}, f"entry 2 ('{{{{ ds }}}}'): runSettingId {NOT_RENDERED}"),
    ({"runSettingId": "x", "engineSettings": {"a": {MARKER}}}, f"entry 2 ('x'): engineSettings['a'] is a set, {NO_JSON}"),
    ({"runSettingId": "x", "outputUri": f"/data/{MARKER}"}, "entry 2 ('x'): outputUri is no S3 location; it takes one, such as 's3://bucket/folder'."),
    ({"runSettingId": "x", "outputUri": "s3://bucket/\ud83d"}, "entry 2 ('x'): outputUri is no S3 location; it takes one, such as 's3://bucket/folder'."),
    ({"runSettingId": "x", "outputUri": "s3://bucket/" + "x" * 739}, "entry 2 ('x'): outputUri has 751 characters; it takes at most 750."),
    ({"runSettingId": "x", "priority": -1}, "entry 2 ('x'): priority is not in its range; it takes a whole number from 0 to 100000."),
    ({"runSettingId": "x", "priority": 100_001}, "entry 2 ('x'): priority is not in its range; it takes a whole number from 0 to 100000."),
    ({"runSettingId": "x", "priority": True}, "entry 2 ('x'): priority is not in its range; it takes a whole number from 0 to 100000."),
    ({"runSettingId": "x", "priority": MARKER}, "entry 2 ('x'): priority is not in its range; it takes a whole number from 0 to 100000."),
    ({"runSettingId": "x", "outputBucketOwnerId": 123456789012}, "entry 2 ('x'): outputBucketOwnerId is no AWS account; it takes the account's id, text of 12 digits."),
    ({"runSettingId": "x", "outputBucketOwnerId": "1234"}, "entry 2 ('x'): outputBucketOwnerId is no AWS account; it takes the account's id, text of 12 digits."),
    ({"runSettingId": "x", "runTags": {"n": 1}}, "entry 2 ('x'): runTags takes a dict of text to text, such as {'project': 'cohort-7'}."),
    ({"runSettingId": "x", "runTags": {"airflow:dag_id": MARKER}}, "entry 2 ('x'): runTags holds airflow:dag_id, which the operator sets itself; leave it out."),
    ({"runSettingId": "x", "runTags": {"airflow-omics:token": MARKER, "a": "b"}}, "entry 2 ('x'): runTags holds airflow-omics:token, which the operator sets itself; leave it out."),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "message"), ENTRIES)
def test_an_entry_that_can_not_be_right_is_named_and_its_values_are_not(entry: Any, message: str) -> None:
    assert refusal([LIST[0], entry]) == f"run_settings, {message}"


def test_entries_that_are_just_right() -> None:
    given = [
        {"runSettingId": "n" * 128, "outputUri": "s3://bucket/" + "x" * 738, "priority": 0},
        {"runSettingId": "x", "priority": 100_000, "parameters": {"a": "} } { % {%"[:8], "b": [[], {}]}},
    ]
    assert [entry["runSettingId"] for entry in inline(given)] == ["n" * 128, "x"]


def test_what_holds_itself_is_refused() -> None:
    circle: dict[str, Any] = {"who": MARKER}
    circle["again"] = circle
    assert refusal({"x": circle}).startswith(
        "run_settings, entry 1 ('x'): parameters is nested too deeply, or holds itself;"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({7: {}}, f"entry 1: runSettingId is a int; {ID_TAKES}; put it in quotation marks."),
        ({"": {}}, f"entry 1: runSettingId is missing; {ID_TAKES}."),
        ({"NA1": MARKER}, "entry 1 ('NA1'): parameters is a str; it takes an object: a dict."),
        ({"NA1": None}, "entry 1 ('NA1'): parameters is a NoneType; it takes an object: a dict."),
    ],
)
def test_in_the_short_form_the_key_is_the_id(given: Any, message: str) -> None:
    assert refusal(given) == f"run_settings, {message}"


@pytest.mark.parametrize("given", [[], {}, ()])
def test_no_entries_are_no_batch(given: Any) -> None:
    assert refusal(given) == "run_settings holds no entries; a batch takes at least one."


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", " [ ] "), ("a.json", "{}"), ("a.yaml", "[]"), ("a.csv", "sample\n")]
)
def test_a_file_without_entries_is_no_batch(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert refusal(name, folder=tmp_path) == "run_settings holds no entries; a batch takes at least one."


def ids(*names: str) -> list[dict[str, Any]]:
    return [{"runSettingId": name} for name in names]


def test_the_first_five_duplicates_are_named_with_their_places() -> None:
    assert (
        refusal(ids("a", "b", "a"))
        == "run_settings holds 'a' in entries 1 and 3; each runSettingId must be there once."
    )
    assert refusal(ids(*"abcdefg" * 2, "b")) == (
        "run_settings holds 'a' in entries 1 and 8, 'b' in entries 2, 9 and 15, 'c' in entries 3 and 10, "
        "'d' in entries 4 and 11, 'e' in entries 5 and 12, and 2 other ids more than once; each runSettingId must be there once."
    )
    assert refusal(ids(*"a" * 1000)) == (
        "run_settings holds 'a' in entries 1, 2, 3, 4, 5 and 995 more; each runSettingId must be there once."
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", '{"NA1": {}, "NA2": {}, "NA1": {"x": 1}}'), ("a.yaml", "NA1: {}\nNA2: {}\nNA1: {x: 1}\n")],
)
def test_a_sample_that_is_twice_in_a_dict_of_a_file_is_not_lost(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert refusal(name, folder=tmp_path) == (
        "run_settings holds 'NA1' in entries 1 and 3; each runSettingId must be there once."
    )


def test_parameters_are_weighed_with_those_of_all_runs() -> None:
    shared = {"parameters": {"all": "x" * 200_000, "a": "replaced" * 8}}
    # {"all": "...", "a": "..."} with a space after each comma and colon
    room = 262_144 - 200_000 - len('{"all": "", "a": ""}')
    assert len(inline({"s": {"a": "y" * room}}, defaults=shared)) == 1
    assert refusal({"s": {"a": "y" * (room + 1)}}, defaults=shared) == (
        "run_settings, entry 1 ('s'): parameters (with those of all runs) takes 262,145 bytes as JSON; StartRun takes at "
        "most 262,144. Put long lists into a file in S3 and pass its URI."
    )
    assert "takes 262,157 bytes" in refusal({"s": {"long": "x" * (262_157 - len('{"long": ""}'))}})


def test_tags_are_counted_with_those_of_all_runs() -> None:
    shared = {"runTags": {f"all{number}": "x" for number in range(48)}}
    tags = {"all0": "own", "a": "1", "b": "2"}
    assert inline([{"runSettingId": "s", "runTags": tags}], defaults=shared)[0]["runTags"] == tags
    assert refusal([{"runSettingId": "s", "runTags": {**tags, "c": "3"}}], defaults=shared) == (
        "run_settings, entry 1 ('s'): runTags holds 4 tags, with those of all runs 51; a run takes 50."
    )


# -- files that are wrong ------------------------------------------------------------------------------------

BROKEN: list[tuple[str, bytes | None, str]] = [
    ("none.json", None, "can't be read: No such file or directory."),
    ("none.yaml", None, "can't be read: No such file or directory."),
    ("a.json", b"", "is no JSON array or object."),
    ("a.json", f'"{MARKER}"'.encode(), "is no JSON array or object."),
    ("a.json", b"7", "is no JSON array or object."),
    ("a.json", f'[{{"runSettingId": "a"}}, {{"who": "{MARKER}",,}}]'.encode(), "is not valid JSON, at entry 2."),
    ("a.json", f'[{{"runSettingId": "a"}} "{MARKER}"]'.encode(), "is not valid JSON, at entry 1."),
    ("a.json", b'[{"runSettingId": "a"}', "is not valid JSON, at entry 1."),
    ("a.json", b'[{"runSettingId": "a"},]', "is not valid JSON, at entry 2."),
    ("a.json", b'[{"runSettingId": "a"}]]', "is not valid JSON, at entry 1."),
    ("a.json", b'[{"runSettingId": "a"}}', "is not valid JSON, at entry 1."),
    ("a.json", b'{"a": {}, 7: {}}', "is not valid JSON, at entry 2."),
    ("a.json", b'{"a" {}}', "is not valid JSON, at entry 1."),
    ("a.json", b"[" * 100_000, "is not valid JSON, at entry 1."),
    ("a.json", b'[{"runSettingId": "\xff"}]', "is not UTF-8 text."),
    ("a.json", b'[{"runSettingId": "a"}]\xff', "is not UTF-8 text."),
    ("a.json", '[{"runSettingId": "ü"}]'.encode()[:-4], "is not UTF-8 text."),
    ("a.yaml", f"a: 1\nwho: '{MARKER}\n".encode(), "is not valid YAML, at line 3."),
    ("a.yaml", f"a: !!python/object:x.y {{{MARKER}: 1}}".encode(), "is not valid YAML, at line 1."),
    ("a.yaml", b"a: {day: 2026-99-99}", "is not valid YAML."),
    ("a.yaml", b"", "holds neither a list nor an object."),
    ("a.yaml", MARKER.encode(), "holds neither a list nor an object."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "message"), BROKEN)
def test_a_file_that_is_broken_is_said_and_not_quoted(
    tmp_path: Path, name: str, given: bytes | None, message: str
) -> None:
    if given is not None:
        (tmp_path / name).write_bytes(given)
    assert refusal(name, folder=tmp_path) == f"run_settings is {name!r}, and {tmp_path / name} {message}"


def test_a_number_that_json_does_not_have_is_refused_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"NA1": {"x": NaN}}')
    assert (
        refusal("a.json", folder=tmp_path)
        == f"run_settings, entry 1 ('NA1'): parameters['x'] is nan, {NO_JSON}"
    )
    (tmp_path / "a.yaml").write_text("NA1: {day: 2026-01-01}")
    assert (
        refusal("a.yaml", folder=tmp_path)
        == f"run_settings, entry 1 ('NA1'): parameters['day'] is a date, {NO_JSON}"
    )


VALUES = [
    {"a": [1, -2.5e3, True, None, '\\" \ud7ff \U0001f9ec', {}]},
    12345,
    "text, with ] and }",
    [],
    False,
    {"long": "x" * 500},
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("indent", [None, 3])
def test_json_is_read_alike_however_it_is_cut(size: int, indent: int | None) -> None:
    for whole, expected in (
        (VALUES, [(None, value) for value in VALUES]),
        (
            {str(n): value for n, value in enumerate(VALUES)},
            [(str(n), value) for n, value in enumerate(VALUES)],
        ),
    ):
        text = json.dumps(whole, indent=indent, ensure_ascii=False).encode()
        chunks = (text[at : at + size] for at in range(0, len(text), size))
        assert list(json_items.items_of(chunks)) == expected


def test_a_long_item_is_not_decoded_again_for_each_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    class Decoder(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> Any:
            nonlocal tried
            tried += 1
            return super().raw_decode(s, idx)

    monkeypatch.setattr(json_items, "_DECODER", Decoder())
    text = json.dumps(["x" * 1_000_000, "y"]).encode()
    chunks = (text[at : at + 1000] for at in range(0, len(text), 1000))
    assert [len(value) for _, value in json_items.items_of(chunks)] == [1_000_000, 1]
    assert tried < 20


def test_an_item_that_never_ends_is_not_held_whole() -> None:
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        yield b'["'
        for _ in range(1000):
            taken += 1
            yield b"x" * 1024 * 1024

    with pytest.raises(json_items.NotJsonError, match="at entry 1"):
        list(json_items.items_of(chunks()))
    assert taken < 40


# -- nothing is left -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["entry", "reading", "killed"])
def test_no_file_is_left_or_open_when_something_is_raised(
    monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    opened: list[Any] = []
    make = tempfile.TemporaryFile

    def remembering(*args: Any, **kwargs: Any) -> Any:
        opened.append(make(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", remembering)

    class Entries(collections.UserList[Any]):
        def __iter__(self) -> Iterator[Any]:
            yield from many(500)
            if fails == "entry":
                yield {}
            raise {"entry": AssertionError, "reading": OSError, "killed": KeyboardInterrupt}[fails]

    with pytest.raises((OmicsRequestError, OSError, KeyboardInterrupt)):
        prepare(Entries(), defaults={})
    assert [file.closed for file in opened] == [True]


def test_its_text_shows_no_value() -> None:
    with prepare({"NA1": {"who": MARKER}}, defaults={}) as prepared:
        assert MARKER not in repr(prepared)
