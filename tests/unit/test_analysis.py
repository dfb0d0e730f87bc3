"""analyze(), stream() and Trace: what is kept, what is read again, what is refused, and what a notebook gets."""

from __future__ import annotations

import gc
import io
import struct
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tcptrace_py as tt
from tcptrace_py import pipeline
from tcptrace_py.errors import TraceError, UnreadableError, UsageError
from tcptrace_py.tables.schema import TABLES, arrow_schema
from tests.agreement import rows_of
from tests.containers import interface, section, simple
from tests.packets import ethernet, ipv4, tcp, write_pcap

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
FOUR_WAY = FIXTURES / "four_way.pcap"
LOSS = FIXTURES / "loss_bulk.pcap"
ALL = list(TABLES)


def packets_of(path):
    data = path.read_bytes()[24:]
    while data:
        (size,) = struct.unpack("<I", data[8:12])
        yield data[16 : 16 + size]
        data = data[16 + size :]


# -- what is refused -----------------------------------------------------------------------------------------------


def test_a_table_that_there_is_not():
    with pytest.raises(UsageError, match="there is no table 'timelines'; there are captures, connections"):
        tt.analyze(FOUR_WAY, tables=["timelines"])
    with pytest.raises(UsageError, match="no table 'timelines'"):
        list(tt.analyze(FOUR_WAY).batches("timelines"))


def test_one_table_by_its_name():
    trace = tt.analyze(io.BytesIO(FOUR_WAY.read_bytes()), tables="timeline")
    assert len(trace.timeline) == trace.summary.segments


@pytest.mark.parametrize("option", [{"batch_size": 0}, {"msl2_ns": -1}, {"idle_timeout_ns": -5}, {"reader": "scapy"}])
def test_impossible_options(option):
    with pytest.raises(UsageError, match=next(iter(option))):
        tt.analyze(FOUR_WAY, **option)


@pytest.mark.parametrize("content", [b"", b"\x7fELF and so on", b"no capture at all\n"])
def test_unreadable(tmp_path, content):
    path = tmp_path / "what.pcap"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"what\.pcap: "):
        tt.analyze(path)


def test_a_stream_that_was_not_asked_beforehand():
    trace = tt.analyze(io.BytesIO(FOUR_WAY.read_bytes()))
    assert len(trace.connections) == 1
    for table in ("states", "events", "timeline"):
        with pytest.raises(UsageError, match=rf"ask for it beforehand, analyze\(\.\.\., tables=\['{table}'\]\)"):
            trace.arrow(table)
    assert trace.captures.packets_read[0] == trace.summary.packets


def test_a_stream_of_which_everything_was_asked():
    once = tt.analyze(io.BytesIO(LOSS.read_bytes()), tables=ALL)
    for table in ALL[1:]:
        assert rows_of(once, table) == [row | {"capture": once.path} for row in rows_of(tt.analyze(LOSS), table)], table


def test_events_alone_are_the_events_of_all():
    """Findings about whole connections are among them, whatever else was asked for."""
    for path in sorted(FIXTURES.glob("*.pcap")):
        alone, among = tt.analyze(path, tables=["events"]), tt.analyze(path, tables=ALL)
        assert rows_of(alone, "events") == rows_of(among, "events"), path
    assert [row["code"] for row in rows_of(tt.analyze(FIXTURES / "no_answer.pcap", tables=["events"]), "events")].count(
        "hs_no_answer"
    ) == 1


def test_the_timeline_of_a_file_is_not_held():
    trace = tt.analyze(LOSS, tables=ALL)
    assert set(trace._batches) == {"connections", "states", "events"}  # noqa: SLF001
    assert len(trace.timeline) == trace.summary.segments


# -- counting ------------------------------------------------------------------------------------------------------


def test_counting_is_checked_in_every_run(monkeypatch, tmp_path):
    path = write_pcap(tmp_path / "arp.pcap", [ethernet(ipv4(tcp())), ethernet(b"\0" * 28, 0x0806)])
    monkeypatch.setattr(pipeline.Pass, "unused", property(lambda _self: [0]))
    with pytest.raises(AssertionError, match="2 packets read, but 1 with a row and 0 not used"):
        tt.analyze(path)


