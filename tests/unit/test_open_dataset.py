"""open_dataset(): the tables that `analyze` gives, columns and rows chosen, and what is said of what is not there."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tcptrace_py as tt
from tcptrace_py.errors import ChangedError, UnreadableError, UsageError
from tests.batches import NAMES, batch, folder_of

ALL = ("captures", "connections", "states", "events", "timeline")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = folder_of(tmp_path_factory.mktemp("opened") / "in")
    batch(folder, folder.parent / "out", tables=ALL)
    return tt.open_dataset(folder.parent / "out")


def plain(value):
    """A cell as it can be compared: lists as lists, nulls alike."""
    return str(value.tolist()) if hasattr(value, "tolist") and getattr(value, "ndim", 0) else str(value)


@pytest.mark.parametrize("table", ALL)
def test_the_tables_are_those_of_the_captures(dataset, table):
    frame = getattr(dataset, table)
    traces = [tt.analyze(path) for path in dataset.captures["path"]]
    wanted = pd.concat([getattr(trace, table) for trace in traces], ignore_index=True)
    assert len(traces) == len(NAMES)
    assert list(frame.columns) == list(wanted.columns)
    for name in frame.columns:
        ours, theirs = frame[name], wanted[name]
        assert ours.dtype == theirs.dtype or {str(ours.dtype), str(theirs.dtype)} <= {"category", "object", "str"}
        if name != "sha256":
            assert ours.map(plain).to_list() == theirs.map(plain).to_list(), name


def test_columns_and_rows_are_chosen(dataset):
    names = ["server_port", "conn_id", "teardown"]
    for where in (pc.field("teardown") == "refused", [("teardown", "=", "refused")]):
        table = dataset.arrow("connections", names, where)
        assert table.column_names == names
        assert table.to_pylist() == [{"server_port": 80, "conn_id": 0, "teardown": "refused"}]
    both = dataset.frame("timeline", ["flags"], [[("flags", "=", "S")], [("flags", "=", "SA")]])
    assert both["flags"].astype(str).value_counts().to_dict() == {"S": 8, "SA": 7}
    time = dataset.arrow(
        "connections", where=pc.field("start") >= pa.scalar(1795386182 * 10**9, pa.timestamp("ns", "UTC"))
    )
    assert len(time) == 7
    assert dataset.arrow("events", where=pc.field("conn_id") == 77).num_rows == 0


def test_batches_are_the_table_in_pieces(dataset):
    pieces = list(dataset.batches("timeline", ["capture", "frame"]))
    assert len(pieces) == len(NAMES)
    assert pa.Table.from_batches(pieces).to_pylist() == dataset.arrow("timeline", ["capture", "frame"]).to_pylist()


def test_questions_and_sql(dataset):
    pytest.importorskip("duckdb")
    answer = dataset.query("SELECT max(start) AS last FROM connections WHERE server_port = $port", port=80)
    assert answer["last"][0] == dataset.connections["start"].max()
    assert str(answer["last"].dtype) == "datetime64[ns, UTC]"
    assert dataset.ask("never-answered").empty
    assert dataset.ask("teardown-shapes")["connections"].sum() == 8
    assert list(dataset.ask("top-talkers", rows=1)["host"]) == ["10.9.0.1"]


def test_what_it_shows(dataset):
    assert repr(dataset) == f"<Dataset {dataset.path}: 6 captures>"
    assert len(dataset) == 6
    assert dataset.tables == ["captures", "connections", "timeline", "states", "events"]
    assert "             8  connections\n" in dataset._repr_html_()


def test_hostile_names_are_shown_safely(tmp_path):
    place = tmp_path / "<script>\x1b[31m"
    batch(folder_of(tmp_path / "in", ["ipv6"]), place)
    assert "<pre><b>" in tt.open_dataset(place)._repr_html_()
    assert "&lt;script&gt;\\x1b[31m</b>" in tt.open_dataset(place)._repr_html_()


def test_what_is_not_there_is_said(dataset, tmp_path):
    with pytest.raises(UsageError, match="there is no table 'segments'; there are captures, "):
        dataset.arrow("segments")
    with pytest.raises(UsageError, match="connections has no column 'nothing'"):
        dataset.arrow("connections", ["nothing"])
    with pytest.raises(UnreadableError, match="no dataset: there is no such folder"):
        tt.open_dataset(tmp_path / "x")
    batch(folder_of(tmp_path / "in", ["ipv6"]), tmp_path / "out")
    small = tt.open_dataset(tmp_path / "out")
    with pytest.raises(UsageError, match="there is no timeline in this dataset; make it with --timeline"):
        small.timeline  # noqa: B018
    next((tmp_path / "out" / "events").iterdir()).write_bytes(b"no parquet")
    with pytest.raises(UnreadableError, match="events/"):
        small.events  # noqa: B018


def test_batches_tell_when_the_dataset_changed_under_them(tmp_path):
    folder = folder_of(tmp_path / "in", ["ipv6", "four_way"])
    batch(folder, tmp_path / "out")
    pieces = tt.open_dataset(tmp_path / "out").batches("connections")
    next(pieces)
    batch(folder, tmp_path / "out", msl2_ns=5)
    with pytest.raises(ChangedError, match="changed while it was read; begin again"):
        list(pieces)
