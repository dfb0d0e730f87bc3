"""The three drawings of a ladder, read back, show what the timeline says: every segment, number, state, step, fold."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hand_made import handshake, record

import tcptrace_py as tt
from tcptrace_py.errors import UsageError
from tcptrace_py.views.ladder.drawing import drawn
from tcptrace_py.views.ladder.html import CSS, fragment
from tcptrace_py.views.ladder.layout import Fold, lay_out
from tests import drawings

FIXTURES = Path(__file__).parent.parent / "fixtures"
CAPTURES = sorted(path.name for path in FIXTURES.glob("*.pcap"))


@pytest.mark.parametrize("name", CAPTURES)
def test_every_segment_in_every_drawing(name):
    for conn in tt.analyze(FIXTURES / name):
        drawings.assert_shown(conn)


@pytest.mark.parametrize("name", CAPTURES)
def test_folds(name):
    for conn in tt.analyze(FIXTURES / name):
        drawings.assert_folded(conn)


def test_a_ladder_has_three_forms():
    conn = tt.analyze(FIXTURES / "four_way.pcap")[0]
    assert conn.ladder("svg").startswith('<svg xmlns="http://www.w3.org/2000/svg" class="tf-ladder" role="group"')
    assert conn.ladder("html").startswith("<!DOCTYPE html>\n")
    with pytest.raises(UsageError, match="a ladder is drawn as text, svg, html, not as 'pdf'"):
        conn.ladder("pdf")


def test_a_notebook_shows_the_html():
    conn = tt.analyze(FIXTURES / "four_way.pcap")[0]
    ladder = lay_out(conn.record, conn.rows())
    assert conn._repr_html_() == f"<style>{CSS}</style>{fragment(ladder)}"


HOSTILE = "</style></svg><script>alert(1)</script>\x1b[31m\u202e\ufffe\x00\"'&"


@pytest.mark.parametrize("form", ["svg", "html"])
def test_nothing_from_a_capture_is_markup(form):
    rows = handshake()
    rows[0]["flags"] = HOSTILE
    text = drawn(record(network=HOSTILE, client_ip=HOSTILE, findings=[HOSTILE]), rows, form)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m\\u202e\\ufffe\\x00&quot;&#x27;&amp;" in text
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.count("</style>") == 1
    if form == "svg":
        ET.fromstring(text)


@pytest.mark.parametrize("form", ["svg", "html"])
def test_a_drawing_asks_for_nothing_from_outside(form):
    text = drawn(record(), handshake(), form)
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "url(" not in text
    assert " id=" not in text


@pytest.mark.parametrize("form", ["text", "svg", "html"])
def test_a_connection_without_segments_is_a_heading(form):
    assert "192.168.1.116:3337" in drawn(record(), [], form)


def test_a_fold_of_all_that_is_too_much_ends_the_bands():
    rows = [*handshake(), *handshake()]
    ladder = lay_out(record(), rows, at_most=3)
    assert isinstance(ladder.rungs[-1], Fold)
    shown = drawings.of_html(fragment(ladder))
    assert [row["client"] for row in shown] == ["SYN_SENT", "ESTABLISHED", "ESTABLISHED"]
