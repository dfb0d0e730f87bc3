"""What may be any octets, as plain functions: each returns, whatever they are, and raises only where there is a bug.

Every target asks the same question twice, in two ways that must agree: a file at once and in small pieces, the
compiled decoder and dpkt's, batches of one size and of another, the tables of a trace with each other.
"""

from __future__ import annotations

import io
import struct

import tcptrace_py as tt
from scripts.table_digest import digest
from tcptrace_py.capture.frames import LATEST_NS
from tcptrace_py.capture.printed_text import shows_packets
from tcptrace_py.decode import Decoder, DpktDecoder
from tcptrace_py.errors import TraceError, UnreadableError
from tests import packets as p
from tests.agreement import UNCAPPED, contradictions
from tests.containers import frames_of, pcap_header, pcap_record
from tests.decoding import decoded

TABLES = ("connections", "states", "events", "timeline")
LINKS = (1, 101, 0, 12, 108, 113, 276, 105, 127, 9, 50, 51, 104, 107, 192, 197, 10, 6, 7, 228, 229, 242, 253, 0x10000)


class Pieces(io.RawIOBase):
    """The same octets, a few at a time."""

    def __init__(self, data, size):
        self._data, self._size, self._at = data, size, 0

    def readable(self):
        return True

    def readinto(self, target):
        piece = self._data[self._at : self._at + min(self._size, len(target))]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _frames(source, **options):
    """The frames of an input and what is said of it; or why there is nothing."""
    try:
        got, info = frames_of(source, **options)
    except UnreadableError as error:
        return None, error.reason
    info.path = ""
    return got, info


def _sound(got, info):
    assert info.packets_read == len(got) == sum(info.link_types.values())
    assert (info.status == "partial") == bool(info.reason) == bool(info.message)
    for number, frame in enumerate(got, 1):
        assert frame.frame == number
        assert -LATEST_NS <= frame.time_ns <= LATEST_NS
        assert frame.original >= 0
        assert 0 <= frame.interface < max(len(info.interfaces), 1)


def container(data):
    """A capture file of whatever kind: whole and in pieces, with and without going on after damage."""
    got, info = _frames(data)
    for size in (7, 61):
        again, said = _frames(Pieces(data, size))
        assert again == got
        if isinstance(info, str) or info.format != "tcpdump text":  # what a text is, is seen in its first 64 KiB
            assert said == info
    if got is None:
        return
    _sound(got, info)
    further, said = _frames(data, resync=True)
    _sound(further, said)
    assert further[: len(got)] == got
    assert said.status == info.status


def pcap(data):
    """A pcap file; of octets that do not begin like one, the records."""
    container(data if data[:4] in _PCAP else pcap_header() + data)


def pcapng(data):
    """A pcapng file."""
    container(data if data[:4] == _PCAPNG else _PCAPNG + data)


_PCAP = tuple(struct.pack(order + "I", magic) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34))
_PCAPNG = b"\x0a\x0d\x0d\x0a"


def text(data):
    """What tcpdump prints: frames, and what they say.  The first packet is ours where the octets show none."""
    if not shows_packets(data):
        data = b"12:00:00.000001 IP 10.0.0.1.5 > 10.0.0.2.80: Flags [S], seq 1, win 5, length 0\n" + data
    got, info = _frames(data)
    if got is not None:
        _sound(got, info)
        _agrees(data)


def frame(data):
    """Frames of one link type, told by the first octet: the walk and dpkt's see the same."""
    if len(data) < 2:
        return
    found, at = [], 1
    while at < len(data) and len(found) < 16:  # an octet of length before each; the last goes to the end
        size = data[at]
        found.append(data[at + 1 : at + 1 + size] if size < 255 else data[at + 1 :])
        at += 1 + len(found[-1])
    _same_rows(p.frames(found, LINKS[data[0] % len(LINKS)]))


def options(data):
    """TCP options, 40 octets of them at most, of a SYN and of a segment with ACK."""
    body = data[:40]
    body += bytes(-len(body) % 4)
    segments = [p.tcp(flags, options=body, payload=b"x") for flags in (p.SYN, p.ACK)]
    _same_rows(p.frames([p.ipv4(segment) for segment in segments] + [p.ipv6(segments[1])], 101))


