"""Tables to files: exact texts, round trips through pandas' readers, and files that are whole or absent."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hand_made import T0, HandMadeTrace
from hypothesis import given
from hypothesis import strategies as st

from tcptrace_py.errors import OutputError
from tcptrace_py.tables.output import whole_file
from tcptrace_py.tables.rows import CsvRows, JsonRows, csv_cell, json_text, lines
from tcptrace_py.tables.safe_text import CONTROLS, safe_text
from tcptrace_py.tables.schema import TABLES, arrow_schema
from tcptrace_py.tables.write import FORMATS, file_per_table, one_file, write_table

SMALL = pa.schema(
    [
        ("label", pa.dictionary(pa.int8(), pa.string())),
        ("number", pa.int64()),
        ("time", pa.timestamp("ns", "UTC")),
        ("truth", pa.bool_()),
        ("share", pa.float64()),
        ("address", pa.binary(16)),
        ("names", pa.list_(pa.string())),
        ("verdicts", pa.list_(pa.bool_())),
        ("text", pa.string()),
    ]
)


def small():
    return pa.RecordBatch.from_pydict(
        {
            "label": ["SA", None, "SA"],
            "number": [2**63 - 1, None, -1],
            "time": [T0 + 1, None, -1],
            "truth": [True, None, False],
            "share": [0.25, None, float("nan")],
            "address": [bytes(16), None, bytes(16)],
            "names": [["a", "b"], [], ["c"]],
            "verdicts": [[True, None], [], [False]],
            "text": ['=1+1, "x"', None, "é\x1b[0m\n"],
        },
        schema=SMALL,
    )


def text(batch, rows):
    return b"".join(bytes(piece) for piece in lines(batch, rows)).decode()


def test_csv():
    assert CsvRows(SMALL).header() == b"label,number,time,truth,share,names,verdicts,text\n"
    assert text(small(), CsvRows(SMALL)).splitlines() == [
        'SA,9223372036854775807,2023-11-14T22:13:20.000000001Z,true,0.25,a;b,true;,"\'=1+1, ""x"""',
        ",,,,,,,",
        "SA,-1,1969-12-31T23:59:59.999999999Z,false,nan,c,false,é\\x1b[0m\\x0a",
    ]


def test_raw_csv_leaves_texts_as_they_are():
    assert text(small(), CsvRows(SMALL, raw=True)).endswith('false,"é\x1b[0m\n"\n')
    assert '"=1+1, ""x"""' in text(small(), CsvRows(SMALL, raw=True))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start):
    assert csv_cell(f"{start}cmd").startswith("'")
    assert csv_cell(f"{start}cmd", raw=True).lstrip('"').startswith(start)


def test_ndjson():
    first, second, third = text(small(), JsonRows(SMALL)).splitlines()
    assert first == (
        '{"label":"SA","number":9223372036854775807,"time":"2023-11-14T22:13:20.000000001Z","truth":true,'
        '"share":0.25,"names":["a","b"],"verdicts":[true,null],"text":"=1+1, \\"x\\""}'
    )
    assert json.loads(second) == {
        **dict.fromkeys(("label", "number", "time", "truth", "share", "text")),
        "names": [],
        "verdicts": [],
    }
    assert json.loads(third)["text"] == "é\x1b[0m\n"
    assert json.loads(third)["share"] is None
    assert "\x1b" not in third


def test_json_text_hides_what_acts_on_a_terminal():
    hostile = "a\u202eb\x9bc\ud800\x7f"
    assert json_text(hostile) == r'"a\u202eb\u009bc\ud800\u007f"'
    assert json.loads(json_text(hostile)) == hostile


def test_a_slice_of_a_batch_writes_its_own_rows():
    assert text(small().slice(2, 1), CsvRows(SMALL)) == text(small(), CsvRows(SMALL)).splitlines(keepends=True)[2]
    assert text(small().slice(2, 1), JsonRows(SMALL)) == text(small(), JsonRows(SMALL)).splitlines(keepends=True)[2]


