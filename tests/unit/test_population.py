"""How many endpoints are in which state, and which at one moment: against counting by hand, and by the command."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import tcptrace_py as tt
from tcptrace_py.tables.times import instant, iso, rounded_step, span
from tests.packets import CLIENT, SERVER, ethernet, ipv4, tcp, write_pcap
from tests.unit.test_cli import tcpflows

pytestmark = pytest.mark.usefixtures("without_advice")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
MS = 1_000_000


def by_hand(trace, msl2_ns=60 * 10**9):
    """Every stay as (endpoint's key, state, entered, left, proved), the plain way; forever is None."""
    ends = {}
    for conn in trace.connections.to_dict("records"):
        client, server = (conn["client_ip"], conn["client_port"]), (conn["server_ip"], conn["server_port"])
        ends[conn["conn_id"], "client"] = (client, server)
        ends[conn["conn_id"], "server"] = (server, client)
    rows = trace.states.to_dict("records")
    stays = []
    for row in rows:
        key = ends[row["conn_id"], row["endpoint"]]
        entered, left = row["entered_time"].value, None if pd.isna(row["left_time"]) else row["left_time"].value
        if row["state"] == "TIME_WAIT" and left is None:
            left = entered + msl2_ns
        later = [
            other["entered_time"].value
            for other in rows
            if other["conn_id"] > row["conn_id"] and ends[other["conn_id"], other["endpoint"]] == key
        ]
        if later:
            left = min(later) if left is None else min(left, *later)
        proved = None if pd.isna(row["proved_time"]) else row["proved_time"].value
        stays.append((key, row["state"], entered, left, proved))
    return [stay for stay in stays if stay[1] != "CLOSED"]


def present(stays, state, at):
    return [s for s in stays if s[1] == state and s[2] <= at and (s[3] is None or at < s[3])]


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("parts", [1, 7, 50])
def test_counts_are_those_made_by_hand(capture, parts):
    trace = tt.analyze(FIXTURES / f"{capture}.pcap")
    stays = by_hand(trace)
    step = (trace.summary.end_ns - trace.summary.start_ns) // parts + 1
    frame = trace.population(step)
    assert sorted(set(frame["state"])) == sorted({state for _, state, *_ in stays})
    for row in frame.to_dict("records"):
        begin = row["time"].value
        here = present(stays, row["state"], begin)
        ends = [time for _, state, *both, _ in stays if state == row["state"] for time in both]
        changes = [begin, *(time for time in ends if time and begin < time < begin + step)]
        assert row["endpoints"] == len(here)
        assert row["proved"] == sum(proved is not None and proved <= begin for *_, proved in here)
        assert row["most"] == max(len(present(stays, row["state"], at)) for at in changes)
        assert row["entered"] == sum(begin <= e < begin + step for _, s, e, *_ in stays if s == row["state"])


@pytest.mark.parametrize("capture", CAPTURES)
def test_one_moment_is_a_step_of_the_population(capture):
    trace = tt.analyze(FIXTURES / f"{capture}.pcap")
    frame = trace.population("1ms" if capture == "refused" else None)
    for time, some in frame.groupby("time"):
        standing = trace.states_at(time)
        counted = standing.groupby("state", observed=True).size().to_dict()
        assert counted == {row.state: row.endpoints for row in some.itertuples() if row.endpoints}
        assert standing["proved"].sum() == some["proved"].sum()


def test_what_is_possible():
    trace = tt.analyze(FIXTURES / "four_way.pcap")
    told = {
        at: [tuple(row) for row in trace.states_at(at)[["endpoint", "state", "proved"]].to_numpy().tolist()]
        for at in ("+0s", "+0.011", "+30ms", "+136126856ns")
    }
    assert told == {
        "+0s": [("client", "SYN_SENT", True), ("server", "SYN_RCVD", False)],
        "+0.011": [("client", "ESTABLISHED", True), ("server", "ESTABLISHED", False)],
        "+30ms": [("client", "FIN_WAIT_1", True), ("server", "CLOSE_WAIT", False)],
        "+136126856ns": [("client", "TIME_WAIT", True)],
    }
    possible = trace.states_at("+30ms")["possible"].map(list).to_list()
    assert possible == [["FIN_WAIT_1"], ["ESTABLISHED", "CLOSE_WAIT"]]
    assert trace.states_at("-1").empty


def test_time_wait_lasts_2msl():
    trace = tt.analyze(FIXTURES / "four_way.pcap", msl2_ns=2 * 10**9)
    assert trace.states_at("+2.1s")["state"].to_list() == ["TIME_WAIT"]
    assert trace.states_at("+2.2s").empty


def test_a_port_used_again_ends_the_time_wait_before():
    trace = tt.analyze(FIXTURES / "port_reuse.pcap")
    frame = trace.states_at("+150ms")
    assert frame["conn_id"].to_list() == [1, 1]
    assert trace.states_at("+90ms")[["conn_id", "state", "local_port"]].to_numpy().tolist() == [[0, "TIME_WAIT", 80]]


def test_ends_that_exchange_roles_are_the_same_ends(tmp_path):
    there, back = {"sport": 50, "dport": 60}, {"sport": 60, "dport": 50}
    packets = [
        ethernet(ipv4(tcp(2, seq=100, ack=0, **there), src=CLIENT, dst=SERVER)),
        ethernet(ipv4(tcp(2, seq=900, ack=0, **back), src=SERVER, dst=CLIENT)),
    ]
    trace = tt.analyze(write_pcap(tmp_path / "two.pcap", packets, step_ns=MS))
    assert {row[0][0][0] for row in by_hand(trace)} == {CLIENT, SERVER}
    assert sum(trace.population(MS)["endpoints"]) == sum(
        len(present(by_hand(trace), state, trace.summary.start_ns + at * MS))
        for at in range(2)
        for state in {s for _, s, *_ in by_hand(trace)}
    )


def test_types_are_declared():
    trace = tt.analyze(FIXTURES / "loss_bulk.pcap")
    assert trace.population().dtypes.astype(str).to_dict() == {
        "time": "datetime64[ns, UTC]",
        "state": "category",
        "endpoints": "int64",
        "proved": "int64",
        "most": "int64",
        "entered": "int64",
    }
    assert str(trace.states_at("+1s")["entered_time"].dtype) == "datetime64[ns, UTC]"


def test_a_pipe_must_be_asked_beforehand():
    data = io.BytesIO((FIXTURES / "four_way.pcap").read_bytes())
    with pytest.raises(tt.UsageError, match="cannot be read again"):
        tt.analyze(data).population()
    data.seek(0)
    assert len(tt.analyze(data, tables=["connections", "states"]).population()) > 0


def test_too_many_steps_are_refused():
    with pytest.raises(tt.UsageError, match="100,000 is the most"):
        tt.analyze(FIXTURES / "four_way.pcap").population("10ns")
    with pytest.raises(tt.UsageError, match="longer than nothing"):
        tt.analyze(FIXTURES / "four_way.pcap").population(0)


# -- the command ---------------------------------------------------------------------------------------------------


def test_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = tcpflows("states", str(FIXTURES / "four_way.pcap"), "--step", "50ms")
    assert (code, err) == (0, "")
    chart, grid = out.split("\n\n")
    head, *lines = chart.splitlines()
    assert head == "Most endpoints at once in steps of 50 ms from 2026-11-22 22:23:01.995976679 UTC"
    assert lines[:3] == ["  SYN_SENT    █   1", "  SYN_RCVD    █   1", "  ESTABLISHED █   2"]
    assert lines[-1] == "  TIME_WAIT     █ 1"
    assert grid.splitlines()[1].split() == ["0", "ns", "1", "1", "2", "1", ".", "1", ".", "."]


def test_every_format_has_the_same_rows(tmp_path):
    path = str(FIXTURES / "port_reuse.pcap")
    frame = tt.analyze(path).population("10ms")
    _, text, _ = tcpflows("states", path, "--step", "10ms", "-f", "csv")
    assert [int(row["most"]) for row in csv.DictReader(io.StringIO(text))] == frame["most"].to_list()
    _, text, _ = tcpflows("states", path, "--step", "10ms", "-f", "ndjson")
    assert [json.loads(line)["entered"] for line in text.splitlines()] == frame["entered"].to_list()
    code, text, _ = tcpflows("states", path, "--step", "10ms", "-o", str(tmp_path / "p.parquet"))
    assert (code, text) == (0, "")
    assert pd.read_parquet(tmp_path / "p.parquet").equals(frame)
    _, text, _ = tcpflows("states", path, "--at", "+150ms", "-f", "json")
    assert json.loads(text)["standing"][0]["possible"] == ["ESTABLISHED", "CLOSE_WAIT"]


def test_one_moment_on_a_terminal():
    code, out, _ = tcpflows("states", str(FIXTURES / "port_reuse.pcap"), "--at", "+150ms")
    assert code == 0
    assert out.startswith("2 endpoints at 2026-11-22 22:23:20.016013762 UTC\nconn_id  endpoint  state ")
    assert re.split(r"  +", out.splitlines()[2].strip()) == [
        "1",
        "client",
        "CLOSE_WAIT",
        "10.9.0.1",
        "40000",
        "10.9.0.2",
        "80",
        "2026-11-22 22:23:19.998058713",
        "no",
        "ESTABLISHED, CLOSE_WAIT",
    ]
    assert "after the last packet" in tcpflows("states", str(FIXTURES / "port_reuse.pcap"), "--at", "+1h")[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--step", "soon"], "'soon' is not a length of time, such as 100ms, 1.5s or 2min"),
        (["--at", "noon"], "'noon' is not a time, such as 2026-01-31T12:00:00.5Z, 1769860800.5 or +1.5s"),
        (["--at", "+1s", "--step", "1s"], "--step is about the whole capture, --at about one moment: choose one"),
        (["--format", "parquet"], "parquet needs a file: use -o FILE or -o FOLDER"),
    ],
)
def test_usage(options, told):
    assert tcpflows("states", "absent.pcap", *options) == (2, "", f"tcpflows: {told}\n")