# -- Trace and its connections -------------------------------------------------------------------------------------


def test_indexing():
    trace = tt.analyze(FIXTURES / "fast_open.pcap")
    assert [conn.conn_id for conn in trace] == list(range(len(trace))) == [0, 1]
    assert [conn.record["conn_id"] for conn in trace] == [0, 1]
    for missing in (-1, 2):
        with pytest.raises(IndexError, match=f"no connection {missing}: there are 2, from 0"):
            trace[missing]


def test_the_timeline_of_one_connection():
    trace = tt.analyze(FIXTURES / "fast_open.pcap")
    whole = rows_of(trace, "timeline")
    for conn in trace:
        mine = [row for row in whole if row["conn_id"] == conn.conn_id]
        assert conn.rows() == mine
        assert conn.timeline.frame.tolist() == [row["frame"] for row in mine]
    assert sum(len(conn.rows()) for conn in trace) == len(whole)


def test_sack_blocks_are_counted_as_acknowledgments_are():
    """Against the header itself: edges as far from the raw acknowledgment as these from the counted one."""
    held = {}
    for frame, data in enumerate(packets_of(LOSS), start=1):
        blocks = []
        transport = data[(data[0] & 15) * 4 :]
        options = transport[20 : (transport[12] >> 4) * 4]
        while options and options[0]:
            kind, size = options[0], 1 if options[0] == 1 else options[1]
            if kind == 5:
                blocks = struct.unpack(f">{(size - 2) // 4}I", options[2:size])
            options = options[size:]
        held[frame] = [(edge - int.from_bytes(transport[8:12])) % 2**32 for edge in blocks]
    timeline = tt.analyze(LOSS).timeline
    counted = {row.frame: [edge - row.rel_ack for edge in row.rel_sack] for row in timeline.itertuples()}
    assert counted == held
    assert sum(map(bool, held.values())) == 17


def test_stream_gives_the_rows_of_connections():
    for path in sorted(FIXTURES.glob("*.pcap")):
        streamed = sorted(tt.stream(path), key=lambda conn: conn.conn_id)
        assert [conn.record for conn in streamed] == [conn.record for conn in tt.analyze(path)], path


def test_a_streamed_connection_reads_its_segments_from_the_file():
    trace = tt.analyze(FIXTURES / "fast_open.pcap")
    for conn in tt.stream(FIXTURES / "fast_open.pcap"):
        assert conn.rows() == trace[conn.conn_id].rows() != []
        assert conn.ladder() == trace[conn.conn_id].ladder()
        pd.testing.assert_frame_equal(conn.timeline, trace[conn.conn_id].timeline)


def test_a_streamed_connection_of_what_cannot_be_read_again():
    (conn,) = tt.stream(io.BytesIO(FOUR_WAY.read_bytes()))
    assert conn.record["teardown"] == "four_way"
    with pytest.raises(UsageError, match=r"cannot be read again: analyze\(\.\.\., tables=\['timeline'\]\)"):
        conn.rows()


def test_stream_takes_the_options_of_analyze():
    assert len(list(tt.stream(FOUR_WAY, batch_size=1, reader="dpkt"))) == 1
    with pytest.raises(TypeError, match="colour"):
        next(tt.stream(FOUR_WAY, colour="red"))


def test_stream_gives_connections_before_the_end(tmp_path):
    """The first connection has been closed for 2MSL long before the last packet."""
    opened = [tcp(2, seq=1), tcp(4, seq=2)]
    later = [tcp(16, seq=5, ack=9, sport=1234 + n) for n in range(30_000)]
    data = [ethernet(ipv4(segment)) for segment in (*opened, *later)]
    rows = tt.stream(write_pcap(tmp_path / "long.pcap", data, step_ns=10**9))
    assert next(rows).conn_id == 0
    rows.close()


def test_the_cycle_collector_runs_in_the_users_loop():
    seen = [gc.isenabled() for _ in tt.stream(LOSS)]
    seen += [gc.isenabled() for _ in tt.analyze(LOSS).batches("timeline")]
    assert len(seen) >= 2
    assert all(seen)


