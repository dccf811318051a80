"""A sample sheet becomes the entries of a batch; what is wrong with one is said with its row, never a value."""

# ruff: noqa: E501 - each message stands whole, in one line

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_omics._batches.settings import prepare
from airflow_omics._task.hidden import Hidden
from airflow_omics.exceptions import OmicsRequestError
from airflow_omics.operators import SampleSheet

# They are about values and files, and need nothing of Airflow that differs.
pytestmark = pytest.mark.any_airflow

MARKER = "patient-4711-marker"


def entries(folder: Path, content: str | bytes, sheet: Any = None, name: str = "cohort.csv") -> Any:
    """Return the entries that a sheet becomes, without the runs' names, which are the ids."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with prepare(name if sheet is None else sheet, defaults={}, folder=folder) as prepared:
        assert prepared.inline is not None
        assert [entry.pop("name") for entry in prepared.inline] == list(prepared.ids or ())
        assert [entry["runSettingId"] for entry in prepared.inline] == list(prepared.ids or ())
        return prepared.inline


def refusal(folder: Path, content: str | bytes, sheet: Any = None, name: str = "cohort.csv") -> str:
    """Return why a sheet is refused, without its name."""
    with pytest.raises(OmicsRequestError) as raised:
        entries(folder, content, sheet, name)
    assert MARKER not in str(raised.value)
    beginning = f"run_settings is {name!r}, and {folder / name} "
    assert str(raised.value).startswith(beginning)
    return str(raised.value).removeprefix(beginning)


PLAIN = [
    {"runSettingId": "NA1", "parameters": {"fastq": "s3://reads/1", "depth": "30"}},
    {"runSettingId": "NA2", "parameters": {"fastq": "s3://reads/2", "depth": "7"}},
]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("sample,fastq,depth\nNA1,s3://reads/1,30\nNA2,s3://reads/2,7\n", id="plain"),
        pytest.param("runSettingId,fastq,depth\nNA1,s3://reads/1,30\nNA2,s3://reads/2,7", id="AWS's own name"),
        pytest.param("\ufeffsample,fastq,depth\r\nNA1,s3://reads/1,30\r\nNA2,s3://reads/2,7\r\n", id="Windows"),
        pytest.param("sample,fastq,depth\rNA1,s3://reads/1,30\rNA2,s3://reads/2,7\r", id="an old Mac"),
        pytest.param("\nsample,fastq,depth\n\n,,\nNA1,s3://reads/1,30\n  ,\t,\nNA2,s3://reads/2,7\n\n\n", id="blank lines"),
        pytest.param(" sample ,fastq, depth\nNA1 , s3://reads/1,30\n NA2,s3://reads/2 ,\u00a07\n", id="blanks around"),
        pytest.param('"sample","fastq","depth"\n"NA1","s3://reads/1","30"\n"NA2","s3://reads/2","7"\n', id="quoted"),
        pytest.param("sample,fastq,depth,,\nNA1,s3://reads/1,30,,\nNA2,s3://reads/2,7,,\n", id="columns that are empty"),
    ],
)  # fmt: skip
def test_a_row_is_an_entry_with_every_other_column_as_a_parameter(tmp_path: Path, content: str) -> None:
    assert entries(tmp_path, content) == PLAIN


def test_a_tsv_is_cut_at_tabs(tmp_path: Path) -> None:
    content = "sample\tfastq\tdepth\nNA1\ts3://reads/1\t30\nNA2\ts3://reads/2\t7\n"
    assert entries(tmp_path, content, name="cohort.tsv") == PLAIN
    assert entries(tmp_path, content, SampleSheet("cohort.tsv"), "cohort.tsv") == PLAIN
    semicolons = content.replace("\t", ";")
    assert entries(tmp_path, semicolons, SampleSheet("c.txt", delimiter=";"), "c.txt") == PLAIN


def test_quoted_cells_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    content = 'sample,note\nNA1,"a, ""b""\r\nand c"\nNA2,"x"\n'
    assert [entry["parameters"]["note"] for entry in entries(tmp_path, content)] == ['a, "b"\r\nand c', "x"]


def test_an_empty_cell_is_left_out(tmp_path: Path) -> None:
    content = 'sample,a,b\nNA1,,1\nNA2,"",\n'
    assert [entry["parameters"] for entry in entries(tmp_path, content)] == [{"b": "1"}, {}]


def test_a_column_has_the_type_that_is_said(tmp_path: Path) -> None:
    content = (
        "sample,n,x,yes,text,id\n"
        "NA1,-7,.5,True,007,1\n"
        "NA2,+30,1e3,no,1.0,2\n"
        "NA3,007,30,1,true,3\n"
        "NA4,,,FALSE,,4\n"
    )
    sheet = SampleSheet("cohort.csv", types={"n": int, "x": "float", "yes": bool, "text": str})
    parameters = [entry["parameters"] for entry in entries(tmp_path, content, sheet)]
    assert parameters == [
        {"n": -7, "x": 0.5, "yes": True, "text": "007", "id": "1"},
        {"n": 30, "x": 1000.0, "yes": False, "text": "1.0", "id": "2"},
        {"n": 7, "x": 30.0, "yes": True, "text": "true", "id": "3"},
        {"yes": False, "id": "4"},
    ]
    assert [type(one["n"]) for one in parameters[:3]] == [int] * 3
    assert [type(one["x"]) for one in parameters[:3]] == [float] * 3


def test_columns_go_to_other_members_and_other_names(tmp_path: Path) -> None:
    content = "who,reads,urgency,where,note\nNA1,s3://reads/1,7,s3://out/1,x\nNA2,s3://reads/2,,,y\n"
    sheet = SampleSheet(
        "cohort.csv",
        "who",
        parameters={"who": "sample_name", "reads": "fastq"},
        priority="urgency",
        output_uri="where",
    )
    assert entries(tmp_path, content, sheet) == [
        {
            "runSettingId": "NA1",
            "priority": 7,
            "outputUri": "s3://out/1",
            "parameters": {"sample_name": "NA1", "fastq": "s3://reads/1"},
        },
        {"runSettingId": "NA2", "parameters": {"sample_name": "NA2", "fastq": "s3://reads/2"}},
    ]
    others = SampleSheet("cohort.csv", "who", priority="urgency", output_uri="where")
    assert entries(tmp_path, content, others)[0]["parameters"] == {"reads": "s3://reads/1", "note": "x"}


def test_a_sheet_s_own_name_column_is_a_parameter(tmp_path: Path) -> None:
    assert entries(tmp_path, "sample,name\nNA1,x\n") == [{"runSettingId": "NA1", "parameters": {"name": "x"}}]


WRONG: list[tuple[str | bytes, Any, str]] = [
    (b"", None, "is empty; it takes a header and one row for each run."),
    ("\n,,\n", None, "is empty; it takes a header and one row for each run."),
    (f"sample,a,b\nNA1,1,2\nNA2,{MARKER}\n", None, "has 2 cells in row 3, and 3 columns in its header; each row takes a cell for each column."),
    (f"sample\nNA1\n\nNA2,{MARKER}\n", None, "has 2 cells in row 4, and 1 column in its header; each row takes a cell for each column."),
    (f'sample,a\nNA1,"x\ny"\n{MARKER}\n', None, "has 1 cell in row 3, and 2 columns in its header; each row takes a cell for each column."),
    (f"sample,a,\nNA1,1,\nNA2,2,{MARKER}\n", None, "has a cell in row 3 whose column, number 3, has no name."),
    (f"sample,{MARKER},x,{MARKER}\nNA1,1,2,3\n", None, "has one name for columns 2 and 4; its header, the first row, takes a name of its own for each column."),
    (f"{MARKER},x\n{MARKER},y\n", None, "has none of the columns 'sample' and 'runSettingId'; say which one has the ids: SampleSheet(path, id_column=...)."),
    ("sample,runSettingId\nNA1,NA1\n", None, "has both columns 'sample' and 'runSettingId'; say which one has the ids: SampleSheet(path, id_column=...)."),
    ("sampel,x\nNA1,y\n", SampleSheet("cohort.csv"), "has no column 'sample'; did you mean 'sampel'?"),
    (f"{MARKER},x\nNA1,y\n", SampleSheet("cohort.csv"), "has no column 'sample'; its first row takes the names of its columns."),
    ("sample,deepth\nNA1,30\n", SampleSheet("cohort.csv", types={"depth": int}), "has no column 'depth'; did you mean 'deepth'?"),
    ("sample,deepth\nNA1,30\n", SampleSheet("cohort.csv", parameters={"depth": "d"}), "has no column 'depth'; did you mean 'deepth'?"),
    ("sample,x\nNA1,30\n", SampleSheet("cohort.csv", priority="urgency"), "has no column 'urgency'; its first row takes the names of its columns."),
    ("sample,x\nNA1,30\n", SampleSheet("cohort.csv", output_uri="where"), "has no column 'where'; its first row takes the names of its columns."),
    (f"sample,n\nNA1,1\n\nNA2,{MARKER}\n", SampleSheet("cohort.csv", types={"n": int}), "has a cell in row 4, column 'n', that is no int; it takes a whole number."),
    ("sample,n\nNA1,1_000\n", SampleSheet("cohort.csv", types={"n": int}), "has a cell in row 2, column 'n', that is no int; it takes a whole number."),
    ("sample,n\nNA1,30.0\n", SampleSheet("cohort.csv", types={"n": int}), "has a cell in row 2, column 'n', that is no int; it takes a whole number."),
    ("sample,n\nNA1,nan\n", SampleSheet("cohort.csv", types={"n": float}), "has a cell in row 2, column 'n', that is no float; it takes a number with a point, such as 0.5."),
    ("sample,n\nNA1,1e999\n", SampleSheet("cohort.csv", types={"n": float}), "has a cell in row 2, column 'n', that is no float; it takes a number with a point, such as 0.5."),
    ("sample,n\nNA1,maybe\n", SampleSheet("cohort.csv", types={"n": bool}), "has a cell in row 2, column 'n', that is no bool; it takes true or false, yes or no, 1 or 0."),
    (f'sample,a\nNA1,"{MARKER}\nNA2,y\n', None, "is no sheet, at row 2: unexpected end of data."),
    (f'sample,a\nNA1,"x" {MARKER}\n', None, "is no sheet, at row 2: ',' expected after '\"'."),
    ("sample,a\nNA1," + "x" * 140_000 + "\n", None, "is no sheet, at row 2: field larger than field limit (131072)."),
    ("sample,a\nNA1,Größe\n".encode("latin-1"), None, "is not UTF-8 text."),
    ("sample,a\nNA1,x\n".encode("utf-16"), None, "is not UTF-8 text."),
]  # fmt: skip


@pytest.mark.parametrize(("content", "sheet", "message"), WRONG)
def test_what_is_wrong_with_a_sheet_is_said_with_its_row(
    tmp_path: Path, content: str | bytes, sheet: Any, message: str
) -> None:
    assert refusal(tmp_path, content, sheet) == message


def test_a_sheet_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OmicsRequestError) as raised:
        prepare(SampleSheet("none.csv"), defaults={}, folder=tmp_path)
    assert str(raised.value) == (
        f"run_settings is 'none.csv', and {tmp_path}/none.csv can't be read: No such file or directory."
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",x", "runSettingId is missing; it takes text of 1 to 128 characters, such as the sample's name."),
        ("n" * 129 + ",x", "runSettingId has 129 characters; it takes text of 1 to 128 characters, such as the sample's name."),
        ('"a\nb",x', "runSettingId holds a control character, such as a line's end; it takes none."),
        ("NA2,{{ ds }}", " ('NA2'): parameters['a'] holds a template that was not rendered; Airflow does not render a template inside a rendered value, such as a Variable's. Render it before it is put there."),
    ],
)  # fmt: skip
def test_an_entry_that_is_wrong_is_named_by_its_row(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(OmicsRequestError) as raised:
        entries(tmp_path, f"sample,a\nNA1,1\n\n{row}\n")
    gap = "" if message.startswith(" (") else ": "
    assert str(raised.value) == f"run_settings, row 4{gap}{message}"


def test_an_id_that_is_there_twice_is_named_with_its_rows(tmp_path: Path) -> None:
    rows = ["sample,a", "A,1", "B,2", "A ,3", "C,4", "", "B,5", "A,6", "C,7"]
    with pytest.raises(OmicsRequestError) as raised:
        entries(tmp_path, "\n".join(rows))
    assert str(raised.value) == (
        "run_settings holds 'A' in rows 2, 4 and 8, 'B' in rows 3 and 7, 'C' in rows 5 and 9; each runSettingId must be there once."
    )


def test_a_member_s_cell_is_not_shown(tmp_path: Path) -> None:
    for member, takes in (
        ("priority", "is not in its range; it takes a whole number from 0 to 100000."),
        ("output_uri", "is no S3 location; it takes one, such as 's3://bucket/folder'."),
    ):
        sheet = SampleSheet("cohort.csv", **{member: "x"})
        with pytest.raises(OmicsRequestError) as raised:
            entries(tmp_path, f"sample,x\nNA1,{MARKER}\n", sheet)
        name = {"output_uri": "outputUri"}.get(member, member)
        assert str(raised.value) == f"run_settings, row 2 ('NA1'): {name} {takes}"


# -- the value in a DAG file ---------------------------------------------------------------------------------


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"path": 7}, "path is a int; it takes the path of a .csv or .tsv file, relative to the DAG file."),
    ({"path": "cohort.xlsx"}, "path is 'cohort.xlsx'; it takes the path of a .csv or .tsv file, relative to the DAG file, or of another one if delimiter is given."),
    ({"path": ""}, "path is ''; it takes the path of a .csv or .tsv file, relative to the DAG file, or of another one if delimiter is given."),
    ({"path": "s3://bucket/cohort.csv"}, "path is 's3://bucket/cohort.csv'; it takes the path of a .csv or .tsv file, relative to the DAG file: download it, or put the entries into an s3:// JSON file."),
    ({"id_column": None}, "id_column is None; it takes the name of a column."),
    ({"priority": 3}, "priority is 3; it takes the name of a column."),
    ({"output_uri": " "}, "output_uri is ' '; it takes the name of a column."),
    ({"types": ["depth"]}, "types is a list; it takes a dict of int, float, bool or str by column, such as {'depth': int}."),
    ({"types": {"depth": "integer"}}, "types['depth'] is 'integer'; it takes a dict of int, float, bool or str by column, such as {'depth': int}."),
    ({"types": {"depth": list}}, "types['depth'] is <class 'list'>; it takes a dict of int, float, bool or str by column, such as {'depth': int}."),
    ({"types": {1: int}}, "a key of types is 1; it takes the name of a column."),
    ({"parameters": ["reads"]}, "parameters is a list; it takes a dict of parameters' names by column, such as {'reads': 'fastq'}."),
    ({"parameters": {"a": "x", "b": "x"}}, "parameters gives 'x' to two columns; it takes a dict of parameters' names by column, such as {'reads': 'fastq'}."),
    ({"parameters": {"a": None}}, "parameters['a'] is None; it takes a dict of parameters' names by column, such as {'reads': 'fastq'}."),
    ({"delimiter": "::"}, "delimiter is '::'; it takes one character, such as ';'."),
    ({"delimiter": '"'}, "delimiter is '\"'; it takes one character, such as ';'."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_a_sheet_that_can_not_be_right_does_not_parse(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        SampleSheet(**{"path": "cohort.csv", **arguments})
    assert str(raised.value) == message


def test_no_column_gives_the_name() -> None:
    with pytest.raises(TypeError, match="name"):
        SampleSheet("cohort.csv", name="x")  # type: ignore[call-arg]


WHOLE = SampleSheet(
    "sheets/{{ ds }}.csv",
    "who",
    {"depth": int, "ratio": "float"},
    {"who": "sample_name"},
    priority="urgency",
    output_uri="where",
    delimiter=";",
)
TEXT = (
    "SampleSheet('sheets/{{ ds }}.csv', id_column='who', types={'depth': 'int', 'ratio': 'float'}, "
    "parameters={'who': 'sample_name'}, priority='urgency', output_uri='where', delimiter=';')"
)


def test_its_text_is_what_the_dag_file_says() -> None:
    assert repr(WHOLE) == str(WHOLE) == WHOLE.serialize() == TEXT
    assert repr(SampleSheet("a.csv")) == "SampleSheet('a.csv')"
    assert eval(repr(WHOLE)) == WHOLE
    assert repr(Hidden(WHOLE)) == TEXT
    assert repr(Hidden("cohort.csv")) == "cohort.csv"
    assert repr(Hidden(f"{{'sample': '{MARKER}'}}.csv")) == "a str, not shown"


def test_of_many_samples_not_all_are_shown() -> None:
    shown = repr(Hidden({f"s{number}": {"who": MARKER} for number in range(1000)}))
    assert shown.startswith("s0, s1, ")
    assert shown.endswith(", s19, and 980 more (values are not shown)")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_is_equal(copied: Any) -> None:
    assert copied(WHOLE) == WHOLE
    assert copied(WHOLE) is not WHOLE


def test_another_path_is_another_sheet(tmp_path: Path) -> None:
    rendered = WHOLE.with_path("sheets/2026.csv")
    assert repr(rendered) == TEXT.replace("{{ ds }}", "2026")
    assert rendered != WHOLE
    assert WHOLE.path == "sheets/{{ ds }}.csv"
    assert SampleSheet("a.csv") != "a.csv"


SERIALIZE = """
import json, sys
from datetime import datetime
try:
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models import BaseOperator
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialized
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialized
from airflow_omics.operators import SampleSheet

