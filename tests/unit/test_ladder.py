"""The ladder of hand-made connections: golden texts, and the rules of folding."""

from pathlib import Path

import pytest
from hand_made import MS, bulk, close, handshake, record, row

from tcptrace_py.views.ink import coloured, marked_up, plain, width_of
from tcptrace_py.views.ladder.drawing import drawn as ladder_text
from tcptrace_py.views.ladder.layout import Fold, Rung, lay_out
from tcptrace_py.views.ladder.text import draw
from tcptrace_py.views.ladder.words import ASCII

GOLDEN = Path(__file__).parent.parent / "golden"


def drawn(rows, width, glyphs=None, **more):
    lines = draw(lay_out(record(**more), rows), width, **({"glyphs": glyphs} if glyphs else {}))
    return "\n".join(plain(parts) for parts in lines) + "\n"


CASES = {
    "ladder-open-and-close-80.txt": lambda: drawn([*handshake(), *close()], 80),
    "ladder-open-and-close-120.txt": lambda: drawn([*handshake(), *close()], 120),
    "ladder-bulk-80.txt": lambda: drawn([*handshake(), *bulk(), *close(24, 900, 1001)], 80),
    "ladder-bulk-ascii-100.txt": lambda: drawn([*handshake(), *bulk(), *close(24, 900, 1001)], 100, ASCII),
    "ladder-reset-110.txt": lambda: drawn(
        [
            *handshake()[:1],
            row(
                2,
                0.1,
                "s2c",
                "RA",
                (0, 1, 0),
                "CLOSED/CLOSED",
                steps=["reset"],
                steps_ok=[True],
                anomalies=["hs_refused", "rst_forged", "mbx_ttl_shift"],
            ),
        ],
        110,
        handshake="refused",
        teardown="refused",
        findings=["rst_forged", "hs_refused", "mbx_ttl_shift"],
    ),
    "ladder-printed-text-90.txt": lambda: drawn(
        [
            row(1, 0, "c2s", "S", (0, None, 0), "SYN_SENT/SYN_RCVD", time=None, steps=["handshake_1"], steps_ok=[None]),
            row(
                2,
                0,
                "s2c",
                "A",
                (0, 1, 0),
                "ESTABLISHED/SYN_RCVD",
                time=None,
                rel_seq=None,
                seq=None,
                payload_bytes=None,
                marks=["after_gap"],
            ),
        ],
        90,
        duration_ns=None,
        client_ip="2001:db8::1",
        network="vlan 5",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    assert CASES[name]() == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 93, 100, 132, 200])
def test_no_line_is_wider_than_the_terminal(width):
    lines = list(draw(lay_out(record(), [*handshake(), *bulk(), *close(24)]), width))
    rows = [*handshake(), *bulk(60)]
    for i, name in enumerate(["retransmission", "fast_retransmission", "duplicate_ack", "out_of_order", "ambiguous"]):
        rows[10 + i]["anomalies"] = [name]
    lines += draw(lay_out(record(), rows), width)  # a fold with much to tell
    lines += draw(lay_out(record(), handshake()), width)  # findings that are on no segment are told above
    assert max(map(width_of, lines)) <= width


def test_a_long_run_keeps_its_first_three_and_its_last_segment():
    rungs = lay_out(record(findings=[]), [*handshake(), *bulk()[:12]]).rungs
    assert [rung.frame if isinstance(rung, Rung) else rung.segments for rung in rungs] == [
        "1", "2", "3", "4", "5", "6", 8, "15",
    ]  # fmt: skip


def test_a_fold_tells_octets_each_way_time_and_findings():
    rows = [*handshake(), *bulk(17)]
    fold = next(rung for rung in lay_out(record(), rows).rungs if isinstance(rung, Fold))
    assert (fold.segments, fold.with_data, fold.span_ns, fold.pause_ns) == (13, 6, 12_000_000, None)
    assert (fold.to_server, fold.to_client, fold.findings) == (600, 0, (("retransmission", 1),))
    assert [rung.frame for rung in fold.rungs] == [str(frame) for frame in range(7, 20)]


