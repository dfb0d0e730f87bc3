"""Whatever the size of chunks, reads and batches, the frames are the same."""

import gzip
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcptrace_py.capture import reader, source
from tests.containers import (
    START,
    block,
    enhanced,
    frames_of,
    interface,
    obsolete,
    option,
    pcap,
    section,
    simple,
    snoop,
    tsresol,
)

PACKETS = [(START + n * 1_001_001_001, bytes([n % 251]) * (n * 37 % 200)) for n in range(60)]
LINE = "IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq {}, win 5, length 0\n"


def _mixed_pcapng():
    text = section() + interface() + interface(113, tsresol(0x80 | 20))
    for n, (time, data) in enumerate(PACKETS):
        text += block(4 + n % 3, data[: n % 7])
        kind = n % 5
        if kind == 0:
            text += simple(data)
        elif kind == 1:
            text += obsolete(time // 1000, data)
        else:
            text += enhanced(time // 1000, data, number=n % 2, options=option(1, b"c" * n))
        if n == 40:
            text += section() + interface(101) + interface()
    return text


INPUTS = {
    "pcap": pcap(PACKETS),
    "pcap-be": pcap(PACKETS, ">"),
    "pcap-cut": pcap(PACKETS)[:-9],
    "pcapng": _mixed_pcapng(),
    "pcapng-cut": _mixed_pcapng()[:-9],
    "snoop": snoop(PACKETS),
    "gzip": gzip.compress(pcap(PACKETS)),
    "text": "".join(f"{n // 60:02}:{n % 60:02}:00.5 {LINE.format(n)}" for n in range(60)).encode(),
    "verbose": "".join(f"IP (tos 0x0, ttl 64)\n    {LINE.format(n)[3:]}" for n in range(60)).encode(),
}
WHOLE = {name: frames_of(data) for name, data in INPUTS.items()}


class _Slow(io.RawIOBase):
    """A file that gives only some bytes at a time, in the sizes that it is told."""

    def __init__(self, data, sizes):
        self._data, self._sizes, self._at, self._reads = data, sizes, 0, 0

    def readinto(self, target):
        size = min(len(target), self._sizes[self._reads % len(self._sizes)])
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        self._reads += 1
        target[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("name", INPUTS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    chunk=st.integers(1, 400),
    rows=st.integers(1, 70),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    live=st.booleans(),
)
def test_any_chunks_give_the_same_frames(name, monkeypatch, chunk, rows, sizes, live):  # noqa: PLR0913, PLR0917
    monkeypatch.setattr(source, "CHUNK", chunk)
    monkeypatch.setattr(reader, "ROWS", rows)
    slow = _Slow(INPUTS[name], sizes)
    with monkeypatch.context() as patch:
        if live:
            patch.setattr(source, "_mode_of", lambda _file: 0o010000)
        got, info = frames_of(slow)
    whole, expected = WHOLE[name]
    assert got == whole
    assert (info.status, info.message, info.link_types) == (expected.status, expected.message, expected.link_types)
    assert (info.first_time_ns, info.last_time_ns) == (expected.first_time_ns, expected.last_time_ns)


@settings(max_examples=50, deadline=None)
@given(
    packets=st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(max_size=80)), max_size=20),
    order=st.sampled_from("<>"),
)
def test_what_is_written_is_read(packets, order):
    packets = [(time + 1, data) for time, data in packets if time < 2**32 * 10**9 - 1]  # all zeros is a hole
    for data in (pcap(packets, order, unit=1), gzip.compress(pcap(packets, order, unit=1))):
        got, info = frames_of(data)
        assert [(frame.time_ns, frame.data) for frame in got] == packets
        assert info.status == "ok"