loaded = [name for name in ("csv", "yaml", "tempfile") if name in sys.modules]

class Task(BaseOperator):
    template_fields = ("settings",)

    def __init__(self, settings=None, **kwargs):
        super().__init__(**kwargs)
        self.settings = settings

sheet = SampleSheet("cohort.csv", types={"depth": int})
with DAG("a_dag", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    task = Task(task_id="one", settings=sheet)
    Task.partial(task_id="mapped").expand(settings=[sheet, sheet])
task.render_template_fields({})
assert task.settings is sheet
data = json.loads(json.dumps(Serialized.to_dict(dag)))
again = Serialized.from_dict(data)
print("kept:", json.dumps([again.get_task("one").settings, json.dumps(data)]))
"""


def test_airflow_stores_its_text(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERIALIZE],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept, data = json.loads(done.stdout.rpartition("kept: ")[2])
    assert kept == "SampleSheet('cohort.csv', types={'depth': 'int'})"
    assert data.count("SampleSheet('cohort.csv'") >= 1
    assert "object at 0x" not in data


def test_importing_it_loads_nothing_that_reads_a_sheet() -> None:
    script = (
        "import sys; sys.modules.pop('csv', None); import airflow_omics._batches.sample_sheet; "
        "print([name for name in ('csv', 'difflib', 'json', 'tempfile', 'airflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
