"""What a notebook shows: safe, bounded HTML."""

from types import SimpleNamespace

from hand_made import HandMadeTrace, record, row

from tcptrace_py.views.notebook import LIMIT, connection_html, trace_html


def test_the_summary():
    html = trace_html(HandMadeTrace("<script>alert(1)</script>.pcap"))
    assert html.startswith(
        '<pre style="line-height:1.25"><span style="font-weight:bold">&lt;script&gt;alert(1)&lt;/script'
    )
    assert html.endswith("</pre>")
    assert "<script" not in html
    assert '<span style="color:#b37400">warning  </span>zero_window' in html


def test_a_connection():
    html = connection_html(HandMadeTrace("x")[0])
    assert html.startswith("<style>")
    assert '<figure class="tf-ladder" aria-label="Connection 0' in html
    assert "<script" not in html


def test_a_connection_of_many_segments_is_cut_and_says_so():
    rows = [
        row(i, i, "c2s", "S", (0, None, 0), "SYN_SENT/SYN_RCVD", steps=["handshake_1"], steps_ok=[True])
        for i in range(1, 3001)
    ]
    html = connection_html(SimpleNamespace(record=record(), rows=lambda: rows))
    assert LIMIT * 0.6 < len(html) <= LIMIT
    shown = html.count(">S seq 3626544836<")
    assert f"{3000 - shown:,} segments" in html
    assert "too many to be shown here" in html
