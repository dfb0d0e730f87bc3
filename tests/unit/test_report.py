"""What the report says, read back from the page, against the tables that it is made of."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from html_tables import Page

import tcptrace_py as tt
from tcptrace_py.tables.series import COLUMNS, MARKS
from tcptrace_py.views.report import connection, page
from tcptrace_py.views.report.packing import packed
from tcptrace_py.views.wording import amount, duration
from tcptrace_py.vocabulary import UNUSED_MEANING

pytestmark = pytest.mark.usefixtures("without_advice")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
CAPTURES = sorted(path.stem for path in FIXTURES.glob("*.pcap"))
VENDOR = Path(page.__file__).parent / "vendor"


@pytest.fixture(scope="module")
def reports():
    """Name -> (trace, page as read back), made when asked for."""
    made = {}

    def of(name):
        if name not in made:
            trace = tt.analyze(FIXTURES / f"{name}.pcap")
            made[name] = trace, Page(page.report(trace))
        return made[name]

    return of


# -- content -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CAPTURES)
def test_the_table_of_connections(name, reports):
    trace, read = reports(name)
    rows = read.table(class_="connections")["rows"]
    heads = [cell["text"].strip() for cell in rows[0]]
    shown = [dict(zip(heads, row, strict=True)) for row in rows[1:]]
    assert [int(row["id"]["text"]) for row in shown] == [record["conn_id"] for record in trace.summary.worst]
    for row in shown:
        conn_id = int(row["id"]["text"])
        record = trace[conn_id].record
        assert row["id"]["links"] == [f"#c{conn_id}"]
        bracketed = f"[{record['client_ip']}]" if ":" in record["client_ip"] else record["client_ip"]
        assert row["client"]["text"] == f"{bracketed}:{record['client_port']}"
        assert [row[head]["text"] for head in ("opened", "closed")] == [record["handshake"], record["teardown"]]
        assert row["severity"]["text"] == (record["severity"] or "")
        assert row["findings"]["text"].strip() == ", ".join(record["findings"])
        for head, column, spell in (
            ("duration", "duration_ns", duration),
            ("octets ►", "c2s_octets", amount),
            ("octets ◄", "s2c_octets", amount),
            ("RTT", "syn_rtt_ns", duration),
        ):
            known = record[column] is not None
            assert row[head]["attributes"]["data-s"] == (str(record[column]) if known else "")
            assert row[head]["text"] == (spell(record[column]) if known else "")
        assert row["start"]["attributes"]["data-s"] == str(record["start"] - trace.summary.start_ns)
        for head, way in (("resent ►", "c2s"), ("resent ◄", "s2c")):
            assert row[head]["text"] == str(record[f"{way}_retransmissions"])


@pytest.mark.parametrize("name", CAPTURES)
def test_capture_quality_is_the_row_of_captures(name, reports):
    trace, read = reports(name)
    capture = trace.captures.iloc[0]
    told = {row[0]["text"]: row[1]["text"] for row in read.table(class_="facts")["rows"]}
    assert told["file"] == capture["path"]
    assert told["packets read"] == f"{capture['packets_read']:,}"
    assert told["packets used"].startswith(f"{capture['packets_used']:,},")
    assert told["status"] == capture["status"]
    for reason in UNUSED_MEANING:
        number = capture[f"unused_{reason.name}"]
        assert told.get(f"not used: {reason.name}", "0").split()[0] == f"{number:,}"
    assert {finding for finding in told if finding.startswith("cap_") or finding == "duplicate_packet"} == {
        *capture["findings"]
    }


def test_a_set_of_files_is_told_file_by_file(tmp_path):
    whole = (FIXTURES / "loss_bulk.pcap").read_bytes()
    half = 24 + 16 * 60 + sum(len(data) for data in packets_of(whole)[:60])
    names = [tmp_path / "ring_1.pcap", tmp_path / "ring_2.pcap"]
    names[0].write_bytes(whole[:half])
    names[1].write_bytes(whole[:24] + whole[half:])
    trace = tt.analyze(names)
    read = Page(page.report(trace))
    rows = read.grid("file", "status", "first frame")
    assert [row["file"] for row in rows] == [str(name) for name in names]
    assert [(row["first frame"], row["packets"]) for row in rows] == [("1", "60"), ("61", "88")]
    told = {row[0]["text"]: row[1]["text"] for row in read.table(class_="facts")["rows"]}
    assert told["packets read"] == "148"
    assert len(trace) == 1


def packets_of(data):
    packets, at = [], 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        packets.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return packets


@pytest.mark.parametrize("name", CAPTURES)
def test_shapes_findings_and_states(name, reports):
    trace, read = reports(name)
    for head, counts in (("Opened", trace.summary.by_handshake), ("Closed", trace.summary.by_teardown)):
        assert {row[head]: int(row["connections"]) for row in read.grid(head, "share")} == counts
    kinds = [known for tag, known in read.elements if tag == "details" and known.get("class") == "finding"]
    assert len(kinds) == len(trace.summary.findings)
    text = "".join(read.text)
    for finding, (segments, _) in trace.summary.findings.items():
        assert f"{finding} {segments:,} segment" in text if segments else f"{finding} " in text
    frame = trace.population()
    rows = read.grid("from", frame["state"].iloc[0])
    wide = frame.pivot_table(index="time", columns="state", values="most", observed=True)
    assert [[int(row[state]) for state in wide.columns] for row in rows] == wide.to_numpy().tolist()
    lanes = {row["state"]: int(row["most"]) for row in read.grid("state", "over time", "most")}
    assert lanes == wide.max().to_dict()


@pytest.mark.parametrize("name", CAPTURES)
def test_events_lead_to_their_segments(name, reports):
    trace, read = reports(name)
    told = {
        (row[0]["text"], row[1]["text"], row[2]["text"])
        for table in read.tables
        if [cell["text"] for cell in table["rows"][0]] == ["frame", "connection", "what"]
        for row in table["rows"][1:]
    }
    events = trace.events
    frames = events["frame"].map(lambda frame: "" if pd.isna(frame) else str(frame))
    assert told <= {*zip(frames, events["conn_id"].astype(str), events["sentence"], strict=True)}
    assert len(told) == sum(min(number, 25) for number in events.groupby("code", observed=True).size())
    links = [known for tag, known in read.elements if tag == "a" and "data-frame" in known]
    assert {known["data-frame"] for known in links} == {frame for frame, *_ in told if frame}


@pytest.mark.parametrize("name", CAPTURES)
def test_what_the_graphs_get_is_the_timeline(name, reports):
    trace, read = reports(name)
    for conn in trace:
        _, columns = read.held(f"g{conn.conn_id}")
        timeline = conn.timeline
        start = timeline["time"].min()
        for way in ("c2s", "s2c"):
            rows = timeline[timeline["direction"] == way].sort_values("time", kind="stable")
            assert columns[f"{way}.time"] == [(time - start).value for time in rows["time"]]
            assert columns[f"{way}.frame"] == rows["frame"].to_list()
            known = [
                sum(1 << bit for bit, column in enumerate(COLUMNS) if not pd.isna(row[column]))
                for row in rows.to_dict("records")
            ]
            assert columns[f"{way}.known"] == known
            for bit, column in enumerate(COLUMNS):
                got = [value for value, word in zip(columns[f"{way}.{column}"], known, strict=True) if word >> bit & 1]
                assert got == rows[column].dropna().to_list(), column
            marks = [{MARKS[bit] for bit in range(len(MARKS)) if word >> bit & 1} for word in columns[f"{way}.marks"]]
            letters = {"S": "SYN", "F": "FIN", "R": "RST"}
            assert marks == [
                {name for name in row.anomalies if name in MARKS}
                | {letters[letter] for letter in row.flags if letter in letters}
                | ({"rtt_ambiguous"} if row.rtt_ambiguous is True else set())
                for row in rows.itertuples()
            ]
            blocks = [
                (place, row.rel_sack[i], row.rel_sack[i + 1])
                for place, row in enumerate(rows.itertuples())
                for i in range(0, len(row.rel_sack), 2)
            ]
            assert [*zip(*(columns[f"{way}.sack_{part}"] for part in ("row", "left", "right")), strict=True)] == blocks
            assert sum(columns[f"{way}.octets"]) == conn.record[f"{way}_octets"]
            acked = timeline[timeline["direction"] != way]["rel_ack"].dropna()
            grown = acked.max() - acked.iloc[0] if len(acked) else 0
            assert sum(columns[f"{way}.acked_octets"]) == grown


def test_throughput_step_by_step(reports):
    trace, read = reports("loss_bulk")
    held, columns = read.held("g0")
    assert held["unit"] == 1
    step = columns["s2c.step"][0]
    timeline = trace[0].timeline
    since = (timeline["time"] - timeline["time"].min()).map(lambda span: span.value)
    sent = timeline["direction"] == "s2c"
    wanted = [
        int(timeline["payload_bytes"][sent & (since >= begin) & (since < begin + step)].sum())
        for begin in range(0, since.max() + 1, step)
    ]
    assert columns["s2c.octets"] == wanted


@pytest.mark.parametrize("name", ["loss_bulk", "zero_window", "half_close"])
def test_numbers_of_a_connection(name, reports):
    trace, read = reports(name)
    record = trace[0].record
    table = next(table for table in read.tables if table["rows"][0][0]["text"] == "sent by the")
    told = {row[0]["text"]: [cell["text"] for cell in row[1:]] for row in table["rows"][1:]}
    for column, meaning, spell in connection.NUMBERS:
        values = [record[f"{way}_{column}"] for way in ("c2s", "s2c")]
        assert told[meaning] == ["" if value is None else spell(value) for value in values]
    assert told["octets of payload"] == [amount(record["c2s_octets"]), amount(record["s2c_octets"])]


@pytest.mark.parametrize("name", CAPTURES)
def test_states_and_ladder_of_every_connection(name, reports):
    trace, read = reports(name)
    tables = [
        t for t in read.tables if [c["text"] for c in t["rows"][0]] == ["end", "state", "entered", "proved", "left"]
    ]
    told = [(row[0]["text"], row[1]["text"]) for table in tables for row in table["rows"][1:]]
    order = [record["conn_id"] for record in trace.summary.worst]
    states = trace.states
    assert told == [
        (row.endpoint, row.state) for conn_id in order for row in states[states["conn_id"] == conn_id].itertuples()
    ]
    frames = {
        cell["text"]
        for table in read.tables
        for row in table["rows"]
        for cell in row
        if "tf-number" in cell["attributes"].get("class", "")
    }
    assert {str(frame) for frame in trace.timeline["frame"]} <= frames


def test_strips_last_to_the_end_of_the_connection():
    """The server becomes ESTABLISHED with the third segment, and stays so while data flow."""
    trace = tt.analyze(FIXTURES / "mid_stream.pcap")
    record = trace[0].record
    text = page.report(trace)
    strip = re.search(r'aria-label="server: .*?</svg>', text, re.DOTALL)[0]
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', strip)]
    states = trace.states[trace.states["endpoint"] == "server"]
    entered = states["entered_time"].map(lambda time: time.value).to_list()
    start = trace.states["entered_time"].min().value
    wanted = [
        max(1000 * (left - begin) / (record["end"] - start), 1)
        for begin, left in zip(entered, [*entered[1:], record["end"]], strict=True)
    ]
    assert widths == pytest.approx(wanted, rel=1e-3)


def test_the_ladder_of_a_long_connection_has_its_end(monkeypatch):
    trace = tt.analyze(FIXTURES / "loss_bulk.pcap")
    whole = Page(page.report(trace))
    monkeypatch.setattr(connection.ladder, "__defaults__", (20,))
    monkeypatch.setattr(connection.section, "__kwdefaults__", {"ladder_rows": 20})
    short = page.report(trace)
    assert "The last 30 segments" in short
    read = Page(short)
    frames = [
        row[0]["text"]
        for table in read.tables
        for row in table["rows"]
        if row and "tf-number" in row[0]["attributes"].get("class", "")
    ]
    assert {str(frame) for frame in (*range(1, 21), *range(119, 149))} <= {*frames}
    assert "98" not in frames
    times = {row[0]["text"]: row[1]["text"] for table in whole.tables for row in table["rows"] if len(row) > 1}
    later = {row[0]["text"]: row[1]["text"] for table in read.tables for row in table["rows"] if len(row) > 1}
    assert later["148"] == times["148"]


def test_a_number_packs_and_unpacks():
    columns = {
        "none": np.empty(0, np.int64),
        "zero": np.zeros(5, np.int64),
        "some": np.array([3, -4, 2**40, -(2**40), 0, 7]),
        "time": np.cumsum(np.arange(1000) % 7),
    }
    places, text = packed(columns.items())
    assert [name for name, *_ in places] == list(columns)
    document = f'<script type="application/json" id="x">{{"columns": {places}, "packed": "{text}"}}</script>'
    held = Page(document.replace("(", "[").replace(")", "]").replace("'", '"')).held("x")[1]
    assert held == {name: values.tolist() for name, values in columns.items()}