def test_instances_of_a_pair():
    rows = [conn.record for conn in tt.analyze(FIXTURES / "port_reuse.pcap")]
    pairs = [(row["client_ip"], row["client_port"], row["server_ip"], row["server_port"]) for row in rows]
    assert [row["instance"] for row in rows] == [pairs[:at].count(pair) for at, pair in enumerate(pairs)]
    assert max(row["instance"] for row in rows) > 0


def test_packets_without_times(tmp_path):
    """Simple packet blocks have none, and then no column may claim one."""
    data = [
        ethernet(ipv4(segment))
        for segment in (
            tcp(2, seq=10, sport=1234, dport=80),
            tcp(17, seq=11, ack=1, sport=1234, dport=80),
        )
    ]
    path = tmp_path / "simple.pcapng"
    path.write_bytes(section() + interface() + b"".join(map(simple, data)))
    trace = tt.analyze(path)
    timed = [c.name for c in TABLES["connections"] if c.type == "time" or c.name.endswith("_ns")]
    assert [name for name in timed if trace[0].record[name] is not None] == []
    assert {row["time"] for row in trace[0].rows()} == {None}
    assert set(trace.states.entered_time.isna()) == {True}


# -- pandas and Parquet --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [FOUR_WAY, LOSS, FIXTURES / "no_answer.pcap"], ids=lambda path: path.name)
def test_numbers_stay_whole(path):
    """What a column is made of does not depend on whether a null is there."""
    trace = tt.analyze(path)
    for table, columns in TABLES.items():
        frame = getattr(trace, table)
        assert frame.columns.tolist() == [column.name for column in columns]
        assert frame.attrs["table"] == table
        for column in columns:
            kind = frame[column.name].dtype
            if column.type.startswith(("int", "uint")):
                named = column.type.replace("int", "Int").replace("uInt", "UInt")
                assert str(kind) == (named if column.nullable else column.type), column.name
            if column.type == "bool":
                assert str(kind) == ("boolean" if column.nullable else "bool"), column.name
            if column.type == "time":
                assert str(kind) == "datetime64[ns, UTC]", column.name
            if column.type == "label":
                assert isinstance(kind, pd.CategoricalDtype), column.name


def test_values_of_a_frame():
    trace = tt.analyze(FOUR_WAY)
    for table in ALL:
        frame, rows = getattr(trace, table), rows_of(trace, table)
        for name in frame.columns:
            if not isinstance(rows[0][name], list) if rows else True:
                got = [None if value is pd.NA or value is pd.NaT or value != value else value for value in frame[name]]  # noqa: PLR0124
                got = [value.value if isinstance(value, pd.Timestamp) else value for value in got]
                assert got == [row[name] for row in rows], (table, name)


def test_frame_of_one_connection_has_the_same_columns():
    trace = tt.analyze(FOUR_WAY)
    pd.testing.assert_frame_equal(trace[0].timeline, trace.timeline)


def test_parquet_and_back(tmp_path):
    trace = tt.analyze(LOSS)
    trace.to_parquet(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{table}.parquet" for table in ALL)
    for table in ALL:
        back = pq.read_table(tmp_path / "out" / f"{table}.parquet")
        made = trace.arrow(table)
        assert back.schema.names == arrow_schema(table).names
        assert back.to_pylist() == made.to_pylist(), table
        times = [field.name for field in made.schema if pa.types.is_timestamp(field.type)]
        for name in times:  # pylist knows microseconds only
            assert back[name].cast(pa.int64()).to_pylist() == made[name].cast(pa.int64()).to_pylist(), (table, name)
    assert any(value % 1000 for value in made_times(trace))


def made_times(trace):
    return trace.arrow("timeline")["time"].cast(pa.int64()).to_pylist()


def test_parquet_of_some_tables(tmp_path):
    tt.analyze(FOUR_WAY).to_parquet(tmp_path, ["states"])
    assert [path.name for path in tmp_path.iterdir()] == ["states.parquet"]


def test_every_error_is_a_trace_error():
    assert issubclass(UsageError, TraceError)
    assert issubclass(UnreadableError, TraceError)


def test_progress_is_told():
    told = []
    tt.analyze(LOSS, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (LOSS.stat().st_size, LOSS.stat().st_size)