def test_a_batch_larger_than_one_piece_of_text():
    many = pa.RecordBatch.from_pydict({"number": pa.array(range(40_000), pa.int64())})
    assert text(many, CsvRows(many.schema)).split() == [str(i) for i in range(40_000)]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_writes_as_every_format(table, tmp_path):
    batches = list(HandMadeTrace("hand.pcap").batches(table))
    names = [column.name for column in TABLES[table] if column.type != "binary16"]
    rows = sum(batch.num_rows for batch in batches)
    for kind in FORMATS:
        assert write_table(kind, tmp_path / kind, table, arrow_schema(table), batches) == rows
    document = json.loads((tmp_path / "json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    objects = [json.loads(line) for line in (tmp_path / "ndjson").read_text(encoding="utf-8").splitlines()]
    assert document[table] == objects
    assert len(objects) == rows
    assert all(list(known) == names for known in objects)
    assert (tmp_path / "csv").read_text(encoding="utf-8").splitlines()[0] == ",".join(names)
    whole = pa.Table.from_batches(batches, arrow_schema(table)).to_pylist()
    assert pa.parquet.read_table(tmp_path / "parquet").to_pylist() == whole
    assert pa.ipc.open_file(tmp_path / "arrow").read_all().to_pylist() == whole


def test_parquet_keeps_types_and_schema_version(tmp_path):
    write_table("parquet", tmp_path / "t", "timeline", arrow_schema("timeline"), HandMadeTrace("x").batches("timeline"))
    read = pa.parquet.read_schema(tmp_path / "t")
    assert read.equals(arrow_schema("timeline"))
    assert read.metadata[b"tcptrace_py.schema_version"] == b"1"
    column = pa.parquet.ParquetFile(tmp_path / "t").metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def growing():
    """Batches whose label dictionaries differ: as from several captures."""
    for names in (["a"], ["b", "a"], ["b"], ["c", None, "a"]):
        yield pa.RecordBatch.from_pydict({"label": pa.array(names, pa.dictionary(pa.int16(), pa.string()))})


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_dictionaries_may_differ_between_batches(kind, tmp_path):
    schema = next(growing()).schema
    write_table(kind, tmp_path / "x", "t", schema, growing())
    read = pa.parquet.read_table(tmp_path / "x") if kind == "parquet" else pa.ipc.open_file(tmp_path / "x").read_all()
    assert read["label"].to_pylist() == ["a", "b", "a", "b", "c", None, "a"]


def test_a_parquet_row_group_gathers_many_batches(tmp_path):
    batch = pa.RecordBatch.from_pydict({"number": pa.array(range(8192), pa.int64())})
    write_table("parquet", tmp_path / "x", "t", batch.schema, (batch for _ in range(20)))
    groups = pa.parquet.ParquetFile(tmp_path / "x").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [131_072, 32_768]


def test_a_document_holds_later_tables_until_the_first_is_done(tmp_path):
    one = pa.RecordBatch.from_pydict({"n": pa.array([1], pa.int64())})
    with one_file("json", tmp_path / "x", {"a": one.schema, "b": one.schema, "c": one.schema}) as writer:
        for table in ("a", "b", "a", "b"):
            writer.put(table, one)
    assert json.loads((tmp_path / "x").read_text()) == {
        "schema_version": 1, "a": [{"n": 1}, {"n": 1}], "b": [{"n": 1}, {"n": 1}], "c": [],
    }  # fmt: skip


def test_a_folder_gets_a_file_a_table(tmp_path):
    trace = HandMadeTrace("hand.pcap")
    schemas = {table: arrow_schema(table) for table in ("connections", "events")}
    with file_per_table("ndjson", tmp_path / "new" / "folder", schemas) as put:
        for table in schemas:
            for batch in trace.batches(table):
                put(table, batch)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "connections.ndjson",
        "events.ndjson",
    ]


class BoomError(Exception):
    pass


def failing():
    yield small()
    raise BoomError


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_is_left_of_a_file_that_could_not_be_finished(kind, tmp_path):
    (tmp_path / "out").write_text("the old one")
    with pytest.raises(BoomError):
        write_table(kind, tmp_path / "out", "t", SMALL, failing())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "the old one"


def test_a_link_stays_a_link_and_permissions_follow_the_umask(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with whole_file(tmp_path / "link") as sink:
        sink.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    umask = os.umask(0o022)
    os.umask(umask)
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_is_told_in_one_line(kind):
    with pytest.raises(OutputError, match=r"^cannot write /dev/full: No space left on device( \(\d+ bytes\))?$"):
        write_table(kind, Path("/dev/full"), "t", SMALL, [small()])
    assert not Path("/dev/full").is_file()


def test_a_missing_folder_and_a_file_in_the_way(tmp_path):
    with pytest.raises(OutputError, match=r"no/such/x: No such file or directory$"):
        write_table("csv", tmp_path / "no" / "such" / "x", "t", SMALL, [])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/x: Not a directory$"):
        write_table("csv", tmp_path / "file" / "x", "t", SMALL, [])
    with pytest.raises(OutputError, match=r"file: File exists$"), file_per_table("csv", tmp_path / "file", {}):
        pass


def test_text_formats_and_files_are_written_without_pandas(tmp_path):
    code = f"""
import sys
from pathlib import Path
import pyarrow as pa
from tcptrace_py.tables.rows import text_array
from tcptrace_py.tables.write import FORMATS, write_table
labels = pa.DictionaryArray.from_arrays(pa.Array.from_buffers(pa.int8(), 2, [None, pa.py_buffer(bytes(2))]),
                                        text_array(["SA"]))
times = pa.Array.from_buffers(pa.timestamp("ns", "UTC"), 2, [None, pa.py_buffer(bytes(16))])
starts = pa.Array.from_buffers(pa.int32(), 3, [None, pa.py_buffer(bytes(12))])
lists = pa.ListArray.from_arrays(starts, text_array([]))
batch = pa.RecordBatch.from_arrays([labels, times, lists], ["label", "time", "names"])
for kind in FORMATS:
    write_table(kind, Path({str(tmp_path)!r}) / kind, "t", batch.schema, [batch, batch])
print("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert (tmp_path / "csv").read_text().splitlines()[-1] == "SA,1970-01-01T00:00:00.000000000Z,"


@given(st.text())
def test_a_raw_csv_cell_reads_back_as_it_was(text):
    cell = csv_cell(text, raw=True)
    assert list(csv.reader(io.StringIO(f"1,{cell},2\r\n", newline=""))) == [["1", text, "2"]]


@given(st.text())
def test_a_safe_csv_cell_is_one_cell_of_one_line(text):
    cell = csv_cell(text)
    assert not CONTROLS.search(cell)
    ((_, read, _),) = csv.reader(io.StringIO(f"1,{cell},2\r\n", newline=""))
    assert read.removeprefix("'") == safe_text(text).removeprefix("'")


@given(st.text(st.characters(exclude_categories=())))
def test_a_json_text_reads_back_as_it_was_and_shows_no_control(text):
    assert json.loads(json_text(text)) == text
    assert not CONTROLS.search(json_text(text))
