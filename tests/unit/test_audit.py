"""``tcpflows audit``: flows that a small cutter made by CICFlowMeter's rules, so that what each is of is known."""

import json
from collections import Counter

import pytest
from typer.testing import CliRunner

import tcptrace_py as tt
from tcptrace_py.errors import UnreadableError
from tcptrace_py.views.cli import app
from tests import cic
from tests.batches import FIXTURES
from tests.packets import ethernet, ipv4, tcp, write_pcap

SYN, ACK, FIN, RST = 2, 16, 1, 4
SECOND = 10**9
NAMES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))


def written(tmp_path, some, flows, **how):
    path = tmp_path / "flows.csv"
    path.write_text(cic.table(some, flows, **how))
    return path


def truth(capture, flows):
    """The connection of each packet, by our own tables; and of each flow's packets."""
    conns = tt.analyze(capture).timeline["conn_id"].to_list()
    return conns, [sorted({conns[number] for number in flow.numbers}) for flow in flows]


def check(audit, capture, some, flows):
    """The audit says of every flow and every connection what the cutter knows."""
    conns, held = truth(capture, flows)
    assert len(conns) == len(some)
    rows, connections = audit.rows["flows"], audit.rows["connections"]
    assert {row["found"] for row in rows} <= {"exact"}
    assert [sorted(map(int, row["conn_ids"])) for row in rows] == held
    assert [row["segments"] for row in rows] == [len(flow.numbers) for flow in flows]
    assert [row["start"] // 1000 for row in rows] == [some[flow.numbers[0]].time // 1000 for flow in flows]
    records = {conn["conn_id"]: conn for conn in tt.analyze(capture).connections.to_dict("records")}
    clients = {conn: (record["client_ip"], record["client_port"]) for conn, record in records.items()}
    turned = [clients[conns[flow.numbers[0]]] != flow.src for flow in flows]
    assert [row["reversed"] for row in rows] == turned
    told = Counter(conns[number] for flow in flows for number in flow.numbers)
    assert {row["conn_id"]: row["segments_told"] for row in connections} == {conn: told[conn] for conn in records}
    assert {row["conn_id"]: row["pieces"] for row in connections} == {
        conn: sum(conn in one for one in held) for conn in records
    }
    assert {row["conn_id"]: row["mixed"] for row in connections} == {
        conn: sum(conn in one and len(one) > 1 for one in held) for conn in records
    }
    last = {conn: max(n for n, other in enumerate(conns) if other == conn) for conn in records}
    for row in connections:
        ends = [flow.numbers[-1] for flow, one in zip(flows, held, strict=True) if row["conn_id"] in one]
        cuts = [end for end in ends if end < last[row["conn_id"]]]
        assert row["cut_at_fin"] == sum(some[end].flags & FIN for end in cuts)
        assert row["cut_at_fin"] + row["cut_at_timeout"] + row["cut_otherwise"] == len(cuts)


@pytest.mark.parametrize("name", NAMES)
def test_flows_of_real_connections(tmp_path, name):
    path = FIXTURES / f"{name}.pcap"
    some = cic.packets(path)
    flows = cic.cut(some)
    done = tt.audit(written(tmp_path, some, flows, hours=2), path)
    if flows:
        assert done.offset_s == 7200
    check(done, path, some, flows)


def segment(step, numbers):
    """One segment (seconds, the client's port, direction, flags, octets), with numbers that follow."""
    at, port, way, flags, size = (*step, 0)[:5]
    numbers = numbers.setdefault(port, {">": 100, "<": 900})
    ends = ("10.0.0.1", "10.0.0.2") if way == ">" else ("10.0.0.2", "10.0.0.1")
    ports = (port, 80) if way == ">" else (80, port)
    seq, ack = numbers[way], numbers["<" if way == ">" else ">"]
    numbers[way] += size + bool(flags & (SYN | FIN))
    return int(at * SECOND), ethernet(
        ipv4(
            tcp(flags, seq=seq, ack=ack if flags & ACK else 0, payload=b"x" * size, sport=ports[0], dport=ports[1]),
            *ends,
        )
    )


@pytest.fixture
def busy(tmp_path):
    """A connection of seven minutes, one that closes in both directions, one whose ports are used again, one RST."""
    numbers = {}
    steps = [(0, 1000, ">", SYN), (0.01, 1000, "<", SYN | ACK), (0.02, 1000, ">", ACK)]
    steps += [(30 * n, 1000, "<>"[n % 2], ACK, 10) for n in range(1, 15)]
    steps += [(5, 1001, ">", SYN), (5.1, 1001, "<", SYN | ACK), (5.2, 1001, ">", ACK), (5.3, 1001, ">", ACK, 9)]
    steps += [(5.4, 1001, "<", FIN | ACK), (5.5, 1001, ">", FIN | ACK), (5.6, 1001, "<", ACK)]
    steps += [(7, 1002, ">", SYN), (7.1, 1002, "<", RST | ACK)]
    made = [segment(step, numbers) for step in sorted(steps)]
    numbers[1001] = {">": 5000, "<": 6000}
    again = [(90, 1001, ">", SYN), (90.1, 1001, "<", SYN | ACK), (90.2, 1001, ">", ACK), (300, 1001, "<", ACK, 4)]
    made += [segment(step, numbers) for step in again]
    made.sort(key=lambda one: one[0])
    path = tmp_path / "busy.pcap"
    write_pcap(path, [frame for _, frame in made], times=[1_700_000_000 * SECOND + time for time, _ in made])
    return path


def test_cut_by_timeouts_and_fins_mixed_and_reversed(tmp_path, busy):
    some = cic.packets(busy)
    flows = cic.cut(some)
    done = tt.audit(written(tmp_path, some, flows), busy)
    check(done, busy, some, flows)
    assert done.offset_s == 0
    by_port = {(row["client_port"], row["conn_id"]): row for row in done.rows["connections"]}
    long = by_port[1000, 0]
    assert (long["pieces"], long["cut_at_timeout"], long["cut_at_fin"], long["segments_told"]) == (3, 2, 0, 17)
    assert done.mixed == 1  # the last ACK of one connection and the SYN of the next
    assert done.pieces == {1: 2, 2: 1, 3: 1}
    assert done.worst(1)[0]["conn_id"] == 0


def test_a_row_that_begins_with_the_server_is_reversed(tmp_path):
    """After the client's FIN the server goes on: CICFlowMeter takes it for the source of a flow of its own."""
    numbers = {}
    steps = [(0, 1, ">", SYN), (0.1, 1, "<", SYN | ACK), (0.2, 1, ">", ACK), (0.3, 1, ">", FIN | ACK)]
    steps += [(0.4, 1, "<", ACK, 100), (0.5, 1, "<", ACK, 100), (0.6, 1, "<", FIN | ACK), (0.7, 1, ">", ACK)]
    made = [segment(step, numbers) for step in steps]
    path = tmp_path / "x.pcap"
    write_pcap(path, [frame for _, frame in made], times=[1_700_000_000 * SECOND + time for time, _ in made])
    some = cic.packets(path)
    flows = cic.cut(some)
    done = tt.audit(written(tmp_path, some, flows), path)
    check(done, path, some, flows)
    assert [row["reversed"] for row in done.rows["flows"]] == [False, True]
    assert done.rows["connections"][0]["segments_told"] == 7  # the last ACK alone is in no row
    assert done.flows["reversed"].to_list() == [False, True]
    assert done.connections["pieces"].to_list() == [2]


@pytest.mark.parametrize(
    ("form", "hours"),
    [
        ("%d/%m/%Y %I:%M:%S %p", -5),
        ("%d/%m/%Y %H:%M:%S", 9),
        ("%d/%m/%Y %H:%M", 0),
        ("%d/%m/%Y %I:%M:%S", 0),  # no AM, no PM
        ("%m/%d/%Y %H:%M", 3),
        ("%Y-%m-%d %H:%M:%S", 5.75),
    ],
)
def test_times_as_they_are_written(tmp_path, busy, form, hours):
    some = cic.packets(busy)
    flows = cic.cut(some)
    path = written(tmp_path, some, flows, form=form, hours=hours)
    done = tt.audit(path, busy)
    check(done, busy, some, flows)
    if "%p" in form or "%H" in form:
        assert done.offset_s == hours * 3600
        check(tt.audit(path, busy, offset_s=hours * 3600), busy, some, flows)
    assert tt.audit(path, busy, offset_s=hours * 3600 + 86_400).found["none"] == len(flows)


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_the_capture_tells_days_from_months(tmp_path, form):
    numbers, made = {}, []
    for day in range(4):  # 3 to 6 November
        for port in (1000 + day, 2000 + day):
            steps = [(day * 86_400, port, ">", SYN), (day * 86_400 + 1, port, "<", SYN | ACK)]
            made += [segment(step, numbers) for step in steps]
    made.sort(key=lambda one: one[0])
    path = tmp_path / "days.pcap"
    write_pcap(path, [frame for _, frame in made], times=[1_699_012_345 * SECOND + time for time, _ in made])
    some = cic.packets(path)
    flows = cic.cut(some)
    done = tt.audit(written(tmp_path, some, flows, form=form, hours=-4), path)
    assert (done.offset_s, done.found) == (-4 * 3600, {"exact": 8})
    check(done, path, some, flows)


def test_column_names_of_the_relatives(tmp_path, busy):
    some = cic.packets(busy)
    flows = cic.cut(some)
    path = written(tmp_path, some, flows)
    text = path.read_text()
    old = "Flow ID, Source IP, Source Port, Destination IP, Destination Port, Protocol, Timestamp, Flow Duration, "
    for names in (
        old + "Total Fwd Packets, Total Backward Packets, Label",
        "flow_id,src_ip,src_port,dst_ip,dst_port,protocol,timestamp,flow_duration,tot_fwd_pkts,tot_bwd_pkts,label",
    ):
        path.write_text(names + text[text.index("\n") :].rstrip("\r\n"))
        check(tt.audit(path, busy), busy, some, flows)


def test_rows_that_cannot_be_found_exactly(tmp_path, busy):
    some = cic.packets(busy)
    flows = cic.cut(some)
    lines = written(tmp_path, some, flows).read_text().splitlines()
    cells = lines[1].split(",")
    cells[7] = str(int(cells[7]) + 5)  # another duration
    lines[1] = ",".join(cells)
    lines.append(lines[2].replace("10.0.0.2", "10.0.0.3"))
    lines.append(lines[2].replace(",6,", ",17,"))
    lines.append(lines[2].replace("10.0.0.2,", "example,"))
    lines.append("")
    path = tmp_path / "odd.csv"
    path.write_text("\n".join(lines))
    done = tt.audit(path, busy)
    assert done.found == {"exact": len(flows) - 1, "time": 1, "none": 1}
    assert (done.other_protocols, done.nonsense) == (1, 1)
    assert done.rows["flows"][0]["found"] == "time"
    assert done.rows["flows"][-1]["conn_ids"] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no table of flows: it has no column Src Ip, Src Port, Dst Ip, Dst Port, Timestamp, Flow Duration"),
        ("a,b\n1,2\n", "no table of flows"),
        (
            "Src IP,Src Port,Dst IP,Dst Port,Timestamp,Flow Duration\n1.1.1.1,1,2.2.2.2,2,yesterday,5\n",
            "times such as 'yesterday' are not understood",
        ),
    ],
)
def test_what_is_no_table_of_flows(tmp_path, busy, text, told):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(UnreadableError, match=told):
        tt.audit(path, busy)
    with pytest.raises(UnreadableError, match="No such file"):
        tt.audit(tmp_path / "absent.csv", busy)


