"""Segments that no endpoint would send in that order: no exception, no dependence on batches or numbers, and the twin.

The twin has one line of numbers a side, so what it reads begins with a handshake, and a SYN is always the same one.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tcptrace_py as tt
from tests import packets, seg
from tests.naive.agreement import disagreements
from tests.naive.rows import Row
from tests.packets import ACK, FIN, PSH, RST, SYN

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLES = ("connections", "timeline", "states", "events")
RAW = {"seq", "ack", "capture", "evidence", "sentence"}  # the evidence of some findings is a raw number
FLAGS = (SYN, SYN | ACK, ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, FIN, 0, SYN | FIN, SYN | RST)
ENDS = ((packets.CLIENT, 40_000), (packets.SERVER, 80))

numbers = st.one_of(st.sampled_from((0, 1, 2, 3, 101)), st.integers(0, 400))
segments = st.lists(
    st.tuples(
        st.sampled_from((0, 10**5, 10**6, 5 * 10**7, 15 * 10**8, 7 * 10**10)),  # ns since the one before
        st.integers(0, 1),
        st.sampled_from(FLAGS),
        numbers,
        numbers,
        st.sampled_from((0, 0, 1, 2, 100)),  # octets
        st.sampled_from((0, 500, 65_535)),  # window
        st.integers(0, 40),  # IP ID
    ),
    min_size=4,
    max_size=30,
)
few = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


HANDSHAKE = [(0, 0, SYN, 0, 0, 0), (10**7, 1, SYN | ACK, 0, 1, 0), (10**7, 0, ACK, 1, 1, 0)]
after_a_handshake = st.lists(
    st.tuples(
        st.sampled_from((0, 10**5, 10**6, 5 * 10**7, 15 * 10**8)),
        st.integers(0, 1),
        st.sampled_from((ACK, ACK, ACK, PSH | ACK, PSH | ACK, FIN | ACK, RST, RST | ACK, SYN, SYN | ACK)),
        st.one_of(st.sampled_from((1, 2, 3, 101)), st.integers(0, 400)),
        st.one_of(st.sampled_from((1, 2, 3, 101)), st.integers(0, 400)),
        st.sampled_from((0, 0, 1, 2, 100)),
    ),
    min_size=2,
    max_size=14,
)


@settings(few, max_examples=300)
@given(after_a_handshake, st.lists(st.sampled_from((500, 65_535)), min_size=3, max_size=7))
def test_twin_agrees_on_junk(what, windows):
    rows, now = [], 0
    for i, (after, side, flags, seq, ack, size) in enumerate([*HANDSHAKE, *what]):
        now += after
        number = 100 + 400 * side + sum(row.side == side for row in rows)
        acked = ack if flags & ACK else None
        first, octets = (0 if flags & SYN else seq), (0 if flags & (SYN | RST) else size)
        rows.append(Row(now, side, flags, first, acked, octets, windows[i % len(windows)], number))
    data = [frame((row.side, row.flags, row.seq, row.ack or 0, row.size, row.window, row.ip_id)) for row in rows]
    trace = analyzed(data, [packets.BASE_NS + row.time for row in rows], tables=("connections", "timeline"))
    if len(trace) > 1:  # of two lives the twin knows nothing
        return
    wrong = list(disagreements(rows, seg.rows(trace), trace[0].record))
    assert not wrong, "\n".join(wrong)


def frame(header: Sequence[int], isns: tuple[int, int] = (1000, 7000)) -> bytes:
    """A packet; its numbers are counted from both ISNs."""
    side, flags, seq, ack, size, window, ip_id = header
    (source, sport), (target, dport) = ENDS[side], ENDS[1 - side]
    acked = ack + isns[1 - side] if flags & ACK else 0
    tcp = packets.tcp(
        flags, seq=seq + isns[side], ack=acked, payload=bytes(size), sport=sport, dport=dport, window=window
    )
    return packets.ipv4(tcp, source, target, ip_id=ip_id)


def analyzed(data: list[bytes], times: list[int], **asked) -> tt.Trace:
    """These packets as a capture."""
    with tempfile.TemporaryDirectory() as folder:
        path = packets.write_pcap(Path(folder) / "junk.pcap", data, 101, times=times)
        return tt.analyze(io.BytesIO(path.read_bytes()), **asked)


def said(what, without: set[str], isns: tuple[int, int] = (1000, 7000), batch_size: int = 8192) -> dict[str, object]:
    """All tables of these segments, but for some columns."""
    data, times, now = [], [], packets.BASE_NS
    for after, *header in what:
        now += after
        times.append(now)
        data.append(frame(header, isns))
    trace = analyzed(data, times, tables=TABLES, batch_size=batch_size)
    made = {name: trace.arrow(name) for name in TABLES}
    assert made["timeline"].num_rows == len(what)
    return {name: t.drop_columns(sorted(without & set(t.column_names))).to_pydict() for name, t in made.items()}


@few
@given(segments, st.sampled_from((1, 2, 5)))
def test_batch_size_changes_nothing(what, size):
    assert said(what, {"capture"}, batch_size=size) == said(what, {"capture"})


@few
@given(segments, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_isn_changes_only_raw_numbers(what, client_isn, server_isn):
    assert said(what, RAW, (client_isn, server_isn)) == said(what, RAW)
