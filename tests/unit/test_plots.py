"""Graphs in a notebook: what a cell holds, how much, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from html_tables import Page

import tcptrace_py as tt
from bench.report import transfer
from tcptrace_py.views.report import plots

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LOSS = FIXTURES / "loss_bulk.pcap"


def framed(plot):
    """The page in the frame of a cell, and the frame's attributes."""
    (frame,) = [known for tag, known in Page(plot._repr_html_()).elements if tag == "iframe"]
    assert frame["sandbox"] == "allow-scripts"
    assert frame["title"] == plot.title
    assert frame["srcdoc"] == plot.page
    return Page(plot.page)


@pytest.mark.parametrize("kind", [None, *plots.GRAPHS])
def test_graphs_of_a_connection(kind):
    conn = tt.analyze(LOSS)[0]
    plot = conn.plot(kind, direction="c2s")
    read = framed(plot)
    held, columns = read.held("g")
    assert held["way"] == "c2s"
    assert columns["c2s.frame"] == conn.timeline.query("direction == 'c2s'")["frame"].to_list()
    (box,) = [known for tag, known in read.elements if known.get("class") == "graphs"]
    assert box["data-kinds"] == str([kind] if kind else list(plots.GRAPHS)).replace("'", '"')
    assert repr(plot) == f"<Plot: connection 0, 10.9.0.1:44025 > 10.9.0.2:80: {kind or 'all graphs'}>"


def test_the_script_has_the_same_graphs():
    script = (Path(plots.__file__).parent / "graphs.js").read_text("utf-8")
    declared = script[script.index("const GRAPHS = {") : script.index("// -- a graph")]
    assert re.findall(r'^  "?([\w-]+)"?: \{ title', declared, re.MULTILINE) == list(plots.GRAPHS)


def test_states_and_shapes_need_no_script():
    trace = tt.analyze(FIXTURES / "port_reuse.pcap")
    for plot in (trace.plot(), trace.plot("shapes"), trace[1].plot("states")):
        read = framed(plot)
        assert read.scripts(None) == []
        assert "script-src" not in plot.page
    assert [row["state"] for row in framed(trace.plot()).grid("state", "most")] == trace.population()[
        "state"
    ].drop_duplicates().to_list()
    rows = framed(trace[1].plot("states")).grid("end", "state", "proved")
    states = trace.states[trace.states["conn_id"] == 1]
    assert [(row["end"], row["state"]) for row in rows] == [*zip(states["endpoint"], states["state"], strict=True)]


def test_a_cell_is_bounded(tmp_path):
    path = tmp_path / "transfer.pcap"
    path.write_bytes(b"".join(transfer(30_000)))
    plot = tt.analyze(path)[0].plot()
    assert len(plot._repr_html_()) < 500_000
    drawn = sum(len(columns) for name, columns in Page(plot.page).held("g")[1].items() if name.endswith(".time"))
    assert plots.MOST_ROWS - 2 <= drawn <= plots.MOST_ROWS
    assert re.search(r"[\d,]+ of 60,0\d\d segments are drawn", plot.page)


def test_what_there_is_not():
    trace = tt.analyze(LOSS)
    with pytest.raises(tt.UsageError, match="there is no graph 'tsg'; there are time-sequence, throughput"):
        trace[0].plot("tsg")
    with pytest.raises(tt.UsageError, match="there is no graph 'rtt'; there are states, shapes"):
        trace.plot("rtt")
    with pytest.raises(tt.UsageError, match="a direction is c2s or s2c, not 'up'"):
        trace[0].plot(direction="up")


def test_a_connection_without_times(tmp_path):
    path = tmp_path / "printed.txt"
    path.write_text("IP 10.0.0.1.5 > 10.0.0.2.6: Flags [S], seq 1, win 9, length 0\n")
    with pytest.raises(tt.UsageError, match="connection 0 has no segment with a time"):
        tt.analyze(path)[0].plot()
    assert "SYN_SENT" in tt.analyze(path)[0].plot("states").page


def test_names_from_strangers(tmp_path):
    path = tmp_path / '"><script>alert(1)<\\script>.pcap'
    path.write_bytes(LOSS.read_bytes())
    plot = tt.analyze(path).plot()
    assert "<script>alert" not in plot._repr_html_() + plot.page
    framed(plot)