def test_eleven_ordinary_segments_are_not_folded_and_twelve_are():
    eleven, twelve = (lay_out(record(), [*handshake(), *bulk()[:n]]).rungs for n in (11, 12))
    assert len(eleven) == 14
    assert len(twelve) == 3 + 3 + 1 + 1


def test_unfolded_every_segment_has_its_rung():
    assert len(lay_out(record(), [*handshake(), *bulk()], unfold=True).rungs) == 23


def test_a_warning_is_never_folded_until_it_is_the_fourth_of_its_kind():
    rows = [*handshake(), *bulk(60)]
    for known in rows[3:]:
        known["anomalies"] = ["zero_window"]
    rungs = lay_out(record(), rows).rungs
    assert [rung.segments for rung in rungs if isinstance(rung, Fold)] == [60 - 3 - 4]


def test_a_step_with_a_wrong_equation_is_drawn_as_wrong():
    text = ladder_text(record(), close(), width=120)
    assert "teardown_2 ✓  teardown_3 ✗" in text
    assert "teardown_1 ?" in text


def test_nanoseconds_appear_only_in_captures_that_have_them():
    rows = handshake()
    assert "0.000200  " in drawn(rows, 100)
    rows[1]["time"] += 7
    assert "0.000200007  " in drawn(rows, 100)


def test_nothing_from_the_capture_reaches_the_terminal_raw():
    text = drawn(handshake(), 100, network="\x1b[31mred\u202e")
    assert "\x1b" not in text
    assert r"\x1b[31mred\u202e" in text


def test_an_empty_connection_is_a_heading():
    assert drawn([], 80, findings=[]).splitlines()[0] == "Connection 0  192.168.1.116:3337 > 192.168.1.123:7788"


def test_states_stand_where_they_change_and_a_band_where_they_stay():
    text = ladder_text(record(), handshake(), width=120)
    assert [line.split()[2] for line in text.splitlines() if line[:1].isdecimal()] == ["SYN_SENT", "ESTABLISHED", "│"]


def pauses(rows):
    return [rung.frame for rung in lay_out(record(), rows).rungs if isinstance(rung, Rung) and rung.pause_ns]


def test_a_pause_is_200_ms():
    rows = handshake()
    rows[1]["time"] = rows[0]["time"] + 200 * MS
    rows[2]["time"] = rows[1]["time"] + 200 * MS - 1
    assert pauses(rows) == ["2"]


def test_the_five_longest_pauses_break_a_fold_and_the_fold_tells_of_the_others():
    rows = [*handshake(), *bulk(60)]
    for i in range(20):  # from frame 23 on: 300 ms before each, and of 302, 304 ... more before every other one
        for row_ in rows[22 + i :]:
            row_["time"] += (300 + (i if i % 2 else 0)) * MS
    rungs = lay_out(record(), rows).rungs
    assert {"34", "36", "38", "40", "42"} <= set(pauses(rows))
    assert [rung.pause_ns for rung in rungs if isinstance(rung, Fold)] == [None, 310 * MS, None]


def test_what_is_too_much_is_told_at_the_end_without_rungs():
    ladder = lay_out(record(), [*handshake(), *bulk()], at_most=5)
    assert [rung.frame for rung in ladder.shown()] == ["1", "2", "3", "4", "5"]
    rest = ladder.rungs[-1]
    assert (rest.segments, rest.rungs) == (18, ())
    assert "18 segments" in "\n".join(plain(parts) for parts in draw(ladder))
    assert "too many to be shown here" in "\n".join(plain(parts) for parts in draw(ladder))


def test_colour_and_html_say_what_plain_text_says():
    lines = list(draw(lay_out(record(), [*handshake(), *close()]), 100))
    assert "\x1b[1;38;5;202mteardown_3 ✗\x1b[0m" in "\n".join(map(coloured, lines))
    html = "\n".join(map(marked_up, lines))
    assert '<span style="color:#d55e00;font-weight:bold">teardown_3 ✗</span>' in html
    assert "192.168.1.116:3337 &gt; 192.168.1.123:7788" in html
