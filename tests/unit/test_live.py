"""Rows as they come: those of a finished analysis, but for what later evidence corrects; nothing is hoarded."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

import tcptrace_py as tt
from tcptrace_py import pipeline
from tcptrace_py.errors import UsageError
from tcptrace_py.live import Live
from tcptrace_py.options import Limits, Options
from tcptrace_py.tables.build import as_rows
from tests.agreement import rows_of
from tests.containers import TEN, frames_of, pcap
from tests.packets import RST, ethernet, ipv4, tcp

FIXTURES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("*.pcap"))
AMENDED = {"anomalies", "client_state", "server_state"}
SMALL = Options(batch_size=3)


def rows(live):
    return [row for batch in live for row in as_rows(batch)]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_live_rows_and_those_of_the_end(path):
    trace = tt.analyze(path)
    live = {table: Live(path, SMALL, table) for table in ("connections", "states", "timeline")}
    got = {table: rows(each) for table, each in live.items()}
    for table in ("connections", "states"):
        assert sorted(got[table], key=lambda row: row["conn_id"]) == rows_of(trace, table)
    final = rows_of(trace, "timeline")
    assert [without(row) for row in got["timeline"]] == [without(row) for row in final]
    for each in live.values():
        assert each.summary.findings == trace.summary.findings
        assert each.summary.captures == trace.summary.captures


def without(row):
    return {name: value for name, value in row.items() if name not in AMENDED}


def test_what_was_noted_for_a_second_reading_is_let_go(monkeypatch):
    held = []
    steps = pipeline.steps

    def watched(*args, **options):
        for done in steps(*args, **options):
            yield done
            log = done.tracker.log
            held.append(len(log.labels) + len(log.states) + len(log.events) + len(done.tracker.finished or ()))

    monkeypatch.setattr(pipeline, "steps", watched)
    for path in FIXTURES:
        rows(Live(path, SMALL, "connections"))
    assert set(held) == {0}


def test_pairs_beyond_the_bound_are_forgotten():
    ports = (1, 1, 2, 3, 1)
    resets = [ethernet(ipv4(tcp(RST, seq=n, sport=port))) for n, port in enumerate(ports)]
    hours = [(n * 3600 * 10**9, frame) for n, frame in enumerate(resets, 1)]
    live = Live(io.BytesIO(pcap(hours)), replace(SMALL, limits=Limits(max_pairs=2)), "connections")
    got = sorted((row["conn_id"], row["instance"]) for row in rows(live))
    assert [instance for _, instance in got] == [0, 1, 0, 0, 0]
    assert live.summary.captures[0]["limits"] == ["max_pairs: 2"]


def test_tables_that_are_made_at_the_end():
    with pytest.raises(UsageError, match="events is not known before the end"):
        Live(FIXTURES[0], SMALL, "events")


def test_python_follows_until_it_is_told_to_stop(tmp_path):
    path = tmp_path / "growing.pcap"
    path.write_bytes(FIXTURES[0].read_bytes())
    following = tt.follow(path)
    reads = following.readinto

    def last_read(target):
        got = reads(target)
        following.stop()
        return got

    following.readinto = last_read
    ended = [conn.record["capture"] for conn in tt.stream(following)]
    following.close()
    assert set(ended) == {str(path)}
    assert len(ended) == len(tt.analyze(path))


def test_a_capture_that_is_told_to_stop_in_a_record_is_not_cut(tmp_path):
    path = tmp_path / "growing.pcap"
    path.write_bytes(pcap(TEN)[:-5])
    following = tt.follow(path)
    reads = following.readinto

    def last_read(target):
        got = reads(target)
        following.stop()
        return got

    following.readinto = last_read
    got, info = frames_of(following)
    following.close()
    assert (len(got), info.status, info.reason) == (9, "ok", "")


def test_an_input_that_is_not_followed_can_be_seen_live_too():
    data = FIXTURES[0].read_bytes()
    assert len(rows(Live(io.BytesIO(data), SMALL, "timeline"))) == len(rows_of(tt.analyze(FIXTURES[0]), "timeline"))