def tcpflows(*args):
    result = CliRunner().invoke(app, ["audit", *map(str, args)], prog_name="tcpflows")
    return result.exit_code, result.stdout, result.stderr


def test_what_is_said(tmp_path, busy):
    some = cic.packets(busy)
    path = written(tmp_path, some, cic.cut(some), hours=-3)
    code, out, err = tcpflows(path, busy, "--top", 2, "-q")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{path}  6 TCP flows, clock UTC-3:00",
        "          6  found by number and duration of their segments",
        "          0  found by their time alone",
        "          0  fit nothing in the capture",
        "          1  hold segments of several connections",
        "          0  have the server for their source",
        "",
        f"{busy}  4 connections",
        "          2  in one flow",
        "          1  in 2 flows",
        "          1  in 3 flows",
        "  cut 1 time at a FIN, 3 times at a timeout",
        "",
        "Worst connections",
        "  0  10.0.0.1:1000 > 10.0.0.2:80  17 of 17 segments in 3 flows; 2 cut at a timeout",
        "  1  10.0.0.1:1001 > 10.0.0.2:80  7 of 7 segments in 2 flows; 1 mixed, 1 cut at a FIN",
    ]


def test_tables_in_all_forms(tmp_path, busy):
    some = cic.packets(busy)
    path = written(tmp_path, some, cic.cut(some))
    rows = [json.loads(row) for row in tcpflows(path, busy, "-f", "ndjson", "--table", "flows")[1].splitlines()]
    assert [row["line"] for row in rows] == list(range(2, 8))
    assert rows[0]["conn_ids"] == ["1"]
    assert tcpflows(path, busy, "-o", tmp_path / "x.parquet")[0] == 0
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "x.parquet")["pieces"].to_pylist() == [3, 2, 1, 1]
    assert tcpflows(path, busy, "-f", "table")[1].splitlines()[0].startswith("conn_id  client_ip")
    assert tcpflows(tmp_path / "absent.csv", busy)[0] == 4
