"""The view `cic`: every column against its definition, reckoned anew over packets that dpkt has read."""

import json

import pytest

import tcptrace_py as tt
from tcptrace_py.tables.parity import VIEWS
from tcptrace_py.tables.views_cic import COLUMNS, DIFFERENCES
from tests import cic
from tests.answers import rows_of
from tests.batches import FIXTURES, batch, capture, folder_of, shifted, tar_of
from tests.packets import ethernet, ipv4, tcp, write_pcap

NAMES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
SYN, ACK, PSH, URG, FIN = 2, 16, 8, 32, 1
SECOND = 10**9


def viewed(path, **options):
    """The rows of the view, times as nanoseconds."""
    import pyarrow as pa

    return rows_of(pa.Table.from_batches(list(tt.analyze(path, **options).view_batches("cic"))))


def agree(ours, wanted):
    """Our row has every column that is declared, and each is what its definition says."""
    assert list(ours) == [column.name for column in COLUMNS]
    assert wanted.keys() | {"capture", "conn_id"} == ours.keys()
    for name, value in wanted.items():
        assert ours[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name


@pytest.mark.parametrize("name", [name for name in NAMES if name != "port_reuse"])
def test_features_of_real_connections(name):
    path = FIXTURES / f"{name}.pcap"
    some = cic.packets(path)
    connections = tt.analyze(path).connections
    rows = viewed(path)
    assert len(rows) == len(connections)
    for row, conn in zip(rows, connections.to_dict("records"), strict=True):
        client, server = ((conn[f"{end}_ip"], conn[f"{end}_port"]) for end in ("client", "server"))
        agree(row, cic.features([p for p in some if {p.src, p.dst} == {client, server}], client))
        assert row["Total Fwd Packet"] == conn["c2s_segments"]


def test_a_port_that_is_used_again_gives_rows_of_their_own():
    some = cic.packets(FIXTURES / "port_reuse.pcap")
    begins = [number for number, packet in enumerate(some) if packet.flags & (SYN | ACK) == SYN]
    rows = viewed(FIXTURES / "port_reuse.pcap")
    assert len(rows) == len(begins) == 3
    for row, begin, end in zip(rows, begins, [*begins[1:], len(some)], strict=True):
        agree(row, cic.features(some[begin:end], some[begin].src))


def story(tmp_path, steps):
    """A capture: (seconds, direction, flags, payload) a segment, with numbers that follow each other."""
    numbers, packets, at = {">": 100, "<": 900}, [], 0
    for seconds, way, flags, size in steps:
        at += int(seconds * SECOND)
        other = "<" if way == ">" else ">"
        ends = ("10.0.0.1", "10.0.0.2") if way == ">" else ("10.0.0.2", "10.0.0.1")
        ports = (1234, 80) if way == ">" else (80, 1234)
        segment = tcp(flags, seq=numbers[way], ack=numbers[other], payload=b"x" * size, sport=ports[0], dport=ports[1])
        packets.append((at, ethernet(ipv4(segment, *ends))))
        numbers[way] += size + bool(flags & (SYN | FIN))
    path = tmp_path / "story.pcap"
    write_pcap(path, [frame for _, frame in packets], times=[1_700_000_000 * SECOND + time for time, _ in packets])
    return path


OPEN = [(0, ">", SYN, 0), (0.01, "<", SYN | ACK, 0), (0.01, ">", ACK, 0)]


def test_pauses_bulks_and_subflows(tmp_path):
    bulk = [(0.1, "<", ACK | PSH, 100 + n) for n in range(5)]
    path = story(
        tmp_path,
        [
            *OPEN,
            (0.1, ">", ACK | PSH | URG, 10),
            *bulk,
            (0.001, ">", ACK, 0),  # a bare ACK does not end a bulk
            (0.1, "<", ACK, 50),
            (0.1, ">", ACK, 1),  # data does
            *bulk[:3],  # too few
            (6.0, ">", ACK, 2),  # idle
            (1.0, ">", ACK, 2),
            (1.001, ">", ACK, 2),
            *[(0.999, ">", ACK, 2)] * 3,
            (9.0, "<", ACK, 0),
        ],
    )
    (row,) = viewed(path)
    agree(row, cic.features(cic.packets(path), ("10.0.0.1", 1234)))
    assert (row["Bwd Bytes/Bulk Avg"], row["Bwd Packet/Bulk Avg"]) == (560, 6)
    assert (row["Fwd Bytes/Bulk Avg"], row["Fwd Packet/Bulk Avg"]) == (8, 4)
    assert row["Fwd Bulk Rate Avg"] == pytest.approx(8 / (3 * 0.999))
    assert (row["Idle Mean"], row["Idle Max"], row["Active Min"]) == (7.5e6, 9e6, pytest.approx(1.121e6))
    assert row["Subflow Fwd Packets"] == row["Total Fwd Packet"] / 4
    assert (row["Fwd URG Flags"], row["PSH Flag Count"]) == (1, 9)


def test_the_client_is_forward_whoever_speaks_first(tmp_path):
    path = story(tmp_path, [(0, "<", SYN | ACK, 0), (0.01, ">", ACK, 0), (0.01, ">", ACK, 5)])
    (row,) = viewed(path)
    assert (row["Src IP"], row["Dst Port"], row["Total Fwd Packet"]) == ("10.0.0.1", 80, 2)


def test_one_segment_has_no_spans_and_no_rates(tmp_path):
    (row,) = viewed(story(tmp_path, OPEN[:1]))
    agree(row, cic.features(cic.packets(tmp_path / "story.pcap"), ("10.0.0.1", 1234)))
    assert row["Flow Packets/s"] is row["Flow IAT Mean"] is row["Bwd Packet Length Max"] is row["Idle Std"] is None
    assert (row["Fwd Packet Length Std"], row["Bwd IAT Total"]) == (0, 0)


def test_what_the_source_does_not_have_is_null(tmp_path):
    path = tmp_path / "printed.txt"
    path.write_text(
        "10:00:00.000000 IP 10.0.0.1.1234 > 10.0.0.2.80: Flags [S], seq 5, win 100, length 0\n"
        "10:00:00.100000 IP 10.0.0.2.80 > 10.0.0.1.1234: Flags [.], ack 6\n"
    )
    (row,) = viewed(path)
    assert row["Fwd Header Length"] is row["Fwd Seg Size Min"] is None
    assert row["Packet Length Mean"] is row["Flow Bytes/s"] is row["Bwd Init Win Bytes"] is None
    assert (row["Total Bwd packets"], row["FWD Init Win Bytes"], row["Flow Duration"]) == (1, 100, 100_000)


def test_both_readers_and_all_batch_sizes_agree():
    path = FIXTURES / "loss_bulk.pcap"
    assert viewed(path) == viewed(path, reader="dpkt") == viewed(path, batch_size=7)


def test_the_columns_are_those_of_the_usual_header():
    names = [column.name for column in COLUMNS[2:]]
    assert len(names) == len(set(names)) == 83
    assert names[:3] + names[-1:] == ["Flow ID", "Src IP", "Src Port", "Idle Min"]
    assert DIFFERENCES.keys() < set(names)
    assert VIEWS["cic"].columns == tuple(COLUMNS)
    assert all(column.meaning for column in COLUMNS)
    assert set(VIEWS["cic"].shown) < {column.name for column in COLUMNS}


@pytest.mark.parametrize("tables", [["features"], ["features", "timeline"]])
def test_features_of_a_dataset(tmp_path, tables):
    folder = folder_of(tmp_path / "in", ["four_way", "loss_bulk"])
    for day in (1, 2):  # a rotated set
        (folder / f"ring_{day}.pcap").write_bytes(shifted("port_reuse", day))
    (folder / "x.tar").write_bytes(tar_of([("m.pcap", capture("refused"))]))
    (folder / "empty.pcap").touch()
    batch(folder, tmp_path / "out", tables=tables)
    dataset = tt.open_dataset(tmp_path / "out")
    assert dataset.tables == ["captures", *reversed(tables)]
    whole = rows_of(dataset.arrow("features"))
    for name in ("four_way", "loss_bulk", "ring_1.pcap+", "x.tar!m"):
        path = f"{folder}/{name}" + ("" if "+" in name else ".pcap")
        ours = [row for row in whole if row["capture"] == path]
        single = FIXTURES / "refused.pcap" if "!" in name else path
        assert [row | {"capture": ""} for row in ours] == [row | {"capture": ""} for row in viewed(single)]
    assert len(whole) == 1 + 1 + 1 + len(viewed(f"{folder}/ring_1.pcap+"))
    tt.compact(tmp_path / "out")
    assert sorted(map(repr, rows_of(dataset.arrow("features")))) == sorted(map(repr, whole))
    assert list(dataset.features.columns) == [column.name for column in COLUMNS]
    pytest.importorskip("duckdb")
    answer = dataset.query('SELECT max("Flow Duration") AS most FROM features WHERE "Dst Port" = 80')
    assert answer["most"][0] == max(row["Flow Duration"] for row in whole)


def test_by_the_door_of_a_user(tmp_path):
    from typer.testing import CliRunner

    from tcptrace_py.views.cli import app

    words = ["analyze", str(FIXTURES / "four_way.pcap"), "--schema", "cic", "-o", str(tmp_path / "x.ndjson")]
    assert CliRunner().invoke(app, words).exit_code == 0
    row = json.loads((tmp_path / "x.ndjson").read_text())
    assert (row["Dst Port"], row["Flow Duration"]) == (80, 136126.856)