def _same_rows(given):
    for payloads in (False, True):
        fast = decoded(given, Decoder, capacity=5, payloads=payloads)
        slow = decoded(given, DpktDecoder, capacity=5, payloads=payloads)
        assert fast.rows == slow.rows
        assert fast.unused == slow.unused
        assert fast.quotes == slow.quotes


def tracker(data):
    """Segments between two ends, 10 octets each: the tables agree, and batches do not matter."""
    records, now = [], p.BASE_NS
    for at in range(0, min(len(data) - 9, 400), 10):
        now += _AFTER[data[at] & 15]
        records.append(pcap_record(now, _segment(data[at : at + 10]), unit=1))
    capture = pcap_header(link=101, magic=0xA1B23C4D) + b"".join(records)
    made = _agrees(capture)
    assert made == _tables(tt.analyze(io.BytesIO(capture), tables=TABLES, batch_size=3))


_AFTER = [int(s * 1e9) for s in (0, 0, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.2, 1, 3, 10, 61, 1000, -0.001, -1, 0)]
_FLAGS = (
    *(p.ACK, p.PSH | p.ACK, p.SYN, p.SYN | p.ACK, p.FIN | p.ACK, p.RST, p.RST | p.ACK, p.FIN),
    *(0, p.SYN | p.FIN, p.SYN | p.RST, 0xFF, p.ACK | p.ECE, p.SYN | p.ECE | p.CWR, p.ACK | p.URG, p.ACK | p.CWR),
)
_ISN = (0xFFFFFF00, 7000)


def _segment(octets):
    """One segment: time and side, flags and size, seq, ack, window, options, IP ID."""
    first, kind, seq, ack, window, extra, ip_id = struct.unpack(">BBHHBHB", octets)
    side = first >> 7
    size = (0, 0, 1, 2, 100, 100, 200, 1460)[first >> 4 & 7]
    ends = ((p.CLIENT, 40_000 + (kind >> 7)), (p.SERVER, 80))
    (source, sport), (target, dport) = ends[side], ends[1 - side]
    flags = _FLAGS[kind & 15]
    segment = p.tcp(
        flags,
        seq=(_ISN[side] + _far(seq)) % 2**32,
        ack=(_ISN[1 - side] + _far(ack)) % 2**32 if flags & p.ACK else 0,
        payload=bytes([kind]) * size,
        sport=sport if side == 0 else 80,
        dport=dport if side == 0 else 40_000 + (kind >> 7),
        window=(0, 1, 500, 65_535)[window & 3] if window < 128 else window << 8,
        options=_some_options(extra, side, flags),
    )
    return p.ipv4(segment, source, target, ip_id=ip_id)


def _far(number):
    """Mostly small, now and then beyond a window, half the circle away, or below."""
    return (number & 0x3FFF) + (0, 0, 1 << 20, 1 << 31)[number >> 14] - 16


def _some_options(extra, side, flags):
    made = b""
    if extra & 1:
        made += p.timestamps(1000 + (extra >> 8), 900 + (extra >> 9))
    if extra & 2 and flags & p.SYN:
        made += p.mss(1460) + p.wscale(extra >> 12) + p.SACK_PERMITTED
    if extra & 4:
        left = (_ISN[1 - side] + (extra >> 6 & 0x3FF)) % 2**32
        made += p.sack((left, (left + (extra >> 3 & 7) * 100) % 2**32))
    return made + bytes(-len(made) % 4)


def _tables(trace):
    return {name: digest(trace.arrow(name)) for name in TABLES}


def _agrees(data):
    """The tables of a capture, which must agree."""
    try:
        trace = tt.analyze(io.BytesIO(data), tables=TABLES, overlaps=True, limits=UNCAPPED)
    except TraceError:
        return {}
    assert contradictions(trace) == []
    return _tables(tt.analyze(io.BytesIO(data), tables=TABLES))


TARGETS = {each.__name__: each for each in (pcap, pcapng, text, frame, options, tracker)}