def test_a_capture_without_times(tmp_path):
    path = tmp_path / "printed.txt"
    path.write_text("IP 10.0.0.1.5 > 10.0.0.2.6: Flags [S], seq 1, win 9, length 0\n")
    code, _, err = tcpflows("states", str(path))
    assert (code, err) == (2, f"tcpflows: {path}: nothing in it has a time\n")


# -- times as they are written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1s", 10**9),
        ("1.5", 1_500_000_000),
        ("100ms", 10**8),
        (".5us", 500),
        ("2 min", 120 * 10**9),
        ("3h", 10_800 * 10**9),
    ],
)
def test_spans(text, ns):
    assert span(text) == ns


def test_spans_of_other_kinds():
    assert span(7) == 7
    assert span(timedelta(days=1, microseconds=1)) == 86_400_000_001_000
    assert span(pd.Timedelta(3, "ns")) == 3


@pytest.mark.parametrize("text", ["", "s", "1 week", "-1s", "1e3", "1.2.3s"])
def test_what_is_no_span(text):
    with pytest.raises(tt.UsageError, match="not a length of time"):
        span(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2023-11-14T22:13:20.000000001Z", 1_700_000_000_000_000_001),
        ("2023-11-14 22:13:20", 1_700_000_000 * 10**9),
        ("2023-11-15T00:13:20.5+02:00", 1_700_000_000_500_000_000),
        ("2023-11-14", 1_699_920_000 * 10**9),
        ("1700000000.000000007", 1_700_000_000_000_000_007),
    ],
)
def test_instants(text, ns):
    assert instant(text, lambda: 1000) == ns


def test_instants_of_other_kinds():
    assert instant("+1ms", lambda: 1000) == 1_001_000
    assert instant(5, lambda: 0) == 5
    assert instant(pd.Timestamp(7, tz="UTC"), lambda: 0) == 7
    assert instant(datetime(2023, 11, 14, 22, 13, 20, 1), lambda: 0) == 1_700_000_000_000_001_000  # noqa: DTZ001
    assert instant(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), lambda: 0) == 1_700_000_000 * 10**9


@pytest.mark.parametrize("text", ["", "2023-13-01", "2023-11-14T25:00", "22:13", "2023-11-14T22:13:20.1234567890"])
def test_what_is_no_instant(text):
    with pytest.raises(tt.UsageError, match="not a time"):
        iso(text)


def test_a_rounded_step():
    assert [rounded_step(whole, 20) for whole in (1, 20, 21, 136, 1_000, 10**9)] == [1, 1, 2, 10, 50, 50_000_000]
